"""Every kind of publication shows everything or nothing, whatever fails."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from upath import UPath

from hatsformat import storage
from hatsformat.errors import HatsError, OutputError, StorageError
from hatsformat.publishing import new_folder, swap
from hatsformat.publishing.journal import Journal
from hatsformat.publishing.lock import locked
from hatsformat.publishing.new_folder import NewFolder, NewRemoteFolder
from hatsformat.publishing.publication import publish
from hatsformat.publishing.swap import FolderSwap
from hatsformat.publishing.work import changing_folder, unfinished_imports

OLD = {"hats.properties": "old", "dataset/leaf": "old", "partition_info.csv": "old"}
NEW = {**dict.fromkeys(OLD, "new"), "dataset/part": "new"}
KINDS = {
    "new folder": lambda root: NewFolder(root, overwrite=True),
    "swap": FolderSwap,
    "journal": Journal,  # works on local folders, too
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def write(root, content):
    for path, text in content.items():
        storage.write_bytes(root / path, text.encode())


def read(root):
    """The content of a folder without work folders."""
    folder = Path(root.path)
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {str(path.relative_to(folder)): path.read_text() for path in files}
    return {name: text for name, text in names.items() if not name.startswith(".")}


def change(publication, content=NEW, error=None):
    """Publish new content."""
    with publish(publication):
        existing = read(publication.root)
        publication.begin([path for path in content if path not in existing], list(existing))
        write(publication.staging, content)
        if error is not None:
            raise error


def old_folder(top):
    root = UPath(top / "sky")
    write(root, OLD)
    return root


@pytest.fixture
def root(tmp_path):
    return old_folder(tmp_path)


def assert_nothing_left(root):
    assert os.listdir(root.parent.path) == [root.name]
    assert sorted(os.listdir(root.path)) == ["dataset", "hats.properties", "partition_info.csv"]


@each_kind
def test_commit_shows_everything(kind, root):
    change(KINDS[kind](root))
    assert read(root) == NEW
    assert_nothing_left(root)


@each_kind
@pytest.mark.parametrize("error", [HatsError("broken"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_an_error_changes_nothing(kind, root, error):
    with pytest.raises(type(error)):
        change(KINDS[kind](root), error=error)
    assert read(root) == OLD
    assert_nothing_left(root)


@each_kind
def test_files_may_be_announced_in_steps(kind, root):
    for error in (HatsError("broken"), None):
        publication = KINDS[kind](root)
        try:
            with publish(publication):
                for path, text in NEW.items():
                    publication.begin([], [path])
                    publication.begin([], [path])
                    write(publication.staging, {path: text})
                if error is not None:
                    raise error
        except HatsError:
            assert read(root) == OLD
    assert read(root) == NEW


@each_kind
def test_a_second_publication_is_refused(kind, root):
    first = KINDS[kind](root)
    with publish(first):
        first.begin([], list(OLD))
        with pytest.raises(OutputError, match="another process"):
            change(KINDS[kind](root))
        write(first.staging, NEW)
    assert read(root) == NEW


@pytest.mark.parametrize("member", ["", "member"])
def test_an_import_and_a_change_refuse_each_other(root, member):
    folder = NewFolder(root / member if member else root, overwrite=True)
    with publish(FolderSwap(root)), pytest.raises(OutputError, match="is changing this catalog"):
        change(folder)
    with publish(folder):
        assert len(unfinished_imports(root)) == 1
        with pytest.raises(OutputError, match="an import is running"):
            change(FolderSwap(root))
        write(folder.staging, OLD)


def fail_once(monkeypatch, owner, name, call, code):
    """Let one call fail; 0 is the first."""
    plain, numbers = getattr(owner, name), itertools.count()

    def failing(*args, **kwargs):
        if next(numbers) == call:
            raise OSError(code, os.strerror(code))
        return plain(*args, **kwargs)

    monkeypatch.setattr(owner, name, failing)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize(
    ("kind", "owner", "name", "call"),
    [
        *(("new folder", new_folder, "_move", call) for call in range(6)),
        ("swap", swap, "swap", 0),
        ("swap", swap, "_link", 2),
        ("journal", LocalFileSystem, "cp_file", 1),
        ("journal", LocalFileSystem, "rm_file", 0),
    ],
)
def test_a_commit_that_fails_changes_nothing(kind, owner, name, call, code, root, monkeypatch):
    fail_once(monkeypatch, owner, name, call, code)
    with pytest.raises(StorageError, match=r"No space left|permission denied"):
        change(KINDS[kind](root))
    assert read(root) == OLD
    assert_nothing_left(root)
    change(KINDS[kind](root))
    assert read(root) == NEW


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@each_kind
def test_no_permission(kind, tmp_path):
    root = old_folder(tmp_path / "locked")
    folders = [tmp_path / "locked", tmp_path / "locked/sky", tmp_path / "locked/sky/dataset"]
    for folder in folders:
        folder.chmod(0o500)
    with pytest.raises(StorageError, match="permission denied"):
        change(KINDS[kind](root))
    for folder in folders:
        folder.chmod(0o700)
    assert read(root) == OLD
    assert_nothing_left(root)


KILLED = """
import itertools, os, signal, sys
from pathlib import Path
from tests.publishing.test_publication import KINDS, change, old_folder, swap

