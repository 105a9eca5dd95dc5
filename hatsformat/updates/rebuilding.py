"""Rebuild: bring the leaves of a catalog back to what an import makes (Note, section 3.4).

The tiles are chosen from the index column alone. If a tile stays and its leaf is one sorted file, the file is
kept as it is. The files of all other leaves go the same way as the inputs of an import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np
import numpy.typing as npt
from upath import UPath

from hatsformat import layout, storage
from hatsformat.arguments import RebuildOptions, check_arguments
from hatsformat.arrays import as_integers
from hatsformat.artefacts.leaf_reading import read_batches, read_footer
from hatsformat.artefacts.skymap import encode_skymap
from hatsformat.catalog import Catalog, open_catalog
from hatsformat.errors import UsageError
from hatsformat.partitioner.binning import Alignment
from hatsformat.partitioner.build_log import BuildLog, Progress
from hatsformat.partitioner.building import build_leaves, leaf_paths, split_runs
from hatsformat.partitioner.context import BuildContext, open_context
from hatsformat.partitioner.finishing import CatalogInfo, finish
from hatsformat.partitioner.map_inputs import map_leaf_files
from hatsformat.partitioner.pixel_counts import Counts, PixelCounts, Tally
from hatsformat.partitioner.reducing import LeafPlan
from hatsformat.partitioner.row_sizes import row_sizes
from hatsformat.partitioner.tasks import KeepTask, run_task
from hatsformat.partitioner.tile_choice import choose_tiles, counting_order
from hatsformat.properties import TableProperties
from hatsformat.publishing.publication import publish
from hatsformat.publishing.swap import FolderSwap, remove_files
from hatsformat.supplements.collection import supplement_from
from hatsformat.supplements.primary import Primary
from hatsformat.updates.existing import ExistingCatalog
from hatsformat.updates.metadata import map_orders, update_collection, write_properties
from hatsformat.updates.target import Target, open_target, supplements

CUTTING = frozenset(("row_group_rows", "row_group_bytes", "subtile_order_delta"))
"""Options that change every leaf."""

RECOUNTED = (
    "hats_nrows", "hats_npix_suffix", "hats_order", "moc_sky_fraction", "hats_release_date",
    "hats_skymap_order",
)  # fmt: skip
CATALOG_KEYWORDS = (*RECOUNTED, "hats_max_rows", "hats_max_bytes")
MEMBER_KEYWORDS = (*RECOUNTED, "hats_skymap_alt_orders")
"""Keywords that a rebuild sets; the others stay as they are."""

BATCH_ROWS = 64 * 1024
"""Rows that are counted at a time."""


@dataclass(slots=True)
class RebuildLog(BuildLog):
    """The log of a rebuild; `written` is the number of leaves that were not kept."""

    written: int = 0


def rebuild(
    path: storage.PathLike,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **changes: Unpack[RebuildOptions],
) -> RebuildLog:
    """Rebuild the leaves of a catalog, or of the primary of a collection; see `Catalog.rebuild`.

    Returns
    -------
    RebuildLog
    """
    check_arguments(changes, RebuildOptions, "rebuild")
    root = storage.resolve(path)
    target = open_target(root)
    if not isinstance(target.change, FolderSwap):
        raise UsageError(
            "only a catalog on a local disk can be rebuilt, since a rebuild replaces all files at once",
            path=root,
            hint="import it into another folder: hatsformat import PATH --out NEW",
        )
    with publish(target.change):
        catalog = open_catalog(root)
        existing = ExistingCatalog.read(target.root, catalog.properties)
        options = existing.options(**changes)
        log = RebuildLog(str(existing.root), options.name or existing.root.name, len(existing.paths))
        opened = open_context(options, target.change.scratch, log, executor=executor, progress=progress)
        with opened as context:
            target.begin(target.root, [], [])
            _rebuild(existing, target.staging, context, log, write_all=not CUTTING.isdisjoint(changes))
            with log.stage("supplements"):
                _rebuild_members(supplements(catalog), target, context)
        return log


def _rebuild(
    existing: ExistingCatalog, root: UPath, context: BuildContext, log: RebuildLog, *, write_all: bool
) -> None:
    options, maps, plan = context.options, map_orders(existing), existing.leaf_plan(context)
    with log.stage("counting"):
        counted = _count(existing, context, max(counting_order(options), *maps.values(), 0))
    with log.stage("binning"):
        alignment = choose_tiles(
            counted.rows, counted.weights, options, lambda order: _count(existing, context, order).rows
        )
        suffix = _suffix(existing, context)
        paths = list(leaf_paths(alignment, suffix))
        kept: dict[int, KeepTask] = {}
        if not write_all:
            kept = _kept_leaves(existing, alignment, counted.is_sorted, paths, plan, root)
        if suffix == existing.properties.npix_suffix:
            kept = {index: replace(task, path=task.old_path) for index, task in kept.items()}
    with log.stage("mapping and splitting"):
        kept_paths = {task.old_path for task in kept.values()}
        files = [existing.root / path for path in existing.paths if path not in kept_paths]
        runs = [run for runs in map_leaf_files(files, existing.schema.names[0], context) for run in runs]
        shards = split_runs(runs, alignment, plan, context, kept)
    with log.stage("reducing and finishing"):
        for index, task in kept.items():
            paths[index] = task.path
        leaves = build_leaves(alignment, shards, plan, root, context, paths=paths, kept=kept)
        done = finish(root, leaves, counted.rows, plan, _info(existing, suffix, context), context.created)
        new = set(paths)
        remove_files(root, [path for path in existing.paths if path not in new])
        _restore(existing, root, maps, counted.rows)
    log.rows_read, log.rows_written = counted.rows.total, done.rows
    log.tiles, log.size_bytes = done.tiles, done.size
    log.written = len(paths) - len(kept)


@dataclass(frozen=True, slots=True)
class CountTask:
    """Counts the rows of a leaf file from its index column; sent to a worker."""

    path: UPath
    column: str
    order: int
    weigh: bool

    def run(self) -> tuple[PixelCounts, PixelCounts, bool]:
        """Return the rows and the bytes in each pixel of the order, and whether the rows are sorted."""
        footer, last, is_sorted = read_footer(self.path), -1, True
        rows, weights = [], []
        columns = None if self.weigh else [self.column]
        for table in read_batches(self.path, footer, range(footer.num_row_groups), columns, BATCH_ROWS):
            pixels = as_integers(table.column(self.column))
            if not pixels.size:
                continue
            is_sorted = is_sorted and last <= pixels[0] and bool((pixels[1:] >= pixels[:-1]).all())
            last = int(pixels[-1])
            by_sky = np.argsort(pixels, kind="stable")
            rows.append(PixelCounts.of_sorted(pixels[by_sky], self.order))
            if self.weigh:
                sizes = row_sizes(table.drop_columns([self.column]))[by_sky]
                weights.append(PixelCounts.of_sorted(pixels[by_sky], self.order, sizes))
        merged = PixelCounts.merged(rows, self.order)
        return merged, PixelCounts.merged(weights, self.order) if self.weigh else merged, is_sorted


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rows and bytes in every pixel, and which files are sorted."""

    rows: Counts
    weights: Counts
    is_sorted: npt.NDArray[np.bool_]


