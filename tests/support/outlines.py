"""How far positions are from the outlines of tiles that healpy draws: nothing of the package is used."""

from __future__ import annotations

import healpy
import numpy as np
import numpy.typing as npt

STEP = 2048
"""Points of healpy's outline on each edge of a tile."""

UNSURE = 1e-5
"""The oracle's polygons cut the corners of curved edges: this near to the threshold it does not judge."""


def vectors(ra: npt.ArrayLike, dec: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(healpy.ang2vec(np.asarray(ra), np.asarray(dec), lonlat=True)).reshape(-1, 3)


def outline_distances(order: int, pixel: int, positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The distance in radians of positions from healpy's outline of a tile, taken as straight pieces."""
    outline = np.asarray(healpy.boundaries(2**order, pixel, step=STEP, nest=True)).T
    best = np.argmax(positions @ outline.T, axis=1)
    chords = np.full(len(positions), np.inf)
    for start, stop in ((best - 1, best), (best, (best + 1) % len(outline))):
        way, offset = outline[stop] - outline[start], positions - outline[start]
        share = np.clip((offset * way).sum(axis=1) / (way * way).sum(axis=1), 0, 1)
        chords = np.minimum(chords, np.linalg.norm(offset - share[:, np.newaxis] * way, axis=1))
    return 2 * np.arcsin(chords / 2)
