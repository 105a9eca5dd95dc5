"""Leaf files: Parquet, sorted along the sky (Note, section 3.5).

The encodings are chosen by measurement (``benchmarks/leaf_formats.py``): BYTE_STREAM_SPLIT for floats and
DELTA_BINARY_PACKED for the index column and other 64-bit integers make smaller files that are faster to write
and to read; numbers that repeat, such as magnitudes of two decimals, take least in a dictionary. Row groups
are small enough that a cone of a few arcminutes skips most of a leaf.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import storage
from hatsformat.arrays import as_floats, as_integers
from hatsformat.errors import LeafError, ShortFileError
from hatsformat.properties.table import HEALPIX_COLUMN

FOOTER_GUESS = 64 * 1024
"""Bytes fetched from a remote file's end at first: most footers fit, so one request is enough."""


ROW_GROUP_ROWS = 20_000
"""Most rows in a row group unless the caller says otherwise: a cone of ten arcminutes reads a few of them."""


SAMPLE_ROWS = 5_000
"""Rows that tell whether the numbers of a column repeat."""


@dataclass(frozen=True, slots=True)
class LeafFormat:
    """How leaf files are written.

    Attributes
    ----------
    row_group_rows : int
        Most rows in a row group.
    sorting : tuple of str
        The columns that the rows are sorted by, ascending; recorded as Parquet ``sorting_columns``.
    compression_level : int
        Of zstd.
    """

    row_group_rows: int = ROW_GROUP_ROWS
    sorting: tuple[str, ...] = (HEALPIX_COLUMN,)
    compression_level: int = 1


_ENCODINGS = {
    pa.float32(): "BYTE_STREAM_SPLIT",
    pa.float64(): "BYTE_STREAM_SPLIT",
    pa.int64(): "DELTA_BINARY_PACKED",
    pa.uint64(): "DELTA_BINARY_PACKED",
}
"""How numbers that seldom repeat are written, by their type; all else goes into dictionaries."""


def parquet_options(schema: pa.Schema, leaf: LeafFormat, sample: pa.Table | None = None) -> dict[str, Any]:
    """Return the arguments of `pyarrow.parquet.ParquetWriter` that write leaves of this schema.

    Parameters
    ----------
    schema : pyarrow.Schema
    leaf : LeafFormat
    sample : pyarrow.Table, optional
        Some of the rows, to tell numbers that are all different from those of a few values.
    """
    encodings: dict[str, str] = {}
    plain: list[str] = []
    for column in schema:
        encoding = _ENCODINGS.get(column.type)
        if encoding is None or (sample is not None and _repeats(sample.column(column.name))):
            plain.append(column.name)
        else:
            encodings[column.name] = encoding
    sorting = [name for name in leaf.sorting if name in schema.names]
    order = [(name, "ascending") for name in sorting]
    return {
        "compression": "zstd",
        "compression_level": leaf.compression_level,
        # pyarrow takes an encoding only for columns that have no dictionary.
        "use_dictionary": [path for name in plain for path in _leaf_paths(schema.field(name))],
        "column_encoding": encodings or None,
        "write_page_index": True,
        "sorting_columns": pq.SortingColumn.from_ordering(schema, order) if order else None,
    }


def _repeats(column: pa.ChunkedArray) -> bool:
    """Return whether the values are few: a dictionary takes a fraction of what their differences do.

    Neighbours that repeat each other count as well as values that come back: with more than half of them
    different, both take less without a dictionary.
    """
    some = column.slice(0, SAMPLE_ROWS)
    # Sorting takes a tenth of the time of Arrow's count_distinct; NaN equals NaN in its bits.
    is_float = pa.types.is_floating(some.type)
    numbers = np.sort(as_floats(some).view(np.int64) if is_float else as_integers(some))
    changes = int(np.count_nonzero(numbers[1:] != numbers[:-1]))
    return 2 * (changes + 1) <= len(some)


def _leaf_paths(column: pa.Field, prefix: str = "") -> list[str]:
    """Return the Parquet paths of a column's primitive leaves: ``lc.list.element.mjd`` for nested ones."""
    path = prefix + column.name
    if pa.types.is_struct(column.type):
        return [leaf for child in column.type for leaf in _leaf_paths(child, path + ".")]
    if pa.types.is_map(column.type):
        inner = (column.type.key_field, column.type.item_field)
        return [leaf for child in inner for leaf in _leaf_paths(child, path + ".key_value.")]
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return _leaf_paths(column.type.value_field.with_name("element"), path + ".list.")
    return [path]