kind, top = sys.argv[1], Path(sys.argv[2])
if kind == "two renames":
    kind, swap.ctypes.CDLL = "swap", lambda *args, **kwargs: object()
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "ctypes.dlsym")

def kill_before(number):
    # Die before the change of the file system with this number.
    made = itertools.count()
    def hook(event, args):
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in CHANGES) and next(made) == number:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

change(KINDS[kind](old_folder(top / "warm-up")))  # imports what it needs
for number in itertools.count():
    publication = KINDS[kind](old_folder(top / str(number)))
    child = os.fork()
    if child == 0:
        kill_before(number)
        change(publication)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(number)
        break
"""


@pytest.mark.parametrize("kind", [*KINDS, "two renames"])
def test_killed_before_any_change_of_the_file_system(kind, tmp_path):
    """The old content, the new one or nothing that opens is left; the next run recovers."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, kind, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kills = int(done.stdout)
    assert kills > 20
    kind = "swap" if kind == "two renames" else kind
    seen = set()
    for number in range(kills):
        root = UPath(tmp_path / str(number) / "sky")
        found = read(root)
        if kind == "journal":
            # Files are written in place; the properties come last and show which state it is.
            assert found.get("hats.properties") == "new" or set(found) >= set(OLD)
            storage.remove_partial_files(root)  # an object store has none
        elif kind == "swap" and not root.exists():
            swap.recover(root)
            assert read(root) == OLD
        else:
            assert found in (OLD, NEW) or "hats.properties" not in found
        with pytest.raises(HatsError, match="broken"):
            change(KINDS[kind](root), error=HatsError("broken"))
        assert read(root) in (OLD, NEW), number
        assert_nothing_left(root)
        seen.add(read(root)["hats.properties"])
        change(KINDS[kind](root))
        assert read(root) == NEW
        assert_nothing_left(root)
    assert seen == {"old", "new"}


