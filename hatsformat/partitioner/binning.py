"""Stage 2, binning: from counts of rows at a high order to the tiles of the catalog (Note, section 3.4).

Counts are sparse: sorted pixel numbers and how many rows each holds. Both ways of choosing tiles walk the
orders once and work on whole arrays, so the cost is that of a few sums over the pixels that hold anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import zip_longest

import numpy as np

from hatsformat.errors import ThresholdError, UsageError
from hatsformat.healpix import (
    MAX_ORDER,
    HealpixPixel,
    IntArray,
    IntLike,
    change_order,
    check_order,
    children,
    npix,
    order_of_npix,
    range29,
)
from hatsformat.partition_info import PartitionInfo


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Rows counted in the pixels of one order.

    Attributes
    ----------
    order : int
        HEALPix order of the pixels.
    pixels : ndarray of int64, shape (n,)
        NESTED pixel numbers that hold rows, ascending.
    rows : ndarray of int64, shape (n,)
        Rows in each, at least 1; or bytes, where the threshold is one of bytes.
    """

    order: int
    pixels: IntArray
    rows: IntArray

    @classmethod
    def of_sorted(cls, pixels29: IntArray, order: int, amounts: IntArray | None = None) -> PixelCounts:
        """Count order-29 pixels that are in ascending order, or add up an amount for each."""
        pixels = change_order(pixels29, MAX_ORDER, order)
        first = _first_of_each(pixels)
        rows = np.diff(first, append=len(pixels)) if amounts is None else _sums(amounts, first)
        return cls(order, pixels[first], rows)

    @classmethod
    def of_dense(cls, histogram: IntLike) -> PixelCounts:
        """Take the counts of a whole sky, one for each pixel of the order that has so many."""
        dense = np.asarray(histogram, dtype=np.int64)
        pixels = np.flatnonzero(dense)
        return cls(order_of_npix(dense.size), pixels, dense[pixels])

    @classmethod
    def merged(cls, parts: list[PixelCounts], order: int) -> PixelCounts:
        """Add up counts of the same order."""
        parts = [part for part in parts if part.pixels.size]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls(order, np.empty(0, np.int64), np.empty(0, np.int64))
        pixels, rows = _by_pixel(
            np.concatenate([part.pixels for part in parts]), np.concatenate([part.rows for part in parts])
        )
        first = _first_of_each(pixels)
        return cls(order, pixels[first], _sums(rows, first))

    def degraded(self, order: int) -> PixelCounts:
        """Return the counts at a lower order."""
        pixels = change_order(self.pixels, self.order, order)
        first = _first_of_each(pixels)
        return PixelCounts(order, pixels[first], _sums(self.rows, first))

    def at(self, pixels: IntArray) -> IntArray:
        """Return the rows in each of some pixels, in the shape of `pixels`."""
        if self.pixels.size == 0:
            return np.zeros(pixels.shape, dtype=np.int64)
        index = np.minimum(np.searchsorted(self.pixels, pixels), self.pixels.size - 1)
        rows: IntArray = np.where(self.pixels[index] == pixels, self.rows[index], 0)
        return rows

    def dense(self) -> IntArray:
        """Return the counts of the whole sky, shape (12 * 4**order,)."""
        histogram = np.zeros(npix(self.order), dtype=np.int64)
        histogram[self.pixels] = self.rows
        return histogram

    @property
    def total(self) -> int:
        """All rows."""
        return int(self.rows.sum())


@dataclass(slots=True)
class Tally:
    """Counts that grow: what is added waits until there is as much of it as was added up before.

    So a row is added up a few times, however many parts there are, and never more than twice the pixels
    that hold rows are in memory.
    """

    order: int
    _sum: PixelCounts | None = None
    _waiting: list[PixelCounts] = field(default_factory=list)

    def add(self, counts: PixelCounts) -> None:
        """Add counts of the same order."""
        self._waiting.append(counts)
        held = 0 if self._sum is None else self._sum.pixels.size
        if sum(part.pixels.size for part in self._waiting) >= held:
            self.total()

    def total(self) -> PixelCounts:
        """Return the sum of what was added so far."""
        if self._waiting or self._sum is None:
            parts = [] if self._sum is None else [self._sum]
            self._sum, self._waiting = PixelCounts.merged(parts + self._waiting, self.order), []
        return self._sum


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

    def destination(self, pixels: IntLike) -> IntArray:
        """Return the index of the tile of each pixel of the counts' order, -1 where there is none."""
        return self.tiles.find(pixels, self.order)

    def destinations(self) -> IntArray:
        """Return the index of the tile of every pixel of the sky, -1 where there is none.

        Returns
        -------
        ndarray of int64, shape (12 * 4**order,)
        """
        step = 2 * (MAX_ORDER - self.order)
        edges = np.stack((self.tiles.starts, self.tiles.stops), axis=1).ravel() >> step
        lengths = np.diff(edges, prepend=0, append=npix(self.order))
        values = np.full(lengths.size, -1, dtype=np.int64)
        values[1::2] = np.arange(len(self.tiles))
        return np.repeat(values, lengths)

    def recounted(self, counts: PixelCounts) -> Alignment:
        """Return the same tiles with the rows of other counts, for tiles that were chosen by bytes."""
        sums = np.concatenate(([0], np.cumsum(counts.rows)))
        starts, _ = range29(counts.order, counts.pixels)
        first, last = (np.searchsorted(starts, edge) for edge in (self.tiles.starts, self.tiles.stops))
        return Alignment(self.order, self.tiles, sums[last] - sums[first])

    @cached_property
    def triples(self) -> IntArray:
        """Order, pixel and rows of every tile, shape (n, 3)."""
        return np.stack((self.tiles.orders.astype(np.int64), self.tiles.pixels, self.rows), axis=1)


