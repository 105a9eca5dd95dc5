from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import Polygon, RegionError
from hatsformat.healpix import unit_vectors
from tests.support.regions import angles, covered, latitudes, sky


def offset(ra, dec, azimuth, distance):
    points = SkyCoord(ra, dec, unit="deg").directional_offset_by(azimuth * u.deg, distance * u.deg)
    return points.ra.deg, points.dec.deg


def star(ra, dec, azimuths, distances):
    """A polygon that is seen whole from one point, and the test of what is in it that this allows."""
    corners = np.stack(offset(ra, dec, azimuths, distances), axis=-1)
    centre = SkyCoord(ra, dec, unit="deg")
    vectors = unit_vectors(*corners.T)

    def holds(lon, lat):
        points = SkyCoord(lon, lat, unit="deg")
        towards = centre.position_angle(points).deg % 360
        sector = np.searchsorted(azimuths, towards, side="right") - 1
        first, second = vectors[sector], vectors[(sector + 1) % len(azimuths)]
        seen = unit_vectors(lon, lat)
        # Position angles run from north to east, so the centre is to the left of each edge seen from outside.
        inward = np.cross(second, first)
        return (inward * seen).sum(axis=1), sector

    return corners, holds


stars = st.tuples(
    angles,
    latitudes,
    st.integers(5, 12),
    st.sampled_from([1e-4, 0.01, 1.0, 20.0, 55.0]),
    st.integers(0, 1000),
)


@settings(max_examples=60)
@given(stars)
def test_holds_what_a_star_shaped_polygon_holds(shape):
    ra0, dec0, count, size, seed = shape
    rng = np.random.default_rng(seed)
    azimuths = (np.arange(count) + rng.uniform(0.1, 0.9, count)) * 360 / count
    distances = rng.uniform(0.2, 1, count) * size
    corners, holds = star(ra0, dec0, azimuths, distances)
    polygon = Polygon(corners)
    ra, dec = offset(ra0, dec0, rng.uniform(0, 360, 400), rng.uniform(0, 1.2, 400) * size)
    height, _ = holds(ra, dec)
    clear = np.abs(height) > 1e-13
    inside = polygon.contains(ra, dec)
    np.testing.assert_array_equal(inside[clear], (height > 0)[clear])
    np.testing.assert_array_equal(Polygon(corners[::-1]).contains(ra, dec)[clear], inside[clear])
    assert covered(polygon, ra, dec)[inside].all()
    far_ra, far_dec = sky(300, seed)
    outside = SkyCoord(far_ra, far_dec, unit="deg").separation(SkyCoord(ra0, dec0, unit="deg")).deg > size
    assert not polygon.contains(far_ra, far_dec)[outside].any()
    assert covered(polygon, corners[:, 0], corners[:, 1]).all()
    assert polygon.contains(*corners.T).all()


def winding(corners, x, y):
    """Winding number of a plane polygon by summing the angles its edges are seen under."""
    total = np.zeros(len(x))
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        a, b = (x0 - x) + 1j * (y0 - y), (x1 - x) + 1j * (y1 - y)
        total += np.angle(b / a)
    return np.rint(total / (2 * np.pi)).astype(int)


COMB = np.array(
    [
        (0, 0),
        (6, 0),
        (6, 5),
        (5, 5),
        (5, 1),
        (4, 1),
        (4, 5),
        (3, 5),
        (3, 1),
        (2, 1),
        (2, 5),
        (1, 5),
        (1, 1),
        (0, 1),
    ]
)
SPIRAL = np.array(
    [
        *[(0, 0), (7, 0), (7, 7), (1, 7), (1, 2), (5, 2), (5, 5), (3, 5), (3, 4), (4, 4)],
        *[(4, 3), (2, 3), (2, 6), (6, 6), (6, 1), (0, 1)],
    ]
)


