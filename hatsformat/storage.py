"""Files on a disk, in a bucket, behind a web server or in memory, through the same few calls.

A place is a `UPath`; what it points at is read by fsspec. This module knows nothing of what the files mean.
Two promises hold for all callers: reads say clearly what went wrong (`NotFoundError`, `StorageError`, with
the path), and a file that is written appears whole or not at all.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias, TypeVar
from urllib.parse import unquote

from upath import UPath

from hatsformat.errors import NotFoundError, ShortFileError, StorageError

PathLike: TypeAlias = "str | os.PathLike[str] | UPath"

GAP_BYTES = 64 * 1024
"""Ranges closer than this are fetched as one: a round trip costs more than the bytes between."""

CONCURRENT_CALLS = 16
"""Requests to a server at the same time."""

T = TypeVar("T")
R = TypeVar("R")

_TEMPORARY = ".partial-"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a listing: its path relative to the listed root, and its size in bytes."""

    path: str
    size: int


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
        _ = place.fs
    except (ValueError, ImportError, TypeError) as error:
        raise StorageError(
            f"cannot use this kind of path: {error}",
            path=path,
            hint="install the extra for it: hatsformat[s3] or hatsformat[http]",
        ) from error
    return UPath(os.path.abspath(place.path)) if is_local(place) else place


def is_local(place: UPath) -> bool:
    """Return whether `place` is on a local disk."""
    return place.protocol in ("", "file", "local")


def is_local_name(name: str) -> bool:
    """Return whether a path's text names a local place; one without a protocol does."""
    return "://" not in name or name.startswith(("file://", "local://"))


@contextmanager
def explained(place: object, doing: str) -> Iterator[None]:
    """Turn what a file system raises into a `StorageError` that names the place and what was being done."""
    try:
        yield
    except FileNotFoundError as error:
        # fsspec says so of web servers that fail or hang up, too; many say 403 of what is not there.
        cause = error.__cause__
        if type(cause).__module__.startswith("aiohttp") and getattr(cause, "status", 500) >= 500:
            raise StorageError(f"{doing} failed: {_reason(cause)}", path=place) from error
        raise NotFoundError("no such file or directory", path=place) from error
    except PermissionError as error:
        raise StorageError(f"not permitted: {doing}", path=place) from error
    except NotImplementedError as error:
        raise StorageError(f"this kind of storage does not allow {doing}", path=place) from error
    except OSError as error:
        raise StorageError(f"{doing} failed: {_reason(error)}", path=place) from error
    except Exception as error:
        # Clients of remote stores raise errors of their own packages, which are not imported here.
        if type(error).__module__.partition(".")[0] in ("aiohttp", "botocore", "s3fs", "gcsfs", "adlfs"):
            raise StorageError(f"{doing} failed: {_reason(error)}", path=place) from error
        raise


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


def exists(place: UPath) -> bool:
    """Return whether there is a file or directory at `place`."""
    with explained(place, "looking for it"):
        return bool(place.fs.exists(place.path))


def is_directory(place: UPath) -> bool:
    """Return whether there is a directory at `place`."""
    with explained(place, "looking for it"):
        return bool(place.fs.isdir(place.path))


def glob(pattern: UPath) -> list[UPath]:
    """Return the files that match a pattern with ``*``, ``?``, ``[…]`` and ``**``, sorted by path."""
    with explained(pattern, "listing"):
        names = sorted(pattern.fs.glob(pattern.path))
        if is_local(pattern):
            return [UPath(name) for name in names]
        return [UPath(pattern.fs.unstrip_protocol(name), **pattern.storage_options) for name in names]


def size(place: UPath) -> int:
    """Return the size of a file in bytes."""
    with explained(place, "asking for its size"):
        if is_local(place):
            return os.stat(place.path).st_size
        found = place.fs.size(place.path)
    if found is None:
        raise StorageError("the server does not tell the file's size", path=place)
    return int(found)


def fingerprint(place: UPath) -> str:
    """Return what tells this version of a file from another: its size, and its date or tag."""
    with explained(place, "asking for its date"):
        if is_local(place):
            status = os.stat(place.path)
            return f"{status.st_size}:{status.st_mtime_ns}"
        details = place.fs.info(place.path)
    keys = ("ETag", "etag", "LastModified", "mtime", "created")
    version = next((details[key] for key in keys if key in details), "")
    return f"{details.get('size')}:{version}"


def read_bytes(place: UPath, *, limit: int | None = None) -> bytes:
    """Return the whole content of a file.

    Parameters
    ----------
    place : UPath
        The file.
    limit : int, optional
        The most bytes to accept.

    Raises
    ------
    NotFoundError, StorageError
        If it cannot be read, or is larger than `limit`.
    """
    with explained(place, "reading"):
        if limit is None:
            content: bytes = place.fs.cat_file(place.path)
            return content
        with place.fs.open(place.path, "rb") as stream:
            content = stream.read(limit + 1)
    if len(content) > limit:
        raise StorageError("the file is larger than expected", path=place, expected=f"at most {limit} bytes")
    return content


def read_tail(place: UPath, count: int) -> bytes:
    """Return the last `count` bytes of a file, or all of a shorter one, in one request as a rule."""
    with explained(place, "reading its end"):
        try:
            tail: bytes = place.fs.cat_file(place.path, start=-count)
        except (FileNotFoundError, PermissionError):
            raise
        except OSError:
            # Some S3 services refuse to send more than there is.
            if place.fs.size(place.path) > count:
                raise
            tail = place.fs.cat_file(place.path)
    # A server that ignores ranges sends everything.
    return tail[-count:]


