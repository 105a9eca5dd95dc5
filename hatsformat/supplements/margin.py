"""Building a margin cache: the rows within a threshold of the border of another tile (Note, section 3.1).

Rows of a margin are rows like any others that go to other tiles than their own: those of a stretch of the
sky are kept as a run, sorted by tile, and every tile's are then merged into its leaf.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hatsformat.arrays import from_numbers
from hatsformat.artefacts.leaf import LeafFormat
from hatsformat.healpix import MAX_ORDER, IntArray
from hatsformat.margins import check_threshold, margin_rows, surroundings
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.binning import Alignment
from hatsformat.partitioner.context import Work, reduce_tiles
from hatsformat.partitioner.finishing import making, write_dataset, write_properties
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.reducing import LeafPlan
from hatsformat.partitioner.runs import Run, RunStore
from hatsformat.partitioner.splitting import Shards
from hatsformat.properties.table import TableProperties
from hatsformat.supplements.primary import Primary, Stretch, pixels_of, positions, row_groups


def make_margin(primary: Primary, threshold: float, name: str, url: str, job: Work) -> None:
    """Write a margin cache into the directory of a job.

    Parameters
    ----------
    primary : Primary
    threshold : float
        In arcseconds.
    name, url : str
        Its ``obs_collection`` and ``hats_primary_table_url``.
    job : Work

    Raises
    ------
    HatsError
        If the threshold is none, or the catalog cannot be read.
    """
    check_threshold(threshold)
    plan = margin_plan(primary, job.options)
    alignment, shards = gathered(_collect(primary, threshold, plan, job), primary.tiles)
    data = write_dataset(job.root, reduce_tiles(alignment, shards, plan, job), plan)
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
        hats_npix_suffix=job.options.suffix,
        hats_order=data.tiles.max_order if data.rows else primary.tiles.max_order,
        moc_sky_fraction=round(data.tiles.sky_fraction, 10),
        **making(data.size, job.created),
    )
    write_properties(job.root, properties)


def margin_plan(primary: Primary, options: ImportOptions) -> LeafPlan:
    """Return how the leaves of a margin are written: with the columns of its primary, sorted as that is."""
    index = primary.columns.pixel
    sorting = () if index is None else (index,)
    makes_index = index is not None and primary.schema.names[0] == index
    return LeafPlan(
        primary.schema,
        LeafFormat(options.row_group_rows, sorting),
        piece_bytes=options.piece_bytes,
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


def margin_task(
    stretch: Stretch,
    tiles: PartitionInfo,
    threshold: float,
    plan: LeafPlan,
    chunk_bytes: int,
    store: RunStore,
    among: IntArray | None = None,
) -> MarginTask:
    """Return the task of finding the rows of a stretch that belong into the margins of some tiles.

    Parameters
    ----------
    among : ndarray of int64, optional
        Indices of the tiles whose margins matter; all by default.
    """
    indices = np.flatnonzero(tiles.overlapping(surroundings(stretch.partitions, threshold)))
    if among is not None:
        indices = np.intersect1d(indices, among)
    return MarginTask(stretch, tiles.select(indices), indices, threshold, plan, chunk_bytes, store)


def find_margin_rows(task: MarginTask) -> list[Routed]:
    """Carry out a task; a function, since that is what executors take."""
    return task.run()


def _collect(primary: Primary, threshold: float, plan: LeafPlan, job: Work) -> list[Routed]:
    options = job.options
    store = RunStore(options.runs_bytes if job.team.share_memory else 0, job.scratch)
    stretches = primary.stretches(job.team.count)

    def task(stretch: Stretch) -> MarginTask:
        return margin_task(stretch, primary.tiles, threshold, plan, options.chunk_bytes, store)

    routed: list[Routed] = []
    found = job.team.in_order(find_margin_rows, map(task, stretches), store.stop)
    for done, parts in enumerate(found, 1):
        routed += parts
        job.told("margin", done, len(stretches))
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
