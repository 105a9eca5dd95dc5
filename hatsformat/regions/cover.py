"""Cover a region with HEALPix pixels, from the twelve base tiles down.

A pixel is outside the region if its centre is outside, and farther from the region's edge than any point of
the pixel is from the centre; the same holds for inside. All other pixels are split in four. The test errs
only towards splitting, so no part of the region is missed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hatsformat.healpix import (
    BASE_TILES,
    BoolArray,
    FloatArray,
    IntArray,
    centres,
    children,
    merge_ranges,
    range29,
)

GUARD = 1e-8
"""How far beyond the edge the ranges reach, in radians: five pixels of order 29. A row is found even if
another program rounded its index value into the neighbouring pixel."""

BUDGET = 512
"""Pixels on the edge are split until there are more than this."""

_REACH = 1.08
"""Over 2**order, an upper bound of the distance from a pixel's centre to its farthest point, in radians (0.84
at order 0, 1.069 at order 29)."""

Clearance = Callable[[FloatArray], FloatArray]


def cover(clearance: Clearance, deepest: int) -> IntArray:
    """Return order-29 ranges that cover a region.

    Parameters
    ----------
    clearance : callable
        Takes unit vectors, shape (n, 3), and returns how far inside (positive) or outside (negative) of the
        region's edge they are, in radians; at most the true distance.
    deepest : int
        The highest order of the covering pixels.

    Returns
    -------
    ndarray of int64, shape (k, 2)
        Half-open, sorted and disjoint.
    """
    starts, stops = [], []
    pixels = np.arange(BASE_TILES, dtype=np.int64)
    order = 0
    while True:
        inside, edge = _classify(clearance, pixels, order)
        if order >= deepest or edge.sum() > BUDGET:
            inside |= edge
            edge = np.zeros_like(edge)
        first, last = range29(order, pixels[inside])
        starts.append(first)
        stops.append(last)
        if not edge.any():
            return merge_ranges(np.concatenate(starts), np.concatenate(stops))
        pixels = children(pixels[edge]).ravel()
        order += 1


def _classify(clearance: Clearance, pixels: IntArray, order: int) -> tuple[BoolArray, BoolArray]:
    """Return which pixels are inside, and which may be on the edge."""
    reach = _REACH / 2**order + GUARD
    margin = clearance(centres(pixels, order))
    return margin > reach, np.abs(margin) <= reach
