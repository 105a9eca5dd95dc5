"""Leaf files: Parquet, sorted along the sky (Note, section 3.5).

The encodings were measured (``benchmarks/leaf_formats.py``). BYTE_STREAM_SPLIT for floats and
DELTA_BINARY_PACKED for 64-bit integers, such as the index column, make files smaller and faster to write and
read. A dictionary is smallest for numbers that repeat, such as magnitudes with two decimals. Row groups are
small enough that a cone of a few arcminutes skips most of a leaf.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import storage
from hatsformat.arrays import as_floats, as_integers
from hatsformat.properties.table import HEALPIX_COLUMN

ROW_GROUP_ROWS = 20_000
"""The default limit of rows in a row group: a cone of ten arcminutes reads a few row groups."""

SAMPLE_ROWS = 5_000
"""Rows used to decide whether the numbers of a column repeat."""


@dataclass(frozen=True, slots=True)
class LeafFormat:
    """How leaf files are written.

    Attributes
    ----------
    row_group_rows : int
        Maximum number of rows in a row group.
    sorting : tuple of str
        The columns that the rows are sorted by, ascending; recorded as Parquet ``sorting_columns``.
    compression_level : int
        The level of zstd.
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
"""The encodings of numbers that seldom repeat, by type; other columns use dictionaries."""


def parquet_options(schema: pa.Schema, leaf: LeafFormat, sample: pa.Table | None = None) -> dict[str, Any]:
    """Return the arguments of `pyarrow.parquet.ParquetWriter` for leaves of this schema.

    Parameters
    ----------
    schema : pyarrow.Schema
    leaf : LeafFormat
    sample : pyarrow.Table, optional
        Some of the rows, to decide which columns repeat their values.
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
        # pyarrow accepts an encoding only for columns without a dictionary.
        "use_dictionary": [path for name in plain for path in _leaf_paths(schema.field(name))],
        "column_encoding": encodings or None,
        "write_page_index": True,
        "sorting_columns": pq.SortingColumn.from_ordering(schema, order) if order else None,
    }


def _repeats(column: pa.ChunkedArray) -> bool:
    """Return whether a column has so few distinct values that a dictionary is smaller.

    That is so if at most half of the values in the sample are distinct.
    """
    some = column.slice(0, SAMPLE_ROWS)
    # Sorting is ten times as fast as Arrow's count_distinct. As bits, NaN equals NaN.
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
    """An open leaf file; `footer` and `size` (bytes) are set when it is closed."""

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
        self._open_writer(table).write_table(table, row_group_size=max(1, -(-table.num_rows // groups)))

    def _open_writer(self, sample: pa.Table | None) -> pq.ParquetWriter:
        if self._writer is None:
            fits = sample is not None and sample.schema.equals(self._schema)  # otherwise the writer raises
            options = parquet_options(self._schema, self._leaf, sample if fits else None)
            self._writer = pq.ParquetWriter(
                self._stream, self._schema, metadata_collector=self._footers, **options
            )
        return self._writer

    def close(self) -> None:
        """Write the footer."""
        self._open_writer(None).close()
        self.size = self._stream.tell()

    def abandon(self) -> None:
        """Discard the file, without writing a footer."""
        # Otherwise the writer would write a footer to a closed file when it is garbage-collected.
        if self._writer is not None:
            self._writer.is_open = False


@contextmanager
def leaf_writer(path: UPath, schema: pa.Schema, leaf: LeafFormat) -> Iterator[LeafSink]:
    """Write a leaf in pieces; the file appears when the block ends, and not at all if the block raises.

    Parameters
    ----------
    path : UPath
        The file.
    schema : pyarrow.Schema
        The schema of all pieces; its metadata becomes the file's key-values.
    leaf : LeafFormat
        How to write it.
    """
    with storage.atomic_writer(path) as stream:
        sink = LeafSink(stream, schema, leaf)
        try:
            yield sink
            sink.close()
        except BaseException:
            sink.abandon()
            raise


def write_leaf(path: UPath, table: pa.Table, leaf: LeafFormat) -> LeafSink:
    """Write a whole leaf and return the closed sink, with its footer and size."""
    with leaf_writer(path, table.schema, leaf) as sink:
        sink.write(table)
    return sink
