"""Cones and boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat.errors import RegionError
from hatsformat.healpix import BoolArray, FloatArray, unit_vectors
from hatsformat.regions.base import TOLERANCE, Region, declination, degrees, row, separation, wrap_ra

_ROUNDING = 1e-10
"""A box that is this close to 360 degrees wide is a full ring: the difference of its edges is rounded."""


@dataclass(frozen=True, slots=True)
class Cone(Region):
    """All positions within an angle of a centre.

    Parameters
    ----------
    ra, dec : float or Quantity
        The centre, in degrees: any right ascension, a declination from -90 to 90.
    radius : float or Quantity
        In degrees, 0 to 180. With radius 0, only the centre is inside.

    Raises
    ------
    RegionError
        If the declination or the radius is out of range, or a value is not an angle.

    Examples
    --------
    >>> Cone(56.75, 24.12, 2).contains([56.8, 0.0], [24.1, 0.0])
    array([ True, False])
    """

    ra: float
    dec: float
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "ra", degrees(self.ra, "the cone's ra"))
        object.__setattr__(self, "dec", declination(self.dec, "the cone's dec"))
        radius = degrees(self.radius, "the cone's radius")
        if not 0 <= radius <= 180:
            raise RegionError("the cone's radius is out of range", found=radius, expected="0 to 180 degrees")
        object.__setattr__(self, "radius", radius)

    def contains(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> BoolArray:
        """Return which positions lie inside or on the edge (`Region.contains`)."""
        lon, lat = row(ra), row(dec)
        if self.radius <= 90:
            return _haversine(lon, lat, self.ra, self.dec) <= _half_chord(self.radius, TOLERANCE)
        # Beyond 90 degrees haversines lose digits, so take the distance to the opposite point.
        beyond = _haversine(lon, lat, self.ra + 180, -self.dec)
        outside: BoolArray = beyond >= _half_chord(180 - self.radius, -TOLERANCE)
        return outside

    def _clearance(self, vectors: FloatArray) -> FloatArray:
        centre = unit_vectors(wrap_ra(self.ra), self.dec)
        margin: FloatArray = np.radians(self.radius) - separation(vectors, centre)
        return margin


def _haversine(ra: FloatArray, dec: FloatArray, ra0: float, dec0: float) -> FloatArray:
    """Return the squared sine of half the separation of positions in degrees, exact for small separations."""
    with np.errstate(invalid="ignore"):
        # Both steps are exact in floating point: whole turns go before any digit is lost.
        turn = np.fmod(ra - ra0, 360.0)
        turn -= 360.0 * np.rint(turn / 360.0)
        turn = np.sin(np.radians(turn) / 2)
        rise = np.sin(np.radians(dec - dec0) / 2)
        squared: FloatArray = rise**2 + np.cos(np.radians(dec)) * np.cos(np.radians(dec0)) * turn**2
    return squared


def _half_chord(angle: float, tolerance: float) -> float:
    """Return the squared sine of half of `angle` (degrees) plus `tolerance` (radians)."""
    return float(np.sin(max(np.radians(angle) + tolerance, 0.0) / 2) ** 2)


@dataclass(frozen=True, slots=True)
class Box(Region):
    """All positions between two right ascensions and two declinations.

    Parameters
    ----------
    ra : pair of float or Quantity
        From and to, in degrees, eastwards: ``(350, 10)`` crosses RA 0. ``(0, 360)``, or any two a full turn
        apart, is the full ring; two equal values are one meridian.
    dec : pair of float or Quantity
        From and to, in degrees, -90 to 90, the smaller first. A box that reaches a pole includes it.

    Raises
    ------
    RegionError
        If a value is out of range or not an angle.

    Examples
    --------
    >>> Box(ra=(350, 10), dec=(-5, 5)).contains([355.0, 5.0, 20.0], [0.0, 5.0, 0.0])
    array([ True,  True, False])
    """

    ra: tuple[float, float]
    dec: tuple[float, float]

    def __post_init__(self) -> None:
        west, east = (degrees(value, "the box's ra") for value in _pair(self.ra, "ra"))
        south, north = (declination(value, "the box's dec") for value in _pair(self.dec, "dec"))
        if east - west > 360 + _ROUNDING:
            raise RegionError(
                "the box's ra spans more than a full turn",
                found=(west, east),
                expected="at most 360 degrees",
            )
        if south > north:
            raise RegionError(
                "the box's dec values are in the wrong order",
                found=(south, north),
                hint="give the smaller declination first",
            )
        object.__setattr__(self, "ra", (west, east))
        object.__setattr__(self, "dec", (south, north))

    @property
    def is_ring(self) -> bool:
        """Whether the box spans all right ascensions."""
        return self.ra[1] - self.ra[0] >= 360 - _ROUNDING

    def contains(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> BoolArray:
        """Return which positions lie inside or on the edge (`Region.contains`)."""
        lon, lat = wrap_ra(row(ra)), row(dec)
        between = (lat >= self.dec[0]) & (lat <= self.dec[1])
        # At a pole every right ascension is the same point.
        inside: BoolArray = between & (self._in_lune(lon) | (np.abs(lat) == 90)) & ~np.isnan(lon)
        return inside

    def _in_lune(self, lon: FloatArray) -> BoolArray:
        # No arithmetic: a star on the edge is inside, the next float64 is outside.
        west, east = wrap_ra(self.ra)
        if self.is_ring:
            return np.ones(lon.shape, dtype=np.bool_)
        after, before = lon >= west, lon <= east
        inside: BoolArray = after & before if west <= east else after | before
        return inside

    def _clearance(self, vectors: FloatArray) -> FloatArray:
        lat = np.arctan2(vectors[:, 2], np.hypot(vectors[:, 0], vectors[:, 1]))
        south, north = np.radians(self.dec)
        # A box that reaches a pole has no edge there.
        below = lat - south if self.dec[0] > -90 else np.full(lat.shape, np.inf)
        above = north - lat if self.dec[1] < 90 else np.full(lat.shape, np.inf)
        margin: FloatArray = np.minimum(np.minimum(below, above), self._lune_clearance(vectors))
        return margin

    def _lune_clearance(self, vectors: FloatArray) -> FloatArray:
        if self.is_ring:
            return np.full(len(vectors), np.inf)
        edges = unit_vectors(wrap_ra(self.ra), np.zeros(2))
        distance = np.minimum(_to_meridian(vectors, edges[0]), _to_meridian(vectors, edges[1]))
        lon = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0]))
        return np.where(self._in_lune(wrap_ra(lon)), distance, -distance)


def _to_meridian(vectors: FloatArray, equator: FloatArray) -> FloatArray:
    """Return the distances in radians to the meridian through a point on the equator, from pole to pole."""
    along = vectors @ equator
    aside = np.abs(vectors[:, 1] * equator[0] - vectors[:, 0] * equator[1])
    # Beyond the axis, the nearest point of the meridian is a pole.
    to_pole = np.arctan2(np.hypot(vectors[:, 0], vectors[:, 1]), np.abs(vectors[:, 2]))
    near = np.arctan2(aside, np.hypot(along, vectors[:, 2]))
    return np.where(along >= 0, near, to_pole)


def _pair(value: Any, name: str) -> tuple[Any, Any]:
    try:
        first, second = value
    except (TypeError, ValueError) as error:
        raise RegionError(f"the box's {name} must be a pair", found=value, expected="(from, to)") from error
    return first, second