def align(
    counts: PixelCounts | IntArray,
    max_rows: int,
    *,
    lowest_order: int = 0,
    keep_empty_siblings: bool = False,
    unit: str = "rows",
) -> Alignment:
    """Choose the tiles of a catalog.

    Parameters
    ----------
    counts : PixelCounts, or ndarray of int, shape (12 * 4**order,)
        Rows at the highest order that a tile may have; an array counts the whole sky.
    max_rows : int
        The threshold: no tile holds more rows, or whatever was counted.
    lowest_order : int
        No tile is larger than one of this order.
    keep_empty_siblings : bool
        True takes the largest tile that meets the threshold. False, the default, also refuses to grow a tile
        whose rows all lie in one of its four children, so that a lone star does not get a twelfth of the sky.
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
    if not isinstance(counts, PixelCounts):
        # Sums of narrower integers would wrap around.
        counts = np.asarray(counts, dtype=np.int64)
    order = counts.order if isinstance(counts, PixelCounts) else order_of_npix(counts.size)
    check_order(lowest_order, "lowest_order")
    if lowest_order > order:
        raise UsageError("the lowest order is above the highest", found=f"{lowest_order} and {order}")
    if max_rows < 1:
        raise UsageError("a tile must be allowed at least one row", found=f"a threshold of {max_rows}")
    if isinstance(counts, PixelCounts):
        _check_densest(counts, max_rows, unit)
        levels = _sparse_pyramid(counts, lowest_order)
    else:
        _check_densest(PixelCounts(order, np.empty(0, np.int64), counts), max_rows, unit)
        levels = _dense_pyramid(counts, order, lowest_order)
    orders, pixels, rows = _descend(levels, max_rows, keep_empty_siblings)
    by_sky = np.argsort(range29(orders, pixels)[0])
    return Alignment(order, PartitionInfo(orders[by_sky], pixels[by_sky]), rows[by_sky])


def _check_densest(counts: PixelCounts, threshold: int, unit: str) -> None:
    if counts.rows.size == 0 or (most := int(counts.rows.max())) <= threshold:
        return
    densest = int(counts.rows.argmax())
    pixel = int(counts.pixels[densest]) if counts.pixels.size else densest  # of a whole sky: its number
    raise ThresholdError(
        f"the tile {HealpixPixel(counts.order, pixel)} holds more {unit} than a tile may, "
        f"and cannot be split at the highest order {counts.order}",
        found=f"{most} {unit}",
        expected=f"at most {threshold}",
        hint=f"raise the threshold to {most}, or the highest order to {min(MAX_ORDER, counts.order + 2)}",
    )


@dataclass(frozen=True, slots=True)
class _Level:
    """One order of a pyramid of counts: which cells hold rows, and how to look up the rows of some."""

    order: int
    held: Callable[[], IntArray]
    rows_of: Callable[[IntArray], IntArray]


def _sparse_pyramid(counts: PixelCounts, lowest_order: int) -> list[_Level]:
    levels = [counts]
    for order in range(counts.order - 1, lowest_order - 1, -1):
        levels.append(levels[-1].degraded(order))
    return [_Level(level.order, partial(np.array, level.pixels), level.at) for level in reversed(levels)]


def _dense_pyramid(counts: IntArray, order: int, lowest_order: int) -> list[_Level]:
    levels = [counts]
    for _ in range(order - lowest_order):
        finer = levels[-1]
        # Adding strided views touches each count once; a reduction over a short axis is several times slower.
        coarser = finer[0::4] + finer[1::4]
        coarser += finer[2::4]
        coarser += finer[3::4]
        levels.append(coarser)
    return [
        _Level(lowest_order + step, partial(np.flatnonzero, level), level.take)
        for step, level in enumerate(reversed(levels))
    ]


def _descend(
    levels: list[_Level], max_rows: int, keep_empty_siblings: bool
) -> tuple[IntArray, IntArray, IntArray]:
    """Go down from the coarsest cells and stop at the first that may be a tile: orders, pixels, rows."""
    cells = levels[0].held()
    rows = levels[0].rows_of(cells)
    chosen = []
    for level, finer in zip_longest(levels, levels[1:]):
        if finer is None:
            stops = np.ones(cells.shape, dtype=bool)
        else:
            stops = rows <= max_rows
            if not keep_empty_siblings:
                stops &= np.count_nonzero(finer.rows_of(children(cells)), axis=1) > 1
        chosen.append((np.full(int(stops.sum()), level.order), cells[stops], rows[stops]))
        if finer is None or stops.all():
            break
        kin = children(cells[~stops]).ravel()
        kin_rows = finer.rows_of(kin)
        cells, rows = kin[kin_rows > 0], kin_rows[kin_rows > 0]
    orders, pixels, counts = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
    return orders, pixels, counts


def _by_pixel(pixels: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return pixels in ascending order, and the rows of each; `pixels` is used up.

    Where a pixel and its rows fit into one integer, these are sorted by value, in place: several times as
    fast as sorting positions and looking up what stands there.
    """
    bits = int(rows.max()).bit_length()
    if int(pixels.max()).bit_length() + bits > 63:
        by_pixel = np.argsort(pixels, kind="stable")
        return pixels[by_pixel], rows[by_pixel]
    pixels <<= bits
    pixels |= rows
    pixels.sort()
    rows = pixels & ((1 << bits) - 1)
    pixels >>= bits
    return pixels, rows


def _first_of_each(values: IntArray) -> IntArray:
    """Return the positions where a new value begins in an ascending array."""
    if values.size == 0:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def _sums(values: IntArray, first: IntArray) -> IntArray:
    return np.add.reduceat(values, first) if first.size else np.empty(0, dtype=np.int64)
