"""Stars where tiles meet, and which leaves hold copies of them."""

from __future__ import annotations

from collections import Counter

import healpy
import numpy as np
import pyarrow as pa

from tests.support import skies
from tests.support.outlines import vectors


def clumps(count: int, seed: int = 1, spread: float = 3.0) -> pa.Table:
    """Rows around places where tiles meet: poles, RA 0, the ends of the polar caps."""
    rng = np.random.default_rng(seed)
    places = np.array([(0.0, 90.0), (0.0, 0.0), (45.0, 41.81), (90.0, 0.0), (200.0, -89.0), (315.0, 30.0)])
    ra, dec = places[rng.integers(0, len(places), count)].T
    base = vectors(ra, dec) + np.radians(spread) * rng.normal(size=(count, 3))
    ra, dec = healpy.vec2ang(base, lonlat=True)
    return pa.table(
        {
            "id": rng.permutation(count),
            "ra": ra,
            "dec": dec,
            "mag": pa.array(rng.normal(20, 2, count).astype(np.float32), mask=rng.random(count) < 0.1),
            "name": [f"star {number % 97}" for number in range(count)],
            "epochs": [list(range(number % 4)) for number in range(count)],
        }
    )


def copies(leaves: list[skies.LeafFile]) -> Counter[tuple[int, int, int]]:
    """Which rows, by their ids, are in which leaves."""
    return Counter((leaf.order, leaf.pixel, row) for leaf in leaves for row in leaf.table["id"].to_pylist())
