"""``per_partition_statistics.parquet``: the column statistics in the footers of all leaves, as a table.

It has one row for each row group: ``Norder``, ``Npix``, ``row_group_index``, and six values for each column,
such as ``ra::min_value``. The names are those of the hats package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.artefacts.parquet_metadata import empty_footer
from hatsformat.errors import LeafError
from hatsformat.healpix import HealpixPixel

KEYS = ("Norder", "Npix", "row_group_index")
FIELDS = ("min_value", "max_value", "null_count", "row_count", "disk_bytes", "memory_bytes")
_BATCH_VALUES = 500_000
"""Values to keep in memory before writing: a catalog may have a million leaves with a thousand columns."""


class StatisticsWriter:
    """An open statistics file; add the footers of leaves in the order of the tiles.

    Parameters
    ----------
    stream : binary file, open for writing
    schema : pyarrow.Schema
        The schema of the leaves.
    """

    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        self._kinds = list(chain.from_iterable(_leaf_types(column.type) for column in schema))
        names = column_names(empty_footer(schema))
        fields = [(name, pa.int64()) for name in KEYS]
        for name, kind in zip(names, self._kinds, strict=True):
            fields += [(f"{name}::{field}", kind if field in FIELDS[:2] else pa.int64()) for field in FIELDS]
        self._schema = pa.schema(fields)
        self._batch_rows = max(1, _BATCH_VALUES // len(fields))
        self._rows: list[list[Any]] = []
        self._writer = pq.ParquetWriter(stream, self._schema, compression="zstd", compression_level=1)
        self.rows = 0

    def add(self, tile: HealpixPixel, footer: pq.FileMetaData) -> None:
        """Add the row groups of a leaf, or of one file of a leaf directory.

        Raises
        ------
        LeafError
            If its columns differ from the schema.
        """
        if footer.num_columns != len(self._kinds):
            raise LeafError(
                f"the columns of the leaf {tile} differ from the catalog's schema",
                found=f"{footer.num_columns} columns",
                expected=f"{len(self._kinds)}",
            )
        for index in range(footer.num_row_groups):
            group = footer.row_group(index)
            row: list[Any] = [tile.order, tile.pixel, index]
            for column in range(footer.num_columns):
                row += _values(group.column(column))
            self._rows.append(row)
            if len(self._rows) == self._batch_rows:
                self._flush()

    def take(self, rows: pa.Table) -> None:
        """Add rows of another statistics file.

        Raises
        ------
        LeafError
            If their columns differ.
        """
        try:
            table = rows.select(self._schema.names).cast(self._schema)
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise LeafError(
                "the columns of the statistics differ from the catalog's schema", found=str(error)
            ) from error
        self.rows += table.num_rows
        self._writer.write_table(table)

    def _flush(self) -> None:
        self.rows += len(self._rows)
        columns = zip(*self._rows, strict=True)
        arrays = [_array(values, column.type) for values, column in zip(columns, self._schema, strict=True)]
        if arrays:
            self._writer.write_table(pa.table(arrays, schema=self._schema))
        self._rows = []

    def close(self) -> None:
        """Write the remaining rows and the footer."""
        if self._rows:
            self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Discard the file, without writing a footer."""
        self._writer.is_open = False


@contextmanager
def statistics_writer(path: UPath, schema: pa.Schema) -> Iterator[StatisticsWriter]:
    """Write a statistics file; it appears when the block ends, and not at all if the block raises.

    Parameters
    ----------
    path : UPath
        The file.
    schema : pyarrow.Schema
        The schema of the leaves.
    """
    with storage.atomic_writer(path) as stream:
        writer = StatisticsWriter(stream, schema)
        try:
            yield writer
            writer.close()
        except BaseException:
            writer.abandon()
            raise


def write_statistics(
    path: UPath, schema: pa.Schema, footers: Iterable[tuple[HealpixPixel, pq.FileMetaData]]
) -> int:
    """Write a whole statistics file.

    Parameters
    ----------
    path : UPath
        The file.
    schema : pyarrow.Schema
        The schema of the leaves.
    footers : iterable of (HealpixPixel, pyarrow.parquet.FileMetaData)
        The tile and footer of each leaf, in the order of the tiles; consumed one by one. The files of a leaf
        directory are consecutive, and the row groups of each file are counted from 0.

    Returns
    -------
    int
        The number of row groups.

    Raises
    ------
    LeafError
        If the columns of a leaf differ from the schema.
    StorageError
        If the file cannot be written.
    """
    with statistics_writer(path, schema) as writer:
        for tile, footer in footers:
            writer.add(tile, footer)
    return writer.rows


def extend_statistics(
    existing: UPath, path: UPath, schema: pa.Schema, footers: Iterable[tuple[HealpixPixel, pq.FileMetaData]]
) -> int:
    """Write a statistics file with the rows of an existing one, followed by those of new leaves.

    Parameters
    ----------
    existing : UPath
        The existing file.
    path : UPath
        The file to write.
    schema : pyarrow.Schema
        The schema of the leaves.
    footers : iterable of (HealpixPixel, pyarrow.parquet.FileMetaData)
        As in `write_statistics`.

    Returns
    -------
    int
        The number of row groups.

    Raises
    ------
    LeafError
        If the columns of a leaf or of the existing file differ from the schema.
    """
    footer = read_footer(existing)
    with statistics_writer(path, schema) as writer:
        for group in range(footer.num_row_groups):
            writer.take(read_row_groups(existing, footer, [group]))
        for tile, leaf in footers:
            writer.add(tile, leaf)
    return writer.rows


def column_names(footer: pq.FileMetaData) -> list[str]:
    """Return the names of a file's columns in the statistics: Parquet paths such as ``lc.mjd``."""
    paths = (footer.schema.column(number).path for number in range(footer.num_columns))
    return [path.removesuffix(".list.element") for path in paths]


def _leaf_types(kind: pa.DataType) -> Iterator[pa.DataType]:
    """Return the types of the values within a column, in the order of their Parquet columns."""
    if pt.is_struct(kind):
        for child in kind:
            yield from _leaf_types(child.type)
    elif pt.is_map(kind):
        yield from _leaf_types(kind.key_type)
        yield from _leaf_types(kind.item_type)
    elif pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        yield from _leaf_types(kind.value_type)
    else:
        yield kind.value_type if pt.is_dictionary(kind) else kind


def _values(chunk: pq.ColumnChunkMetaData) -> tuple[Any, ...]:
    low = high = nulls = None
    found = chunk.statistics
    if found is not None:
        nulls = found.null_count if found.has_null_count else None
        if found.has_min_max:
            with suppress(ValueError, OverflowError):  # dates that Python cannot represent
                low, high = found.min, found.max
    return low, high, nulls, chunk.num_values, chunk.total_compressed_size, chunk.total_uncompressed_size


def _array(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    """Return statistics as an array; nulls if Arrow cannot convert them."""
    listed = list(values)
    if pt.is_time64(kind) and kind.unit == "ns":  # Python's times have no nanoseconds
        return pa.nulls(len(listed), kind)
    try:
        return pa.array(listed, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.nulls(len(listed), kind)
