"""Retry calls to a server after temporary errors.

Busy servers sometimes answer 503 or drop the connection, which says nothing about the file. Clients of
buckets retry by themselves; the HTTP client does not.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")

WAITS_SECONDS = (0.2, 1.0)
"""How long to wait before each retry."""

BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))
"""HTTP status codes that are worth a retry."""

_CUT_OFF = frozenset(("ServerDisconnectedError", "ClientOSError", "ClientPayloadError"))
"""Names of aiohttp's errors for a dropped connection; aiohttp is too heavy to import here."""

_NO_ANSWER = frozenset(
    ("ClientConnectorError", "ConnectTimeoutError", "EndpointConnectionError", "ReadTimeoutError")
)
"""Names of aiohttp's and botocore's errors for a server that is missing or silent."""

_CALLS = frozenset(("cat_file", "cat_ranges", "exists", "find", "glob", "info", "isdir", "ls", "size"))
"""Methods of a file system that are safe to retry."""


def is_temporary(error: BaseException | None) -> bool:
    """Return whether an error is worth a retry."""
    if error is None:
        return False
    if getattr(error, "status", None) in BUSY or type(error).__name__ in _CUT_OFF:
        return True
    # fsspec raises FileNotFoundError for any failure, with the reason as its cause.
    return isinstance(error, ConnectionResetError) or is_temporary(error.__cause__)


def is_outage(error: BaseException | None) -> bool:
    """Return whether an error comes from the server or the network, not from the file.

    Some of these are too slow to retry, such as timeouts.
    """
    if error is None:
        return False
    no_answer = isinstance(error, TimeoutError | ConnectionError) or type(error).__name__ in _NO_ANSWER
    # s3fs raises EBUSY for a busy bucket, after its own retries.
    is_busy = isinstance(error, OSError) and error.errno == errno.EBUSY
    return no_answer or is_busy or is_temporary(error) or is_outage(error.__cause__)


def retry(call: Callable[[], T]) -> T:
    """Call a function and return its result; retry after temporary errors."""
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
    """A file system that retries its reading calls after temporary errors."""

    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._fs, name)
        if name not in _CALLS:
            return method

        @wraps(method)
        def retrying(*args: Any, **kwargs: Any) -> Any:
            return retry(lambda: raise_first(method(*args, **kwargs)))

        return retrying
