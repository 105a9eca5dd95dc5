"""The entries of an index table: a value, and the tile and the order-29 pixel of a row that has it.

Entries are sorted by value, then by pixel. Missing values and NaN cannot be looked up and have no entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from upath import UPath

from hatsformat import layout
from hatsformat.arrays import as_integers, empty_table, from_numbers, to_mask
from hatsformat.artefacts.leaf import LeafFormat, LeafSink, leaf_writer
from hatsformat.errors import UsageError
from hatsformat.healpix import HealpixPixel, IntArray
from hatsformat.partition_info import ORDER_COLUMN, PIXEL_COLUMN
from hatsformat.partitioner.coordinates import find_column
from hatsformat.partitioner.reducing import PIECE_ROWS, ShardRows
from hatsformat.partitioner.sorting import argsort_values, stable_sort, take_rows
from hatsformat.partitioner.splitting import Shard
from hatsformat.properties.table import HEALPIX_COLUMN


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """How the files of an index are written."""

    column: str
    extra: tuple[str, ...]  # more columns of the catalog
    schema: pa.Schema  # the column, the extra ones, _healpix_29, Norder, Npix
    row_group_rows: int

    @classmethod
    def of(
        cls,
        schema: pa.Schema,
        column: str,
        extra: Sequence[str],
        row_group_rows: int,
        path: object = None,
        role: str = "index",
    ) -> IndexPlan:
        """Plan an index of a table; `role` is the option that names the column in messages.

        Raises `ColumnError` if a column is missing, `UsageError` if it cannot be in an index.
        """
        own = []
        for name in (column, *extra):
            find_column(schema, name, role if name == column else "extra", path)
            own.append(_plain(schema.field(name)))
        reserved = {HEALPIX_COLUMN, ORDER_COLUMN, PIXEL_COLUMN, *layout.HIVE_COLUMNS}
        names = [column, *extra]
        if len(set(names)) < len(names) or reserved & set(names):
            raise UsageError(
                "invalid columns for an index",
                path=path,
                found=", ".join(names),
                expected="different columns, none of them for HEALPix pixels or tiles",
            )
        if not _has_order(own[0].type):
            raise UsageError(
                f"cannot build an index of the column {column!r}: its values have no order",
                path=path,
                found=str(own[0].type),
                expected="numbers, text, bytes, booleans or times",
            )
        location = [
            pa.field(HEALPIX_COLUMN, pa.int64()),
            pa.field(ORDER_COLUMN, pa.uint8()),
            pa.field(PIXEL_COLUMN, pa.uint64()),
        ]
        return cls(column, tuple(extra), pa.schema([*own, *location]), row_group_rows)

    def entries(self, table: pa.Table, tile: HealpixPixel, pixels: IntArray) -> pa.Table:
        """Return the entries of rows of one tile with these order-29 pixels, in the order of the rows."""
        count = table.num_rows
        columns = [table.column(name) for name in (self.column, *self.extra)]
        columns.append(from_numbers(pixels))
        columns += [from_numbers(np.full(count, number)) for number in (tile.order, tile.pixel)]
        columns = [column.cast(field.type) for column, field in zip(columns, self.schema, strict=True)]
        entries = pa.Table.from_arrays(columns, schema=self.schema)
        values = entries.column(0)
        valid = values.is_valid()
        if pt.is_floating(values.type):
            valid = pc.and_(valid, pc.invert(pc.is_nan(values).fill_null(True)))
        return entries if pc.all(valid).as_py() else entries.filter(valid)

    def sort(self, entries: pa.Table) -> pa.Table:
        """Return entries sorted by value, then by pixel."""
        return take_rows(entries, self.order_of(*self.keys(entries)))

    def keys(self, entries: pa.Table) -> tuple[pa.Array, IntArray]:
        """Return the values and the pixels of entries."""
        return entries.column(self.column).combine_chunks(), as_integers(entries.column(HEALPIX_COLUMN))

    def order_of(self, values: pa.Array, pixels: IntArray) -> IntArray:
        """Return the order that sorts entries by value, then by pixel; the sort is stable."""
        _, by_pixel = stable_sort(pixels)
        order: IntArray = by_pixel[argsort_values(values.take(from_numbers(by_pixel)))]
        return order


def write_part(path: UPath, shards: Sequence[Shard], plan: IndexPlan) -> LeafSink:
    """Write the entries of shards, in any order, to a file of an index.

    All values are in memory, but only a few row groups of entries. The returned sink is closed and has the
    footer and the size of the file.
    """
    wanted = pa.schema([plan.schema.field(plan.column), plan.schema.field(HEALPIX_COLUMN)])
    tables = [empty_table(wanted)]
    tables += [shard.run.rows.slice(shard.first, shard.last).select(wanted.names) for shard in shards]
    values, pixels = plan.keys(pa.concat_tables(tables))
    order = plan.order_of(values, pixels)
    if not plan.extra:  # then entries with the same value and pixel do not differ: keep one
        order = order[_first_of_each(values.take(from_numbers(order)), pixels[order])]
    entries = ShardRows.of(shards)
    step = max(PIECE_ROWS // plan.row_group_rows, 1) * plan.row_group_rows
    with leaf_writer(path, plan.schema, LeafFormat(plan.row_group_rows, (plan.column,))) as sink:
        for first in range(0, order.size, step):
            sink.write(entries.take(order[first : first + step], plan.schema))
    return sink


def _first_of_each(values: pa.Array, pixels: IntArray) -> IntArray:
    """Return the indices of the entries that differ from the one before."""
    if not pixels.size:
        return np.empty(0, dtype=np.int64)
    same = pc.and_(
        pc.equal(values.slice(1), values.slice(0, len(values) - 1)), to_mask(pixels[1:] == pixels[:-1])
    )
    indices = as_integers(pc.indices_nonzero(pc.invert(same)))
    return np.concatenate(([0], indices + 1))


def _plain(column: pa.Field) -> pa.Field:
    """Return a column without a dictionary, and views as plain text or bytes."""
    type_ = column.type.value_type if pt.is_dictionary(column.type) else column.type
    if pt.is_string_view(type_):
        type_ = pa.string()
    return column.with_type(pa.binary() if pt.is_binary_view(type_) else type_)


def _has_order(type_: pa.DataType) -> bool:
    if pt.is_nested(type_) or pt.is_null(type_):
        return False
    try:
        argsort_values(pa.nulls(0, type_))
    except pa.ArrowException:
        return False
    return True
