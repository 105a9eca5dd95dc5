"""Read leaf files, local and remote: footers, and row groups, whole or in batches (Note, section 3.5)."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import storage
from hatsformat.arrays import without_views
from hatsformat.errors import HatsError, LeafError, ShortFileError

FOOTER_GUESS = 64 * 1024
"""Bytes to fetch first from the end of a remote file; most footers fit, so one request is enough."""

FETCHED_BYTES = 64 << 20
"""`read_batches` fetches more than this from a remote file only as it is needed."""


@contextmanager
def _translate_errors(path: UPath) -> Iterator[None]:
    with storage.storage_errors(path, "reading"):
        try:
            yield
        except ShortFileError as error:
            raise LeafError(error.message, path=path, found=error.found, expected=error.expected) from error
        except HatsError:  # some are ValueErrors or OSErrors, too
            raise
        except (pa.ArrowException, ArithmeticError, LookupError, MemoryError, ValueError) as error:
            # Arrow raises many kinds of errors for a broken footer, such as invalid UTF-8 in names, and
            # indices or sizes out of range.
            raise _unreadable(path, error) from error
        except OSError as error:
            # Arrow also raises OSError, without an errno, for broken content.
            if type(error) is not OSError or error.errno is not None:
                raise
            raise _unreadable(path, error) from error


def _unreadable(path: UPath, error: Exception) -> LeafError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return LeafError(f"cannot be read as Parquet: {reason}", path=path)


def read_footer(path: UPath) -> pq.FileMetaData:
    """Return the footer of a Parquet file.

    The end of a remote file is fetched in one request, or two if the footer is large.

    Raises
    ------
    NotFoundError
        If the file is missing.
    LeafError
        If it is not a Parquet file.
    """
    with _translate_errors(path):
        if storage.is_local(path):
            return pq.read_metadata(path.path)
        tail = storage.read_tail(path, FOOTER_GUESS)
        needed = int.from_bytes(tail[-8:-4], "little") + 8
        if needed > len(tail) and tail[-4:] == b"PAR1":
            tail = storage.read_tail(path, needed)
        return pq.read_metadata(pa.BufferReader(tail))


def chunk_ranges(
    footer: pq.FileMetaData, groups: Sequence[int], columns: Sequence[str] | None
) -> list[tuple[int, int]]:
    """Return the byte ranges of the column chunks of `columns` (all if None) in row groups."""
    wanted = None if columns is None else set(columns)
    ranges = []
    for group in groups:
        row_group = footer.row_group(group)
        for index in range(row_group.num_columns):
            chunk = row_group.column(index)
            if wanted is None or _belongs_to(chunk.path_in_schema, wanted):
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                start = min(start, chunk.data_page_offset)
                ranges.append((start, start + chunk.total_compressed_size))
    return ranges


def _belongs_to(path: str, columns: set[str]) -> bool:
    """Return whether a Parquet path is one of the columns or inside one; names may contain dots."""
    parts = path.split(".")
    return any(".".join(parts[:count]) in columns for count in range(1, len(parts) + 1))


def read_row_groups(
    path: UPath,
    footer: pq.FileMetaData,
    groups: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
    *,
    threads: bool = False,
) -> pa.Table:
    """Return row groups of a leaf.

    Parameters
    ----------
    path : UPath
        The file.
    footer : pyarrow.parquet.FileMetaData
        Its footer, from `read_footer`.
    groups : sequence of int, optional
        Indices of the row groups to read; all by default.
    columns : sequence of str, optional
        Top-level columns to read, in the order of the result; all by default.
    threads : bool
        Whether to decode columns in parallel.

    Raises
    ------
    LeafError
        If the file's content does not match its footer.
    """
    chosen = list(range(footer.num_row_groups)) if groups is None else list(groups)
    with _translate_errors(path):
        reader = _reader(path, footer, chosen, columns)
        table = without_views(reader.read_row_groups(chosen, columns=columns, use_threads=threads))
    return table if columns is None else _selected(table, columns, footer, path)


def read_batches(
    path: UPath,
    footer: pq.FileMetaData,
    groups: Sequence[int],
    columns: Sequence[str] | None,
    rows: int,
) -> Iterator[pa.Table]:
    """Yield the rows of consecutive row groups in pieces of a given size.

    One reader reads all row groups, which is faster than a reader for each.

    Parameters
    ----------
    path, footer, groups, columns
        See `read_row_groups`.
    rows : int
        Maximum number of rows in a piece, which may span several row groups.

    Raises
    ------
    LeafError
        If the file's content does not match its footer.
    """
    wanted = None if columns is None else list(columns)
    with _translate_errors(path):
        reader = _reader(path, footer, groups, columns, FETCHED_BYTES)
        pieces = reader.iter_batches(rows, row_groups=list(groups), columns=wanted, use_threads=False)
    has_views: bool | None = None
    while True:
        with _translate_errors(path):
            piece = next(pieces, None)
            if piece is None:
                return
            table = pa.Table.from_batches([piece])
            if has_views is None:
                has_views = without_views(table) is not table
            table = without_views(table) if has_views else table
        yield table if wanted is None else _selected(table, wanted, footer, path)


def _reader(
    path: UPath,
    footer: pq.FileMetaData,
    groups: Sequence[int],
    columns: Sequence[str] | None,
    most: int | None = None,
) -> pq.ParquetFile:
    """Return a reader of some row groups; up to `most` bytes of a remote file are fetched at once."""
    if storage.is_local(path):
        return pq.ParquetFile(path.path, metadata=footer, pre_buffer=False)
    ranges = chunk_ranges(footer, groups, columns)
    if most is not None and sum(stop - start for start, stop in ranges) > most:
        return pq.ParquetFile(path.fs.open(path.path, "rb"), metadata=footer, pre_buffer=False)
    fetched = _FetchedFile(ranges, storage.read_ranges(path, ranges))
    return pq.ParquetFile(fetched, metadata=footer, pre_buffer=False)


def _selected(table: pa.Table, columns: Sequence[str], footer: pq.FileMetaData, path: UPath) -> pa.Table:
    """Return the table with its columns in the requested order, which Arrow does not keep."""
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise LeafError(
            f"the column {missing[0]} is missing",
            path=path,
            found=", ".join(footer.schema.to_arrow_schema().names),
        )
    return table.select(columns)


class _FetchedFile(io.RawIOBase):
    """A file with only some byte ranges, for a reader that needs no others."""

    def __init__(self, ranges: Sequence[tuple[int, int]], blocks: Sequence[bytes]) -> None:
        pairs = sorted(zip(ranges, blocks, strict=True), key=lambda pair: pair[0])
        self._starts = [start for (start, _), _ in pairs]
        self._blocks = [block for _, block in pairs]
        self._end = max((stop for _, stop in ranges), default=0)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        index = bisect_right(self._starts, self._at) - 1
        if index < 0 or count == 0:
            return b""
        block, offset = self._blocks[index], self._at - self._starts[index]
        part = block[offset:] if count is None or count < 0 else block[offset : offset + count]
        self._at += len(part)
        return part
