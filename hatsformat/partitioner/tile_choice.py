"""Choosing tiles from counts no finer than they need to be.

Rows are counted at a middle order while they are mapped. That is the order of the sky map, and it settles
the tiles of most catalogs in a hundredth of the memory that the highest order would take. Where a tile may
have to be finer than that, rows are counted once more from the pixels of the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import numpy as np

from hatsformat.artefacts.skymap import DEFAULT_ORDER
from hatsformat.errors import ThresholdError
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.binning import Alignment, align, align_around
from hatsformat.partitioner.executors import Workers
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.pixel_counts import Counts, PixelCounts, Tally
from hatsformat.partitioner.runs import Run


def counting_order(options: ImportOptions) -> int:
    """Return the order to count at while mapping.

    Bytes are counted at the highest order at once, because runs do not have them.
    """
    if options.by_bytes:
        return options.highest_order
    return min(options.highest_order, max(DEFAULT_ORDER, options.lowest_order + 1))


def choose_tiles(
    counts: Counts,
    weights: Counts,
    options: ImportOptions,
    recount: Callable[[int], Counts],
    existing: PartitionInfo | None = None,
) -> Alignment:
    """Return the tiles of a catalog and the rows in each: stage 2, see `align`.

    Parameters
    ----------
    counts, weights : PixelCounts or SkyCounts
        The rows in every pixel of the `counting_order` or a finer one, and the bytes if the threshold is in
        bytes.
    options : ImportOptions
    recount : callable
        Returns the counts at a higher order, if they are needed.
    existing : PartitionInfo, optional
        Tiles that stay, of no higher order than the counts; see `align_around`.
    """
    highest = max(options.highest_order, 0 if existing is None else existing.max_order)
    if counts.order > highest:
        counts, weights = counts.degraded(highest), weights.degraded(highest)
    if options.by_bytes:
        return _aligned(counts, weights, options, existing)
    if counts.order < options.highest_order:
        with suppress(ThresholdError):
            alignment = _aligned(counts, counts, options, existing)
            if _new_order(alignment, existing) < counts.order:
                return alignment
        counts = recount(options.highest_order)
    return _aligned(counts, counts, options, existing)


def _new_order(alignment: Alignment, existing: PartitionInfo | None) -> int:
    """Return the highest order of new tiles: those of this order may have to be split."""
    tiles = alignment.tiles
    if existing is not None:
        tiles = tiles.select(existing.find(tiles.starts) < 0)
    return int(tiles.orders.max(initial=0))


def _aligned(
    counts: Counts, weights: Counts, options: ImportOptions, existing: PartitionInfo | None
) -> Alignment:
    choose = align if existing is None else partial(align_around, existing, counts)
    alignment = choose(
        weights,
        options.threshold,
        lowest_order=options.lowest_order,
        keep_empty_siblings=options.keep_empty_siblings,
        unit="bytes" if options.by_bytes else "rows",
    )
    return alignment.recounted(counts) if options.by_bytes and existing is None else alignment


def count_runs(runs: Iterable[Run], workers: Workers, order: int) -> Counts:
    """Count the rows of runs at an order, from their pixels alone."""
    tally = Tally(order)
    for counts in workers.in_order(partial(_count_run, order=order), runs):
        tally.add(counts)
    return tally.total()


def _count_run(run: Run, order: int) -> PixelCounts:
    return PixelCounts.of_sorted(np.asarray(run.rows.pixels), order)
