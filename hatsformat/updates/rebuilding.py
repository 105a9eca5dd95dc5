"""Bringing the leaves of a catalog back to what an import makes (Note, section 3.4).

The leaf files are the runs of an import whose mapping is done: sorted and indexed. So the stages from binning
on are carried out again, from the index columns. A leaf that is one file, of a tile that stays, is kept as
it is; only what has drifted is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from upath import UPath

from hatsformat import layout, storage
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.artefacts.skymap import encode_skymap
from hatsformat.catalog import Catalog, open_catalog
from hatsformat.errors import UsageError
from hatsformat.healpix import HealpixPixel
from hatsformat.partitioner.binning import Alignment, align
from hatsformat.partitioner.build_log import BuildLog, Progress, silent
from hatsformat.partitioner.executors import Workers, open_workers
from hatsformat.partitioner.finishing import CatalogInfo, finish
from hatsformat.partitioner.leaf_runs import CountTask, LeafRows, count_leaf
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.pixel_counts import Counts, Tally
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.partitioner.resuming import Plan
from hatsformat.partitioner.runs import Run
from hatsformat.partitioner.splitting import Shards, split
from hatsformat.partitioner.tasks import ReduceTask
from hatsformat.properties import TableProperties
from hatsformat.publishing.publication import publish
from hatsformat.publishing.swap import FolderSwap, remove_files
from hatsformat.supplements.primary import Primary
from hatsformat.updates.existing import Standing
from hatsformat.updates.extending import Task
from hatsformat.updates.metadata import keep_collection_true, map_orders, write_properties
from hatsformat.updates.remaking import remake
from hatsformat.updates.site import Site, open_site, supplements

OPTIONS = (
    "max_rows", "max_bytes", "leaf", "lowest_order", "highest_order", "keep_empty_siblings", "row_group_rows",
    "row_group_bytes", "subtile_order_delta", "workers", "processes", "scheduler", "memory",
)  # fmt: skip
"""The options of an import that a rebuild may have."""

CUTTING = frozenset(("row_group_rows", "row_group_bytes", "subtile_order_delta"))
"""Those for which all leaves are written."""

RECOUNTED = (
    "hats_nrows", "hats_npix_suffix", "hats_max_rows", "hats_max_bytes", "hats_order", "moc_sky_fraction",
    "hats_skymap_order", "hats_release_date",
)  # fmt: skip
"""Keywords that follow from how the leaves are made; the others stay."""


@dataclass(slots=True)
class RebuildLog(BuildLog):
    """The account of a rebuild; `written` counts the leaves that were not kept as they were."""

    written: int = 0


def rebuild(
    path: storage.PathLike,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> RebuildLog:
    """Bring the leaves of a catalog, or of the primary of a collection, in order; see `Catalog.rebuild`.

    Returns
    -------
    RebuildLog
    """
    if unknown := sorted(changes.keys() - set(OPTIONS)):
        raise UsageError(f"a rebuild has no option {unknown[0]!r}", expected=", ".join(OPTIONS))
    root = storage.resolve(path)
    site = open_site(root)
    if not isinstance(site.change, FolderSwap):
        raise UsageError(
            "a catalog can be rebuilt only on a local disk, where the new leaves replace the old at once",
            path=root,
            hint="import it into another place: hatsformat import PATH --out NEW",
        )
    with publish(site.change):
        catalog = open_catalog(root)
        standing = Standing.read(site.root, catalog.properties)
        options = standing.options(**changes)
        workers = open_workers(
            options.worker_count, processes=options.processes, scheduler=options.scheduler, executor=executor
        )
        with workers as team:
            site.begin([], [])
            job = _Job(standing, options, site, team, progress or silent, not CUTTING.isdisjoint(changes))
            log = job.run()
            with log.stage("supplements"):
                job.remake(supplements(catalog), log)
            return log


@dataclass(frozen=True, slots=True)
class _Job:
    """A catalog that is being rebuilt."""

    standing: Standing
    options: ImportOptions
    site: Site
    team: Workers
    told: Progress
    write_all: bool

    def run(self) -> RebuildLog:
        options, standing = self.options, self.standing
        log = RebuildLog(str(standing.root), options.name or standing.root.name, len(standing.paths))
        maps = map_orders(standing)
        with log.stage("counting"):
            order = max(options.highest_order, *maps.values(), 0)
            runs, counts, weights = self._count(order)
        with log.stage("binning and splitting"):
            alignment = align(
                (weights if options.max_bytes else counts).degraded(options.highest_order),
                options.max_bytes or options.max_rows,
                lowest_order=options.lowest_order,
                keep_empty_siblings=options.keep_empty_siblings,
                unit="bytes" if options.max_bytes else "rows",
            ).recounted(counts.degraded(options.highest_order))
            shards = split(runs, alignment)
        with log.stage("reducing and finishing"):
            tasks = list(self._tasks(alignment, shards))
            plan, now = standing.leaf_plan(options), Plan.of(options, []).created
            done = finish(self.site.staging, self._in_order(tasks), counts, plan, self._info(), now)
            new = {task.path for task in tasks}
            remove_files(self.site.staging, [path for path in standing.paths if path not in new])
            self._mend(maps, counts)
        log.rows_read, log.rows_written = counts.total, done.rows
        log.tiles, log.size_bytes = done.tiles, done.size
        log.written = sum(isinstance(task, ReduceTask) for task in tasks)
        return log

    def remake(self, members: Sequence[Catalog], log: RebuildLog) -> None:
        """Build margins and indexes again, from the catalog as it is now."""
        site, options, now = self.site, self.options, Plan.of(self.options, []).created
        told = TableProperties.parse(storage.read_bytes(site.staging / layout.PROPERTIES))
        primary = Primary.of(site.staging, told)
        for member in members:
            staging, scratch = site.staged(member.path), site.change.scratch / member.path.name
            job = Task(options, now, self.team, self.told, staging, scratch)
            log.supplements[member.path.name] = remake(member.properties, member.path, primary, job)
        keep_collection_true(site, told, now)

    def _count(self, order: int) -> tuple[list[Run], Counts, Counts]:
        standing, weigh = self.standing, self.options.max_bytes is not None
        rows = [LeafRows(standing.root / path, standing.schema.names[0]) for path in standing.paths]
        tasks = (CountTask(number, leaf, order, weigh) for number, leaf in enumerate(rows))
        runs, counts, weights = [], Tally(order), Tally(order)
        for run, rows_in, bytes_in in self.team.in_order(count_leaf, tasks):
            runs.append(run)
            counts.add(rows_in)
            weights.add(bytes_in)
            self.told("counting", len(runs), len(rows))
        return runs, counts.total(), weights.total()

    def _info(self) -> CatalogInfo:
        told, options = self.standing.properties, self.options
        return CatalogInfo(
            options.name or self.standing.root.name,
            told.dataproduct_type or options.catalog_type,
            options.ra,
            options.dec,
            self._suffix,
            None if options.max_bytes else options.max_rows,
            options.max_bytes,
            options.sort_by,
            options.thumbnail,
            options.statistics,
        )

    @property
    def _suffix(self) -> str:
        told = self.standing.properties
        is_same = told.has_leaf_directories == (self.options.suffix == layout.DIRECTORY_SUFFIX)
        return told.npix_suffix if is_same else self.options.suffix

    def _tasks(self, alignment: Alignment, shards: Shards) -> Iterator[ReduceTask | KeepTask]:
        """Return what is to be done for each tile: its leaf is kept if it is a single file already."""
        standing, suffix = self.standing, self._suffix
        plan = standing.leaf_plan(self.options)
        part = "part0.parquet" if suffix == layout.DIRECTORY_SUFFIX else None
        single = np.bincount(standing.tile_of, minlength=len(standing.tiles)) == 1
        file_of = np.zeros(len(standing.tiles), dtype=np.int64)
        file_of[standing.tile_of] = np.arange(len(standing.paths))
        is_same = suffix == standing.properties.npix_suffix
        for index, (order, pixel, rows) in enumerate(alignment.triples.tolist()):
            path, tile = layout.leaf_path(order, pixel, suffix, part), HealpixPixel(order, pixel)
            own = standing.tiles.position(tile)
            if own is not None and single[own] and not self.write_all:
                known = standing.paths[file_of[own]]
                yield KeepTask(tile, known, known if is_same else path, plan, self.site.staging)
            else:
                shards_of_tile = shards.of_tile(index)
                yield ReduceTask(rows, order, pixel, path, shards_of_tile, plan, self.site.staging, False)

    def _in_order(self, tasks: Sequence[ReduceTask | KeepTask]) -> Iterator[Leaf]:
        for done, leaf in enumerate(self.team.in_order(carry_out, tasks), 1):
            self.told("reducing", done, len(tasks))
            yield leaf

    def _mend(self, maps: Mapping[str, int], counts: Counts) -> None:
        """Write the sky maps at the orders that they had, and put back what the properties said beside."""
        root, old = self.site.staging, self.standing.properties
        new = TableProperties.parse(storage.read_bytes(root / layout.PROPERTIES))
        changes = {name: getattr(new, name) for name in RECOUNTED}
        for name, order in maps.items():
            if name == layout.SKYMAP:
                order = changes["hats_skymap_order"] = max(order, new.hats_skymap_order or 0)
            storage.write_bytes(root / name, encode_skymap(counts.degraded(order).dense()))
        write_properties(root, old.replace(**changes))


@dataclass(frozen=True, slots=True)
class KeepTask:
    """A leaf file that is kept, under its name or another, as it is sent to a worker."""

    tile: HealpixPixel
    known: str
    path: str
    plan: LeafPlan
    root: UPath

    def run(self) -> Leaf:
        """Give the file its name, and read its footer."""
        place = self.root / self.path
        if self.path != self.known:
            storage.make_directory(place.parent)
            with storage.explained(place, "renaming"):
                os.rename((self.root / self.known).path, place.path)
        footer = read_footer(place)
        first = read_row_groups(place, footer, [0]).take([0]) if self.plan.keep_first_row else None
        return Leaf(self.tile, self.path, footer, storage.size(place), first)


def carry_out(task: ReduceTask | KeepTask) -> Leaf:
    """Carry out a task; a function, since that is what executors take."""
    return task.run()
