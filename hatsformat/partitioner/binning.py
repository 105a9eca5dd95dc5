"""Stage 2, binning: from counts of rows at a high order to the tiles of the catalog (Note, section 3.4).

Choosing tiles walks the orders once and works on whole arrays, so it costs a few sums over the pixels that
hold rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

import numpy as np

from hatsformat.errors import ThresholdError, UsageError
from hatsformat.healpix import (
    MAX_ORDER,
    HealpixPixel,
    IntArray,
    check_order,
    children,
    range29,
)
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.pixel_counts import Counts, PixelCounts, SkyCounts


@dataclass(frozen=True)
class Alignment:
    """The tiles that counts were binned into.

    Attributes
    ----------
    order : int
        The order of the counts.
    tiles : PartitionInfo, length n
        Disjoint tiles, sorted along the sky.
    rows : ndarray of int64, shape (n,)
        Rows in each tile.
    """

    order: int
    tiles: PartitionInfo
    rows: IntArray

    def recounted(self, counts: Counts) -> Alignment:
        """Return the same tiles with the rows of other counts, for tiles chosen by bytes."""
        return Alignment(self.order, self.tiles, counts.between(self.tiles.starts, self.tiles.stops))

    @cached_property
    def triples(self) -> IntArray:
        """Order, pixel and rows of every tile, shape (n, 3)."""
        return np.stack((self.tiles.orders.astype(np.int64), self.tiles.pixels, self.rows), axis=1)


def align(
    counts: Counts | IntArray,
    max_rows: int,
    *,
    lowest_order: int = 0,
    keep_empty_siblings: bool = False,
    unit: str = "rows",
) -> Alignment:
    """Choose the tiles of a catalog.

    Parameters
    ----------
    counts : PixelCounts, SkyCounts, or ndarray of int, shape (12 * 4**order,)
        Rows at the highest order that a tile may have; an array counts the whole sky.
    max_rows : int
        The threshold: the most rows of a tile, or the most of whatever was counted.
    lowest_order : int
        No tile is larger than one of this order.
    keep_empty_siblings : bool
        If True, take the largest tile that meets the threshold. If False, also split a tile whose rows all
        lie in one of its four children, so that a lone star does not get a twelfth of the sky.
    unit : str
        What was counted, for messages.

    Returns
    -------
    Alignment

    Raises
    ------
    ThresholdError
        If a pixel of the highest order holds more than `max_rows`.
    UsageError
        If the orders or the threshold make no sense.
    """
    if not isinstance(counts, PixelCounts | SkyCounts):
        # Sums of narrower integers would wrap around.
        counts = SkyCounts(np.asarray(counts, dtype=np.int64))
    order = counts.order
    check_order(lowest_order, "lowest_order")
    if lowest_order > order:
        raise UsageError("lowest_order must not be above highest_order", found=f"{lowest_order} and {order}")
    if max_rows < 1:
        raise UsageError("the threshold must be at least 1", found=max_rows)
    _check_densest(counts, max_rows, unit)
    levels = [counts]
    for coarser in range(order - 1, lowest_order - 1, -1):
        levels.insert(0, levels[0].degraded(coarser))
    orders, pixels, rows = _descend(levels, max_rows, keep_empty_siblings)
    by_sky = np.argsort(range29(orders, pixels)[0])
    return Alignment(order, PartitionInfo(orders[by_sky], pixels[by_sky]), rows[by_sky])


def _check_densest(counts: Counts, threshold: int, unit: str) -> None:
    pixel, most = counts.densest
    if most <= threshold:
        return
    raise ThresholdError(
        f"{HealpixPixel(counts.order, pixel)} holds too many {unit} for one tile, "
        f"and tiles of the highest order {counts.order} cannot be split",
        found=f"{most} {unit}",
        expected=f"at most {threshold}",
        hint=f"raise the threshold to {most}, or the highest order to {min(MAX_ORDER, counts.order + 2)}",
    )


def _descend(
    levels: list[Counts], max_rows: int, keep_empty_siblings: bool
) -> tuple[IntArray, IntArray, IntArray]:
    """Descend from the coarsest cells to the first that may be a tile; return orders, pixels and rows."""
    cells = levels[0].pixels
    rows = levels[0].at(cells)
    chosen = []
    for level, finer in zip_longest(levels, levels[1:]):
        if finer is None:
            stops = np.ones(cells.shape, dtype=bool)
        else:
            stops = rows <= max_rows
            if not keep_empty_siblings:
                stops &= np.count_nonzero(finer.at(children(cells)), axis=1) > 1
        chosen.append((np.full(int(stops.sum()), level.order), cells[stops], rows[stops]))
        if finer is None or stops.all():
            break
        kin = children(cells[~stops]).ravel()
        kin_rows = finer.at(kin)
        cells, rows = kin[kin_rows > 0], kin_rows[kin_rows > 0]
    orders, pixels, counts = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
    return orders, pixels, counts


def align_around(
    existing: PartitionInfo,
    counts: Counts,
    weights: Counts,
    threshold: int,
    *,
    lowest_order: int = 0,
    keep_empty_siblings: bool = False,
    unit: str = "rows",
) -> Alignment:
    """Choose the tiles of added rows: existing tiles, and new ones in the gaps between them.

    Rows in an `existing` tile stay there, however full it is; new tiles overlap none. `counts` has the new
    rows, at an order at least as high as any tile's, and `weights` what the threshold limits: the same, or
    their bytes. Other arguments and errors are those of `align`.
    """
    owner = existing.find(counts.pixels, counts.order)
    own = existing.select(np.unique(owner[owner >= 0]))
    outside = weights.pixels[existing.find(weights.pixels, weights.order) < 0]
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
        new = _split_around(existing, chosen, gaps)
        tiles = PartitionInfo(
            np.concatenate((own.orders, new.orders)), np.concatenate((own.pixels, new.pixels))
        )
    return Alignment(counts.order, tiles, np.empty(0, np.int64)).recounted(counts)


def _split_around(existing: PartitionInfo, tiles: PartitionInfo, counts: Counts) -> PartitionInfo:
    """Split tiles that contain existing ones until none does; parts without rows are dropped."""
    held = range29(counts.order, counts.pixels)[0]
    orders, pixels = tiles.orders.astype(np.int64), tiles.pixels
    done = []
    while orders.size:
        starts, stops = range29(orders, pixels)
        empty = np.searchsorted(held, starts) == np.searchsorted(held, stops)
        around = np.searchsorted(existing.starts, starts) < np.searchsorted(existing.starts, stops)
        kept = ~empty & ~around
        done.append((orders[kept], pixels[kept]))
        parents = ~empty & around
        orders, pixels = np.repeat(orders[parents] + 1, 4), children(pixels[parents]).ravel()
    all_orders, all_pixels = (np.concatenate(parts) for parts in zip(*done, strict=True))
    return PartitionInfo(all_orders, all_pixels)
