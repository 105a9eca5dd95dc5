"""A lock for a work folder: one holder at a time, threads and processes alike.

The operating system releases it when its holder ends, even by ``kill -9``. It is advisory, and as good as the
locks of the file system: reliable on local disks, and usually between machines on network file systems.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import IO, Any

from hatsformat import storage
from hatsformat.errors import HatsError

LOCK = "lock"
"""Name of the lock file in the work folder."""

_ATTEMPTS = 1000


@contextmanager
def locked(work: Path, *, busy: HatsError | None = None) -> Iterator[None]:
    """Hold the lock of a work folder while the block runs; if it is locked, raise `busy` or else wait.

    A missing folder is created, with its parents. Afterwards it is removed if only the lock is in it, and so
    are the parents that were created. Raises `StorageError` if the folder or the lock cannot be created.
    """
    with storage.storage_errors(work, "locking"):
        created = [folder for folder in work.parents if not folder.exists()]
        file = _acquire(work, wait=busy is None)
    if file is None:
        assert busy is not None  # without it, the lock is waited for
        raise busy
    try:
        yield
    finally:
        _release(file, work)
        for folder in created:
            with suppress(OSError):  # not empty
                folder.rmdir()


def is_locked(work: Path) -> bool:
    """Return whether the lock of a work folder is held; asking does not keep others from taking it."""
    try:
        with open(work / LOCK, "rb") as file:
            return not _lock(file.fileno(), shared=True)
    except OSError:
        return False


def _acquire(work: Path, *, wait: bool) -> IO[bytes] | None:
    """Return the lock's open file, or None if another holds it."""
    for attempt in count():
        try:
            work.mkdir(parents=True, exist_ok=True)
            file = open(work / LOCK, "a+b")  # noqa: SIM115 - closed by _release
            try:
                if not _lock(file.fileno(), wait=wait):
                    file.close()
                    return None
                if os.path.samestat(os.fstat(file.fileno()), os.stat(work / LOCK)):
                    return file
            except BaseException:
                file.close()
                raise
            file.close()
        except (FileNotFoundError, FileExistsError):
            # The last holder has just removed the folder or the file, or it really cannot be created.
            if attempt >= _ATTEMPTS:
                raise
    raise AssertionError  # for type checkers: count() has no end


def _release(file: IO[bytes], work: Path) -> None:
    with suppress(OSError):
        if sys.platform == "win32":  # an open file cannot be removed there
            file.close()
        (work / LOCK).unlink()
    file.close()
    with suppress(OSError):
        work.rmdir()


def _lock(descriptor: int, *, wait: bool = False, shared: bool = False) -> bool:
    """Lock an open file, and return whether it is locked now; `shared` locks do not exclude one another."""
    if sys.platform == "win32":
        return _lock_on_windows(descriptor, wait)
    import fcntl

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
            return True
        # Refused because of a holder, or because of a process that only asks whether there is one?
        if shared or not _lock(descriptor, shared=True):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(0.001)


def _lock_on_windows(descriptor: int, wait: bool) -> bool:
    msvcrt: Any = import_module("msvcrt")
    attempt = 0
    while wait or attempt < 5:  # on Windows, a process that only asks holds the lock for a moment
        with suppress(OSError):
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return True
        attempt += 1
        time.sleep(0.01)
    return False