class TestSwap:
    """The system calls that swap two folders."""

    @pytest.fixture
    def libc(self, monkeypatch):
        def use(**functions):
            library = type("Library", (), {name: staticmethod(call) for name, call in functions.items()})
            monkeypatch.setattr(ctypes, "CDLL", lambda *args, **kwargs: library)

        return use

    def test_macos(self, root, libc):
        calls = []

        def renamex_np(one, other, flags):
            calls.append(flags)
            os.rename(one, one + b"-aside")
            os.rename(other, one)
            os.rename(one + b"-aside", other)
            return 0

        libc(renamex_np=renamex_np)
        change(FolderSwap(root))
        assert calls == [2]
        assert read(root) == NEW
        assert_nothing_left(root)

    @pytest.mark.parametrize("name", ["renamex_np", "renameat2", "neither"])
    def test_where_it_is_not_supported(self, root, libc, name):
        def unsupported(*args):
            ctypes.set_errno(errno.ENOTSUP)
            return -1

        libc(**{name: unsupported})
        change(FolderSwap(root))
        assert read(root) == NEW
        assert_nothing_left(root)

    def test_another_error(self, root, libc):
        def full(*args):
            ctypes.set_errno(errno.ENOSPC)
            return -1

        libc(renamex_np=full)
        with pytest.raises(StorageError, match="No space left"):
            change(FolderSwap(root))
        assert read(root) == OLD

    def test_work_in_the_folder_is_left_out(self, root):
        with locked(Path(root.path) / ".members"):
            (root / ".partial-1-leaf").write_text("half")
            change(FolderSwap(root))
        assert read(root) == NEW
        assert_nothing_left(root)


class TestNewFolder:
    """A new folder, and the quarantine beside it."""

    def test_created_folders_are_removed(self, tmp_path):
        with pytest.raises(HatsError):
            change(NewFolder(UPath(tmp_path / "a/b/sky")), error=HatsError("broken"))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("call", [None, *range(8)])
    def test_the_quarantine_goes_with_the_catalog(self, root, monkeypatch, call):
        folder = NewFolder(root, overwrite=True)
        folder.quarantine.write_text("old")
        if call is not None:
            fail_once(monkeypatch, new_folder, "_move", call, errno.ENOSPC)
        try:
            with publish(folder):
                write(folder.staging, NEW)
                folder.quarantine_staging.write_text("new")
        except StorageError:
            assert read(root) == OLD
            assert folder.quarantine.read_text() == "old"
        else:
            assert call is None
            assert read(root) == NEW
            assert folder.quarantine.read_text() == "new"
        assert sorted(os.listdir(root.parent.path)) == ["sky", "sky.quarantine.parquet"]

    def test_work_that_is_kept(self, tmp_path):
        root = UPath(tmp_path / "sky")
        folder = NewFolder(root)
        folder.keep_work = lambda error: isinstance(error, StorageError)
        with pytest.raises(StorageError, match="--resume"):
            change(folder, error=StorageError("full"))
        assert read(root) == {}
        resumed = NewFolder(root, resume=True)
        with publish(resumed):
            assert read(resumed.staging) == NEW
        assert read(root) == NEW
        assert os.listdir(tmp_path) == ["sky"]

    def test_in_an_object_store(self):
        root = UPath("memory://publishing/sky")
        for error in (HatsError("broken"), None):
            folder = NewRemoteFolder(root, overwrite=True)
            folder.quarantine.parent.mkdir(parents=True, exist_ok=True)
            try:
                change(folder, error=error)
            except HatsError:
                assert not root.exists()
        assert (root / "hats.properties").read_text() == "new"
        assert not folder.work.exists()


class TestJournal:
    """Journals of other machines and killed processes."""

    def test_another_machine(self, root):
        write(root, {".changing/journal.json": '{"host": "far.example", "added": [], "replaced": []}'})
        with pytest.raises(OutputError, match=r"far\.example"):
            change(Journal(root))
        assert (root / ".changing/journal.json").exists()

    @pytest.mark.parametrize("text", ["", "{}", "[]"])
    def test_an_unreadable_journal(self, root, text):
        write(root, {".changing/journal.json": text})
        with pytest.raises(StorageError, match="cannot read"):
            change(Journal(root))
        assert read(root) == OLD


def test_a_missing_folder_is_not_created(tmp_path):
    root = UPath(tmp_path / "sky")
    swap.recover(root)
    assert not changing_folder(root).exists()
    assert list(tmp_path.iterdir()) == []
