"""Building a margin cache: the rows within a threshold of the border of another tile (Note, section 3.1).

Rows of a margin are rows like any others that go to other tiles than their own: those of a stretch of the
sky are kept as a run, sorted by tile, and every tile's are then merged into its leaf.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from upath import UPath

from hatsformat.arrays import from_numbers
from hatsformat.artefacts.leaf import LeafFormat
from hatsformat.healpix import MAX_ORDER, IntArray
from hatsformat.margins import check_threshold, margin_rows, surroundings
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.binning import Alignment
from hatsformat.partitioner.building import build_leaves
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.finishing import making, write_dataset, write_properties
from hatsformat.partitioner.reducing import LeafPlan
from hatsformat.partitioner.runs import Run, RunStore
from hatsformat.partitioner.splitting import Shards
from hatsformat.partitioner.tasks import run_task
from hatsformat.properties.table import TableProperties
from hatsformat.supplements.primary import Primary, Stretch, pixels_of, positions, row_groups


def make_margin(
    primary: Primary, threshold: float, name: str, url: str, root: UPath, context: BuildContext
) -> None:
    """Write a margin cache into a folder.

    Parameters
    ----------
    primary : Primary
    threshold : float
        In arcseconds.
    name, url : str
        Its ``obs_collection`` and ``hats_primary_table_url``.
    root : UPath
        The folder.
    context : BuildContext

    Raises
    ------
    HatsError
        If the threshold is none, or the catalog cannot be read.
    """
    check_threshold(threshold)
    plan = margin_plan(primary, context)
    stretches = primary.stretches(context.workers.count)
    routed = route_rows([(stretch, None) for stretch in stretches], primary.tiles, threshold, plan, context)
    alignment, shards = gathered(routed, primary.tiles)
    data = write_dataset(root, build_leaves(alignment, shards, plan, root, context), plan)
    told = primary.properties
    properties = TableProperties(
        obs_collection=name,
        dataproduct_type="margin",
        hats_nrows=data.rows,
        hats_col_ra=told.hats_col_ra,
        hats_col_dec=told.hats_col_dec,
        hats_cols_default=told.hats_cols_default,
        hats_col_healpix=told.healpix_column if told.healpix_column in plan.schema.names else None,
        hats_col_healpix_order=told.healpix_order if told.healpix_column in plan.schema.names else None,
        hats_frame=told.hats_frame,
        hats_coordinate_epoch=told.hats_coordinate_epoch,
        hats_primary_table_url=url,
        hats_margin_threshold=threshold,
        hats_npix_suffix=context.options.suffix,
        hats_order=data.tiles.max_order if data.rows else primary.tiles.max_order,
        moc_sky_fraction=round(data.tiles.sky_fraction, 10),
        **making(data.size, context.created),
    )
    write_properties(root, properties)


def margin_plan(primary: Primary, context: BuildContext) -> LeafPlan:
    """Return how the leaves of a margin are written: with the columns of its primary, sorted as that is."""
    index = primary.columns.pixel
    sorting = () if index is None else (index,)
    makes_index = index is not None and primary.schema.names[0] == index
    return LeafPlan(
        primary.schema,
        LeafFormat(context.options.row_group_rows, sorting),
        piece_bytes=context.memory.piece_bytes,
        makes_index=makes_index,
    )


@dataclass(frozen=True, slots=True)
class Routed:
    """A run whose rows are sorted by the tiles whose margins they belong into, then by their own pixels.

    Attributes
    ----------
    run : Run
    tiles : ndarray of int64, shape (n,)
        Indices of the tiles that get rows, ascending.
    first, last : ndarray of int64, shape (n,)
        The rows of each.
    """

    run: Run
    tiles: IntArray
    first: IntArray
    last: IntArray

    @classmethod
    def keep(
        cls, sequence: tuple[int, int], rows: pa.Table, pixels: IntArray, tiles: IntArray, store: RunStore
    ) -> Routed:
        """Sort rows by their tiles, and keep them."""
        order = np.lexsort((pixels, tiles))
        held, first = np.unique(tiles[order], return_index=True)
        run = store.keep(sequence, "the catalog", rows.take(from_numbers(order)), pixels[order])
        return cls(run, held, first, np.append(first[1:], len(order)))

    @classmethod
    def whole(cls, run: Run, tile: int) -> Routed:
        """Return a run whose rows all belong in the margin of one tile, by its index."""
        ends = np.array([0, run.rows.pixels.size])
        return cls(run, np.array([tile]), ends[:1], ends[1:])

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int((self.last - self.first).sum())


@dataclass(frozen=True, slots=True)
class MarginTask:
    """A stretch of a catalog to find the rows of margins in, as it is sent to a worker.

    Attributes
    ----------
    stretch : Stretch
    near : PartitionInfo
        The tiles in and around the stretch.
    indices : ndarray of int64
        Their indices among all tiles.
    threshold : float
        In arcseconds.
    plan : LeafPlan
    chunk_bytes : int
        Rows that are gathered before they are kept.
    store : RunStore
    """

    stretch: Stretch
    near: PartitionInfo
    indices: IntArray
    threshold: float
    plan: LeafPlan
    chunk_bytes: int
    store: RunStore

    def run(self) -> list[Routed]:
        """Return the rows that belong into margins."""
        routed: list[Routed] = []
        waiting: list[tuple[pa.Table, IntArray, IntArray]] = []
        size = 0
        for part in self._rows():
            waiting.append(part)
            size += part[0].nbytes
            if size >= self.chunk_bytes:
                routed.append(self._keep(waiting, len(routed)))
                waiting, size = [], 0
        if waiting:
            routed.append(self._keep(waiting, len(routed)))
        return routed

    def _keep(self, waiting: list[tuple[pa.Table, IntArray, IntArray]], number: int) -> Routed:
        tables, pixels, tiles = zip(*waiting, strict=True)
        rows = pa.concat_tables(tables).unify_dictionaries()
        sequence = (self.stretch.number, number)
        return Routed.keep(sequence, rows, np.concatenate(pixels), np.concatenate(tiles), self.store)

    def _rows(self) -> Iterator[tuple[pa.Table, IntArray, IntArray]]:
        """Yield the rows of each row group that belong into margins, their pixels, and the margins' tiles."""
        columns, schema = self.stretch.columns, self.plan.schema
        for index, tile, place in self.stretch.leaves():
            for group in row_groups(place):
                table = group.read(schema, columns.names)
                ra, dec = positions(table, columns)
                pixels = pixels_of(table, columns, tile, place)
                there = np.flatnonzero(np.isfinite(ra))
                rows, found = margin_rows(self.near, self.threshold, pixels[there], ra[there], dec[there])
                rows, tiles = there[rows], self.indices[found]
                # Without an index column, rounding may put a row on a border into the tile beside its own.
                rows, tiles = rows[tiles != index], tiles[tiles != index]
                if rows.size:
                    own = group.read(schema, self.plan.own_schema.names)
                    yield own.take(from_numbers(rows)), pixels[rows], tiles


