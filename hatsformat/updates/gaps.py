"""Tiles for new rows of a catalog that stands: its own tiles, and new ones in the gaps between them."""

from __future__ import annotations

import numpy as np

from hatsformat.healpix import children, range29
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.binning import Alignment, align
from hatsformat.partitioner.pixel_counts import Counts, PixelCounts


def align_with(
    standing: PartitionInfo,
    counts: Counts,
    weights: Counts,
    threshold: int,
    *,
    lowest_order: int = 0,
    keep_empty_siblings: bool = False,
    unit: str = "rows",
) -> Alignment:
    """Choose the tiles of new rows.

    Parameters
    ----------
    standing : PartitionInfo
        The tiles there are: what lies in one of them goes there, however full it is.
    counts, weights : PixelCounts or SkyCounts
        The new rows, at an order at least as high as any tile's, and what is held against the threshold: the
        same, or their bytes.
    threshold, lowest_order, keep_empty_siblings, unit
        As in `align`, for the new tiles.

    Returns
    -------
    Alignment
        The tiles that receive rows. New ones overlap none of the standing.

    Raises
    ------
    ThresholdError
        If new tiles cannot be made small enough.
    """
    owner = standing.find(counts.pixels, counts.order)
    own = standing.select(np.unique(owner[owner >= 0]))
    outside = weights.pixels[standing.find(weights.pixels, weights.order) < 0]
    gaps = PixelCounts(counts.order, outside, weights.at(outside))
    tiles = own
    if outside.size:
        chosen = align(
            gaps,
            threshold,
            lowest_order=lowest_order,
            keep_empty_siblings=keep_empty_siblings,
            unit=unit,
        ).tiles
        new = _split_around(standing, chosen, gaps)
        tiles = PartitionInfo(
            np.concatenate((own.orders, new.orders)), np.concatenate((own.pixels, new.pixels))
        )
    return Alignment(counts.order, tiles, np.empty(0, np.int64)).recounted(counts)


def _split_around(standing: PartitionInfo, tiles: PartitionInfo, counts: Counts) -> PartitionInfo:
    """Split tiles that contain standing ones until none does; parts without rows are dropped."""
    held = range29(counts.order, counts.pixels)[0]
    orders, pixels = tiles.orders.astype(np.int64), tiles.pixels
    done = []
    while orders.size:
        starts, stops = range29(orders, pixels)
        empty = np.searchsorted(held, starts) == np.searchsorted(held, stops)
        around = np.searchsorted(standing.starts, starts) < np.searchsorted(standing.starts, stops)
        kept = ~empty & ~around
        done.append((orders[kept], pixels[kept]))
        parents = ~empty & around
        orders, pixels = np.repeat(orders[parents] + 1, 4), children(pixels[parents]).ravel()
    all_orders, all_pixels = (np.concatenate(parts) for parts in zip(*done, strict=True))
    return PartitionInfo(all_orders, all_pixels)
