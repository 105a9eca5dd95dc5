"""The base class of regions, and functions for angles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat.errors import RegionError
from hatsformat.healpix import MAX_ORDER, BoolArray, FloatArray, IntArray, check_order
from hatsformat.regions.cover import cover

TOLERANCE = 1e-14
"""A position this close to an edge, in radians, is on it: RA and Dec in float64 resolve about 1e-15."""


class Region(ABC):
    """A region of the sky, including its edge."""

    __slots__ = ()

    @abstractmethod
    def contains(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> BoolArray:
        """Return which positions lie inside or on the edge.

        Parameters
        ----------
        ra, dec : array_like of float, shape (n,)
            Positions in degrees. Right ascensions are wrapped; a position with a NaN is not inside.

        Returns
        -------
        ndarray of bool, shape (n,)
        """

    def ranges(self, order: int = MAX_ORDER) -> IntArray:
        """Return order-29 ranges that cover the whole region: at most a few thousand.

        Parameters
        ----------
        order : int
            The highest order of the covering pixels. A lower order is used if it already takes many pixels.

        Returns
        -------
        ndarray of int64, shape (k, 2)
            Half-open, sorted and disjoint ranges of order-29 NESTED pixels.
        """
        return cover(self._clearance, check_order(order))

    @abstractmethod
    def _clearance(self, vectors: FloatArray) -> FloatArray:
        """Return how far inside (positive) or outside (negative) of the edge unit vectors are, in radians.

        The absolute value is a lower bound of the distance.
        """


def degrees(value: Any, name: str) -> float:
    """Return an angle in degrees. A plain number is in degrees; an Astropy quantity is converted.

    Raises
    ------
    RegionError
        If it is not a finite angle.
    """
    try:
        number = float(value.to_value("deg") if hasattr(value, "to_value") else value)
    except (TypeError, ValueError) as error:
        raise RegionError(
            f"{name} must be an angle",
            found=value,
            expected="degrees, or an Astropy quantity with an angular unit",
        ) from error
    if not np.isfinite(number):
        raise RegionError(f"{name} must be finite", found=number, expected="degrees")
    return number


def declination(value: Any, name: str) -> float:
    """Return a declination in degrees, or raise `RegionError` if it is not between -90 and 90."""
    dec = degrees(value, name)
    if abs(dec) > 90:
        raise RegionError(f"{name} is out of range", found=dec, expected="-90 to 90 degrees")
    return dec


def wrap_ra(ra: npt.ArrayLike) -> FloatArray:
    """Return right ascensions in [0, 360). Values in that range do not change."""
    with np.errstate(invalid="ignore"):
        wrapped = np.mod(np.asarray(ra, dtype=np.float64), 360.0)
    # The remainder of -1e-20 rounds to 360.
    turned: FloatArray = np.where(wrapped == 360.0, 0.0, wrapped)
    return turned


def separation(vectors: FloatArray, others: FloatArray) -> FloatArray:
    """Return the angles between unit vectors in radians, accurate for small and large angles alike."""
    cross = np.linalg.norm(np.cross(vectors, others), axis=-1)
    angle: FloatArray = np.arctan2(cross, (vectors * others).sum(axis=-1))
    return angle


def row(values: npt.ArrayLike) -> FloatArray:
    """Return values as a float64 array with one dimension."""
    return np.atleast_1d(np.asarray(values, dtype=np.float64))