def read_ranges(place: UPath, ranges: Sequence[tuple[int, int]], *, gap: int = GAP_BYTES) -> list[bytes]:
    """Return byte ranges of a file, fetched together.

    Parameters
    ----------
    place : UPath
        The file.
    ranges : sequence of (start, stop)
        Half-open, in bytes from the file's start. Neighbours closer than `gap` bytes are fetched as one, the
        rest at the same time where the file system can.
    """
    merged: list[list[int]] = []
    for start, stop in sorted(ranges):
        if start == stop:
            continue  # a server cannot be asked for nothing
        if merged and start <= merged[-1][1] + gap:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    origins = [start for start, _ in merged]
    if not merged:
        return [b""] * len(ranges)
    with explained(place, "reading a part of it"):
        blocks = place.fs.cat_ranges(
            [place.path] * len(merged), origins, [stop for _, stop in merged], on_error="raise"
        )
    parts = []
    for start, stop in ranges:
        if start == stop:
            parts.append(b"")
            continue
        block = bisect_right(origins, start) - 1
        part = blocks[block][start - origins[block] : stop - origins[block]]
        if len(part) != stop - start:
            raise ShortFileError(
                "the file is shorter than it should be",
                path=place,
                found=f"{len(part)} bytes at {start}",
                expected=f"{stop - start}",
            )
        parts.append(bytes(part))
    return parts


def list_tree(place: UPath) -> list[FileEntry]:
    """Return all files below a directory, sorted by path.

    Raises
    ------
    NotFoundError
        If there is no such directory.
    StorageError
        If the store cannot list, as most web servers cannot.
    """
    if is_local(place):
        return _list_local(place.path)
    with explained(place, "listing"):
        root = place.path.rstrip("/")
        found = place.fs.find(root, detail=True)
        if not found and not place.fs.exists(root):
            raise FileNotFoundError(root)
    prefix = place.fs._strip_protocol(root).rstrip("/") + "/"
    entries = [
        FileEntry(_decoded(place, name[len(prefix) :]), int(details.get("size") or 0))
        for name, details in found.items()
        if name.startswith(prefix)
    ]
    return sorted(entries, key=lambda entry: entry.path)


def _list_local(root: str) -> list[FileEntry]:
    # fsspec's own walk costs ten times this one. Links to directories are not followed, so loops end.
    def failed(error: OSError) -> None:
        with explained(error.filename, "listing"):
            raise error

    entries = []
    for folder, _, names in os.walk(root, onerror=failed):
        relative = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in names:
            path = name if relative == "." else f"{relative}/{name}"
            try:
                entries.append(FileEntry(path, os.stat(os.path.join(folder, name)).st_size))
            except OSError:
                entries.append(FileEntry(path, 0))  # a link to nothing or to itself: who opens it reports it
    return sorted(entries, key=lambda entry: entry.path)


def _decoded(place: UPath, name: str) -> str:
    """Return a listed name as it is; web servers list ``Norder%3D0``."""
    return unquote(name) if place.protocol in ("http", "https") else name


def list_names(place: UPath) -> list[str]:
    """Return the names right below a directory, sorted."""
    with explained(place, "listing"):
        names = place.fs.ls(place.path, detail=False)
    # A bucket may hold an object `a/` that marks the directory `a` beside the objects below it.
    return sorted({_decoded(place, str(name)).rstrip("/").rsplit("/", 1)[-1] for name in names})


@contextmanager
def atomic_writer(place: UPath) -> Iterator[IO[bytes]]:
    """Write a file that appears whole when the block ends, and not at all when it raises.

    Yields
    ------
    binary file, open for writing
    """
    writer = _local_writer if is_local(place) else _remote_writer
    with explained(place, "writing"), writer(place) as stream:
        yield stream


@contextmanager
def _local_writer(place: UPath) -> Iterator[IO[bytes]]:
    target = Path(place.path)
    beside = target.with_name(f"{_TEMPORARY}{uuid.uuid4().hex[:12]}-{target.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(beside, "xb") as stream:
            yield stream
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def _remote_writer(place: UPath) -> Iterator[IO[bytes]]:
    # Object stores publish an object when its upload completes, so it is uploaded in one go, once it is all
    # there. A remote file that is written piece by piece would be published by the error that closes it.
    if place.protocol in ("http", "https"):
        raise NotImplementedError
    with tempfile.NamedTemporaryFile(prefix="hatsformat-") as stream:
        yield stream
        stream.flush()
        place.fs.put_file(stream.name, place.path)


def write_bytes(place: UPath, content: bytes) -> None:
    """Write a file, whole or not at all; missing directories are made."""
    with atomic_writer(place) as stream:
        stream.write(content)


def make_directory(place: UPath) -> None:
    """Make a directory and those above it; one that is there already is fine."""
    with explained(place, "making the directory"):
        place.fs.makedirs(place.path, exist_ok=True)


def copy_file(source: UPath, target: UPath) -> None:
    """Copy a file within a file system; in an object store this is done by the server."""
    with explained(source, "copying"):
        target.fs.makedirs(target.parent.path, exist_ok=True)
        source.fs.cp_file(source.path, target.path)


def remove_file(place: UPath) -> None:
    """Remove a file if it is there."""
    with explained(place, "removing"):
        if place.fs.exists(place.path):
            place.fs.rm_file(place.path)


def remove_partial_files(place: UPath) -> None:
    """Remove what writers that were killed left below a local directory; elsewhere they leave nothing."""
    if is_local(place):
        for path in Path(place.path).rglob(f"{_TEMPORARY}*"):
            path.unlink(missing_ok=True)


def remove_tree(place: UPath) -> None:
    """Remove a directory and all below it, if it is there."""
    with explained(place, "removing"):
        if place.fs.exists(place.path):
            place.fs.rm(place.path, recursive=True)
