"""Keeping the margins and the indexes of a collection true when rows are added to its primary catalog.

Only what the new rows bear on is read. A margin gets the new rows that lie near other tiles, and the old rows
near new tiles; an index gets a further file with the entries of the new rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from upath import UPath

from hatsformat import layout, storage
from hatsformat.artefacts.parquet_metadata import extend_metadata
from hatsformat.catalog import Catalog
from hatsformat.catalog.manifest import CatalogFiles, DataFile
from hatsformat.errors import UsageError
from hatsformat.healpix import MAX_ORDER
from hatsformat.margins import surroundings
from hatsformat.partitioner.binning import Alignment
from hatsformat.partitioner.build_log import Progress
from hatsformat.partitioner.executors import Workers
from hatsformat.partitioner.leaf_runs import LeafRows
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.pixel_counts import PixelCounts
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.partitioner.runs import Run, RunStore
from hatsformat.partitioner.splitting import Shard, Shards
from hatsformat.partitioner.tasks import ReduceTask, reduce_one
from hatsformat.supplements.index import collect, write_parts
from hatsformat.supplements.index_entries import IndexPlan
from hatsformat.supplements.margin import (
    Routed,
    find_margin_rows,
    gathered,
    margin_plan,
    margin_task,
)
from hatsformat.supplements.primary import Primary
from hatsformat.updates.existing import Standing, next_parts
from hatsformat.updates.metadata import (
    files_beside,
    keep_true,
    map_orders,
    property_files,
    write_properties,
)
from hatsformat.updates.site import Site


@dataclass(frozen=True, slots=True)
class Task:
    """A supplement that is written as part of a change: a `Work`."""

    options: ImportOptions
    created: datetime
    team: Workers
    told: Progress
    root: UPath
    scratch: Path


@dataclass(frozen=True, slots=True)
class Extension:
    """Rows that were added to the primary catalog of a collection.

    Attributes
    ----------
    site : Site
    before, after : Standing
        The primary catalog.
    leaves : sequence of Leaf
        The new leaf files.
    options : ImportOptions
    now : datetime
    team : Workers
    told : callable
    """

    site: Site
    before: Standing
    after: Standing
    leaves: Sequence[Leaf]
    options: ImportOptions
    now: datetime
    team: Workers
    told: Progress

    @property
    def primary(self) -> Primary:
        """The primary catalog as it is now."""
        return Primary.of(self.after.root, self.after.properties)

    def extend(self, supplement: Catalog) -> int:
        """Add to a margin or an index, and return how many rows it got.

        Raises
        ------
        UsageError
            If it is not such as this package builds.
        """
        if supplement.properties.dataproduct_type == "index":
            return self._extend_index(supplement)
        return self._extend_margin(supplement)

    def _extend_margin(self, supplement: Catalog) -> int:
        margin = Standing.read(supplement.path, supplement.properties, ("margin",))
        threshold = supplement.properties.hats_margin_threshold
        if threshold is None or not margin.schema.equals(self.before.schema):
            raise _foreign(supplement, "its columns are not those of the primary catalog")
        plan = margin_plan(self.primary, self.options)
        plan = replace(plan, keep_first_row=storage.exists(margin.root / layout.THUMBNAIL))
        routed = self._near_tiles(threshold, plan, supplement)
        if not routed:
            return 0
        alignment, shards = gathered(routed, self.after.tiles)
        tasks = list(self._margin_tasks(margin, alignment, shards, plan))
        self._begin(margin, tasks)
        leaves = list(self.team.in_order(reduce_one, tasks))
        counts = _counts(routed, max(map_orders(margin).values(), default=0))
        keep_true(margin, self.site.staged(margin.root), leaves, counts, plan, self.now)
        return int(alignment.rows.sum())

    def _near_tiles(self, threshold: float, plan: LeafPlan, supplement: Catalog) -> list[Routed]:
        """Return the new rows near any other tile, and the old rows near a new tile."""
        tiles, primary = self.after.tiles, self.primary
        new = np.flatnonzero(self.before.tiles.find(tiles.starts) < 0)
        around = tiles.overlapping(surroundings(tiles.select(new), threshold))
        own = tiles.find(self.before.tiles.starts)[self.before.tile_of]
        old_files = [
            DataFile(self.before.paths[index], int(own[index])) for index in np.flatnonzero(around[own])
        ]
        of_new = primary.stretches(self.team.count, self._new_files())
        of_old = primary.stretches(self.team.count, old_files)
        scratch = self.site.change.scratch / supplement.path.name
        store = RunStore(self.options.runs_bytes if self.team.share_memory else 0, scratch)
        tasks = [
            margin_task(
                replace(stretch, number=number),
                tiles,
                threshold,
                plan,
                self.options.chunk_bytes,
                store,
                None if number < len(of_new) else new,
            )
            for number, stretch in enumerate((*of_new, *of_old))
        ]
        found: list[Routed] = []
        for done, parts in enumerate(self.team.in_order(find_margin_rows, tasks, store.stop), 1):
            found += parts
            self.told("margins", done, len(tasks))
        return found

    def _new_files(self) -> list[DataFile]:
        own = self.after.tiles.find([leaf.tile.range29[0] for leaf in self.leaves]).tolist()
        return [DataFile(leaf.path, tile) for leaf, tile in zip(self.leaves, own, strict=True)]

    def _margin_tasks(
        self, margin: Standing, alignment: Alignment, shards: Shards, plan: LeafPlan
    ) -> Iterator[ReduceTask]:
        """Return what is to be written: further files of leaf directories, or leaves with all their rows."""
        told, root = margin.properties, self.site.staged(margin.root)
        if told.has_leaf_directories:
            paths = next_parts(margin, alignment.tiles)
        else:
            paths = layout.leaf_paths(alignment.tiles.orders, alignment.tiles.pixels, told.npix_suffix)
        rows_of = dict(zip(margin.paths, margin.rows.tolist(), strict=True))
        for index, ((order, pixel, rows), path) in enumerate(
            zip(alignment.triples.tolist(), paths, strict=True)
        ):
            own = shards.of_tile(index)
            if path in rows_of:
                known = LeafRows(margin.root / path, margin.schema.names[0])
                own.insert(0, Shard(Run((0, 0), path, known), 0, rows_of[path]))
            yield ReduceTask(rows, order, pixel, path, own, plan, root, False)

    def _begin(self, table: Standing, tasks: Sequence[ReduceTask]) -> None:
        known = set(table.paths)
        new = [task.path for task in tasks if task.path not in known]
        replaced = [task.path for task in tasks if task.path in known]
        self._announce(table.root, new, [*replaced, *files_beside(table)])

    def _announce(self, root: UPath, added: Sequence[str], replaced: Sequence[str]) -> None:
        place = self.site.relative
        self.site.begin([place(path, root) for path in added], [place(path, root) for path in replaced])

    def _extend_index(self, supplement: Catalog) -> int:
        told, root, primary = supplement.properties, supplement.path, self.primary
        files = CatalogFiles(root, told)
        extra = told.hats_index_extra_column or ()
        plan = IndexPlan.of(
            primary.schema, str(told.hats_index_column), extra, self.options.row_group_rows, root
        )
        if not files.schema.equals(plan.schema):
            raise _foreign(supplement, "its columns are not those of an index that is built here")
        staging = self.site.staged(root)
        scratch = self.site.change.scratch / root.name
        job = Task(self.options, self.now, self.team, self.told, staging, scratch)
        rows = sum(leaf.footer.num_rows for leaf in self.leaves)
        stretches = primary.stretches(self.team.count, self._new_files())
        entries = collect(stretches, rows, primary.schema, plan, job)
        if not any(part.cuts[-1] for part in entries):
            return 0
        numbers = [layout.parse_index_part(file.path) for file in files.data_files()]
        first = 1 + max((number for number in numbers if number is not None), default=-1)
        beside = [layout.METADATA] if storage.exists(root / layout.METADATA) else []
        most = len(entries[0].cuts) - 1
        self._announce(
            root,
            [layout.index_part_path(number) for number in range(first, first + most)],
            [*beside, *property_files(root)],
        )
        written = list(write_parts(entries, plan, job, first))
        if beside:
            footers = [(path.removeprefix(f"{layout.DATASET}/"), footer) for path, footer, _ in written]
            extend_metadata(root / layout.METADATA, staging / layout.METADATA, footers)
        added = sum(int(footer.num_rows) for _, footer, _ in written)
        write_properties(
            staging,
            told.replace(hats_nrows=(told.hats_nrows or 0) + added, hats_release_date=self.now),
        )
        return added


def _counts(routed: Sequence[Routed], order: int) -> PixelCounts:
    parts = [PixelCounts.of_sorted(np.sort(part.run.rows.pixels), MAX_ORDER) for part in routed]
    return PixelCounts.merged(parts, MAX_ORDER).degraded(order)


def _foreign(supplement: Catalog, why: str) -> UsageError:
    return UsageError(
        f"rows cannot be added to this {supplement.properties.dataproduct_type}: {why}",
        path=supplement.path,
        hint="a rebuild of the catalog builds it again",
    )
