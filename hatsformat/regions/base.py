"""What all regions share: angles, unit vectors, and the interface that a scan uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hatsformat.errors import RegionError
from hatsformat.healpix import MAX_ORDER, FloatArray, IntArray, check_order
from hatsformat.regions.cover import cover

BoolArray: TypeAlias = npt.NDArray[np.bool_]

TOLERANCE = 1e-14
"""A position this close to an edge, in radians, lies on it: RA and Dec in float64 are no finer than 1e-15."""


class Region(ABC):
    """A closed set on the sphere."""

    __slots__ = ()

    @abstractmethod
    def contains(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> BoolArray:
        """Return which positions lie inside or on the edge.

        Parameters
        ----------
        ra, dec : array_like of float, shape (n,)
            Positions in degrees; any right ascension, wrapped as needed. A NaN is nowhere.

        Returns
        -------
        ndarray of bool, shape (n,)
        """

    def ranges(self, order: int = MAX_ORDER) -> IntArray:
        """Return order-29 ranges that cover the region: a few thousand at most, and none of it missed.

        Parameters
        ----------
        order : int
            The deepest order of the cells to cover it with. Fewer levels are used where they give enough
            cells.

        Returns
        -------
        ndarray of int64, shape (k, 2)
            Half-open, sorted and disjoint ranges of order-29 NESTED pixels.
        """
        return cover(self._clearance, check_order(order))

    @abstractmethod
    def _clearance(self, vectors: FloatArray) -> FloatArray:
        """Return how far inside (positive) or outside (negative) the edge unit vectors lie, in radians.

        The magnitude may be less than the true distance, never more.
        """


def degrees(value: Any, name: str) -> float:
    """Return an angle in degrees: a bare number as it is, an Astropy quantity converted.

    Raises
    ------
    RegionError
        If it is not one finite angle.
    """
    try:
        number = float(value.to_value("deg") if hasattr(value, "to_value") else value)
    except (TypeError, ValueError) as error:
        raise RegionError(
            f"{name} is not an angle",
            found=value,
            expected="degrees, or an Astropy quantity with an angular unit",
        ) from error
    if not np.isfinite(number):
        raise RegionError(f"{name} is not a finite number", found=number, expected="degrees")
    return number


def declination(value: Any, name: str) -> float:
    """Return a declination in degrees, or raise `RegionError` if there is none such."""
    dec = degrees(value, name)
    if abs(dec) > 90:
        raise RegionError(f"{name} is not on the sky", found=dec, expected="-90 to 90 degrees")
    return dec


def wrap_ra(ra: npt.ArrayLike) -> FloatArray:
    """Return right ascensions in [0, 360); values already there come back unchanged."""
    with np.errstate(invalid="ignore"):
        wrapped = np.mod(np.asarray(ra, dtype=np.float64), 360.0)
    # The remainder of -1e-20 is rounded to 360 itself.
    turned: FloatArray = np.where(wrapped == 360.0, 0.0, wrapped)
    return turned


def unit_vectors(ra: npt.ArrayLike, dec: npt.ArrayLike) -> FloatArray:
    """Return positions in degrees as unit vectors, shape ``ra.shape + (3,)``."""
    lon, lat = np.radians(wrap_ra(ra)), np.radians(np.asarray(dec, dtype=np.float64))
    across = np.cos(lat)
    return np.stack((across * np.cos(lon), across * np.sin(lon), np.sin(lat)), axis=-1)


def separation(vectors: FloatArray, others: FloatArray) -> FloatArray:
    """Return the angles between unit vectors in radians, accurate from zero to half a turn."""
    cross = np.linalg.norm(np.cross(vectors, others), axis=-1)
    angle: FloatArray = np.arctan2(cross, (vectors * others).sum(axis=-1))
    return angle


def row(values: npt.ArrayLike) -> FloatArray:
    """Return values as a float64 array of one dimension."""
    return np.atleast_1d(np.asarray(values, dtype=np.float64))
