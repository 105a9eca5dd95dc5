"""Cover a region with HEALPix cells, by descent from the twelve base tiles.

A cell is outside when its centre lies further from the region's edge than any point of the cell lies from the
centre; likewise inside. What is neither is split in four. Nothing here is an approximation at a cell's
border, so nothing can be missed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hatsformat.healpix import BASE_TILES, FloatArray, IntArray, children, merge_ranges, range29

GUARD = 1e-8
"""How far beyond the edge the ranges reach, in radians: five cells of order 29, so that a row whose index
value another program rounded into the neighbouring cell is found all the same."""

BUDGET = 512
"""Cells on the edge are split until there are this many."""

_REACH = 1.08
"""No point of a cell is further from its centre than this over 2**order radians (0.84 at order 0, 1.069 at
order 29)."""

# Ring and azimuth of the southern corner of each base tile, in units of half a tile (Gorski et al. 2005).
_BASE_RING = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4], dtype=np.int64)
_BASE_AZIMUTH = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7], dtype=np.int64)

Clearance = Callable[[FloatArray], FloatArray]


def cover(clearance: Clearance, deepest: int) -> IntArray:
    """Return order-29 ranges that cover the region of which `clearance` tells the distance to the edge."""
    starts, stops = [], []
    cells = np.arange(BASE_TILES, dtype=np.int64)
    order = 0
    while True:
        inside, edge = _classify(clearance, cells, order)
        if order >= deepest or edge.sum() > BUDGET:
            inside |= edge
            edge = np.zeros_like(edge)
        first, last = range29(order, cells[inside])
        starts.append(first)
        stops.append(last)
        if not edge.any():
            return merge_ranges(np.concatenate(starts), np.concatenate(stops))
        cells = children(cells[edge]).ravel()
        order += 1


def _classify(clearance: Clearance, cells: IntArray, order: int) -> tuple[np.ndarray, np.ndarray]:
    reach = _REACH / 2**order + GUARD
    margin = clearance(centres(cells, order))
    return margin > reach, np.abs(margin) <= reach


def centres(cells: IntArray, order: int) -> FloatArray:
    """Return the centres of cells as unit vectors, shape (n, 3).

    The arithmetic of Gorski et al. (2005), section 4.1, here in NumPy because loading cdshealpix costs more
    than a query.
    """
    side = 1 << order
    base, within = cells >> (2 * order), cells & (side * side - 1)
    x, y = _every_other_bit(within), _every_other_bit(within >> 1)
    ring = _BASE_RING[base] * side - x - y - 1
    # Rings shrink towards the poles: `quarter` is a quarter of the ring's number of cells.
    north, south = ring < side, ring > 3 * side
    quarter = np.where(north, ring, np.where(south, 4 * side - ring, side))
    cap = quarter.astype(np.float64) ** 2 / (3.0 * side**2)
    height = np.where(north, 1.0 - cap, np.where(south, cap - 1.0, (2 * side - ring) * 2.0 / (3.0 * side)))
    # 1 - |z| is exact near a pole where 1 - z**2 is not.
    depth = np.where(north | south, cap, 1.0 - np.abs(height))
    across = np.sqrt(depth * (2.0 - depth))
    azimuth = (_BASE_AZIMUTH[base] * quarter + x - y) * (np.pi / 4) / quarter
    return np.stack((across * np.cos(azimuth), across * np.sin(azimuth), height), axis=-1)


def _every_other_bit(values: IntArray) -> IntArray:
    """Return the even bits of 58-bit numbers, packed together."""
    bits = values & 0x5555555555555555
    for shift, mask in (
        (1, 0x3333333333333333),
        (2, 0x0F0F0F0F0F0F0F0F),
        (4, 0x00FF00FF00FF00FF),
        (8, 0x0000FFFF0000FFFF),
        (16, 0x00000000FFFFFFFF),
    ):
        bits = (bits | (bits >> shift)) & mask
    return bits
