"""``_metadata`` and ``_common_metadata``: the footers of all leaves, and their schema (Note, section 3.6).

Both are optional. ``_common_metadata`` is small and contains the schema; ``_metadata`` grows with the number
of leaves and is never needed to read a catalog.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf_reading import read_footer
from hatsformat.errors import LeafError

_MAGIC = b"PAR1"
_LIST_FIELD, _STRUCT = 0x19, 0x0C
"""Thrift's compact protocol: a list in the next field, and elements that are structs."""

_BATCH_CHUNKS = 50_000
"""The limit of column chunks in memory as objects, which are many times larger than when written."""

_MEMORY_BYTES = 16 * 1024 * 1024
"""The limit of serialized row groups in memory; more are written to a temporary file."""


def write_metadata(path: UPath, schema: pa.Schema, footers: Iterable[tuple[str, pq.FileMetaData]]) -> int:
    """Write ``dataset/_metadata``: the row groups of all leaves, each with the path of its file.

    The footers are consumed one by one, so a generator does not have to keep them in memory. The time is
    linear in their number.

    Parameters
    ----------
    path : UPath
        The file to write.
    schema : pyarrow.Schema
        The catalog's schema; its metadata becomes the file's key-values.
    footers : iterable of (str, pyarrow.parquet.FileMetaData)
        The path of each leaf relative to ``dataset/``, such as ``Norder=0/Dir=0/Npix=0.parquet``, and its
        footer. The footer is modified (`FileMetaData.set_file_path`): pass a copy if that matters.

    Returns
    -------
    int
        The number of rows in all leaves.

    Raises
    ------
    LeafError
        If the schema of a leaf differs.
    StorageError
        If the file cannot be written.
    """
    with MetadataWriter(path, schema) as gatherer:
        for leaf, footer in footers:
            gatherer.add(leaf, footer)
        gatherer.write()
    return gatherer.rows


def extend_metadata(existing: UPath, path: UPath, footers: Iterable[tuple[str, pq.FileMetaData]]) -> int:
    """Write ``dataset/_metadata`` with the row groups of an existing one, followed by those of new leaves.

    Parameters
    ----------
    existing : UPath
        The existing file.
    path : UPath
        The file to write.
    footers : iterable of (str, pyarrow.parquet.FileMetaData)
        As in `write_metadata`.

    Returns
    -------
    int
        The number of rows in all leaves.

    Raises
    ------
    LeafError
        If the schema of a leaf differs.
    """
    merged = read_footer(existing)
    for leaf, footer in footers:
        _append(merged, leaf, footer)
    with storage.atomic_writer(path) as stream:
        merged.write_metadata_file(stream)
    return int(merged.num_rows)


def _append(merged: pq.FileMetaData, path: str, footer: pq.FileMetaData) -> None:
    footer.set_file_path(path)
    try:
        merged.append_row_groups(footer)
    except (RuntimeError, pa.ArrowException) as error:
        raise LeafError(
            "the columns of the leaf differ from the catalog's schema", path=path, found=str(error).strip()
        ) from error


