"""The lock is exclusive, released by the system, and safe while its folder is created and removed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import hatsformat
from hatsformat import build_margin, import_catalog, validate
from hatsformat.errors import OutputError, StorageError
from hatsformat.publishing import lock
from hatsformat.publishing.lock import LOCK, is_locked, locked
from hatsformat.storage import resolve
from hatsformat.supplements.collection import collection_lock
from hatsformat.updates.appending import append
from tests.support import skies

BUSY = OutputError("busy")

LOOP = """
import os, sys
from pathlib import Path
from hatsformat.errors import OutputError
from hatsformat.publishing.lock import locked

top, mode, wanted = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
busy = None if mode == "wait" else OutputError("busy")
done = 0
while done < wanted:
    try:
        with locked(top / "root" / "work", busy=busy):
            os.close(os.open(top / "inside", os.O_CREAT | os.O_EXCL))  # fails if another is inside
            os.unlink(top / "inside")
            done += 1
    except OutputError:
        pass
"""

HOLD = """
import sys, time
from pathlib import Path
from hatsformat.publishing.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("mode", ["wait", "refuse"])
def test_many_processes_create_and_remove_the_folder(tmp_path, mode):
    processes = [start(LOOP, tmp_path, mode, 100) for _ in range(4)]
    failed = [stderr for process in processes if (stderr := process.communicate(timeout=120)[1])]
    assert failed == []
    assert not (tmp_path / "root" / "work").exists()


def test_a_killed_holder(tmp_path):
    work = tmp_path / "work"
    holder = start(HOLD, work)
    assert holder.stdout.readline() == "held\n"
    assert is_locked(work)
    with pytest.raises(OutputError), locked(work, busy=BUSY):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert (work / LOCK).exists()
    assert not is_locked(work)
    with locked(work, busy=BUSY):
        assert is_locked(work)
    assert list(tmp_path.iterdir()) == []


def test_waiting_for_the_lock(tmp_path):
    order = []

    def second():
        with locked(tmp_path / "work"):
            order.append("second")

    with locked(tmp_path / "work"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert list(tmp_path.iterdir()) == []


def test_threads_exclude_one_another(tmp_path):
    inside, most = [], []

    def loop():
        for _ in range(50):
            with locked(tmp_path / "work"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 200
    assert max(most) == 1


def test_asking_does_not_block_others(tmp_path):
    ended = threading.Event()

    def ask():
        while not ended.is_set():
            is_locked(tmp_path / "work")

    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "content").touch()
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            with locked(tmp_path / "work", busy=BUSY):
                pass
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_what_is_removed_afterwards(tmp_path):
    with locked(tmp_path / "a/b/work"):
        assert is_locked(tmp_path / "a/b/work")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()
    with locked(tmp_path / "a/b/work"):
        (tmp_path / "a/b/work/content").touch()
    assert (tmp_path / "a/b/work/content").exists()
    (tmp_path / "a/b/work/content").unlink()
    with locked(tmp_path / "a/b/work"):
        pass
    assert list((tmp_path / "a/b").iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / LOCK).mkdir()
    for work in (Path("/proc/sky/work"), tmp_path / "file", tmp_path / "file/work", tmp_path / "work"):
        with pytest.raises(StorageError, match=str(work)), locked(work):
            pass
        assert not is_locked(work)


def test_the_properties_of_a_collection(tmp_path):
    """While it is held and after a kill, the lock is in the collection's folder, which stays valid."""
    root = tmp_path / "sky"
    import_catalog(skies.stars(100, 1), root, leaf="directory", indexes=["id"])
    with collection_lock(resolve(root)):
        assert (root / ".members" / LOCK).exists()
        assert validate(root).findings == ()
    assert not (root / ".members").exists()
    (root / ".members").mkdir()
    (root / ".members" / LOCK).touch()
    append(root, skies.stars(100, 2))
    assert not (root / ".members").exists()
    (root / ".members").mkdir()
    (root / ".members" / LOCK).touch()
    build_margin(root, 10)
    assert validate(root).findings == ()
    assert sorted(os.listdir(root)) == ["collection.properties", "sky", "sky_10arcs", "sky_id"]


def test_on_windows(tmp_path, monkeypatch):
    """With a fake msvcrt: all locks are exclusive there, and open files cannot be removed."""

    def locking(descriptor, mode, size):
        assert (mode, size) == ("try", 1)
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setattr(lock, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK="try"))
    with locked(tmp_path / "work", busy=BUSY):
        assert is_locked(tmp_path / "work")
        with pytest.raises(OutputError), locked(tmp_path / "work", busy=BUSY):
            pass
    test_waiting_for_the_lock(tmp_path)


def test_only_this_module_knows_how_to_lock():
    package = Path(hatsformat.__file__).parent
    users = [path.name for path in package.rglob("*.py") if "fcntl" in path.read_text("utf-8")]
    assert users == ["lock.py"]
    code = "import sys; sys.modules['fcntl'] = None; import hatsformat.publishing.lock"
    subprocess.run([sys.executable, "-c", code], check=True)
