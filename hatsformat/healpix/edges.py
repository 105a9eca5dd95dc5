"""The borders of tiles on the sphere, and which positions are near them (Note, section 3.1).

The edge of a HEALPix tile is a curve that is no arc of a great circle. Here it is taken as it is, from the
projection's own formulae: a tile's four edges each lie wholly in a polar cap or wholly between the caps, so
each is a smooth curve, and the point of it that is nearest to a position is found by its derivative.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from hatsformat.healpix import FloatArray, IntArray

BoolArray: TypeAlias = npt.NDArray[np.bool_]

ROUNDING = 2e-15
"""What positions and borders may be off by, in radians: a tenth of a millionth of a milliarcsecond."""

_RING = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])
_PHI = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])
"""Of each base tile: the ring of its southern corner, and its longitude in eighths of a turn."""

_SECTIONS = 8
"""Parts of an edge that are looked at each by itself: short enough to hold one nearest point at most."""

_STEPS = 7
"""Steps that narrow a nearest point down: after six, what is left is rounding."""

_PAIRS = 20_000
"""Positions that are held against borders at a time."""

# The edges of a tile: where each begins, in widths of the tile from its southern corner, and where it runs.
_FROM = np.array([(0, 0), (1, 0), (0, 1), (0, 0)], dtype=np.float64)
_ALONG = np.array([(1, 0), (0, 1), (1, 0), (0, 1)], dtype=np.float64)


class _Curve(NamedTuple):
    """Edges: the base tile of each, x and y of its first point there, and where it runs to from there."""

    base: IntArray
    x: FloatArray
    y: FloatArray
    dx: FloatArray
    dy: FloatArray

    def at(self, index: Any) -> _Curve:
        """Return some of the edges."""
        return _Curve(self.base[index], self.x[index], self.y[index], self.dx[index], self.dy[index])


def unit_vectors(ra: FloatArray, dec: FloatArray) -> FloatArray:
    """Return unit vectors, shape (n, 3), of positions in degrees."""
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=-1)


def are_near(ra: FloatArray, dec: FloatArray, orders: IntArray, pixels: IntArray, radius: float) -> BoolArray:
    """Return which positions are within a distance of the border of a tile; exactly that far is near.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        In degrees, anywhere on the sky.
    orders, pixels : ndarray of int64, shape (n,)
        A tile for each.
    radius : float
        In radians.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    near = np.zeros(len(ra), dtype=np.bool_)
    for start in range(0, len(ra), _PAIRS):
        some = slice(start, start + _PAIRS)
        positions = unit_vectors(ra[some], dec[some])
        near[some] = _are_near(positions, orders[some], pixels[some], radius + ROUNDING)
    return near


def _are_near(positions: FloatArray, orders: IntArray, pixels: IntArray, radius: float) -> BoolArray:
    _, first, which = np.unique((4 << (2 * orders)) + pixels, return_index=True, return_inverse=True)
    edges = _edges(orders[first], pixels[first])
    row, edge, section = _sections_in_reach(edges, which, positions, radius)
    reach = (2 * np.sin(min(radius, np.pi) / 2)) ** 2
    curve = edges.at((which[row], edge))
    low, high = section / _SECTIONS, (section + 1) / _SECTIONS
    position = positions[row]
    near = np.zeros(len(positions), dtype=np.bool_)
    for end in (low, high):
        near[row[_square(_points(curve, end)[0] - position) <= reach]] = True
    # A section holds a nearest point where the distance falls at its one end and rises at the other.
    turns = np.flatnonzero((_across(curve, low, position) > 0) & (_across(curve, high, position) < 0))
    turns = turns[~near[row[turns]]]
    curve = curve.at(turns)
    nearest = _nearest(curve, position[turns], low[turns], high[turns])
    near[row[turns[nearest <= reach]]] = True
    return near


