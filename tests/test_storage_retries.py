"""A web server that fails for the moment is asked again; one that fails for good, or says no, is not."""

from __future__ import annotations

import collections
import http.server
import socket
import threading

import pytest

from hatsformat import NotFoundError, StorageError, storage
from hatsformat.storage import retries
from hatsformat.validate import validate
from test_validate_builders import described, object_catalog

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra `http`)")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(retries, "WAITS_SECONDS", tuple(0.0 for _ in retries.WAITS_SECONDS))


class Server:
    """Serves bytes by path; the first `failing` requests for each path go wrong in some way."""

    def __init__(self, files, failing=0, way=503):
        self.asked = collections.Counter()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked[self.path] += 1
                if server.asked[self.path] <= failing:
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
