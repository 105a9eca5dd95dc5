"""Calls to a server that failed for the moment, made again.

A long read from a busy server meets an answer of 503 or a connection that is cut now and then. That says
nothing of the file that was asked for. Buckets are read through clients that try again by themselves; web
servers are not.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")

WAITS_SECONDS = (0.2, 1.0)
"""How long to wait before each further attempt."""

BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Answers of a web server that may be another the next time."""

_CUT_OFF = frozenset(("ServerDisconnectedError", "ClientOSError", "ClientPayloadError"))
"""Errors of aiohttp, which is not imported here, when a connection ends too early."""

_NO_ANSWER = frozenset(
    ("ClientConnectorError", "ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError")
)
"""Errors of aiohttp and botocore when there is no server, or it keeps silent."""

_CALLS = frozenset(("cat_file", "cat_ranges", "exists", "find", "glob", "info", "isdir", "ls", "size"))
"""Methods of a file system that may be called twice."""


def is_temporary(error: BaseException | None) -> bool:
    """Return whether an error may be gone the next time."""
    if error is None:
        return False
    if getattr(error, "status", None) in BUSY or type(error).__name__ in _CUT_OFF:
        return True
    # fsspec says of any failure that there is no such file, and names the reason as its cause.
    return isinstance(error, ConnectionResetError) or is_temporary(error.__cause__)


def is_outage(error: BaseException | None) -> bool:
    """Return whether an error is of the server, and says nothing of what it was asked for.

    Unlike after those that pass, it would take long to ask once more.
    """
    if error is None:
        return False
    no_answer = isinstance(error, TimeoutError | ConnectionError) or type(error).__name__ in _NO_ANSWER
    # s3fs says so of a bucket that is busy, after it has tried again.
    is_busy = isinstance(error, OSError) and error.errno == errno.EBUSY
    return no_answer or is_busy or is_temporary(error) or is_outage(error.__cause__)


def retry(call: Callable[[], T]) -> T:
    """Return what a call returns, making it again where it fails for the moment."""
    for wait in WAITS_SECONDS:
        try:
            return call()
        except Exception as error:
            if not is_temporary(error):
                raise
        time.sleep(wait)
    return call()


def raise_first(result: T) -> T:
    """Return the result of a call, or raise the first error in it.

    fsspec before 2026.6 returns the errors of `cat_ranges` among the blocks, even with ``on_error="raise"``.
    """
    if isinstance(result, list):
        for item in result:
            if isinstance(item, Exception):
                raise item
    return result


class RetryingFileSystem:
    """A file system whose reading calls are made again where they fail for the moment."""

    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._fs, name)
        if name not in _CALLS:
            return method

        @wraps(method)
        def patient(*args: Any, **kwargs: Any) -> Any:
            return retry(lambda: raise_first(method(*args, **kwargs)))

        return patient