@pytest.mark.parametrize("shape", [COMB, SPIRAL, COMB[::-1]], ids=["comb", "spiral", "comb backwards"])
@pytest.mark.parametrize("centre", [(0, 0), (45, 0), (123, 90), (0, -90), (359.9, 41.81), (200, 60)])
@pytest.mark.parametrize("scale", [1e-6, 0.01, 0.2])
def test_holds_what_is_wound_around_in_the_tangent_plane(shape, centre, scale):
    corners = (shape - shape.mean(axis=0)) * scale
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-4.5, 4.5, (2, 2000)) * scale
    # Great circles are straight in the gnomonic projection.
    lon, lat = gnomonic_to_sky(*corners.T, *centre)
    ra, dec = gnomonic_to_sky(x, y, *centre)
    expected = winding(corners, x, y) != 0
    polygon = Polygon(np.stack((lon, lat), axis=-1))
    inside = polygon.contains(ra, dec)
    assert 0.1 < expected.mean() < 0.9
    assert (inside != expected).sum() <= (2 if scale == 1e-6 else 0)
    assert covered(polygon, ra, dec)[inside].all()


def gnomonic_to_sky(x, y, ra0, dec0):
    centre = unit_vectors(ra0, dec0)
    east = unit_vectors(ra0 + 90, 0)
    north = np.cross(centre, east)
    vectors = centre + np.multiply.outer(x, east) + np.multiply.outer(y, north)
    return (
        np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])),
        np.degrees(np.arctan2(vectors[:, 2], np.hypot(vectors[:, 0], vectors[:, 1]))),
    )


@settings(max_examples=60)
@given(angles, latitudes, st.integers(5, 30), st.sampled_from([(93, 100), (130, 150)]), st.integers(0, 1000))
def test_means_the_smaller_side(ra0, dec0, count, away, seed):
    # Corners more than 90 degrees from a centre: the cap around it is the larger side.
    rng = np.random.default_rng(seed)
    azimuths = (np.arange(count) + rng.uniform(0.4, 0.6, count)) * 360 / count
    corners = np.stack(offset(ra0, dec0, azimuths, rng.uniform(*away, count)), axis=-1)
    polygon = Polygon(corners)
    assert polygon.contains((ra0 + 180) % 360, -dec0).all()
    assert not polygon.contains(ra0, dec0).any()
    ra, dec = sky(2000, seed)
    assert polygon.contains(ra, dec).mean() < 0.5
    assert covered(polygon, ra, dec)[polygon.contains(ra, dec)].all()


def test_a_band_around_most_of_the_sky():
    # Holds opposite points, goes around the pole's antipode, and is no part of any hemisphere.
    lon = np.arange(0, 301, 20.0)
    low, high = np.full(16, -10.0), np.full(16, 10.0)
    corners = np.stack((np.concatenate((lon, lon[::-1])), np.concatenate((low, high))), axis=-1)
    band = Polygon(corners)
    ra, dec = sky(5000)
    assert band.contains([10, 190, 299], [0, 0, 0]).all()
    assert not band.contains([301, 330, 359, 10, 10], [0, 0, 0, 11, -11]).any()
    inside = band.contains(ra, dec)
    np.testing.assert_array_equal(inside[np.abs(dec) < 9.99], (ra <= 300)[np.abs(dec) < 9.99])
    assert not inside[np.abs(dec) > 10.2].any()
    assert covered(band, ra, dec)[inside].all()


def test_edges_are_inside():
    corners = np.array([(10.0, 10.0), (30.0, 12.0), (25.0, 40.0), (12.0, 35.0)])
    polygon = Polygon(corners)
    vectors = unit_vectors(*corners.T)
    for first, second in zip(vectors, np.roll(vectors, -1, axis=0), strict=True):
        share = np.linspace(0, 1, 50)[:, np.newaxis]
        points = first * (1 - share) + second * share
        ra = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
        dec = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
        assert polygon.contains(ra, dec).all()
        assert covered(polygon, ra, dec).all()
        left = np.cross(first, second)
        outside = points - 1e-9 * left / np.linalg.norm(left)
        ra = np.degrees(np.arctan2(outside[:, 1], outside[:, 0]))
        dec = np.degrees(np.arctan2(outside[:, 2], np.hypot(outside[:, 0], outside[:, 1])))
        assert not polygon.contains(ra, dec)[1:-1].any()