class LeafSink:
    """An open leaf file; `footer` and `size` (bytes) are known once it is closed."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema, leaf: LeafFormat) -> None:
        self._rows = leaf.row_group_rows
        self._footers: list[pq.FileMetaData] = []
        self._stream = stream
        self._schema, self._leaf = schema, leaf
        self._writer: pq.ParquetWriter | None = None
        self.size = 0

    @property
    def footer(self) -> pq.FileMetaData:
        """The footer as it was written."""
        return self._footers[0]

    def write(self, table: pa.Table) -> None:
        """Append sorted rows, in row groups of about equal size."""
        groups = max(1, -(-table.num_rows // self._rows))
        self._opened(table).write_table(table, row_group_size=max(1, -(-table.num_rows // groups)))

    def _opened(self, sample: pa.Table | None) -> pq.ParquetWriter:
        if self._writer is None:
            fits = sample is not None and sample.schema.equals(self._schema)  # the writer tells, if not
            options = parquet_options(self._schema, self._leaf, sample if fits else None)
            self._writer = pq.ParquetWriter(
                self._stream, self._schema, metadata_collector=self._footers, **options
            )
        return self._writer

    def close(self) -> None:
        """Write the footer."""
        self._opened(None).close()
        self.size = self._stream.tell()

    def abandon(self) -> None:
        """Write no footer: the file is given up."""
        # An open writer would try to write one when it is garbage, into a file that is closed by then.
        if self._writer is not None:
            self._writer.is_open = False


@contextmanager
def leaf_writer(place: UPath, schema: pa.Schema, leaf: LeafFormat) -> Iterator[LeafSink]:
    """Write a leaf piece by piece; the file appears whole when the block ends, or not at all.

    Parameters
    ----------
    place : UPath
        The file.
    schema : pyarrow.Schema
        Of every piece; its metadata becomes the file's key-values.
    leaf : LeafFormat
        How to write it.
    """
    with storage.atomic_writer(place) as stream:
        sink = LeafSink(stream, schema, leaf)
        try:
            yield sink
            sink.close()
        except BaseException:
            sink.abandon()
            raise


def write_leaf(place: UPath, table: pa.Table, leaf: LeafFormat) -> LeafSink:
    """Write a whole leaf and return the closed sink, with its footer and size."""
    with leaf_writer(place, table.schema, leaf) as sink:
        sink.write(table)
    return sink


@contextmanager
def _explained(place: UPath) -> Iterator[None]:
    with storage.explained(place, "reading"):
        try:
            yield
        except ShortFileError as error:
            raise LeafError(error.message, path=place, found=error.found, expected=error.expected) from error
        except (pa.ArrowException, ArithmeticError, LookupError, MemoryError, ValueError) as error:
            # Arrow's Python side meets a broken footer with errors of many kinds: names that are no UTF-8
            # text, indices and sizes out of range.
            raise _unreadable(place, error) from error
        except OSError as error:
            # Arrow says OSError of broken content, too, but then no system call failed.
            if type(error) is not OSError or error.errno is not None:
                raise
            raise _unreadable(place, error) from error


def _unreadable(place: UPath, error: Exception) -> LeafError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return LeafError(f"cannot be read as Parquet: {reason}", path=place)


def read_footer(place: UPath) -> pq.FileMetaData:
    """Return the footer of a Parquet file.

    A remote file's end is fetched in one request, or two where the footer is larger than usual.

    Raises
    ------
    NotFoundError
        If there is no such file.
    LeafError
        If it is not Parquet.
    """
    with _explained(place):
        if storage.is_local(place):
            return pq.read_metadata(place.path)
        tail = storage.read_tail(place, FOOTER_GUESS)
        needed = int.from_bytes(tail[-8:-4], "little") + 8
        if needed > len(tail) and tail[-4:] == b"PAR1":
            tail = storage.read_tail(place, needed)
        return pq.read_metadata(pa.BufferReader(tail))


def chunk_ranges(
    footer: pq.FileMetaData, groups: Sequence[int], columns: Sequence[str] | None
) -> list[tuple[int, int]]:
    """Return the byte ranges of the column chunks that hold `columns` (all if None) in row groups."""
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
    """Return whether a Parquet path is one of the columns or lies within one; names may contain dots."""
    parts = path.split(".")
    return any(".".join(parts[:count]) in columns for count in range(1, len(parts) + 1))


def read_row_groups(
    place: UPath,
    footer: pq.FileMetaData,
    groups: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
    *,
    threads: bool = False,
) -> pa.Table:
    """Return row groups of a leaf.

    Parameters
    ----------
    place : UPath
        The file.
    footer : pyarrow.parquet.FileMetaData
        Its footer, from `read_footer`.
    groups : sequence of int, optional
        Which row groups; all by default.
    columns : sequence of str, optional
        Top-level columns to read, all by default; the table has them in this order.
    threads : bool
        Whether to decode columns in parallel.

    Raises
    ------
    LeafError
        If the file's content is not what its footer says.
    """
    chosen = list(range(footer.num_row_groups)) if groups is None else list(groups)
    with _explained(place):
        if storage.is_local(place):
            source: Any = place.path
        else:
            ranges = chunk_ranges(footer, chosen, columns)
            source = _FetchedFile(ranges, storage.read_ranges(place, ranges))
        reader = pq.ParquetFile(source, metadata=footer, pre_buffer=False)
        table = reader.read_row_groups(chosen, columns=columns, use_threads=threads)
    if columns is None:
        return table
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise LeafError(
            f"the column {missing[0]} is missing",
            path=place,
            found=", ".join(footer.schema.to_arrow_schema().names),
        )
    return table.select(columns)


class _FetchedFile(io.RawIOBase):
    """A file of which only some ranges are there, for a reader that asks for no others."""

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
