"""Places: what a path or a URL names, and what their file systems' errors mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from upath import UPath

from hatsformat.errors import HatsError, NotFoundError, StorageError, UnavailableError
from hatsformat.storage.retries import PatientFileSystem, is_outage

PathLike: TypeAlias = "str | os.PathLike[str] | UPath"

CONCURRENT_CALLS = 16
"""Requests to a server at the same time."""

CONNECT_SECONDS, READ_SECONDS = 30, 60
"""How long a web server may take to be there, and to send some more of an answer."""

T = TypeVar("T")
R = TypeVar("R")


def resolve(path: PathLike, **storage_options: Any) -> UPath:
    """Return the place that `path` names.

    Parameters
    ----------
    path : str, path or UPath
        A local path, or a URL that fsspec knows: ``s3://``, ``https://``, ``memory://`` and others.
    **storage_options
        Handed to the file system, such as ``anon=True`` for a public bucket.

    Raises
    ------
    StorageError
        If the file system cannot be had, for example because its extra is not installed.
    """
    if "\0" in str(path):
        raise StorageError("cannot use this kind of path: it holds a null byte", path=repr(str(path)))
    try:
        place = UPath(path, **storage_options)
        if place.protocol in ("http", "https") and "client_kwargs" not in place.storage_options:
            place = UPath(place, client_kwargs={"timeout": _web_timeout()})
        _ = place.fs
    except (ValueError, ImportError, TypeError) as error:
        raise StorageError(
            f"cannot use this kind of path: {error}",
            path=path,
            hint="install the extra for it: hatsformat[s3] or hatsformat[http]",
        ) from error
    return UPath(os.path.abspath(place.path)) if is_local(place) else place


def _web_timeout() -> Any:
    """Return for how long to wait: as long as something comes, not five minutes in all and then no more."""
    from aiohttp import ClientTimeout

    return ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)


def is_local(place: UPath) -> bool:
    """Return whether `place` is on a local disk."""
    return place.protocol in ("", "file", "local")


def is_local_name(name: str) -> bool:
    """Return whether a path's text names a local place; one without a protocol does."""
    return "://" not in name or name.startswith(("file://", "local://"))


def reading_fs(place: UPath) -> Any:
    """Return a place's file system, for reading."""
    return place.fs if is_local(place) else PatientFileSystem(place.fs)


@contextmanager
def explained(place: object, doing: str) -> Iterator[None]:
    """Turn what a file system raises into a `StorageError` that names the place and what was being done."""
    try:
        yield
    except HatsError:  # explained already; some are OSErrors, too
        raise
    except FileNotFoundError as error:
        # fsspec says so of web servers that fail or hang up, too; many say 403 of what is not there.
        cause = error.__cause__
        if type(cause).__module__.startswith("aiohttp") and getattr(cause, "status", 500) >= 500:
            raise UnavailableError(f"{doing} failed: {_reason(cause)}", path=place) from error
        raise NotFoundError("no such file or directory", path=place) from error
    except PermissionError as error:
        raise StorageError(f"not permitted: {doing}", path=place) from error
    except NotImplementedError as error:
        raise StorageError(f"this kind of storage does not allow {doing}", path=place) from error
    except ValueError as error:
        if "range requests" in str(error):  # fsspec's words
            raise StorageError(
                "the server sends whole files only", path=place, hint="download the file first"
            ) from error
        raise
    except OSError as error:
        raise _failed(error, place, doing) from error
    except Exception as error:
        # Clients of remote stores raise errors of their own packages, which are not imported here.
        if type(error).__module__.partition(".")[0] in ("aiohttp", "botocore", "s3fs", "gcsfs", "adlfs"):
            raise _failed(error, place, doing) from error
        raise


def _failed(error: Exception, place: object, doing: str) -> StorageError:
    kind = UnavailableError if is_outage(error) else StorageError
    return kind(f"{doing} failed: {_reason(error)}", path=place)


def _reason(error: BaseException | None) -> str:
    return getattr(error, "strerror", None) or f"{type(error).__name__} {error}".strip()


def concurrently(work: Callable[[T], R], items: Sequence[T], *, waits: bool) -> list[R]:
    """Call a function for every item and return the results in order.

    Parameters
    ----------
    work : callable
    items : sequence
    waits : bool
        Whether calls mostly wait for a server, so that several are made at the same time; those for files on
        a disk are made one after the other.
    """
    if not waits or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(CONCURRENT_CALLS, "hatsformat-storage") as pool:
        return list(pool.map(work, items))
