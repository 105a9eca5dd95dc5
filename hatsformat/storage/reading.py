"""Read files, parts of files and listings."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from urllib.parse import unquote

from upath import UPath

from hatsformat.errors import ShortFileError, StorageError
from hatsformat.storage.paths import is_local, retrying_fs, storage_errors
from hatsformat.storage.retries import raise_first, retry

GAP_BYTES = 64 * 1024
"""Ranges closer than this are fetched as one, because a round trip costs more than the bytes between."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a listing: its path relative to the listed root, and its size in bytes."""

    path: str
    size: int


def exists(path: UPath) -> bool:
    """Return whether there is a file or directory at `path`."""
    with storage_errors(path, "checking whether it exists"):
        return bool(retrying_fs(path).exists(path.path))


def is_directory(path: UPath) -> bool:
    """Return whether there is a directory at `path`."""
    with storage_errors(path, "checking whether it exists"):
        return bool(retrying_fs(path).isdir(path.path))


def glob(pattern: UPath) -> list[UPath]:
    """Return the files that match a pattern with ``*``, ``?``, ``[…]`` and ``**``, sorted by path."""
    with storage_errors(pattern, "listing"):
        names = sorted(retrying_fs(pattern).glob(pattern.path))
        if is_local(pattern):
            return [UPath(name) for name in names]
        return [UPath(pattern.fs.unstrip_protocol(name), **pattern.storage_options) for name in names]


def size(path: UPath) -> int:
    """Return the size of a file in bytes."""
    with storage_errors(path, "getting the file size"):
        if is_local(path):
            return os.stat(path.path).st_size
        found = retrying_fs(path).size(path.path)
    if found is None:
        raise StorageError("the server does not report the file's size", path=path)
    return int(found)


def fingerprint(path: UPath) -> str:
    """Return a string that changes with the file: its size, and its date or ETag."""
    with storage_errors(path, "getting the modification time"):
        if is_local(path):
            status = os.stat(path.path)
            return f"{status.st_size}:{status.st_mtime_ns}"
        details = retrying_fs(path).info(path.path)
    keys = ("ETag", "etag", "LastModified", "mtime", "created")
    version = next((details[key] for key in keys if key in details), "")
    return f"{details.get('size')}:{version}"


def read_bytes(path: UPath, *, limit: int | None = None) -> bytes:
    """Return the whole content of a file.

    Parameters
    ----------
    path : UPath
        The file.
    limit : int, optional
        The largest size to accept, in bytes.

    Raises
    ------
    NotFoundError, StorageError
        If it cannot be read, or is larger than `limit`.
    """
    with storage_errors(path, "reading"):
        if limit is None:
            content: bytes = retrying_fs(path).cat_file(path.path)
            return content
        content = retry(lambda: _read_at_most(path, limit + 1))
    if len(content) > limit:
        raise StorageError("the file is larger than expected", path=path, expected=f"at most {limit} bytes")
    return content


def _read_at_most(path: UPath, count: int) -> bytes:
    with path.fs.open(path.path, "rb") as stream:
        content: bytes = stream.read(count)
    return content


def read_tail(path: UPath, count: int) -> bytes:
    """Return the last `count` bytes of a file, or all of a shorter one, usually in one request."""
    with storage_errors(path, "reading the end of the file"):
        try:
            tail: bytes = retrying_fs(path).cat_file(path.path, start=-count)
        except (FileNotFoundError, PermissionError, TimeoutError):
            raise
        except OSError:
            # Some S3 services reject ranges longer than the file.
            if retrying_fs(path).size(path.path) > count:
                raise
            tail = retrying_fs(path).cat_file(path.path)
    # A server that ignores ranges sends everything.
    return tail[-count:]


def read_ranges(path: UPath, ranges: Sequence[tuple[int, int]], *, gap: int = GAP_BYTES) -> list[bytes]:
    """Return byte ranges of a file.

    Parameters
    ----------
    path : UPath
        The file.
    ranges : sequence of (start, stop)
        Half-open, in bytes from the start of the file. Ranges closer than `gap` bytes are fetched as one; the
        requests run at the same time if the file system supports it.
    """
    merged: list[list[int]] = []
    for start, stop in sorted(ranges):
        if start == stop:
            continue  # servers reject empty ranges
        if merged and start <= merged[-1][1] + gap:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    origins = [start for start, _ in merged]
    if not merged:
        return [b""] * len(ranges)
    with storage_errors(path, "reading a range of the file"):
        stops = [stop for _, stop in merged]
        fs = retrying_fs(path)
        blocks = raise_first(fs.cat_ranges([path.path] * len(merged), origins, stops, on_error="raise"))
    for index, (start, stop) in enumerate(merged):
        if len(blocks[index]) > stop - start:
            origins[index] = 0  # a server that ignores ranges sends everything
    parts = []
    for start, stop in ranges:
        if start == stop:
            parts.append(b"")
            continue
        block = bisect_right(merged, [start, inf]) - 1
        part = blocks[block][start - origins[block] : stop - origins[block]]
        if len(part) != stop - start:
            raise ShortFileError(
                "the file is too short",
                path=path,
                found=f"{len(part)} bytes at offset {start}",
                expected=f"{stop - start} bytes",
            )
        parts.append(bytes(part))
    return parts


def list_tree(path: UPath) -> list[FileEntry]:
    """Return all files below a directory, sorted by path.

    Raises
    ------
    NotFoundError
        If the directory is missing.
    StorageError
        If the storage cannot list files, like most web servers.
    """
    if is_local(path):
        return _list_local(path.path)
    with storage_errors(path, "listing"):
        root = path.path.rstrip("/")
        found = retrying_fs(path).find(root, detail=True)
        if not found and not retrying_fs(path).exists(root):
            raise FileNotFoundError(root)
    prefix = path.fs._strip_protocol(root).rstrip("/") + "/"
    entries = [
        FileEntry(_decoded(path, name[len(prefix) :]), int(details.get("size") or 0))
        for name, details in found.items()
        if name.startswith(prefix)
    ]
    return sorted(entries, key=lambda entry: entry.path)


def _list_local(root: str) -> list[FileEntry]:
    # Ten times faster than fsspec's own walk. Links to directories are not followed, so loops end.
    def failed(error: OSError) -> None:
        with storage_errors(error.filename, "listing"):
            raise error

    entries = []
    for folder, _, names in os.walk(root, onerror=failed):
        relative = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in names:
            inner = name if relative == "." else f"{relative}/{name}"
            try:
                entries.append(FileEntry(inner, os.stat(os.path.join(folder, name)).st_size))
            except OSError:
                entries.append(FileEntry(inner, 0))  # a broken link: opening it will raise
    return sorted(entries, key=lambda entry: entry.path)


def _decoded(path: UPath, name: str) -> str:
    """Return a listed name without percent-encoding; web servers list ``Norder%3D0``."""
    return unquote(name) if path.protocol in ("http", "https") else name


def list_names(path: UPath) -> list[str]:
    """Return the names directly inside a directory, sorted."""
    with storage_errors(path, "listing"):
        names = retrying_fs(path).ls(path.path, detail=False)
    # A bucket may contain an object `a/` that marks the directory `a`, next to the objects in it.
    return sorted({_decoded(path, str(name)).rstrip("/").rsplit("/", 1)[-1] for name in names})
