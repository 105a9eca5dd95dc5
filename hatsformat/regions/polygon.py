"""Polygons on the sphere: vertices joined by great circles, convex or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat.errors import RegionError
from hatsformat.healpix import BoolArray, FloatArray, unit_vectors
from hatsformat.regions.base import TOLERANCE, Region, declination, degrees, row, separation, wrap_ra

_LONGEST_EDGE = 179.999
"""In degrees. Between vertices that are nearly opposite, the great circle is not defined."""


@dataclass(frozen=True, init=False)
class Polygon(Region):
    """All positions inside a closed line of great-circle arcs, or on it.

    The line divides the sky in two. The smaller part is the inside, in whichever direction the vertices run.

    Parameters
    ----------
    vertices : array_like of float or Quantity, shape (n, 2), or SkyCoord, shape (n,)
        RA and Dec of the vertices in degrees, at least three; the last is joined to the first.

    Raises
    ------
    RegionError
        If the line touches or crosses itself, if neighbouring vertices coincide or are opposite, or if both
        parts of the sky are the same size.

    Examples
    --------
    >>> Polygon([(350, 80), (110, 80), (230, 80)]).contains([0.0, 0.0], [90.0, 0.0])
    array([ True, False])
    """

    vertices: tuple[tuple[float, float], ...]
    _edges: _Edges = field(repr=False, compare=False)
    _side: _Side = field(repr=False, compare=False)

    def __init__(self, vertices: Any) -> None:
        corners = _corners(vertices)
        object.__setattr__(self, "vertices", corners)
        ra, dec = np.array(corners).T
        object.__setattr__(self, "_edges", _Edges(unit_vectors(wrap_ra(ra), dec)))
        object.__setattr__(self, "_side", _Side(self._edges))

    def contains(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> BoolArray:
        """Return which positions lie inside or on the edge (`Region.contains`)."""
        lon, lat = row(ra), row(dec)
        inside = np.isfinite(lon) & np.isfinite(lat)
        vectors = unit_vectors(wrap_ra(lon[inside]), lat[inside])
        inside[inside] = self._side.contains(vectors) | (self._edges.distance(vectors) <= TOLERANCE)
        return inside

    def _clearance(self, vectors: FloatArray) -> FloatArray:
        distance = self._edges.distance(vectors)
        return np.where(self._side.contains(vectors), distance, -distance)


class _Edges:
    """The edges of a polygon, from each vertex to the next, and the distance to them."""

    def __init__(self, starts: FloatArray) -> None:
        self.starts = starts
        self.stops = np.roll(starts, -1, axis=0)
        # Not the cross product of the ends: where they are nearly equal, it has no correct digits.
        normals = np.cross(starts, self.stops - starts)
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        straight = (self.starts * self.stops).sum(axis=1) < np.cos(np.radians(_LONGEST_EDGE))
        for wrong, what in (
            (lengths[:, 0] <= TOLERANCE, "coincide; remove one of them"),
            (straight, "are opposite on the sky; add a vertex between them"),
        ):
            if wrong.any() and not (what.startswith("coincide") and straight[wrong].all()):
                first = int(np.flatnonzero(wrong)[0])
                raise RegionError(f"vertices {first} and {(first + 1) % len(starts)} of the polygon {what}")
        self.normals = normals / lengths
        sums = self.starts + self.stops
        self.middles = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        self.lengths = separation(self.starts, self.stops)
        self._check_simple()

    def above(self, vectors: FloatArray, edge: int) -> FloatArray:
        """Return the sines of the distances from the great circle of an edge, positive to its left."""
        height: FloatArray = (vectors - self.starts[edge]) @ self.normals[edge]
        return height

    def distance(self, vectors: FloatArray) -> FloatArray:
        """Return the distances to the nearest edge in radians, shape (n,)."""
        nearest = np.full(len(vectors), np.inf)
        for edge in range(len(self.starts)):
            np.minimum(nearest, self.distance_to(vectors, edge), out=nearest)
        return nearest

    def distance_to(self, vectors: FloatArray, edge: int) -> FloatArray:
        """Return the distances to one edge in radians, shape (n,)."""
        start, stop, normal = self.starts[edge], self.stops[edge], self.normals[edge]
        after = (vectors - start) @ np.cross(normal, start) >= 0
        before = (vectors - stop) @ np.cross(normal, stop) <= 0
        to_circle = np.arcsin(np.minimum(np.abs(self.above(vectors, edge)), 1.0))
        chord = np.minimum(np.linalg.norm(vectors - start, axis=-1), np.linalg.norm(vectors - stop, axis=-1))
        return np.where(after & before, to_circle, 2 * np.arcsin(np.minimum(chord / 2, 1.0)))

    def _check_simple(self) -> None:
        count = len(self.starts)
        for edge in range(count):
            others = np.delete(np.arange(count), (edge, (edge + 1) % count))
            touching = others[self.distance_to(self.starts[others], edge) <= TOLERANCE]
            # Edges with a common vertex meet only there, since both are shorter than half a circle.
            apart = others[(others + 1) % count != edge]
            crossing = apart[self._cross(edge, apart)]
            if touching.size or crossing.size:
                where = int(touching[0]) if touching.size else int(crossing[0])
                raise RegionError(
                    f"the polygon touches or crosses itself: its edge {edge} meets vertex or edge {where}",
                    hint="list the vertices in order around the region, or use several polygons",
                )

    def _cross(self, edge: int, others: npt.NDArray[np.int64]) -> BoolArray:
        """Return which of the other edges cross an edge: the ends of each are on both sides of the other."""
        from_left = self.above(self.starts[others], edge) > 0
        to_left = self.above(self.stops[others], edge) > 0
        ends = (self.starts[edge] - self.starts[others], self.stops[edge] - self.starts[others])
        start_left = (ends[0] * self.normals[others]).sum(axis=1) > 0
        stop_left = (ends[1] * self.normals[others]).sum(axis=1) > 0
        # Great circles cross twice. Where arcs cross, their middles are at most half their lengths apart.
        apart = separation(self.middles[edge], self.middles[others])
        near = apart <= (self.lengths[edge] + self.lengths[others]) / 2 + TOLERANCE
        pierced = (from_left != to_left) & (start_left != stop_left) & (from_left == stop_left)
        crossing: BoolArray = near & pierced
        return crossing


class _Side:
    """Which side of a closed line a position is on: counts the edges between the position and a chosen pole.

    The pole and its opposite are far from all edges. The meridian from a position to the opposite pole
    crosses an odd number of edges exactly if the two are on different sides. An edge spans a half-open range
    of longitudes about the pole, so a meridian through a vertex counts once.
    """

    def __init__(self, edges: _Edges) -> None:
        self.edges = edges
        self.pole = _pole(edges)
        self.east = _unit(np.cross(self.pole, np.eye(3)[np.argmin(np.abs(self.pole))]))
        self.north = np.cross(self.pole, self.east)
        self.west_ends = self._longitude(edges.starts)
        self.east_ends = np.roll(self.west_ends, -1)
        area = abs(_signed_area(self.pole, edges))
        if abs(area - 2 * np.pi) < 1e-9:
            raise RegionError(
                "the polygon divides the sky into equal halves",
                hint="move a vertex to make the inside the smaller half",
            )
        # `area` is the area of the side without the opposite pole.
        self.holds_opposite = area > 2 * np.pi

    def contains(self, vectors: FloatArray) -> BoolArray:
        """Return which unit vectors are on the smaller side, shape (n,); on the line, either answer."""
        inside = np.full(len(vectors), self.holds_opposite)
        lon = self._longitude(vectors)
        for edge, (begin, end) in enumerate(zip(self.west_ends, self.east_ends, strict=True)):
            low, high = (begin, end) if begin <= end else (end, begin)
            eastward = begin <= end
            if high - low <= np.pi:
                spans = (lon >= low) & (lon < high)
            else:
                spans, eastward = (lon >= high) | (lon < low), not eastward
            crossed = np.flatnonzero(spans)
            left = self.edges.above(vectors[crossed], edge) > 0
            inside[crossed] ^= left if eastward else ~left
        return inside

    def _longitude(self, vectors: FloatArray) -> FloatArray:
        lon: FloatArray = np.arctan2(vectors @ self.north, vectors @ self.east)
        return lon


def _pole(edges: _Edges) -> FloatArray:
    """Return a direction such that it and its opposite are far from all edges."""
    # Points on a spiral over half of the sphere, which line up with nothing that a user would type.
    steps = np.arange(200) + 0.5
    height, turn = steps / 200, steps * np.pi * (3 - np.sqrt(5.0)) + 0.123
    across = np.sqrt(1 - height**2)
    spiral = np.stack((across * np.cos(turn), across * np.sin(turn), height), axis=-1)
    away = np.minimum(edges.distance(spiral), edges.distance(-spiral))
    best: FloatArray = spiral[np.argmax(away)]
    return best


def _signed_area(pole: FloatArray, edges: _Edges) -> float:
    """Return the sum of the signed areas of the triangles between the pole and each edge, in steradians."""
    starts, stops = edges.starts, edges.stops
    volume = np.cross(starts, stops - starts) @ pole
    base = 1 + starts @ pole + stops @ pole + (starts * stops).sum(axis=1)
    return float(2 * np.arctan2(volume, base).sum())


def _unit(vector: FloatArray) -> FloatArray:
    unit: FloatArray = vector / np.linalg.norm(vector)
    return unit


def _corners(vertices: Any) -> tuple[tuple[float, float], ...]:
    if hasattr(vertices, "icrs"):  # a SkyCoord
        vertices = np.stack((vertices.icrs.ra.deg, vertices.icrs.dec.deg), axis=-1)
    elif hasattr(vertices, "to_value"):
        vertices = vertices.to_value("deg")
    try:
        pairs = [(ra, dec) for ra, dec in vertices]
    except (TypeError, ValueError) as error:
        raise RegionError(
            "the vertices of the polygon must be pairs of ra and dec", expected="an array of shape (n, 2)"
        ) from error
    if len(pairs) < 3:
        raise RegionError("the polygon has too few vertices", found=len(pairs), expected="3 or more")
    return tuple((degrees(ra, "a vertex's ra"), declination(dec, "a vertex's dec")) for ra, dec in pairs)
