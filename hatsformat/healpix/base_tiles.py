"""Where the twelve base tiles lie on the sky (Gorski et al. 2005, section 4.1).

Both tables are about the southern corner of a tile, which is where x and y are 0. The rings of corners count
from 0 at the north pole to 4 at the south pole; along a ring, longitude counts in eighths of a turn.
"""

from __future__ import annotations

import numpy as np

SOUTH_RING = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4], dtype=np.int64)
"""Ring of the southern corner of each base tile."""

SOUTH_AZIMUTH = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7], dtype=np.int64)
"""Longitude of the southern corner of each base tile, in eighths of a turn."""
