"""Frames of the sky: conversion to ICRS.

A HATS index is computed from ICRS positions (Note, section 3.5). The frames here differ from ICRS by a
rotation only, so Astropy gives the matrix once and NumPy rotates the rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hatsformat.healpix import FloatArray, unit_vectors

FRAMES = ("icrs", "fk5", "galactic", "ecliptic")
"""ICRS, FK5 at J2000, galactic, and the barycentric mean ecliptic and equinox of J2000."""

_IN_ASTROPY = {"fk5": "fk5", "galactic": "galactic", "ecliptic": "barycentricmeanecliptic"}


def to_icrs(longitude: FloatArray, latitude: FloatArray, frame: str) -> tuple[FloatArray, FloatArray]:
    """Return right ascension and declination in ICRS.

    Parameters
    ----------
    longitude, latitude : ndarray of float64, shape (n,)
        In degrees.
    frame : str
        One of `FRAMES`.

    Returns
    -------
    tuple of ndarray of float64, shape (n,)
        In degrees, right ascension in [0, 360).
    """
    x, y, z = rotation_to_icrs(frame) @ unit_vectors(longitude, latitude, axis=0)
    ra = np.degrees(np.arctan2(y, x)) % 360
    # Just below 0, the remainder rounds to 360.
    return np.where(ra == 360, 0.0, ra), np.degrees(np.arctan2(z, np.hypot(x, y)))


@lru_cache
def rotation_to_icrs(frame: str) -> npt.NDArray[np.float64]:
    """Return the matrix, shape (3, 3), that rotates unit vectors of a frame to ICRS."""
    if frame == "icrs":
        return np.eye(3)
    from astropy.coordinates import SkyCoord

    axes = SkyCoord([0, 90, 0], [0, 0, 90], unit="deg", frame=_IN_ASTROPY[frame]).icrs
    matrix: npt.NDArray[np.float64] = np.asarray(axes.cartesian.xyz.value)
    return matrix
