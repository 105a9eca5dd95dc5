"""The Mollweide projection, which shows the whole sky as an ellipse and keeps areas."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hatsformat.healpix.arithmetic import FloatArray

_STEPS = 4000


def mollweide(longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return where positions are on a Mollweide map, accurate to 0.0004.

    Parameters
    ----------
    longitude, latitude : array_like of float
        In degrees. Longitude 0 is the middle of the map; a longitude beyond ±180 is outside of the map.

    Returns
    -------
    x, y : ndarray of float64
        -1 to 1 on the map; x grows with longitude, y with latitude. To keep areas, draw the map twice as
        wide as high.
    """
    # The auxiliary angle t solves 2t + sin 2t = π sin(latitude); a table is accurate enough for a picture.
    angles = np.linspace(-math.pi / 2, math.pi / 2, _STEPS + 1)
    sines = (2 * angles + np.sin(2 * angles)) / math.pi
    t = np.interp(np.sin(np.radians(latitude)), sines, angles)
    return np.asarray(longitude, dtype=np.float64) / 180.0 * np.cos(t), np.sin(t)
