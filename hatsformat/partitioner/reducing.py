"""Stage 4, reducing: merge the shards of a tile into its leaf (Note, section 3.5).

A leaf is written a few row groups at a time, and only their rows are in memory: the order-29 pixels alone
decide the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from hatsformat.arrays import from_numbers
from hatsformat.artefacts.leaf import LeafFormat, leaf_writer
from hatsformat.healpix import HealpixPixel, IntArray
from hatsformat.partitioner.memory import PIECE_BYTES
from hatsformat.partitioner.row_groups import RowGroups
from hatsformat.partitioner.schema import fit
from hatsformat.partitioner.sorting import stable_sort, take_rows
from hatsformat.partitioner.splitting import Shard

PIECE_ROWS = 100_000
"""The most rows of a leaf that are put together at a time."""


@dataclass(frozen=True, slots=True)
class LeafPlan:
    """What all leaves of a catalog have in common.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of the leaves, the index column first.
    format : LeafFormat
        How they are written; its ``sorting`` names the index column, then further columns to sort by.
    keep_first_row : bool
        Whether to return each leaf's first row, for the thumbnail.
    row_groups : RowGroups
        How leaves are cut into row groups.
    piece_bytes : int
        About how much of a leaf is put together at a time; it makes no difference to the leaf.
    makes_index : bool
        Whether the index column is made from the rows' pixels; if not, the rows have it.
    """

    schema: pa.Schema
    format: LeafFormat
    keep_first_row: bool = False
    row_groups: RowGroups = field(default_factory=RowGroups)
    piece_bytes: int = PIECE_BYTES
    makes_index: bool = True

    @property
    def own_schema(self) -> pa.Schema:
        """The schema of the rows' own columns."""
        return pa.schema(list(self.schema)[1:]) if self.makes_index else self.schema


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf file that was written.

    Attributes
    ----------
    tile : HealpixPixel
    path : str
        Relative to the catalog's root.
    footer : pyarrow.parquet.FileMetaData
    size : int
        In bytes.
    first_row : pyarrow.Table or None
        Its first row, if the plan asks for it.
    """

    tile: HealpixPixel
    path: str
    footer: pq.FileMetaData
    size: int
    first_row: pa.Table | None = None


def reduce_tile(tile: HealpixPixel, path: str, shards: Sequence[Shard], plan: LeafPlan, root: UPath) -> Leaf:
    """Write the leaf of one tile to `path` in `root`, with its shards in the order of the inputs."""
    first_row = None
    with leaf_writer(root / path, plan.schema, plan.format) as sink:
        for table in sorted_row_groups(shards, plan, tile.order):
            if plan.keep_first_row and first_row is None:
                first_row = table.take([0])  # a copy: a slice would keep its whole row group alive
            sink.write(table)
    return Leaf(tile, path, sink.footer, sink.size, first_row)


def sorted_row_groups(shards: Sequence[Shard], plan: LeafPlan, order: int) -> Iterator[pa.Table]:
    """Yield the sorted rows of a tile of this order, one table per row group."""
    pixels = np.concatenate([shard.pixels for shard in shards])
    if len(plan.format.sorting) > 1:
        by_sky = _sorted_by_columns(pixels, shards, plan)
        pixels = pixels[by_sky]
    else:
        pixels, by_sky = stable_sort(pixels)
    rows_of_tile = ShardRows.of(shards)
    cutter = plan.row_groups.cutter(pixels, order, plan.own_schema, plan.format.row_group_rows)
    row_bytes = max(shard.run.rows.row_bytes for shard in shards)
    while cutter.done < pixels.size:
        first, wanted = cutter.done, max(1, min(PIECE_ROWS, plan.piece_bytes // row_bytes))
        piece = slice(first, cutter.next_stop(wanted))
        rows = rows_of_tile.take(by_sky[piece], plan.own_schema)
        row_bytes = max(row_bytes, rows.nbytes // rows.num_rows)  # rows here may be larger than before
        if plan.makes_index:
            rows = rows.add_column(0, plan.schema.field(0).with_type(pa.int64()), from_numbers(pixels[piece]))
        yield from cutter.cut(rows.cast(plan.schema))
        if plan.piece_bytes < PIECE_BYTES:  # memory is short, so the allocator must not keep it
            del rows
            pa.default_memory_pool().release_unused()


@dataclass(frozen=True, slots=True)
class ShardRows:
    """The rows of several shards, concatenated.

    Attributes
    ----------
    shards : sequence of Shard
    offsets : ndarray of int64, shape (shards + 1,)
        The first row of each.
    owners : ndarray of unsigned or signed integers, shape (n,)
        The shard of each row.
    """

    shards: Sequence[Shard]
    offsets: IntArray
    owners: npt.NDArray[np.integer]

    @classmethod
    def of(cls, shards: Sequence[Shard]) -> ShardRows:
        """Concatenate shards."""
        offsets = np.cumsum([0, *(len(shard) for shard in shards)])
        # NumPy sorts 16-bit integers by counting.
        kind = np.uint16 if len(shards) < 65536 else np.int64
        return cls(shards, offsets, np.repeat(np.arange(len(shards), dtype=kind), np.diff(offsets)))

    def take(self, chosen: IntArray, schema: pa.Schema) -> pa.Table:
        """Return rows by index, reading only the needed span of each shard."""
        owner = self.owners[chosen]
        by_owner = np.argsort(owner, kind="stable")
        begins = np.flatnonzero(np.diff(owner[by_owner], prepend=-1))
        grouped = chosen[by_owner]
        lows, highs = np.minimum.reduceat(grouped, begins), np.maximum.reduceat(grouped, begins) + 1
        numbers = owner[by_owner][begins]
        pieces = []
        for number, low, high in zip(numbers.tolist(), lows.tolist(), highs.tolist(), strict=True):
            shard, base = self.shards[number], int(self.offsets[number]) - self.shards[number].first
            pieces.append(fit(shard.run.rows.slice(low - base, high - base), schema, shard.run.name))
        # From the index of a row among all shards to its index in the concatenated spans.
        shift = np.zeros(len(self.shards), dtype=np.int64)
        shift[numbers] = np.cumsum([0, *(highs - lows)[:-1]]) - lows
        table = pieces[0] if len(pieces) == 1 else pa.concat_tables(pieces).unify_dictionaries()
        return take_rows(table, chosen + shift[owner])


def _sorted_by_columns(pixels: IntArray, shards: Sequence[Shard], plan: LeafPlan) -> IntArray:
    """Return the order that sorts rows by pixel, then by further columns."""
    index, *more = plan.format.sorting
    wanted = pa.schema([plan.schema.field(name) for name in more])
    keys = pa.concat_tables(
        [
            fit(shard.run.rows.slice(shard.first, shard.last).select(more), wanted, shard.run.name)
            for shard in shards
        ]
    ).add_column(0, index, from_numbers(pixels))
    order: IntArray = pc.sort_indices(keys, [(name, "ascending") for name in plan.format.sorting]).to_numpy()
    return order.astype(np.int64)
