"""Choosing tiles from counts no finer than they need to be.

Rows are counted at a middle order while they are mapped. That is the order of the sky map, and it settles
the tiles of most catalogs in a hundredth of the memory that the highest order would take. Where a tile may
have to be finer than that, rows are counted once more from the pixels of the runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from hatsformat.artefacts.skymap import DEFAULT_ORDER
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.binning import Alignment, align, align_around
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.executors import Workers
from hatsformat.partitioner.mapping import MappedRows
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


def choose_tiles(mapped: MappedRows, context: BuildContext) -> Alignment:
    """Return the tiles of a catalog and the rows in each: stage 2, see `align`.

    Parameters
    ----------
    mapped : MappedRows
        Its counts are of the `counting_order`, or finer.
    context : BuildContext
        Its workers count once more if need be.

    Raises
    ------
    ThresholdError
        If a pixel of the highest order holds more than a tile may.
    """
    options, counts = context.options, mapped.counts
    if options.by_bytes:
        return align_counts(counts, mapped.weights, options)
    if counts.order < options.highest_order:
        if counts.densest[1] <= options.max_rows:
            alignment = align_counts(counts, counts, options)
            if alignment.tiles.max_order < counts.order:
                return alignment
        counts = count_runs(mapped.runs, options.highest_order, context.workers)
    return align_counts(counts, counts, options)


def align_counts(
    counts: Counts, weights: Counts, options: ImportOptions, existing: PartitionInfo | None = None
) -> Alignment:
    """Return the tiles of rows as the options have them, and the rows in each.

    Parameters
    ----------
    counts, weights : PixelCounts or SkyCounts
        The rows in every pixel, and the bytes if the threshold is one of bytes; else these are not looked at.
    options : ImportOptions
    existing : PartitionInfo, optional
        Tiles that must stay; see `align_around`.
    """
    weights, unit = (weights, "bytes") if options.by_bytes else (counts, "rows")
    choose = align if existing is None else partial(align_around, existing, counts)
    alignment = choose(
        weights,
        options.threshold,
        lowest_order=options.lowest_order,
        keep_empty_siblings=options.keep_empty_siblings,
        unit=unit,
    )
    return alignment.recounted(counts) if options.by_bytes and existing is None else alignment


def count_runs(runs: Iterable[Run], order: int, workers: Workers) -> Counts:
    """Count the rows of runs at some order, from their pixels alone."""
    tally = Tally(order)
    for counts in workers.in_order(partial(_count_run, order=order), runs):
        tally.add(counts)
    return tally.total()


def _count_run(run: Run, order: int) -> PixelCounts:
    return PixelCounts.of_sorted(np.asarray(run.rows.pixels), order)
