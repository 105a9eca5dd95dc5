"""Random positions, and whether the pixel ranges of a region cover them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hatsformat.healpix import MAX_ORDER, radec_to_pixel

angles = st.floats(-360, 720, allow_nan=False)
latitudes = st.one_of(st.sampled_from([-90.0, 0.0, 41.8103148957786, 90.0]), st.floats(-90, 90))


def sky(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))


def covered(region, ra, dec):
    ranges = region.ranges()
    assert ranges.dtype == np.int64
    assert (ranges[:, 0] < ranges[:, 1]).all()
    assert (ranges[1:, 0] > ranges[:-1, 1]).all()
    assert len(ranges) < 3000
    pixels = radec_to_pixel(ra, dec, MAX_ORDER)
    slot = np.searchsorted(ranges[:, 0], pixels, side="right") - 1
    return (slot >= 0) & (pixels < ranges[np.maximum(slot, 0), 1])
