"""Write files, which appear whole or not at all, and remove them."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from upath import UPath

from hatsformat.storage.paths import explained, is_local, retrying_fs

_TEMPORARY = ".partial-"


@contextmanager
def atomic_writer(path: UPath) -> Iterator[IO[bytes]]:
    """Open a file for writing: it appears when the block ends, and not at all if the block raises.

    Yields
    ------
    binary file, open for writing
    """
    writer = _local_writer if is_local(path) else _remote_writer
    with explained(path, "writing"), writer(path) as stream:
        yield stream


@contextmanager
def _local_writer(path: UPath) -> Iterator[IO[bytes]]:
    target = Path(path.path)
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
def _remote_writer(path: UPath) -> Iterator[IO[bytes]]:
    # Object stores publish an object when its upload completes, so upload it in one go. A file written piece
    # by piece would be published when an error closes it.
    if path.protocol in ("http", "https"):
        raise NotImplementedError
    with tempfile.NamedTemporaryFile(prefix="hatsformat-") as stream:
        yield stream
        stream.flush()
        path.fs.put_file(stream.name, path.path)


def write_bytes(path: UPath, content: bytes) -> None:
    """Write a file, whole or not at all; create missing directories."""
    with atomic_writer(path) as stream:
        stream.write(content)


def make_directory(path: UPath) -> None:
    """Create a directory and its parents, if missing."""
    with explained(path, "creating the directory"):
        path.fs.makedirs(path.path, exist_ok=True)


def copy_file(source: UPath, target: UPath) -> None:
    """Copy a file within a file system; object stores copy on the server."""
    with explained(source, "copying"):
        target.fs.makedirs(target.parent.path, exist_ok=True)
        source.fs.cp_file(source.path, target.path)


def rename_file(source: UPath, target: UPath) -> None:
    """Rename a file on a local disk; create missing directories."""
    with explained(source, "renaming"):
        os.makedirs(os.path.dirname(target.path), exist_ok=True)
        os.rename(source.path, target.path)


def remove_file(path: UPath) -> None:
    """Remove a file, if it exists."""
    with explained(path, "removing"):
        if retrying_fs(path).exists(path.path):
            path.fs.rm_file(path.path)


def remove_partial_files(path: UPath) -> None:
    """Remove the partial files of killed writers in a local directory; other storage has none."""
    if is_local(path):
        for left_over in Path(path.path).rglob(f"{_TEMPORARY}*"):
            left_over.unlink(missing_ok=True)


def remove_tree(path: UPath) -> None:
    """Remove a directory and everything in it, if it exists."""
    with explained(path, "removing"):
        if retrying_fs(path).exists(path.path):
            path.fs.rm(path.path, recursive=True)
