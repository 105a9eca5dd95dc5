"""Building a margin cache: the rows within a threshold of the border of another tile (Note, section 3.1).

The rows that a stretch of the sky contributes to margins are kept as a run, sorted by tile. Then the rows of
each tile are merged into its leaf, as in an import.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

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
from hatsformat.properties import CollectionProperties, TableProperties
from hatsformat.supplements.primary import Primary, Stretch, chunked, pixels_of, positions, row_groups


@dataclass(frozen=True, slots=True)
class Margin:
    """A margin cache with a threshold in arcseconds."""

    threshold: float

    def folder(self, primary: str) -> str:
        """Return the name of its folder: ``stars_10arcs``."""
        return f"{primary}_{self.threshold:g}arcs"

    def check(self, _schema: pa.Schema, _path: object, /) -> None:
        """Raise `UsageError` if the threshold is invalid."""
        check_threshold(self.threshold)

    def add_to(self, properties: CollectionProperties, folder: str) -> CollectionProperties:
        """Return the properties of a collection with this member, the default if it is the first margin."""
        return properties.replace(
            all_margins=tuple(dict.fromkeys((*properties.margins, folder))),
            default_margin=properties.default_margin or folder,
        )

    def build(self, primary: Primary, name: str, url: str, root: UPath, context: BuildContext) -> None:
        """Write the margin into the folder `root`; `url` is its ``hats_primary_table_url``."""
        check_threshold(self.threshold)
        plan, tiles = margin_plan(primary, context), primary.tiles
        stretches = [(stretch, None) for stretch in primary.stretches(context.workers.count)]
        alignment, shards = gather(route_rows(stretches, tiles, self.threshold, plan, context), tiles)
        data = write_dataset(root, build_leaves(alignment, shards, plan, root, context), plan)
        of_primary = primary.properties
        has_pixels = of_primary.healpix_column in plan.schema.names
        properties = TableProperties(
            obs_collection=name,
            dataproduct_type="margin",
            hats_nrows=data.rows,
            hats_col_ra=of_primary.hats_col_ra,
            hats_col_dec=of_primary.hats_col_dec,
            hats_cols_default=of_primary.hats_cols_default,
            hats_col_healpix=of_primary.healpix_column if has_pixels else None,
            hats_col_healpix_order=of_primary.healpix_order if has_pixels else None,
            hats_frame=of_primary.hats_frame,
            hats_coordinate_epoch=of_primary.hats_coordinate_epoch,
            hats_primary_table_url=url,
            hats_margin_threshold=self.threshold,
            hats_npix_suffix=context.options.suffix,
            hats_order=data.tiles.max_order if data.rows else tiles.max_order,
            moc_sky_fraction=round(data.tiles.sky_fraction, 10),
            **making(data.size, context.created),
        )
        write_properties(root, properties)


def margin_plan(primary: Primary, context: BuildContext) -> LeafPlan:
    """Return how to write the leaves of a margin: with the columns and the sorting of its primary."""
    index = primary.columns.pixel
    return LeafPlan(
        primary.schema,
        LeafFormat(context.options.row_group_rows, () if index is None else (index,)),
        piece_bytes=context.memory.piece_bytes,
        makes_index=index is not None and primary.schema.names[0] == index,
    )


@dataclass(frozen=True, slots=True)
class Routed:
    """A run with rows of margins, sorted by the tiles of the margins, then by their own pixels."""

    run: Run
    tiles: IntArray  # indices of the tiles that get rows, ascending
    first: IntArray  # the first row of each tile
    last: IntArray  # the row after the last one

    @classmethod
    def keep(
        cls, sequence: tuple[int, int], rows: pa.Table, pixels: IntArray, tiles: IntArray, store: RunStore
    ) -> Routed:
        """Sort rows by the tiles whose margins they belong to, and keep them."""
        order = np.lexsort((pixels, tiles))
        held, first = np.unique(tiles[order], return_index=True)
        run = store.keep(sequence, "the catalog", rows.take(from_numbers(order)), pixels[order])
        return cls(run, held, first, np.append(first[1:], len(order)))

    @classmethod
    def whole(cls, run: Run, tile: int) -> Routed:
        """Return a run whose rows all belong to the margin of one tile, given by its index."""
        ends = np.array([0, run.rows.pixels.size])
        return cls(run, np.array([tile]), ends[:1], ends[1:])

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int((self.last - self.first).sum())


@dataclass(frozen=True, slots=True)
class MarginTask:
    """Finds the rows of margins in a stretch of a catalog; sent to a worker."""

    stretch: Stretch
    near: PartitionInfo  # the tiles in and around the stretch
    indices: IntArray  # their indices among all tiles
    threshold: float  # in arcseconds
    plan: LeafPlan
    chunk_bytes: int  # about how much is kept as one run
    store: RunStore

    def run(self) -> list[Routed]:
        """Return the rows that belong to margins."""
        chunks = chunked(self._rows(), lambda part: part[0].nbytes, self.chunk_bytes)
        return list(map(self._keep, count(), chunks))  # a loop variable would keep the last chunk in memory

    def _keep(self, number: int, chunk: list[tuple[pa.Table, IntArray, IntArray]]) -> Routed:
        tables, pixels, tiles = zip(*chunk, strict=True)
        rows = pa.concat_tables(tables).unify_dictionaries()
        sequence = (self.stretch.number, number)
        return Routed.keep(sequence, rows, np.concatenate(pixels), np.concatenate(tiles), self.store)

    def _rows(self) -> Iterator[tuple[pa.Table, IntArray, IntArray]]:
        """Yield the rows of each row group that belong to margins, their pixels, and the margins' tiles."""
        columns, schema = self.stretch.columns, self.plan.schema
        for index, tile, path in self.stretch.leaves():
            for group in row_groups(path):
                table = group.read(schema, columns.names)
                ra, dec = positions(table, columns)
                pixels = pixels_of(table, columns, tile, path)
                on_sky = np.flatnonzero(np.isfinite(ra))
                rows, found = margin_rows(self.near, self.threshold, pixels[on_sky], ra[on_sky], dec[on_sky])
                rows, tiles = on_sky[rows], self.indices[found]
                # Without an index column, rounding may put a row on a border into the next tile.
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
    """Find the rows of margins, for each stretch in the margins of some tiles, by index, or of all (None)."""
    store = context.run_store()

    def task(number: int, stretch: Stretch, among: IntArray | None) -> MarginTask:
        indices = np.flatnonzero(tiles.overlapping(surroundings(stretch.tiles, threshold)))
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


def gather(parts: list[Routed], tiles: PartitionInfo) -> tuple[Alignment, Shards]:
    """Return the tiles that get rows, and the shards of each, along the sky."""
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
