"""Which positions are near the border of a tile (Note, section 3.1).

The edges of a HEALPix tile are not arcs of great circles. Each of the four lies either in a polar cap or
between the caps, so it is one smooth curve, given by the formulae of the projection; the point on it nearest
to a position is where the derivative of the distance is zero.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hatsformat.healpix.arithmetic import BoolArray, FloatArray, IntArray
from hatsformat.healpix.base_tiles import SOUTH_AZIMUTH, SOUTH_RING
from hatsformat.healpix.bits import uniq, unpack_xy
from hatsformat.healpix.vectors import unit_vectors

ROUNDING = 2e-15
"""Rounding error of positions and borders, in radians: less than a millionth of a milliarcsecond."""

_SECTIONS = 8
"""Each edge is searched in this many sections, so short that each has at most one nearest point."""

_STEPS = 7
"""Steps to find a nearest point: after six, only rounding is left."""

_PAIRS = 20_000
"""Positions to compare with borders at a time."""

# The four edges: first point and direction, in widths of the tile from its southern corner.
_FROM = np.array([(0, 0), (1, 0), (0, 1), (0, 0)], dtype=np.float64)
_ALONG = np.array([(1, 0), (0, 1), (1, 0), (0, 1)], dtype=np.float64)


class _Curve(NamedTuple):
    """Edges: the base tile of each, x and y of its first point, and the way from there to its last point."""

    base: IntArray
    x: FloatArray
    y: FloatArray
    dx: FloatArray
    dy: FloatArray

    def at(self, index: Any) -> _Curve:
        """Return some of the edges."""
        return _Curve(self.base[index], self.x[index], self.y[index], self.dx[index], self.dy[index])


def are_near(ra: FloatArray, dec: FloatArray, orders: IntArray, pixels: IntArray, radius: float) -> BoolArray:
    """Return which positions are at most `radius` from the border of a tile.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        In degrees, anywhere on the sky.
    orders, pixels : ndarray of int64, shape (n,)
        The tile of each position.
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
    _, first, which = np.unique(uniq(orders, pixels), return_index=True, return_inverse=True)
    edges = _edges(orders[first], pixels[first])
    row, edge, section = _sections_in_reach(edges, which, positions, radius)
    reach = (2 * np.sin(min(radius, np.pi) / 2)) ** 2
    curve = edges.at((which[row], edge))
    low, high = section / _SECTIONS, (section + 1) / _SECTIONS
    position = positions[row]
    near = np.zeros(len(positions), dtype=np.bool_)
    for end in (low, high):
        near[row[_square(_points(curve, end)[0] - position) <= reach]] = True
    # The nearest point is inside a section if the distance falls at its start and rises at its end.
    turns = np.flatnonzero((_across(curve, low, position) > 0) & (_across(curve, high, position) < 0))
    turns = turns[~near[row[turns]]]
    curve = curve.at(turns)
    nearest = _nearest(curve, position[turns], low[turns], high[turns])
    near[row[turns[nearest <= reach]]] = True
    return near


def _sections_in_reach(
    edges: _Curve, which: IntArray, positions: FloatArray, radius: float
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the sections of edges that may be within a radius, as indices of position, edge and section.

    `which` is the index of each position's tile.
    """
    spread = edges.at((slice(None), slice(None), np.newaxis))
    ends = _points(spread, np.linspace(0, 1, _SECTIONS + 1))[0]
    length = np.sqrt(_square(np.diff(ends, axis=2)).max(axis=(1, 2)))[which]
    # No point of a section is nearer than its nearer end by more than its length. Cosines are fast, but not
    # exact for small angles: hence the 1e-7.
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
    x, y = (number[:, np.newaxis] * width for number in unpack_xy(inner))
    bases = np.broadcast_to(base[:, np.newaxis], (len(base), 4))
    start_x, start_y = x + width * _FROM[:, 0], y + width * _FROM[:, 1]
    return _Curve(bases, start_x, start_y, width * _ALONG[:, 0], width * _ALONG[:, 1])


def _points(curve: _Curve, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return points of edges as unit vectors, and their derivatives along the edge.

    Parameters
    ----------
    curve : _Curve
    at : ndarray of float64
        How far along the edge, 0 to 1.
    """
    base, x0, y0, dx, dy = curve
    x, y = x0 + dx * at, y0 + dy * at
    ring = SOUTH_RING[base] - x - y
    # The caps end one ring from the poles. An edge does not cross that line, but may end on it: its middle
    # says which side it is on.
    middle = SOUTH_RING[base] - x0 - y0 - (dx + dy) / 2
    north, south = middle < 1, middle > 3
    in_cap = north | south
    cap = np.where(north, ring, np.where(south, 4 - ring, 1))
    d_cap = np.where(north, -(dx + dy), np.where(south, dx + dy, 0))
    side = np.where(north, 1, -1)
    z = np.where(in_cap, side * (1 - cap * cap / 3), (2 - ring) * 2 / 3)
    d_z = np.where(in_cap, -side * 2 / 3 * cap * d_cap, (dx + dy) * 2 / 3)
    # Near the poles the sine of the distance is exact, and 1 - z * z is not.
    root = np.sqrt((2 - cap * cap / 3) / 3)
    across = np.where(in_cap, cap * root, np.sqrt(1 - z * z))
    d_across = np.where(in_cap, d_cap * (root - cap * cap / 9 / root), -z * d_z / np.where(in_cap, 1, across))
    # x runs east and y west; in a cap, longitudes spread as the rings shrink. Edges reach a pole along a
    # meridian.
    wide = np.where(cap > 0, cap, 1)
    east = np.where(cap > 0, (x - y) / wide, (dx - dy) * d_cap / (dx + dy) ** 2)
    turn = (SOUTH_AZIMUTH[base] + east) * (np.pi / 4)
    d_turn = (dx - dy - east * d_cap) / wide * (np.pi / 4) * (cap > 0)
    cosine, sine = np.cos(turn), np.sin(turn)
    points = np.stack((across * cosine, across * sine, z), axis=-1)
    slopes = np.stack(
        (d_across * cosine - across * d_turn * sine, d_across * sine + across * d_turn * cosine, d_z), axis=-1
    )
    return points, slopes


def _across(curve: _Curve, at: FloatArray, positions: FloatArray) -> FloatArray:
    """Return how fast edges approach positions: 0 where they run across the line of sight."""
    speed: FloatArray = np.einsum("nk,nk->n", _points(curve, at)[1], positions)
    return speed


def _nearest(curve: _Curve, positions: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the squared chords from positions to the nearest points of edges between `low` and `high`.

    The nearest point is where the edge runs across the line of sight. It is found by false position; when
    the same end stays twice, its weight is halved, so that both ends close in (the Illinois method).
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
