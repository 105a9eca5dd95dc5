"""The entries of an index table: a value, and the tile and the order-29 pixel of a row that has it.

Entries are sorted by value and, where that is the same, by pixel. What cannot be looked up has none: values
that are missing, and NaN.
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
    """What all files of an index have in common.

    Attributes
    ----------
    column : str
        The indexed column.
    extra : tuple of str
        Columns that the entries have besides.
    schema : pyarrow.Schema
        Of the entries: the column, the others, ``_healpix_29``, ``Norder`` and ``Npix``.
    row_group_rows : int
    """

    column: str
    extra: tuple[str, ...]
    schema: pa.Schema
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
        """Plan the index of a table of some schema; `role` is the option that names the column.

        Raises
        ------
        ColumnError
            If there is no such column.
        UsageError
            If its values have no order.
        """
        own = []
        for name in (column, *extra):
            find_column(schema, name, role if name == column else "extra", path)
            own.append(_plain(schema.field(name)))
        reserved = {HEALPIX_COLUMN, ORDER_COLUMN, PIXEL_COLUMN, *layout.HIVE_COLUMNS}
        names = [column, *extra]
        if len(set(names)) < len(names) or reserved & set(names):
            raise UsageError(
                "these cannot be the columns of an index",
                path=path,
                found=", ".join(names),
                expected="columns of the catalog's own, each once",
            )
        if not _has_order(own[0].type):
            raise UsageError(
                f"the values of the column {column!r} have no order, so there can be no index of them",
                path=path,
                found=str(own[0].type),
                expected="numbers, text, bytes, truth values or times",
            )
        place = [
            pa.field(HEALPIX_COLUMN, pa.int64()),
            pa.field(ORDER_COLUMN, pa.uint8()),
            pa.field(PIXEL_COLUMN, pa.uint64()),
        ]
        return cls(column, tuple(extra), pa.schema([*own, *place]), row_group_rows)

    @property
    def are_distinct(self) -> bool:
        """Whether entries that say the same are one: those of a source that is seen again and again."""
        return not self.extra

    @property
    def format(self) -> LeafFormat:
        """How the files are written."""
        return LeafFormat(self.row_group_rows, (self.column,))

    def entries(self, table: pa.Table, tile: HealpixPixel, pixels: IntArray) -> pa.Table:
        """Return the entries of rows of one tile, in the order of the rows.

        Parameters
        ----------
        table : pyarrow.Table, n rows
            With the indexed column and the extra ones.
        tile : HealpixPixel
            The tile whose leaf holds the rows.
        pixels : ndarray of int64, shape (n,)
            Their order-29 pixels.
        """
        count = table.num_rows
        columns = [table.column(name) for name in (self.column, *self.extra)]
        columns.append(from_numbers(pixels))
        columns += [from_numbers(np.full(count, number)) for number in (tile.order, tile.pixel)]
        columns = [column.cast(field.type) for column, field in zip(columns, self.schema, strict=True)]
        entries = pa.Table.from_arrays(columns, schema=self.schema)
        values = entries.column(0)
        there = values.is_valid()
        if pt.is_floating(values.type):
            there = pc.and_(there, pc.invert(pc.is_nan(values).fill_null(True)))
        return entries if pc.all(there).as_py() else entries.filter(there)

    def sort(self, entries: pa.Table) -> pa.Table:
        """Return entries sorted by value, then by pixel."""
        return take_rows(entries, self.order_of(*self.keys(entries)))

    def keys(self, entries: pa.Table) -> tuple[pa.Array, IntArray]:
        """Return the values and the pixels of entries."""
        return entries.column(self.column).combine_chunks(), as_integers(entries.column(HEALPIX_COLUMN))

    def order_of(self, values: pa.Array, pixels: IntArray) -> IntArray:
        """Return the order that sorts entries by value, then by pixel; those that are the same stay."""
        _, by_pixel = stable_sort(pixels)
        order: IntArray = by_pixel[argsort_values(values.take(from_numbers(by_pixel)))]
        return order


def write_part(place: UPath, shards: Sequence[Shard], plan: IndexPlan) -> LeafSink:
    """Write a file of an index and return the closed sink, with its footer and size.

    Parameters
    ----------
    place : UPath
        The file; see `hatsformat.layout.index_part_path`.
    shards : sequence of Shard
        Its entries, in any order; only those of a few row groups are in memory besides all values.
    plan : IndexPlan
    """
    values, pixels = _keys(shards, plan)
    order = plan.order_of(values, pixels)
    if plan.are_distinct:
        order = order[_first_of_each(values.take(from_numbers(order)), pixels[order])]
    entries = ShardRows.of(shards)
    step = max(PIECE_ROWS // plan.row_group_rows, 1) * plan.row_group_rows
    with leaf_writer(place, plan.schema, plan.format) as sink:
        for first in range(0, order.size, step):
            sink.write(entries.take(order[first : first + step], plan.schema))
    return sink


def _keys(shards: Sequence[Shard], plan: IndexPlan) -> tuple[pa.Array, IntArray]:
    wanted = pa.schema([plan.schema.field(plan.column), plan.schema.field(HEALPIX_COLUMN)])
    tables = [empty_table(wanted)]
    tables += [shard.run.rows.slice(shard.first, shard.last).select(wanted.names) for shard in shards]
    return plan.keys(pa.concat_tables(tables))


def _first_of_each(values: pa.Array, pixels: IntArray) -> IntArray:
    """Return the positions of entries that are not the same as the one before."""
    if not pixels.size:
        return np.empty(0, dtype=np.int64)
    same = pc.and_(
        pc.equal(values.slice(1), values.slice(0, len(values) - 1)), to_mask(pixels[1:] == pixels[:-1])
    )
    numbers = as_integers(pc.indices_nonzero(pc.invert(same)))
    return np.concatenate(([0], numbers + 1))


def _plain(column: pa.Field) -> pa.Field:
    """Return a column without a dictionary, and text as files hold it."""
    kind = column.type.value_type if pt.is_dictionary(column.type) else column.type
    if pt.is_string_view(kind):
        kind = pa.string()
    return column.with_type(pa.binary() if pt.is_binary_view(kind) else kind)


def _has_order(kind: pa.DataType) -> bool:
    if pt.is_nested(kind) or pt.is_null(kind):
        return False
    try:
        argsort_values(pa.nulls(0, kind))
    except pa.ArrowException:
        return False
    return True
