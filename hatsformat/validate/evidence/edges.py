"""The edges of tiles on the sphere, and how far positions are from them (Note, section 3.1).

The edge of a HEALPix tile is a curve that is no arc of a great circle. Its points are exact, from the
projection's own formulae, so the distance to any of them is never less than the distance to the tile: rows
that are found near by it are near.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hatsformat.healpix import MAX_ORDER, FloatArray, IntArray, npix

_RING = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])
_PHI = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])
"""Of each base tile: the ring of its southern corner, and its longitude in eighths of a turn."""

_SAMPLES = 24
"""Points on the outline of a tile that are looked at first."""

_SHRINK = (np.sqrt(5) - 1) / 2
_STEPS = 30

NARROWEST = 0.5
"""A lower bound of the width of a ring of pixels around a tile, in square roots of a pixel's area."""


def radius_of_order(order: int) -> float:
    """Return a distance in radians: what is nearer to a tile lies in it or in pixels of `order` around it.

    The tile has to be of this order or coarser.
    """
    return float(NARROWEST * np.sqrt(4 * np.pi / npix(order)))


def deepest_order(radius: float) -> int:
    """Return the deepest order whose pixels around a tile hold all within `radius` (radians); -1 if none."""
    fitting = [order for order in range(MAX_ORDER + 1) if radius_of_order(order) >= radius]
    return fitting[-1] if fitting else -1


def unit_vectors(ra: FloatArray, dec: FloatArray) -> FloatArray:
    """Return unit vectors, shape (n, 3), of positions in degrees."""
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=-1)


def corners(orders: IntArray, pixels: IntArray) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Return the base tile of each tile, its southern corner there (x and y), and its width, 0 to 1."""
    base = pixels >> (2 * orders)
    inner = pixels - (base << (2 * orders))
    width: FloatArray = np.ldexp(1.0, -orders)
    return base, _every_other_bit(inner) * width, _every_other_bit(inner >> 1) * width, width


def _every_other_bit(numbers: IntArray) -> IntArray:
    """Return the bits 0, 2, 4 … of numbers, closed up."""
    bits: npt.NDArray[np.uint64] = numbers.astype(np.uint64) & np.uint64(0x5555555555555555)
    for shift, mask in (
        (1, 0x3333333333333333),
        (2, 0x0F0F0F0F0F0F0F0F),
        (4, 0x00FF00FF00FF00FF),
        (8, 0x0000FFFF0000FFFF),
        (16, 0x00000000FFFFFFFF),
    ):
        bits = (bits | (bits >> np.uint64(shift))) & np.uint64(mask)
    return bits.astype(np.int64)


def points(base: IntArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return unit vectors, shape (..., 3), of places in base tiles.

    Parameters
    ----------
    base : ndarray of int64
        Base tiles, 0 to 11.
    x, y : ndarray of float64
        From the southern corner to the north-east and to the north-west, 0 to 1.
    """
    ring = _RING[base] - x - y
    cap = np.minimum(np.minimum(ring, 4 - ring), 1)
    in_cap = cap < 1
    z = np.where(in_cap, np.sign(2 - ring) * (1 - cap * cap / 3), (2 - ring) * 2 / 3)
    # Near the poles the sine of the distance is exact, where 1 - z * z would not be.
    across = np.where(in_cap, cap * np.sqrt((2 - cap * cap / 3) / 3), np.sqrt(np.maximum(1 - z * z, 0)))
    wide = np.where(cap > 0, cap, 1)
    # x runs east and y west; within a cap, longitudes spread as the rings shrink.
    turn = (_PHI[base] + (x - y) / wide) * (np.pi / 4)
    return np.stack((across * np.cos(turn), across * np.sin(turn), z), axis=-1)


def _outline(base: IntArray, x: FloatArray, y: FloatArray, width: FloatArray, at: FloatArray) -> FloatArray:
    """Return points of outlines; `at` runs around a tile from its southern corner, 0 to 4."""
    place = np.mod(at, 4)
    east = np.clip(np.minimum(place, 3 - place), 0, 1)
    north = np.clip(np.minimum(place - 1, 4 - place), 0, 1)
    return points(base, x + width * east, y + width * north)


def distances(positions: FloatArray, orders: IntArray, pixels: IntArray) -> FloatArray:
    """Return how far positions outside tiles are from the tiles, in radians: never less than it is.

    Parameters
    ----------
    positions : ndarray of float64, shape (n, 3)
        Unit vectors.
    orders, pixels : ndarray of int64, shape (n,)
        A tile for each.

    Returns
    -------
    ndarray of float64, shape (n,)
        To the nearest point that was found on the tile's outline. For positions that are nearer than the tile
        is wide, it is the nearest there is, but for a few parts in a billion.
    """
    base, x, y, width = corners(orders, pixels)

    def chord(at: FloatArray) -> FloatArray:
        found: FloatArray = np.linalg.norm(_outline(base, x, y, width, at) - positions, axis=-1)
        return found

    best = np.full(len(positions), np.inf)
    start = np.zeros(len(positions))
    for number in range(_SAMPLES):
        at = np.full(len(positions), 4 * number / _SAMPLES)
        found = chord(at)
        start = np.where(found < best, at, start)
        best = np.minimum(best, found)
    # The section that holds the nearest point, on one edge or, at a corner, on either of two.
    low, high = start - 4 / _SAMPLES, start + 4 / _SAMPLES
    for left, right in ((low, start), (start, high)):
        best = np.minimum(best, _smallest(chord, left, right))
    nearest: FloatArray = 2 * np.arcsin(np.minimum(best / 2, 1))
    return nearest


def _smallest(function: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the least value of a function between bounds, by golden sections; both are arrays."""
    first, second = high - _SHRINK * (high - low), low + _SHRINK * (high - low)
    at_first, at_second = function(first), function(second)
    best = np.minimum(at_first, at_second)
    for _ in range(_STEPS):
        left = at_first < at_second
        low, high = np.where(left, low, first), np.where(left, second, high)
        fresh = np.where(left, high - _SHRINK * (high - low), low + _SHRINK * (high - low))
        value = function(fresh)
        first, second = np.where(left, fresh, second), np.where(left, first, fresh)
        at_first, at_second = np.where(left, value, at_second), np.where(left, at_first, value)
        best = np.minimum(best, value)
    return best
