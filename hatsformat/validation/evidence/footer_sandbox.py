"""Open footers in another process, because some broken footers crash the process that opens them.

Some accessors of pyarrow abort the process on a C++ exception, so a broken footer would crash the calling
program. The processes are started when first needed, reused by later validations, and end with this one. Rows
are read in this process, by other calls, which are safe.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

from hatsformat.errors import StorageError
from hatsformat.validation.evidence.footer_worker import (
    Failure,
    Question,
    Request,
    Source,
    receive,
    send,
)

T = TypeVar("T")

PROGRAM = Path(__file__).with_name("footer_worker.py")
BATCH = 400
PROCESSES = 2
MOST_CRASHES = 30
"""After so many crashes, the rest of a batch is not opened, because each crash costs a new process."""

FATAL = "it crashes the process that reads it"
_UNREAD = "it was not opened because too many other files crashed the process that reads them"


class _Worker:
    """A process that reads footers."""

    def __init__(self) -> None:
        self.parent = os.getpid()
        self._progress, writing = os.pipe()
        try:
            # Hide what Arrow prints when it crashes.
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(PROGRAM), str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except OSError as error:
            os.close(self._progress)
            raise StorageError(f"a process to read footers cannot be started: {error}") from error
        finally:
            os.close(writing)

    def ask(self, request: Request[T]) -> list[T | Failure] | int:
        """Return the answers or, if the process crashed, how many sources were done."""
        count = len(request.sources)
        try:
            send(self._pipe(self._process.stdin), request)
            answers: list[T | Failure] = receive(self._pipe(self._process.stdout))
            os.read(self._progress, count)
            return answers
        except (OSError, EOFError):
            pass
        self._process.kill()
        self._process.wait()
        os.set_blocking(self._progress, False)
        try:
            return len(os.read(self._progress, count))
        except BlockingIOError:
            return 0

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
        if stream is None:
            raise OSError("no pipe")
        return stream

    def close(self) -> None:
        """Stop the process."""
        if self.parent != os.getpid():
            return  # inherited from the parent process
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue
        self._process.kill()
        self._process.wait()
        os.close(self._progress)


_idle: list[_Worker] = []
_lock = threading.Lock()


@atexit.register
def _end() -> None:
    while _idle:
        _idle.pop().close()


def start() -> None:
    """Start a process if none is idle, so that it loads its libraries in the meantime."""
    with _lock:
        if any(worker.parent == os.getpid() for worker in _idle):
            return
    with suppress(StorageError):  # reported when footers are read
        _put_back(_Worker())


def _take_idle() -> _Worker:
    with _lock:
        while _idle:
            worker = _idle.pop()
            if worker.parent == os.getpid():
                return worker
    return _Worker()


def _put_back(worker: _Worker) -> None:
    with _lock:
        _idle.append(worker)


def read_all(question: Question[T], sources: Sequence[Source]) -> list[T | Failure]:
    """Read footers in other processes.

    Parameters
    ----------
    question : Question
    sources : sequence of str or bytes, shape (n,)
        Local paths, or the last bytes of files.

    Returns
    -------
    list, shape (n,)
        The answer about each footer, or a `Failure`.

    Raises
    ------
    StorageError
        If no process can be started.
    """
    batches = [sources[start : start + BATCH] for start in range(0, len(sources), BATCH)]
    if len(batches) < 2:
        return [answer for batch in batches for answer in _read(question, batch)]
    with ThreadPoolExecutor(PROCESSES) as threads:
        found = threads.map(lambda batch: _read(question, batch), batches)
        return [answer for answers in found for answer in answers]


def _read(question: Question[T], batch: Sequence[Source]) -> list[T | Failure]:
    found: list[T | Failure] = []
    crashes = 0
    while len(found) < len(batch):
        if crashes > MOST_CRASHES:
            return found + [Failure("unreadable", _UNREAD)] * (len(batch) - len(found))
        rest = batch[len(found) :]
        worker = _take_idle()
        try:
            answers = worker.ask(Request(question, rest))
        except BaseException:
            worker.close()
            raise
        if isinstance(answers, list):
            _put_back(worker)
            found += answers
            continue
        worker.close()
        crashes += 1
        # Ask again for the sources before the one that crashed, without it.
        if answers:
            found += _read(question, rest[:answers])
        found.append(Failure("unreadable", FATAL))
    return found
