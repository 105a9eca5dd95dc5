"""Parquet inputs, split into parts of whole row groups so that one large file keeps all workers busy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.errors import InputError, LeafError
from hatsformat.inputs.base import Chunk, FileSource, check_names, rechunk

BATCH_ROWS = 64 * 1024
MIN_BUFFER, MAX_BUFFER = 16 * 1024, 1024 * 1024
"""How many bytes to read at a time of each column of a large row group."""

PAGE_BYTES = 1024 * 1024
PAGE_VALUES = 1024
"""Writers end a page at this many bytes, but check only every so many values: long texts make large pages."""

PAGE_COPIES = 2
"""A page is in memory twice: compressed and decompressed."""


@dataclass(frozen=True, slots=True)
class ParquetSource(FileSource):
    """Some row groups of one Parquet file."""

    path: UPath
    groups: tuple[int, ...]
    first_row: int = 1
    estimated_bytes: int = 0  # uncompressed
    reading_bytes: int = 0  # open pages while reading a row group that is larger than a part

    @property
    def fingerprint(self) -> str:
        """The file's size and date, and the row groups of this part."""
        return f"{storage.fingerprint(self.path)}:{self.groups[0] if self.groups else 0}+{len(self.groups)}"

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the row groups in chunks of about `target_bytes`; raise an `InputError` if they are broken."""
        try:
            footer = read_footer(self.path)
            check_names(footer.schema.to_arrow_schema(), self.path)
            yield from rechunk(self._tables(footer, target_bytes), target_bytes, self.first_row)
        except LeafError as error:
            raise InputError(error.message, path=self.path) from error

    def _tables(self, footer: pq.FileMetaData, target_bytes: int) -> Iterator[pa.Table | pa.RecordBatch]:
        if self.estimated_bytes <= target_bytes:
            yield read_row_groups(self.path, footer, self.groups)
            return
        for group in self.groups:
            if footer.row_group(group).total_byte_size <= target_bytes:
                yield read_row_groups(self.path, footer, [group])
            else:
                yield from self._batches(footer, group, target_bytes)

    def _batches(self, footer: pq.FileMetaData, group: int, target_bytes: int) -> Iterator[pa.RecordBatch]:
        """Decode a row group that is larger than a chunk page by page."""
        row_group = footer.row_group(group)
        rows = max(1, min(BATCH_ROWS, row_group.num_rows * target_bytes // row_group.total_byte_size))
        # Without a buffer Arrow reads a whole column of the row group at once.
        buffer = max(MIN_BUFFER, min(MAX_BUFFER, target_bytes // footer.num_columns))
        with storage.storage_errors(self.path, "reading"), self.path.fs.open(self.path.path, "rb") as stream:
            reader = pq.ParquetFile(stream, metadata=footer, pre_buffer=False, buffer_size=buffer)
            yield from reader.iter_batches(batch_size=rows, row_groups=[group], use_threads=False)


def parquet_sources(path: UPath, part_bytes: int) -> list[ParquetSource]:
    """Split a Parquet file into parts of about `part_bytes` uncompressed each, at least one.

    Raises
    ------
    InputError
        If the file is not Parquet.
    NotFoundError
        If it is missing.
    """
    try:
        footer = read_footer(path)
    except LeafError as error:
        raise InputError(error.message, path=path) from error
    sources, groups, held, pages, first_row, next_row = [], [], 0, 0, 1, 1
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        groups.append(group)
        held += row_group.total_byte_size
        next_row += row_group.num_rows
        if row_group.total_byte_size > part_bytes:
            pages = max(pages, _page_bytes(row_group))
        if held >= part_bytes:
            sources.append(ParquetSource(path, tuple(groups), first_row, held, pages))
            groups, held, pages, first_row = [], 0, 0, next_row
    if groups or not sources:
        sources.append(ParquetSource(path, tuple(groups), first_row, held, pages))
    return sources


def _page_bytes(row_group: pq.RowGroupMetaData) -> int:
    """Estimate the memory for one page of every column."""
    pages = 0
    for index in range(row_group.num_columns):
        column = row_group.column(index)
        size = column.total_uncompressed_size
        pages += min(size, max(PAGE_BYTES, PAGE_VALUES * size // max(1, column.num_values)))
    return PAGE_COPIES * pages
