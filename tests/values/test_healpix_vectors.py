"""Unit vectors and pixel centres, compared with healpy; the Mollweide projection, with its equation."""

from __future__ import annotations

import math

import healpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat import healpix
from hatsformat.healpix.projection import mollweide


@given(st.lists(st.tuples(st.floats(-720, 720), st.floats(-90, 90)), min_size=1, max_size=20))
def test_unit_vectors(points: list[tuple[float, float]]) -> None:
    lon, lat = np.array(points).T
    found = healpix.unit_vectors(lon, lat)
    assert found == pytest.approx(healpy.ang2vec(lon, lat, lonlat=True), abs=1e-15)
    assert np.array_equal(healpix.unit_vectors(lon, lat, axis=0), found.T)
    assert np.array_equal(healpix.unit_vectors(*points[0]), found[0])


@pytest.mark.parametrize("order", range(30))
def test_centres(order: int) -> None:
    count = 12 * 4**order
    pixels = np.arange(count) if order < 4 else np.random.default_rng(order).integers(0, count, 1000)
    expected = np.stack(healpy.pix2vec(2**order, pixels, nest=True), axis=-1)
    assert np.abs(healpix.centres(pixels, order) - expected).max() < 1e-14


def exact_mollweide(longitude: float, latitude: float) -> tuple[float, float]:
    """By bisection of 2t + sin 2t = π sin φ."""
    low, high = -math.pi / 2, math.pi / 2
    for _ in range(80):
        t = (low + high) / 2
        if 2 * t + math.sin(2 * t) < math.pi * math.sin(math.radians(latitude)):
            low = t
        else:
            high = t
    return longitude / 180 * math.cos(t), math.sin(t)


@given(st.floats(-180, 180), st.floats(-90, 90) | st.floats(89.9, 90) | st.floats(-90, -89.9))
def test_mollweide(longitude: float, latitude: float) -> None:
    assert mollweide(longitude, latitude) == pytest.approx(exact_mollweide(longitude, latitude), abs=4e-4)


def test_mollweide_beyond_the_map() -> None:
    x, y = mollweide([-180.0, 0.0, 180.0, 200.0], np.zeros(4))
    assert x == pytest.approx([-1, 0, 1, 200 / 180])
    assert y == pytest.approx(np.zeros(4))
