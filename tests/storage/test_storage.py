"""The same calls on a disk, in memory, in a bucket and behind a web server; and what goes wrong there."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from hatsformat import storage
from hatsformat.errors import HatsError, NotFoundError, StorageError, UsageError
from hatsformat.storage import FileEntry
from tests.support.servers import HttpServer, S3Server


def new_bucket(s3: S3Server) -> UPath:
    bucket = s3.root / f"bucket-{uuid.uuid4().hex[:12]}"
    bucket.mkdir()
    return storage.resolve(s3.url_of(bucket), **options(s3))


def options(s3: S3Server) -> dict[str, object]:
    """What s3fs needs. rclone sends the whole object's checksum with a range of it: not to be compared."""
    checksums = {
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    return {**s3.storage_options, "config_kwargs": checksums}


@pytest.fixture(params=["local", "memory", pytest.param("s3", marks=pytest.mark.server)])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UPath]:
    """An empty place to write to."""
    if request.param == "local":
        yield storage.resolve(tmp_path / "root")
    elif request.param == "memory":
        place = UPath(f"memory://storage-{uuid.uuid4().hex}")
        yield place
        storage.remove_tree(place)
    else:
        yield new_bucket(request.getfixturevalue("s3")) / "root"


@pytest.fixture
def local(tmp_path: Path) -> UPath:
    return storage.resolve(tmp_path)


def files(place: UPath) -> dict[str, int]:
    return {entry.path: entry.size for entry in storage.list_tree(place)}


class TestEveryStorage:
    def test_write_and_read_again(self, root: UPath) -> None:
        place = root / "a" / "Norder=0" / "é b.bin"
        storage.write_bytes(place, b"0123456789")
        assert storage.exists(place)
        assert storage.size(place) == 10
        assert storage.read_bytes(place) == storage.read_bytes(place, limit=10) == b"0123456789"
        assert storage.read_tail(place, 3) == b"789"
        assert storage.read_tail(place, 100) == b"0123456789"
        assert storage.read_ranges(place, [(2, 4), (0, 1), (9, 10)]) == [b"23", b"0", b"9"]

    def test_a_second_write_replaces_the_first(self, root: UPath) -> None:
        for content in (b"first and longer", b"second", b""):
            storage.write_bytes(root / "x", content)
            assert storage.read_bytes(root / "x") == content
        assert files(root) == {"x": 0}

    def test_listing(self, root: UPath) -> None:
        for name, count in (("b/c", 2), ("a", 1), ("b/d/e", 3), ("b.x", 0)):
            storage.write_bytes(root / name, b"x" * count)
        assert storage.list_tree(root) == [
            FileEntry("a", 1), FileEntry("b.x", 0), FileEntry("b/c", 2), FileEntry("b/d/e", 3)
        ]  # fmt: skip
        assert files(root / "b") == {"c": 2, "d/e": 3}
        assert storage.list_names(root) == ["a", "b", "b.x"]

    def test_nothing_there(self, root: UPath) -> None:
        place = root / "no" / "file"
        assert not storage.exists(place)
        for call in (
            lambda: storage.read_bytes(place),
            lambda: storage.read_bytes(place, limit=5),
            lambda: storage.read_tail(place, 5),
            lambda: storage.read_ranges(place, [(0, 5)]),
            lambda: storage.size(place),
            lambda: storage.list_tree(place),
            lambda: storage.list_names(place),
        ):
            with pytest.raises(NotFoundError, match="no such file"):
                call()
        storage.remove_file(place)
        storage.remove_tree(place)

    def test_read_limit(self, root: UPath) -> None:
        storage.write_bytes(root / "x", b"0123456789")
        with pytest.raises(StorageError, match=r"larger than expected.*at most 9 bytes"):
            storage.read_bytes(root / "x", limit=9)

    def test_a_range_past_the_end(self, root: UPath) -> None:
        storage.write_bytes(root / "x", b"0123456789")
        for past in ((5, 11), (10, 11), (1000, 2000)):
            with pytest.raises(StorageError, match="x: "):
                storage.read_ranges(root / "x", [(0, 2), past], gap=0)

    def test_ranges_of_nothing(self, root: UPath) -> None:
        storage.write_bytes(root / "x", b"0123456789")
        assert storage.read_ranges(root / "x", []) == []
        assert storage.read_ranges(root / "x", [(3, 3), (10, 10)]) == [b"", b""]
        assert storage.read_ranges(root / "x", [(3, 3), (4, 5)], gap=0) == [b"", b"4"]

    @pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, OSError])
    def test_a_failed_write_leaves_nothing(self, root: UPath, kind: type[BaseException]) -> None:
        storage.write_bytes(root / "old", b"old")

        def fail(place: UPath) -> None:
            with storage.atomic_writer(place) as stream:
                stream.write(b"half")
                assert not storage.exists(root / "new")
                raise kind

        for name in ("new", "old"):
            with pytest.raises(StorageError if kind is OSError else kind):
                fail(root / name)
        gc.collect()
        assert files(root) == {"old": 3}
        assert storage.read_bytes(root / "old") == b"old"

    def test_a_file_appears_only_when_it_is_whole(self, root: UPath) -> None:
        storage.write_bytes(root / "x", b"old")
        with storage.atomic_writer(root / "x") as stream:
            stream.write(b"new and " * 1000)
            stream.flush()
            assert storage.read_bytes(root / "x") == b"old"
            assert [name for name in files(root) if not name.startswith(".partial-")] == ["x"]
            assert stream.tell() == 8000
            stream.write(b"done")
        assert storage.read_bytes(root / "x") == b"new and " * 1000 + b"done"
        assert list(files(root)) == ["x"]

    def test_remove(self, root: UPath) -> None:
        for name in ("a/b", "a/c/d", "e"):
            storage.write_bytes(root / name, b"x")
        storage.remove_file(root / "e")
        storage.remove_file(root / "e")
        assert list(files(root)) == ["a/b", "a/c/d"]
        storage.remove_tree(root / "a" / "c")
        assert list(files(root)) == ["a/b"]

    def test_make_directory_twice(self, root: UPath) -> None:
        storage.make_directory(root / "a" / "b")
        storage.make_directory(root / "a" / "b")
        storage.write_bytes(root / "a" / "b" / "c", b"x")

    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.binary(min_size=1, max_size=300),
        st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=6),
        st.integers(0, 100),
    )
    def test_any_ranges(self, root: UPath, content: bytes, cuts: list[tuple[float, float]], gap: int) -> None:
        storage.write_bytes(root / "x", content)
        ranges = [
            (min(cut), max(cut)) for cut in (tuple(round(c * len(content)) for c in pair) for pair in cuts)
        ]
        assert storage.read_ranges(root / "x", ranges, gap=gap) == [content[a:b] for a, b in ranges]


