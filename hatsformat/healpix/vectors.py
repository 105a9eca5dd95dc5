"""Positions and pixel centres as unit vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hatsformat.healpix.arithmetic import FloatArray, IntArray
from hatsformat.healpix.base_tiles import SOUTH_AZIMUTH, SOUTH_RING
from hatsformat.healpix.bits import unpack_xy


def unit_vectors(longitude: npt.ArrayLike, latitude: npt.ArrayLike, axis: int = -1) -> FloatArray:
    """Return positions as unit vectors.

    Parameters
    ----------
    longitude, latitude : array_like of float, of one shape
        In degrees. Any finite value: beyond a pole is the other side of the sky.
    axis : int
        Which axis of the result holds the three components.

    Returns
    -------
    ndarray of float64, with one axis more than the input
    """
    lon, lat = np.radians(longitude), np.radians(latitude)
    across = np.cos(lat)
    return np.stack((across * np.cos(lon), across * np.sin(lon), np.sin(lat)), axis=axis)


def centres(pixels: IntArray, order: int) -> FloatArray:
    """Return the centres of pixels as unit vectors.

    This is the arithmetic of Gorski et al. (2005), section 4.1, in NumPy: importing cdshealpix takes longer
    than a query.

    Parameters
    ----------
    pixels : ndarray of int64, shape (n,)
        NESTED pixel numbers.
    order : int
        Their order, 0 to 29.

    Returns
    -------
    ndarray of float64, shape (n, 3)
    """
    side = 1 << order
    base, within = pixels >> (2 * order), pixels & (side * side - 1)
    x, y = unpack_xy(within)
    ring = SOUTH_RING[base] * side - x - y - 1
    # Rings shrink towards the poles: `quarter` is a quarter of the number of pixels in the ring.
    north, south = ring < side, ring > 3 * side
    quarter = np.where(north, ring, np.where(south, 4 * side - ring, side))
    cap = quarter.astype(np.float64) ** 2 / (3.0 * side**2)
    height = np.where(north, 1.0 - cap, np.where(south, cap - 1.0, (2 * side - ring) * 2.0 / (3.0 * side)))
    # Near a pole 1 - |z| is exact, and 1 - z**2 is not.
    depth = np.where(north | south, cap, 1.0 - np.abs(height))
    across = np.sqrt(depth * (2.0 - depth))
    azimuth = (SOUTH_AZIMUTH[base] * quarter + x - y) * (np.pi / 4) / quarter
    return np.stack((across * np.cos(azimuth), across * np.sin(azimuth), height), axis=-1)