def _count(existing: ExistingCatalog, context: BuildContext, order: int) -> _Counted:
    column, weigh = existing.schema.names[0], context.options.by_bytes
    tasks = (CountTask(existing.root / path, column, order, weigh) for path in existing.paths)
    rows, weights, is_sorted = Tally(order), Tally(order), np.zeros(len(existing.paths), dtype=np.bool_)
    for index, (of_rows, of_bytes, in_order) in enumerate(context.workers.in_order(run_task, tasks)):
        rows.add(of_rows)
        weights.add(of_bytes)
        is_sorted[index] = in_order
        context.progress("counting", index + 1, len(is_sorted))
    return _Counted(rows.total(), weights.total(), is_sorted)


def _kept_leaves(
    existing: ExistingCatalog,
    alignment: Alignment,
    is_sorted: npt.NDArray[np.bool_],
    paths: Sequence[str],
    plan: LeafPlan,
    root: UPath,
) -> dict[int, KeepTask]:
    """Return the leaves to keep, by the index of their tile: single sorted files of tiles that stay."""
    tiles = alignment.tiles
    files = np.bincount(existing.tile_of, minlength=len(existing.tiles))
    file_of = np.zeros(len(existing.tiles), dtype=np.int64)
    file_of[existing.tile_of] = np.arange(len(existing.paths))
    own = existing.tiles.find(tiles.starts)
    same = (own >= 0) & (existing.tiles.orders[own] == tiles.orders)
    chosen = np.flatnonzero(same & (files[own] == 1) & is_sorted[file_of[own]])
    old = [existing.paths[file] for file in file_of[own[chosen]].tolist()]
    return {
        index: KeepTask(tiles[index], path, paths[index], plan, root)
        for index, path in zip(chosen.tolist(), old, strict=True)
    }