@pytest.mark.parametrize("dec", [80.0, -80.0])
def test_around_a_pole(dec):
    polygon = Polygon([(0, dec), (90, dec), (180, dec), (270, dec)])
    ra, lat = sky(20000)
    inside = polygon.contains(ra, lat)
    assert polygon.contains(np.arange(0, 360, 15.0), np.full(24, np.sign(dec) * 90)).all()
    assert inside[np.sign(dec) * lat > 83].all()
    assert not inside[np.sign(dec) * lat < 80].any()


def test_with_a_corner_on_the_pole_and_an_edge_through_it():
    slice_ = Polygon([(0, 90), (10, 0), (40, 0)])
    assert slice_.contains([20, 200, 25], [80, 90, 0]).all()
    assert not slice_.contains([50, 200], [80, 89]).any()
    through = Polygon([(0, 60), (180, 60), (90, 40)])
    assert through.contains([0, 180, 77, 90, 90], [89, 61, 90, 80, 50]).all()
    assert not through.contains([270, 270], [89.999, 60]).any()


def test_straight_corners_are_fine():
    with_middle = Polygon([(0, 0), (5, 0), (10, 0), (5, 10)])
    ra, dec = np.random.default_rng(0).uniform(-1, 11, (2, 2000))
    np.testing.assert_array_equal(
        with_middle.contains(ra, dec), Polygon([(0, 0), (10, 0), (5, 10)]).contains(ra, dec)
    )


def test_nan_is_nowhere():
    assert Polygon([(0, 0), (9, 0), (0, 9)]).contains([np.nan, 1, 1], [1, np.nan, 1]).tolist() == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("vertices", "words"),
    [
        ([(0, 0), (1, 1)], "too few vertices.*2"),
        ([(0, 0), (0, 0), (1, 1)], "vertices 0 and 1 .*coincide"),
        ([(0, 0), (1, 0), (1, 1), (0, 0)], "vertices 3 and 0 .*coincide"),
        ([(0, 0), (360, 0), (1, 1)], "coincide"),
        ([(7, 90), (99, 90), (1, 1)], "coincide"),
        ([(0, 0), (180, 0), (90, 45)], "vertices 0 and 1 .*opposite"),
        ([(0, 0), (10, 10), (10, 0), (0, 10)], "crosses itself"),
        ([(0, 0), (10, 0), (10, 10), (5, 0), (0, 10)], "touches"),
        ([(0, 0), (10, 0), (5, 0)], "touches"),
        ([(0, 0), (10, 0), (10, 10), (10, 0), (0, 10)], "touches"),
        ([(0, 0), (120, 0), (240, 0)], "equal halves"),
        ([(0, 0), (1, 95), (1, 1)], "dec is out of range.*95"),
        ([(0, 0), (float("nan"), 5), (1, 1)], "finite"),
        ([1, 2, 3], "pairs"),
        ([(1, 2, 3)] * 3, "pairs"),
        (5, "pairs"),
    ],
)
def test_refuses_what_is_no_polygon(vertices, words):
    with pytest.raises(RegionError, match=words):
        Polygon(vertices)


def test_takes_quantities_and_skycoords():
    expected = Polygon([(15, 0), (30, 0), (15, 10)])
    for vertices in (
        SkyCoord([15, 30, 15], [0, 0, 10], unit="deg"),
        u.Quantity([(900, 0), (1800, 0), (900, 600)], "arcmin"),
        [(15 * u.deg, 0), (2 * u.hourangle, 0), (15, 600 * u.arcmin)],
    ):
        np.testing.assert_allclose(Polygon(vertices).vertices, expected.vertices, rtol=0, atol=1e-12)
    assert repr(expected) == "Polygon(vertices=((15.0, 0.0), (30.0, 0.0), (15.0, 10.0)))"


def test_of_many_vertices():
    turn = np.linspace(0, 360, 600, endpoint=False)
    corners = np.stack(offset(80, 30, turn, np.where(np.arange(600) % 2, 5.0, 4.0)), axis=-1)
    polygon = Polygon(corners)
    ra, dec = offset(80, 30, turn + 0.3, np.full(600, 3.9))
    assert polygon.contains(ra, dec).all()
    ra, dec = offset(80, 30, turn + 0.3, np.full(600, 5.1))
    assert not polygon.contains(ra, dec).any()
    assert len(polygon.ranges()) < 3000