def route_rows(
    stretches: Sequence[tuple[Stretch, IntArray | None]],
    tiles: PartitionInfo,
    threshold: float,
    plan: LeafPlan,
    context: BuildContext,
) -> list[Routed]:
    """Find the rows that belong in the margins of tiles.

    Parameters
    ----------
    stretches : sequence of (Stretch, ndarray of int64 or None)
        What to read, and the indices of the tiles whose margins get rows of it; None for all tiles.
    tiles : PartitionInfo
        All tiles of the catalog.
    threshold : float
        In arcseconds.
    plan : LeafPlan
    context : BuildContext
    """
    store = context.run_store()

    def task(number: int, stretch: Stretch, among: IntArray | None) -> MarginTask:
        indices = np.flatnonzero(tiles.overlapping(surroundings(stretch.partitions, threshold)))
        if among is not None:
            indices = np.intersect1d(indices, among)
        stretch = replace(stretch, number=number)
        near, chunk_bytes = tiles.select(indices), context.memory.chunk_bytes
        return MarginTask(stretch, near, indices, threshold, plan, chunk_bytes, store)

    tasks = (task(number, stretch, among) for number, (stretch, among) in enumerate(stretches))
    routed: list[Routed] = []
    for done, parts in enumerate(context.workers.in_order(run_task, tasks, store.stop), 1):
        routed += parts
        context.progress("margin", done, len(stretches))
    return routed


def gathered(parts: list[Routed], tiles: PartitionInfo) -> tuple[Alignment, Shards]:
    """Return the tiles that get rows, and the shards of each, in the order of the sky."""
    none = np.empty(0, dtype=np.int64)
    tile, first, last = (
        np.concatenate([none, *(getattr(part, name) for part in parts)])
        for name in ("tiles", "first", "last")
    )
    of_run = np.repeat(np.arange(len(parts)), [len(part.tiles) for part in parts])
    by_tile = np.argsort(tile, kind="stable")
    held, offsets = np.unique(tile[by_tile], return_index=True)
    shards = Shards(
        [part.run for part in parts],
        of_run[by_tile],
        first[by_tile],
        last[by_tile],
        np.append(offsets, len(tile)),
    )
    rows = np.bincount(tile, weights=last - first, minlength=len(tiles)).astype(np.int64)[held]
    return Alignment(MAX_ORDER, tiles.select(held), rows), shards