class TestRanges:
    @pytest.mark.parametrize(
        ("ranges", "gap", "asked"),
        [
            ([(0, 10), (10, 20)], 0, [(0, 20)]),
            ([(0, 10), (15, 20)], 4, [(0, 10), (15, 20)]),
            ([(0, 10), (15, 20)], 5, [(0, 20)]),
            ([(50, 60), (0, 10), (5, 30)], 0, [(0, 30), (50, 60)]),
            ([(0, 40), (5, 6)], 0, [(0, 40)]),
            ([(3, 3), (9, 9)], 0, []),
        ],
    )
    def test_neighbours_are_fetched_as_one(
        self,
        ranges: list[tuple[int, int]],
        gap: int,
        asked: list[tuple[int, int]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        place = UPath("memory://ranges/x")
        content = bytes(range(100))
        storage.write_bytes(place, content)
        seen: list[tuple[int, int]] = []
        fetch = place.fs.cat_ranges

        def counting(paths, starts, ends, **options):
            seen.extend(zip(starts, ends, strict=True))
            return fetch(paths, starts, ends, **options)

        monkeypatch.setattr(place.fs, "cat_ranges", counting)
        assert storage.read_ranges(place, ranges, gap=gap) == [content[a:b] for a, b in ranges]
        assert seen == asked


class TestPlaces:
    def test_local_places_are_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("a/../x", Path("x"), UPath("x"), f"file://{tmp_path}/x", str(tmp_path / "x")):
            place = storage.resolve(name)
            assert storage.is_local(place)
            assert place.path == str(tmp_path / "x")

    def test_other_places(self) -> None:
        assert not storage.is_local(storage.resolve("memory://a"))

    @pytest.mark.parametrize("path", ["nosuchthing://a/b", "a\0b://x"])
    def test_unknown_kinds(self, path: str) -> None:
        with pytest.raises(StorageError, match=r"unsupported path|invalid path"):
            storage.resolve(path)


class TestDisk:
    def test_links_that_loop_end(self, local: UPath, tmp_path: Path) -> None:
        storage.write_bytes(local / "a" / "x", b"x")
        (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "self").symlink_to(tmp_path / "self")
        (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
        (tmp_path / "file").symlink_to(tmp_path / "a" / "x")
        assert files(local) == {"a/x": 1, "file": 1, "gone": 0, "self": 0}
        for name in ("self", "gone"):
            with pytest.raises(StorageError):
                storage.read_bytes(local / name)

    def test_a_file_where_a_directory_should_be(self, local: UPath) -> None:
        storage.write_bytes(local / "x", b"x")
        for call in (
            lambda: storage.write_bytes(local / "x" / "y", b""),
            lambda: storage.make_directory(local / "x" / "y"),
            lambda: storage.read_bytes(local / "x" / "y"),
            lambda: storage.list_tree(local / "x"),
        ):
            with pytest.raises(StorageError):
                call()
        assert files(local) == {"x": 1}

    def test_a_directory_where_a_file_should_be(self, local: UPath) -> None:
        storage.make_directory(local / "d")
        for call in (lambda: storage.write_bytes(local / "d", b"x"), lambda: storage.read_bytes(local / "d")):
            with pytest.raises(StorageError, match="directory"):
                call()
        assert files(local) == {}

    def test_a_full_disk(self, local: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_args: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def fill() -> None:
            with storage.atomic_writer(local / "x") as stream:
                stream.write(b"half")
                full()

        with pytest.raises(StorageError, match="writing failed: No space left on device"):
            fill()
        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(StorageError, match="No space left"):
            storage.write_bytes(local / "x", b"whole")
        assert files(local) == {}

    def test_a_disk_that_takes_no_more(self, tmp_path: Path) -> None:
        program = f"""
import resource, signal
from hatsformat import storage
from hatsformat.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
place = storage.resolve({str(tmp_path)!r})
storage.write_bytes(place / "small", b"x" * 1000)
try:
    storage.write_bytes(place / "large", b"x" * 1_000_000)
except StorageError as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
        assert "large: writing failed: File too large" in done.stdout, done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["small"]

    @pytest.mark.parametrize("doing", ["read", "write", "list"])
    def test_what_is_not_permitted(self, local: UPath, doing: str, monkeypatch: pytest.MonkeyPatch) -> None:
        # Who runs the tests may be allowed everything, so the system's answer is made up.
        def refuse(*_args: object, **_options: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "somewhere")

        storage.write_bytes(local / "d" / "x", b"x")
        calls: dict[str, tuple[object, str, Callable[[], object]]] = {
            "read": (type(local.fs), "cat_file", lambda: storage.read_bytes(local / "d" / "x")),
            "write": (os, "replace", lambda: storage.write_bytes(local / "d" / "y", b"y")),
            "list": (os, "scandir", lambda: storage.list_tree(local / "d")),
        }
        owner, name, call = calls[doing]
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, refuse)
            with pytest.raises(StorageError, match="permission denied"):
                call()
        assert files(local) == {"d/x": 1}

    def test_our_own_errors_pass_through(self, local: UPath) -> None:
        storage.make_directory(local)
        with pytest.raises(HatsError, match=r"^mine$"), storage.atomic_writer(local / "x"):
            raise HatsError("mine")
        assert files(local) == {}


class TestMemory:
    def test_an_empty_directory_lists_as_empty(self) -> None:
        place = UPath("memory://empty-directory")
        storage.make_directory(place)
        assert storage.list_tree(place) == []


@pytest.mark.server
class TestS3:
    def test_large_files_come_whole(self, s3: S3Server) -> None:
        place = new_bucket(s3) / "large"
        content = os.urandom(1 << 20) * 12  # more than one part of an upload
        storage.write_bytes(place, content)
        assert storage.size(place) == len(content)
        assert storage.read_ranges(place, [(5, 10), (11_000_000, 11_000_100)]) == [
            content[5:10],
            content[11_000_000:11_000_100],
        ]

    def test_files_that_others_wrote(self, s3: S3Server) -> None:
        bucket = new_bucket(s3)
        folder = s3.root / bucket.path.strip("/")
        (folder / "a").mkdir()
        (folder / "a" / "b").write_bytes(b"abc")
        assert files(bucket) == {"a/b": 3}

    def test_no_such_bucket(self, s3: S3Server) -> None:
        place = storage.resolve("s3://no-such-bucket-here/x", **options(s3))
        with pytest.raises(NotFoundError):
            storage.read_bytes(place)

    def test_wrong_key(self, s3: S3Server) -> None:
        place = new_bucket(s3) / "x"
        storage.write_bytes(place, b"x")
        wrong = {**options(s3), "secret": "not-it"}
        with pytest.raises(StorageError):
            storage.read_bytes(storage.resolve(str(place), **wrong))

    def test_no_server(self) -> None:
        nowhere = {
            "key": "a", "secret": "b", "endpoint_url": "http://127.0.0.1:1",
            "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 1},
        }  # fmt: skip
        place = storage.resolve("s3://bucket/x", **nowhere)
        with pytest.raises(StorageError, match=r"s3://bucket/x"):
            storage.read_tail(place, 5)


@pytest.mark.server
class TestHttp:
    @pytest.fixture
    def site(self, http: HttpServer) -> Path:
        folder = http.root / uuid.uuid4().hex
        (folder / "Norder=0").mkdir(parents=True)
        (folder / "Norder=0" / "x").write_bytes(bytes(range(256)) * 1000)
        (folder / "a").write_bytes(b"abc")
        return folder

    def test_reads_ask_for_what_they_need(self, http: HttpServer, site: Path) -> None:
        place = storage.resolve(http.url_of(site / "Norder=0" / "x"))
        content = bytes(range(256)) * 1000
        http.forget()
        assert storage.read_tail(place, 100) == content[-100:]
        assert [(r.status, r.body_bytes) for r in http.requests()] == [(206, 100)]
        http.forget()
        assert storage.read_ranges(place, [(0, 10), (20, 30), (200_000, 200_010)], gap=64) == [
            content[:10], content[20:30], content[200_000:200_010]
        ]  # fmt: skip
        assert sorted((r.status, r.body_bytes) for r in http.requests()) == [(206, 10), (206, 30)]
        assert storage.read_bytes(place) == content
        assert storage.size(place) == len(content)
        assert storage.exists(place)
        assert storage.read_tail(place, 10**7) == content

    def test_the_end_of_a_short_file(self, http: HttpServer, site: Path) -> None:
        assert storage.read_tail(storage.resolve(http.url_of(site / "a")), 64 * 1024) == b"abc"

    def test_nothing_there(self, http: HttpServer, site: Path) -> None:
        place = storage.resolve(http.url_of(site / "nothing"))
        assert not storage.exists(place)
        for call in (
            lambda: storage.read_bytes(place),
            lambda: storage.read_tail(place, 5),
            lambda: storage.read_ranges(place, [(0, 5)]),
            lambda: storage.size(place),
        ):
            with pytest.raises(NotFoundError):
                call()

    def test_a_range_past_the_end(self, http: HttpServer, site: Path) -> None:
        place = storage.resolve(http.url_of(site / "a"))
        for past in ((1, 5), (10, 20)):
            with pytest.raises(StorageError):
                storage.read_ranges(place, [past])

    def test_read_limit(self, http: HttpServer, site: Path) -> None:
        place = storage.resolve(http.url_of(site / "Norder=0" / "x"))
        with pytest.raises(StorageError, match="larger"):
            storage.read_bytes(place, limit=1000)
        assert len(storage.read_bytes(place, limit=256_000)) == 256_000

    def test_listings(self, http: HttpServer, site: Path) -> None:
        listed = storage.resolve(http.url_of(site, listed=True))
        assert [entry.path for entry in storage.list_tree(listed)] == ["Norder=0/x", "a"]
        assert storage.list_names(listed) == ["Norder=0", "a"]
        assert storage.list_names(listed / "Norder=0") == ["x"]
        with pytest.raises(StorageError):
            storage.list_tree(storage.resolve(http.url_of(site)))

    def test_a_web_server_takes_no_files(self, http: HttpServer, site: Path) -> None:
        place = storage.resolve(http.url_of(site / "new"))
        http.forget()
        with pytest.raises(StorageError, match="does not support writing"):
            storage.write_bytes(place, b"x")
        assert http.requests() == []

    def test_no_server(self) -> None:
        with pytest.raises(StorageError, match=r"127.0.0.1:1/x"):
            storage.read_bytes(storage.resolve("http://127.0.0.1:1/x"))


ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "error", [NotFoundError("there is no leaf", path="x"), UsageError("range requests", path="x")], ids=type
)
def test_an_error_that_is_explained_already_stays(error):
    with pytest.raises(type(error)) as raised, storage.storage_errors("another path", "reading"):
        raise error
    assert raised.value is error
    assert error.__cause__ is None
