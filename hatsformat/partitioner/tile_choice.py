"""Choosing tiles from counts no finer than they need to be.

Rows are counted at a middle order while they are mapped: that is what the sky map is made of, and it settles
the tiles of most catalogs, in a hundredth of the memory that the highest order would take. Where a tile may
have to be finer than that, rows are counted once more from the pixels of the runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from hatsformat.artefacts.skymap import DEFAULT_ORDER
from hatsformat.partitioner.binning import Alignment, align
from hatsformat.partitioner.executors import Workers
from hatsformat.partitioner.mapping import Mapped
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.pixel_counts import Counts, PixelCounts, Tally
from hatsformat.partitioner.runs import Run


def counting_order(options: ImportOptions) -> int:
    """Return the order to count at while mapping.

    Bytes are counted at the highest order at once, since the runs do not tell them.
    """
    if options.max_bytes:
        return options.highest_order
    return min(options.highest_order, max(DEFAULT_ORDER, options.lowest_order + 1))


def choose_tiles(mapped: Mapped, options: ImportOptions, team: Workers) -> Alignment:
    """Return the tiles of a catalog and the rows in each: stage 2, see `align`.

    Parameters
    ----------
    mapped : Mapped
        Its counts are of the `counting_order`, or finer.
    options : ImportOptions
    team : Workers
        Who counts once more, if need be.

    Raises
    ------
    ThresholdError
        If a pixel of the highest order holds more than a tile may.
    """
    if options.max_bytes:
        return _aligned(mapped.weights, options).recounted(mapped.counts)
    counts = mapped.counts
    if counts.order < options.highest_order:
        if counts.densest[1] <= options.max_rows:
            alignment = _aligned(counts, options)
            if alignment.tiles.max_order < counts.order:
                return alignment
        counts = count_runs(mapped.runs, options.highest_order, team)
    return _aligned(counts, options)


def count_runs(runs: Iterable[Run], order: int, team: Workers) -> Counts:
    """Count the rows of runs at some order, from their pixels alone."""
    tally = Tally(order)
    for counts in team.in_order(partial(_count_run, order=order), runs):
        tally.add(counts)
    return tally.total()


def _count_run(run: Run, order: int) -> PixelCounts:
    return PixelCounts.of_sorted(np.asarray(run.rows.pixels), order)


def _aligned(counts: Counts, options: ImportOptions) -> Alignment:
    return align(
        counts,
        options.max_bytes or options.max_rows,
        lowest_order=options.lowest_order,
        keep_empty_siblings=options.keep_empty_siblings,
        unit="bytes" if options.max_bytes else "rows",
    )
