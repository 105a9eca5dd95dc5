"""Paths and URLs as `UPath`, and translation of file system errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from upath import UPath

from hatsformat.errors import HatsError, NotFoundError, StorageError, UnavailableError
from hatsformat.storage.retries import RetryingFileSystem, is_outage

if TYPE_CHECKING:
    from aiohttp import ClientTimeout

PathLike: TypeAlias = "str | os.PathLike[str] | UPath"

CONCURRENT_CALLS = 16
"""The number of simultaneous requests to a server."""

CONNECT_SECONDS, READ_SECONDS = 30, 60
"""How long to wait for a web server to connect, and to send the next bytes."""

T = TypeVar("T")
R = TypeVar("R")


def resolve(path: PathLike, **storage_options: Any) -> UPath:
    """Return `path` as a `UPath`, absolute where it is local.

    Parameters
    ----------
    path : str, path or UPath
        A local path, or a URL that fsspec knows: ``s3://``, ``https://``, ``memory://`` and others.
    **storage_options
        Passed to the file system, such as ``anon=True`` for a public bucket.

    Raises
    ------
    StorageError
        If the path is invalid, or its file system is not installed.
    """
    if "\0" in str(path):
        raise StorageError("invalid path: it contains a null byte", path=repr(str(path)))
    try:
        resolved = UPath(path, **storage_options)
        if resolved.protocol in ("http", "https") and "client_kwargs" not in resolved.storage_options:
            resolved = UPath(resolved, client_kwargs={"timeout": _web_timeout()})
        _ = resolved.fs
    except (ValueError, ImportError, TypeError) as error:
        raise StorageError(
            f"unsupported path: {error}",
            path=path,
            hint="for s3:// or https://, install hatsformat[s3] or hatsformat[http]",
        ) from error
    return UPath(os.path.abspath(resolved.path)) if is_local(resolved) else resolved


def _web_timeout() -> ClientTimeout:
    """Return a timeout without aiohttp's limit of five minutes for the whole response."""
    from aiohttp import ClientTimeout

    return ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)


def is_local(path: UPath) -> bool:
    """Return whether `path` is on a local disk."""
    return path.protocol in ("", "file", "local")


def is_local_name(name: str) -> bool:
    """Return whether the text of a path is local; a path without a protocol is."""
    return "://" not in name or name.startswith(("file://", "local://"))


def retrying_fs(path: UPath) -> Any:
    """Return the file system of a path, for reading."""
    return path.fs if is_local(path) else RetryingFileSystem(path.fs)


@contextmanager
def storage_errors(path: object, doing: str) -> Iterator[None]:
    """Translate errors of a file system into `StorageError`, with the path and the failed operation."""
    try:
        yield
    except HatsError:  # already one of ours; some are OSErrors, too
        raise
    except FileNotFoundError as error:
        # fsspec raises this for any HTTP error. Many servers answer 403 for a missing file.
        cause = error.__cause__
        if type(cause).__module__.startswith("aiohttp") and getattr(cause, "status", 500) >= 500:
            raise UnavailableError(f"{doing} failed: {_reason(cause)}", path=path) from error
        raise NotFoundError("no such file or directory", path=path) from error
    except PermissionError as error:
        raise StorageError(f"permission denied: {doing}", path=path) from error
    except NotImplementedError as error:
        raise StorageError(f"this storage does not support {doing}", path=path) from error
    except ValueError as error:
        if "range requests" in str(error):  # the text of fsspec's error
            raise StorageError(
                "the server does not support range requests", path=path, hint="download the file first"
            ) from error
        raise
    except OSError as error:
        raise _failed(error, path, doing) from error
    except Exception as error:
        # Clients of remote storage raise errors of their own packages, which are slow to import.
        if type(error).__module__.partition(".")[0] in ("aiohttp", "botocore", "s3fs", "gcsfs", "adlfs"):
            raise _failed(error, path, doing) from error
        raise


def _failed(error: Exception, path: object, doing: str) -> StorageError:
    kind = UnavailableError if is_outage(error) else StorageError
    return kind(f"{doing} failed: {_reason(error)}", path=path)


def _reason(error: BaseException | None) -> str:
    return getattr(error, "strerror", None) or f"{type(error).__name__} {error}".strip()


def map_concurrently(work: Callable[[T], R], items: Sequence[T], *, waits: bool) -> list[R]:
    """Call a function for every item and return the results in order.

    Parameters
    ----------
    work : callable
    items : sequence
    waits : bool
        Whether the calls mostly wait for a server. If so, several run at the same time; otherwise, one after
        the other.
    """
    if not waits or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(CONCURRENT_CALLS, "hatsformat-storage") as pool:
        return list(pool.map(work, items))