def _sections_in_reach(
    edges: _Curve, which: IntArray, positions: FloatArray, radius: float
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the sections of edges that may be within a radius: the position's number, the edge, the section.

    `which` tells the tile of each position.
    """
    spread = edges.at((slice(None), slice(None), np.newaxis))
    ends = _points(spread, np.linspace(0, 1, _SECTIONS + 1))[0]
    length = np.sqrt(_square(np.diff(ends, axis=2)).max(axis=(1, 2)))[which]
    # Nothing on a section is nearer than an end of it by more than its length. Cosines are quick, but not
    # exact for small angles.
    least = np.cos(np.minimum(radius + 1.5 * length + 1e-7, np.pi))
    cosines = np.einsum("nesk,nk->nes", ends[which], positions)
    cosines = np.maximum(cosines[..., :-1], cosines[..., 1:])
    row, edge, section = np.nonzero(cosines >= least[:, np.newaxis, np.newaxis])
    return row, edge, section


def _edges(orders: IntArray, pixels: IntArray) -> _Curve:
    """Return the four edges of tiles, shape (n, 4) each."""
    base = pixels >> (2 * orders)
    inner = pixels - (base << (2 * orders))
    width = np.ldexp(1.0, -orders)[:, np.newaxis]
    x, y = (_every_other_bit(bits)[:, np.newaxis] * width for bits in (inner, inner >> 1))
    bases = np.broadcast_to(base[:, np.newaxis], (len(base), 4))
    start_x, start_y = x + width * _FROM[:, 0], y + width * _FROM[:, 1]
    return _Curve(bases, start_x, start_y, width * _ALONG[:, 0], width * _ALONG[:, 1])


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


def _points(curve: _Curve, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return points of edges as unit vectors, and their derivatives along the edge.

    Parameters
    ----------
    curve : _Curve
    at : ndarray of float64
        Where along the edge, 0 to 1.
    """
    base, x0, y0, dx, dy = curve
    x, y = x0 + dx * at, y0 + dy * at
    ring = _RING[base] - x - y
    # A cap begins a ring away from the pole; the middle of the edge tells on which side of that line it is.
    middle = _RING[base] - x0 - y0 - (dx + dy) / 2
    north, south = middle < 1, middle > 3
    in_cap = north | south
    cap = np.where(north, ring, np.where(south, 4 - ring, 1))
    d_cap = np.where(north, -(dx + dy), np.where(south, dx + dy, 0))
    side = np.where(north, 1, -1)
    z = np.where(in_cap, side * (1 - cap * cap / 3), (2 - ring) * 2 / 3)
    d_z = np.where(in_cap, -side * 2 / 3 * cap * d_cap, (dx + dy) * 2 / 3)
    # Near the poles the sine of the distance is exact, where 1 - z * z would not be.
    root = np.sqrt((2 - cap * cap / 3) / 3)
    across = np.where(in_cap, cap * root, np.sqrt(1 - z * z))
    d_across = np.where(in_cap, d_cap * (root - cap * cap / 9 / root), -z * d_z / np.where(in_cap, 1, across))
    # x runs east and y west; within a cap, longitudes spread as the rings shrink. Edges reach a pole along a
    # meridian.
    wide = np.where(cap > 0, cap, 1)
    east = np.where(cap > 0, (x - y) / wide, (dx - dy) * d_cap / (dx + dy) ** 2)
    turn = (_PHI[base] + east) * (np.pi / 4)
    d_turn = (dx - dy - east * d_cap) / wide * (np.pi / 4) * (cap > 0)
    cosine, sine = np.cos(turn), np.sin(turn)
    points = np.stack((across * cosine, across * sine, z), axis=-1)
    slopes = np.stack(
        (d_across * cosine - across * d_turn * sine, d_across * sine + across * d_turn * cosine, d_z), axis=-1
    )
    return points, slopes


def _across(curve: _Curve, at: FloatArray, positions: FloatArray) -> FloatArray:
    """Return how fast edges come nearer to positions; 0 where they run across the line of sight."""
    speed: FloatArray = np.einsum("nk,nk->n", _points(curve, at)[1], positions)
    return speed


def _nearest(curve: _Curve, positions: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the squares of the least chords from positions to sections of edges, from `low` to `high`.

    The nearest point is where the edge runs across the line of sight. That is sought by false position; an
    end that stays twice has its weight halved, so that both close in.
    """
    at_low, at_high = _across(curve, low, positions), _across(curve, high, positions)
    at, moved = low, np.zeros(len(low))
    for _ in range(_STEPS):
        gap = at_low - at_high
        at = low + (high - low) * np.divide(at_low, gap, out=np.full(len(gap), 0.5), where=gap > 0)
        found = _across(curve, at, positions)
        beyond = found > 0
        at_high = np.where(beyond, np.where(moved > 0, at_high / 2, at_high), found)
        at_low = np.where(beyond, found, np.where(moved < 0, at_low / 2, at_low))
        low, high = np.where(beyond, at, low), np.where(beyond, high, at)
        moved = np.where(beyond, 1, -1)
    return _square(_points(curve, at)[0] - positions)


def _square(vectors: FloatArray) -> FloatArray:
    squares: FloatArray = np.einsum("...k,...k->...", vectors, vectors)
    return squares