def _suffix(existing: ExistingCatalog, context: BuildContext) -> str:
    """Return the suffix of the new leaves: the old one, unless files become folders or vice versa."""
    old, new = existing.properties, context.options.suffix
    return old.npix_suffix if old.has_leaf_directories == (new == layout.DIRECTORY_SUFFIX) else new


def _info(existing: ExistingCatalog, suffix: str, context: BuildContext) -> CatalogInfo:
    options = context.options
    catalog_type = existing.properties.dataproduct_type or options.catalog_type
    name = options.name or existing.root.name
    return CatalogInfo.of(options, name, catalog_type=catalog_type, suffix=suffix)


def _restore(existing: ExistingCatalog, root: UPath, maps: Mapping[str, int], counts: Counts) -> None:
    """Write the sky maps at the orders they had, and restore the properties that a rebuild keeps."""
    new = TableProperties.parse(storage.read_bytes(root / layout.PROPERTIES))
    changes = {name: getattr(new, name) for name in CATALOG_KEYWORDS}
    for name, order in maps.items():
        if name == layout.SKYMAP:
            order = changes["hats_skymap_order"] = max(order, new.hats_skymap_order or 0)
        storage.write_bytes(root / name, encode_skymap(counts.degraded(order).dense()))
    write_properties(root, existing.properties.replace(**changes))


def _rebuild_members(members: Sequence[Catalog], target: Target, context: BuildContext) -> None:
    """Build the margins and indexes again from the rebuilt catalog."""
    properties = TableProperties.parse(storage.read_bytes(target.staging / layout.PROPERTIES))
    primary = Primary.of(target.staging, properties)
    for member in members:
        root, name = target.staged(member.path), member.path.name
        context.log.supplements[name] = rebuild_member(member, primary, root, context.within(name))
    update_collection(target, properties, context.created)


def rebuild_member(member: Catalog, primary: Primary, root: UPath, context: BuildContext) -> int:
    """Build a margin or an index again in the folder `root`, and return its rows."""
    old = member.properties
    supplement = supplement_from(old)
    if supplement is None:
        raise UsageError(
            "cannot build this member again from its properties",
            path=member.path,
            found=f"dataproduct_type {old.dataproduct_type}",
            expected="a margin with hats_margin_threshold, or an index with hats_index_column",
        )
    name, url = old.obs_collection or member.path.name, str(old.hats_primary_table_url or primary.root.name)
    storage.remove_tree(root)
    supplement.build(primary, name, url, root, context)
    new = TableProperties.parse(storage.read_bytes(root / layout.CATALOG_PROPERTIES[-1]))
    write_properties(root, old.replace(**{keyword: getattr(new, keyword) for keyword in MEMBER_KEYWORDS}))
    return new.hats_nrows or 0
