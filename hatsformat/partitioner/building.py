"""From mapped rows to leaves: the one path that every build takes, whatever it builds.

Import, writer, append, rebuild and margins come through here, so that all of them merge runs, share the
memory, use the workers and report progress in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from upath import UPath

from hatsformat import layout
from hatsformat.healpix import HealpixPixel
from hatsformat.partitioner.binning import Alignment
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.merging import merge_runs
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.partitioner.runs import Run
from hatsformat.partitioner.splitting import Shards, split
from hatsformat.partitioner.tasks import KeepTask, ReduceTask, run_task

FIRST_PART = "part0.parquet"
"""The first file of a leaf folder."""

BLOCK_TILES = 10_000
"""Tiles whose paths are made at a time."""


def split_runs(
    runs: Sequence[Run],
    alignment: Alignment,
    plan: LeafPlan,
    context: BuildContext,
    kept: Mapping[int, KeepTask] | None = None,
) -> Shards:
    """Return the shards of all tiles but the `kept`: stage 3, after merging runs of crowded tiles."""
    if kept:
        rows = alignment.rows.copy()
        rows[list(kept)] = 0
        alignment = replace(alignment, rows=rows)
    return split(merge_runs(runs, alignment.tiles, plan.own_schema, context), alignment)


def build_leaves(
    alignment: Alignment,
    shards: Shards,
    plan: LeafPlan,
    root: UPath,
    context: BuildContext,
    *,
    paths: Iterable[str] | None = None,
    kept: Mapping[int, KeepTask] | None = None,
) -> Iterator[Leaf]:
    """Write the leaves of all tiles, and yield them along the sky: stage 4.

    Parameters
    ----------
    alignment : Alignment
        The tiles and the rows of each.
    shards : Shards
        The rows of each tile.
    plan : LeafPlan
        How leaves are written.
    root : UPath
        The folder that they are written to.
    context : BuildContext
    paths : iterable of str, optional
        The path of each tile's file, relative to `root`; by default that of a new leaf.
    kept : mapping of int to KeepTask, optional
        By the index of a tile: its leaf stays as it is.
    """
    if paths is None:
        paths = leaf_paths(alignment, context.options.suffix)
    kept, total = kept or {}, len(alignment.tiles)

    def task(index: int, path: str) -> ReduceTask | KeepTask:
        if index in kept:
            return kept[index]
        order, pixel, rows = alignment.triples[index].tolist()
        own = shards.of_tile(index)
        return ReduceTask(HealpixPixel(order, pixel), rows, path, own, plan, root, context.options.resume)

    tasks = (task(index, path) for index, path in enumerate(paths))
    writers = context.memory.writers(_row_group_bytes(shards, plan))
    for done, leaf in enumerate(context.workers.in_order(run_task, tasks, at_once=writers), 1):
        context.progress("reducing", done, total)
        yield leaf


def leaf_paths(alignment: Alignment, suffix: str) -> Iterator[str]:
    """Yield the path of the first file of each tile's leaf."""
    end = f"/{FIRST_PART}" if suffix == layout.DIRECTORY_SUFFIX else ""
    orders, pixels = alignment.tiles.orders, alignment.tiles.pixels
    for first in range(0, len(orders), BLOCK_TILES):
        block = slice(first, first + BLOCK_TILES)
        yield from (f"{path}{end}" for path in layout.leaf_paths(orders[block], pixels[block], suffix))


def _row_group_bytes(shards: Shards, plan: LeafPlan) -> int:
    """Return about how large the largest row group is in memory."""
    held = np.unique(shards.of_run).tolist()
    row_bytes = max((shards.runs[run].rows.row_bytes for run in held), default=1)
    return min(plan.row_groups.bytes, plan.format.row_group_rows * row_bytes)
