"""Rows counted in the pixels of one order: sparse while few pixels hold rows, a whole sky once many do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from hatsformat.healpix import MAX_ORDER, IntArray, change_order, npix, order_of_npix, range29

DENSE_SHARE = 8
"""Once one pixel in this many holds rows, the counts of the whole sky take less memory than a list."""

FEW = 1 << 20
"""Counts that may wait in any case before they are summed."""


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
        Rows in each, at least 1; or bytes, if the threshold is in bytes.
    """

    order: int
    pixels: IntArray
    rows: IntArray

    @classmethod
    def of_sorted(cls, pixels29: IntArray, order: int, amounts: IntArray | None = None) -> PixelCounts:
        """Count ascending order-29 pixels, or sum an amount for each."""
        pixels = change_order(pixels29, MAX_ORDER, order)
        first = _first_of_each(pixels)
        rows = np.diff(first, append=len(pixels)) if amounts is None else _sums(amounts, first)
        return cls(order, pixels[first], rows)

    @classmethod
    def merged(cls, parts: list[PixelCounts], order: int) -> PixelCounts:
        """Sum counts of the same order."""
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
        """Return the rows in each of `pixels`, in their shape."""
        if self.pixels.size == 0:
            return np.zeros(pixels.shape, dtype=np.int64)
        index = np.minimum(np.searchsorted(self.pixels, pixels), self.pixels.size - 1)
        rows: IntArray = np.where(self.pixels[index] == pixels, self.rows[index], 0)
        return rows

    def between(self, starts: IntArray, stops: IntArray) -> IntArray:
        """Return the rows in half-open ranges of order-29 pixels, with borders of pixels of this order."""
        sums = np.concatenate(([0], np.cumsum(self.rows)))
        firsts, _ = range29(self.order, self.pixels)
        rows: IntArray = sums[np.searchsorted(firsts, stops)] - sums[np.searchsorted(firsts, starts)]
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

    @property
    def densest(self) -> tuple[int, int]:
        """The pixel with the most rows, and its rows; (0, 0) if there are no rows."""
        if not self.rows.size:
            return 0, 0
        where = int(self.rows.argmax())
        return int(self.pixels[where]), int(self.rows[where])


@dataclass(frozen=True, slots=True)
class SkyCounts:
    """Rows counted in every pixel of one order.

    Attributes
    ----------
    histogram : ndarray of int64, shape (12 * 4**order,)
    """

    histogram: IntArray

    @property
    def order(self) -> int:
        """HEALPix order of the pixels."""
        return order_of_npix(self.histogram.size)

    @property
    def pixels(self) -> IntArray:
        """NESTED pixel numbers that hold rows, ascending."""
        return np.flatnonzero(self.histogram)

    @property
    def rows(self) -> IntArray:
        """Rows in each of `pixels`."""
        return self.histogram[self.pixels]

    @property
    def total(self) -> int:
        """All rows."""
        return int(self.histogram.sum())

    @property
    def densest(self) -> tuple[int, int]:
        """The pixel with the most rows, and its rows."""
        pixel = int(self.histogram.argmax())
        return pixel, int(self.histogram[pixel])

    def degraded(self, order: int) -> SkyCounts:
        """Return the counts at a lower order."""
        histogram = self.histogram
        for _ in range(self.order - order):
            # Adding strided views touches each count once; reducing a short axis is several times slower.
            coarser = histogram[0::4] + histogram[1::4]
            coarser += histogram[2::4]
            coarser += histogram[3::4]
            histogram = coarser
        return SkyCounts(histogram)

    def at(self, pixels: IntArray) -> IntArray:
        """Return the rows in each of `pixels`, in their shape."""
        return self.histogram.take(pixels)

    def between(self, starts: IntArray, stops: IntArray) -> IntArray:
        """Return the rows in half-open ranges of order-29 pixels, with borders of pixels of this order."""
        shift = 2 * (MAX_ORDER - self.order)
        sums = np.zeros(self.histogram.size + 1, dtype=np.int64)
        np.cumsum(self.histogram, out=sums[1:])  # no copy: a whole sky of order 10 is 100 MB
        rows: IntArray = sums[stops >> shift] - sums[starts >> shift]
        return rows

    def dense(self) -> IntArray:
        """Return the counts of the whole sky, shape (12 * 4**order,)."""
        return self.histogram


Counts: TypeAlias = PixelCounts | SkyCounts


@dataclass(slots=True)
class Tally:
    """A running sum of counts.

    Added counts wait until there are as many as were summed before, so that each is summed only a few times,
    however many parts there are. Once the sum covers a whole sky, nothing waits.
    """

    order: int
    _sum: Counts | None = None
    _waiting: list[PixelCounts] = field(default_factory=list)

    def add(self, counts: Counts) -> None:
        """Add counts of the same order."""
        if isinstance(counts, SkyCounts):
            counts = PixelCounts(counts.order, counts.pixels, counts.rows)
        if isinstance(self._sum, SkyCounts):
            self._sum.histogram[counts.pixels] += counts.rows
            return
        self._waiting.append(counts)
        held = 0 if self._sum is None else self._sum.pixels.size
        waiting = sum(part.pixels.size for part in self._waiting)
        if DENSE_SHARE * (held + waiting) > npix(self.order):
            self._to_sky()
        elif waiting >= max(held, FEW):
            self.total()

    def total(self) -> Counts:
        """Return the sum so far; adding more may change the returned value."""
        if isinstance(self._sum, SkyCounts):
            return self._sum
        if self._waiting or self._sum is None:
            parts = [] if self._sum is None else [self._sum]
            self._sum, self._waiting = PixelCounts.merged(parts + self._waiting, self.order), []
        return self._sum

    def _to_sky(self) -> None:
        sky = SkyCounts(np.zeros(npix(self.order), dtype=np.int64))
        for part in self._waiting if self._sum is None else (self._sum, *self._waiting):
            sky.histogram[part.pixels] += part.rows
        self._sum, self._waiting = sky, []


def _by_pixel(pixels: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return pixels in ascending order, and the rows of each; `pixels` is overwritten.

    If a pixel and its rows fit into one integer, the integers are sorted, which is several times as fast as
    an argsort.
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
    """Return the indices at which the value changes in an ascending array."""
    if values.size == 0:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def _sums(values: IntArray, first: IntArray) -> IntArray:
    return np.add.reduceat(values, first) if first.size else np.empty(0, dtype=np.int64)
