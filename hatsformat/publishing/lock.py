"""Holding a directory for work, so that no two processes of a machine do the same."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from hatsformat import storage
from hatsformat.errors import OutputError

LOCK = "lock"


@contextmanager
def claimed(work: Path, what: object) -> Iterator[None]:
    """Hold a directory of work while the block runs; it is made before, and removed after.

    What a process that was killed left there is there when the block begins: see `clear`.

    Parameters
    ----------
    work : Path
    what : object
        What the work is about, for the message.

    Raises
    ------
    OutputError
        If another process holds it.
    """
    with storage.explained(work, "making a directory for the work"):
        lock = _locked(work)
    if lock is None:
        raise OutputError("it is being changed by another process", path=what, hint="wait for it")
    with lock:
        try:
            yield
        finally:
            clear(work)
            # The lock goes last: until then nobody else builds anything here.
            with suppress(OSError):
                (work / LOCK).unlink()
                work.rmdir()


def is_claimed(work: Path) -> bool:
    """Return whether a process holds a directory of work."""
    try:
        with open(work / LOCK, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def clear(work: Path) -> None:
    """Remove everything in a directory of work but the lock."""
    for path in work.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)


def _locked(work: Path) -> IO[bytes] | None:
    """Return the lock, or None if another process has it."""
    while True:
        work.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another process ended its work just now
            lock = open(work / LOCK, "ab")  # noqa: SIM115 - the caller closes it
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock.fileno()), os.stat(work / LOCK)):
                    return lock
            except BlockingIOError:
                lock.close()
                return None
            except FileNotFoundError:
                pass
            lock.close()
