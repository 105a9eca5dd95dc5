"""A web server that fails for the moment is asked again; one that fails for good, or says no, is not."""

from __future__ import annotations

import collections
import http.server
import socket
import threading

import pytest
from click.testing import CliRunner

from hatsformat import NotFoundError, StorageError, layout, storage
from hatsformat.cli import main
from hatsformat.errors import UnavailableError
from hatsformat.storage import paths, retries
from hatsformat.validation import validate
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence import tree
from tests.support.catalogs_to_break import described, object_catalog

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra `http`)")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(retries, "WAITS_SECONDS", tuple(0.0 for _ in retries.WAITS_SECONDS))


def test_an_error_among_the_blocks_is_raised():
    class FileSystem:
        answers = iter([[b"x", ConnectionResetError()], [b"x", FileNotFoundError("y")]])

        def cat_ranges(self):
            return next(self.answers)

    with pytest.raises(FileNotFoundError, match="y"):
        retries.RetryingFileSystem(FileSystem()).cat_ranges()


class Server:
    """Serves bytes by path; the first `failing` requests for each path, or for one, go wrong in some way."""

    def __init__(self, files, failing=0, way=503, only=None):
        self.asked = collections.Counter()
        server = self
        silence = self._silence = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked[self.path] += 1
                if server.asked[self.path] <= failing and only in (None, self.path.removeprefix("/")):
                    if way == "keep silent":
                        silence.wait(30)
                        return
                    if way == "hang up":
                        self.connection.shutdown(socket.SHUT_RDWR)
                        self.close_connection = True
                    else:
                        self.send_error(way)
                    return
                content = files.get(self.path.removeprefix("/"))
                if content is None:
                    self.send_error(404)
                    return
                wanted = self.headers.get("Range", "").removeprefix("bytes=")
                first, _, last = wanted.partition("-")
                if wanted and first:
                    part = content[int(first) : int(last) + 1 if last else None]
                else:
                    part = content[-int(last) :] if wanted else content
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(part)))
                self.send_header("Accept-Ranges", "bytes")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(part)

            def do_HEAD(self):
                self.do_GET()

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._silence.set()
        self._server.shutdown()
        self._server.server_close()

    def place(self, path):
        return storage.resolve(f"http://127.0.0.1:{self._server.server_port}/{path}")


CALLS = {
    "whole": storage.read_bytes,
    "limited": lambda place: storage.read_bytes(place, limit=100),
    "end": lambda place: storage.read_tail(place, 100),
    "range": lambda place: storage.read_ranges(place, [(0, 11)])[0],
}


@pytest.mark.parametrize("way", [429, 500, 502, 503, 504, "hang up"])
@pytest.mark.parametrize("call", list(CALLS))
def test_a_failure_that_passes_is_not_seen(call, way):
    with Server({"file": b"what it says"[:11]}, failing=len(retries.WAITS_SECONDS), way=way) as server:
        assert CALLS[call](server.place("file")) == b"what it say"


@pytest.mark.parametrize("way", [503, "hang up"])
def test_a_failure_that_stays_is_told_after_so_many_attempts(way):
    with Server({"file": b"x"}, failing=100, way=way) as server:
        with pytest.raises(StorageError) as caught:
            storage.read_bytes(server.place("file"))
        assert not isinstance(caught.value, NotFoundError)
        attempts = 1 + len(retries.WAITS_SECONDS)
        # aiohttp itself asks once more where a server hangs up.
        assert server.asked["/file"] == attempts * (2 if way == "hang up" else 1)


@pytest.mark.parametrize("way", [403, 404])
def test_a_refusal_is_final(way):
    with Server({"file": b"x"}, failing=1, way=way) as server:
        with pytest.raises(StorageError):
            storage.read_bytes(server.place("file"))
        assert server.asked["/file"] == 1


def test_a_catalog_behind_a_server_that_is_busy_now_and_then_is_sound():
    files = object_catalog()
    with Server(files, failing=1) as server:
        report = validate(str(server.place("")), level="rows")
        assert described(report) == []
        assert all(count > 1 for path, count in server.asked.items() if path.removeprefix("/") in files)


@pytest.mark.parametrize("way", [503, "hang up"])
@pytest.mark.parametrize("path", sorted({*object_catalog()} - {layout.PROPERTIES}))
def test_a_file_that_the_server_does_not_give_is_no_fault_of_the_catalog(path, way):
    with Server(object_catalog(), failing=10**9, way=way, only=path) as server:
        report = validate(str(server.place("")), level="rows")
    assert described(report) == []
    assert all(path in item.reason for item in report.outages)
    assert report.outages


@pytest.mark.parametrize("path", [layout.PROPERTIES, "properties"])
def test_a_server_without_its_properties_is_not_judged(path):
    files = {name: content for name, content in object_catalog().items() if name != "properties"}
    files = {path if name == layout.PROPERTIES else name: content for name, content in files.items()}
    with Server(files, failing=10**9, only=path) as server, pytest.raises(UnavailableError, match="503"):
        validate(str(server.place("")))


def test_the_command_says_that_it_could_not_see_everything():
    leaf = next(path for path in object_catalog() if path.startswith(layout.DATASET + "/Norder"))
    with Server(object_catalog(), failing=10**9, only=leaf) as server:
        told = CliRunner().invoke(main, ["validate", str(server.place(""))])
    assert told.exit_code == 2
    assert "the storage failed" in told.stdout
    assert "could not run" in told.stderr
    assert "run the validation again" in told.stderr


@pytest.mark.parametrize("call", list(CALLS))
def test_a_server_that_keeps_silent_is_not_waited_for(call, monkeypatch):
    monkeypatch.setattr(paths, "READ_SECONDS", 0.2)
    with Server({"file": b"x" * 11}, failing=10**9, way="keep silent") as server:
        with pytest.raises(UnavailableError):
            CALLS[call](server.place("file"))
        assert server.asked["/file"] <= 2


def test_nobody_at_the_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnavailableError):
        storage.read_bytes(storage.resolve(f"http://127.0.0.1:{port}/file"))


def test_a_server_that_fails_again_and_again_is_asked_no_more(monkeypatch):
    monkeypatch.setattr(tree, "MOST_OUTAGES", 2)
    names = [f"file-{number}" for number in range(5)]
    with Server(dict.fromkeys(names, b"x"), failing=10**9) as server:
        files = tree.Tree(server.place(""))
        read = [files.read(name, 100) for name in names]
        assert len(server.asked.keys() & {f"/{name}" for name in names}) == 2
    assert all(isinstance(file.error, UnavailableError) for file in read)
    with pytest.raises(NoEvidenceError, match="too often"):
        read[-1].need()
