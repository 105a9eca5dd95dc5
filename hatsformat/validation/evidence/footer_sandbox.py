"""Footers are opened in another process, because some that are broken end the process that opens them.

Arrow's Python side has accessors through which an exception of C++ cannot pass: a broken footer would end
the program of whoever validates. The processes are started when first needed, kept for later validations, and
end with this one. Reading rows goes through other calls, which are safe, and stays here.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

from hatsformat.errors import StorageError
from hatsformat.validation.evidence.footer_worker import HEADER

Source: TypeAlias = str | bytes
"""A local file, or the last bytes of another."""

PROGRAM = Path(__file__).with_name("footer_worker.py")
BATCH = 400
PROCESSES = 2
MOST_DEATHS = 30
"""After so many files that end the reader, the rest of a batch is not opened: each costs a new process."""

FATAL = "it ends the process that reads it"
_UNREAD = "it is not opened, since too many others end the process that reads them"


class _Reader:
    """A process that reads footers."""

    def __init__(self) -> None:
        self.parent = os.getpid()
        self._progress, writing = os.pipe()
        try:
            # What Arrow prints when it ends the process is no concern of the user.
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

    def ask(self, operation: str, options: Mapping[str, Any], sources: Sequence[Source]) -> list[Any] | int:
        """Return the results, or, where the process has ended, how many sources were done by then."""
        content = pickle.dumps((operation, dict(options), list(sources)), pickle.HIGHEST_PROTOCOL)
        try:
            requests, answers = self._pipe(self._process.stdin), self._pipe(self._process.stdout)
            requests.write(HEADER.pack(len(content)))
            requests.write(content)
            requests.flush()
            head = answers.read(HEADER.size)
            if len(head) == HEADER.size:
                answer = answers.read(size := HEADER.unpack(head)[0])
                if len(answer) == size:
                    os.read(self._progress, len(sources))
                    results: list[Any] = pickle.loads(answer)
                    return results
        except OSError:
            pass
        self._process.kill()
        self._process.wait()
        os.set_blocking(self._progress, False)
        try:
            return len(os.read(self._progress, len(sources)))
        except BlockingIOError:
            return 0

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
        if stream is None:
            raise OSError("no pipe")
        return stream

    def close(self) -> None:
        """End the process."""
        if self.parent != os.getpid():
            return  # of the process that this one was forked from
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue
        self._process.kill()
        self._process.wait()
        os.close(self._progress)


_idle: list[_Reader] = []
_lock = threading.Lock()


@atexit.register
def _end() -> None:
    while _idle:
        _idle.pop().close()


def start() -> None:
    """Start a process if none is idle: it loads its libraries while other things are looked at."""
    with _lock:
        if any(reader.parent == os.getpid() for reader in _idle):
            return
    with suppress(StorageError):  # told where footers are asked for
        _give(_Reader())


def _take() -> _Reader:
    with _lock:
        while _idle:
            reader = _idle.pop()
            if reader.parent == os.getpid():
                return reader
    return _Reader()


def _give(reader: _Reader) -> None:
    with _lock:
        _idle.append(reader)


def read_all(
    operation: str, sources: Sequence[Source], options: Mapping[str, Any], limit: int
) -> list[dict[str, Any]]:
    """Let other processes read footers.

    Parameters
    ----------
    operation : {"describe", "columns"}
        See `footer_worker`.
    sources : sequence of str or bytes, shape (n,)
        Local paths, or the ends of files.
    options : mapping
        Of the operation.
    limit : int
        The most bytes of a footer.

    Returns
    -------
    list of dict, shape (n,)
        What each footer says; with ``error`` where it cannot be read.

    Raises
    ------
    StorageError
        If no process can be started.
    """
    batches = [sources[start : start + BATCH] for start in range(0, len(sources), BATCH)]
    told = {**options, "limit": limit}
    if len(batches) < 2:
        return [result for batch in batches for result in _read(operation, batch, told)]
    with ThreadPoolExecutor(PROCESSES) as threads:
        found = threads.map(lambda batch: _read(operation, batch, told), batches)
        return [result for results in found for result in results]


def _read(operation: str, batch: Sequence[Source], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    deaths = 0
    while len(results) < len(batch):
        if deaths > MOST_DEATHS:
            return results + [{"error": _UNREAD}] * (len(batch) - len(results))
        rest = batch[len(results) :]
        reader = _take()
        try:
            answer = reader.ask(operation, options, rest)
        except BaseException:
            reader.close()
            raise
        if isinstance(answer, list):
            _give(reader)
            results += answer
            continue
        reader.close()
        deaths += 1
        # Those before the culprit are asked for again, without it.
        if answer:
            results += _read(operation, rest[:answer], options)
        results.append({"error": FATAL})
    return results