class MetadataWriter:
    """Collect the footers of leaves for ``_metadata``.

    Only a few are in memory as objects; the row groups of the others are serialized to a temporary file.

    Parameters
    ----------
    path : UPath
        The file to write.
    schema : pyarrow.Schema
        The catalog's schema.

    Attributes
    ----------
    rows : int
        The number of rows in all leaves that were serialized.
    """

    def __init__(self, path: UPath, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._merged = empty_footer(schema)
        self._empty = _serialized(self._merged)
        self._groups = 0
        self._counts_at: int | None = None
        folder = str(Path(path.path).parent) if storage.is_local(path) else None
        with storage.storage_errors(path, "writing"):
            if folder is not None:
                Path(folder).mkdir(parents=True, exist_ok=True)
            self._waiting = tempfile.SpooledTemporaryFile(_MEMORY_BYTES, dir=folder)  # noqa: SIM115
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.close()

    def add(self, path: str, footer: pq.FileMetaData) -> None:
        """Add a leaf by its path relative to ``dataset/``; the footer is modified to contain the path.

        Raises
        ------
        LeafError
            If its schema differs.
        """
        _append(self._merged, path, footer)
        if self._merged.num_row_groups * self._merged.num_columns >= _BATCH_CHUNKS:
            self._flush()

    def _flush(self) -> None:
        """Append the row groups in memory to the serialized ones."""
        if not self._merged.num_row_groups:
            return
        rows, groups = self._merged.num_rows, self._merged.num_row_groups
        content = _serialized(self._merged)
        if self._counts_at is None:  # the first byte that differs from a footer without rows
            pairs = enumerate(zip(self._empty, content, strict=False))
            same = next(at for at, (one, other) in pairs if one != other)
            self._counts_at = same if rows else same - len(_counts(0, 0)) + 1
        begin = self._counts_at + len(_counts(rows, groups))
        with storage.storage_errors(self._path, "writing"):
            self._waiting.write(content[begin : len(content) - len(self._rest)])
        self.rows += rows
        self._groups += groups
        self._merged = empty_footer(self._schema)

    @property
    def _rest(self) -> bytes:
        """The bytes after the row groups, which are the same in all footers of this schema."""
        return self._empty[(self._counts_at or 0) + len(_counts(0, 0)) :]

    def write(self) -> None:
        """Write the file.

        Raises
        ------
        StorageError
        """
        self._flush()
        with storage.atomic_writer(self._path) as stream:
            if self._counts_at is None:
                self._merged.write_metadata_file(stream)
                return
            head = self._empty[: self._counts_at] + _counts(self.rows, self._groups)
            stream.write(_MAGIC + head)
            size = len(head) + self._waiting.tell() + len(self._rest)
            self._waiting.seek(0)
            shutil.copyfileobj(self._waiting, stream)
            stream.write(self._rest + size.to_bytes(4, "little") + _MAGIC)


def _serialized(footer: pq.FileMetaData) -> bytes:
    """Return a footer as a Thrift struct, without the framing of Parquet."""
    sink = pa.BufferOutputStream()
    footer.write_metadata_file(sink)
    return bytes(sink.getvalue().to_pybytes()[len(_MAGIC) : -len(_MAGIC) - 4])


def _counts(rows: int, groups: int) -> bytes:
    """Return the bytes before the row groups: the total number of rows, and the header of the list."""
    is_short = groups < 15
    head = bytes([_LIST_FIELD, (groups << 4 | _STRUCT) if is_short else (0xF0 | _STRUCT)])
    return _varint(2 * rows) + head + (b"" if is_short else _varint(groups))


def _varint(number: int) -> bytes:
    content = bytearray()
    while number > 0x7F:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    content.append(number)
    return bytes(content)


def write_common_metadata(path: UPath, schema: pa.Schema) -> None:
    """Write ``dataset/_common_metadata``: the full schema and its key-values, no rows.

    Parameters
    ----------
    path : UPath
        The file to write.
    schema : pyarrow.Schema
        The catalog's schema.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    with storage.atomic_writer(path) as stream:
        empty_footer(schema).write_metadata_file(stream)


def metadata_leaves(footer: pq.FileMetaData) -> list[str]:
    """Return the distinct paths of the leaves in a ``_metadata``, relative to ``dataset/``, in order.

    Parameters
    ----------
    footer : pyarrow.parquet.FileMetaData
        The footer of ``_metadata``, from `hatsformat.artefacts.leaf_reading.read_footer`.

    Returns
    -------
    list of str
        Paths as in the file. A broken file may contain paths outside the catalog: see
        `hatsformat.layout.is_inside`. Row groups without a path are skipped.
    """
    return list(rows_per_leaf(footer))


def rows_per_leaf(footer: pq.FileMetaData) -> dict[str, int]:
    """Return the number of rows of each leaf in a ``_metadata``; see `metadata_leaves`."""
    rows: dict[str, int] = {}
    if footer.num_columns:
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            if path := group.column(0).file_path:
                rows[path] = rows.get(path, 0) + group.num_rows
    return rows


def empty_footer(schema: pa.Schema) -> pq.FileMetaData:
    """Return the footer of a Parquet file without rows."""
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema).close()
    return pq.read_metadata(pa.BufferReader(sink.getvalue()))
