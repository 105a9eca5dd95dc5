from __future__ import annotations

import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from hatsformat import Box, Cone, Polygon, RegionError
from hatsformat.healpix import centres, radec_to_pixel, unit_vectors
from hatsformat.regions import as_region
from hatsformat.regions.base import separation
from hatsformat.regions.cover import _REACH
from tests.support.regions import angles, covered, latitudes, sky

radii = st.one_of(
    st.sampled_from([0.0, 1 / 3600, 45.0, 90.0, 180.0]),
    st.floats(0, 180),
    st.floats(-9, 2).map(lambda exponent: 10.0**exponent),
)


def around(ra, dec, radius, count, seed=0):
    """Random positions up to twice `radius` away, many of them close to that distance."""
    rng = np.random.default_rng(seed)
    reach = np.concatenate((rng.uniform(0, 2, count), 1 + rng.normal(0, 1e-6, count), [0, 1]))
    away = np.minimum(reach * radius, 180) * u.deg
    centre = SkyCoord(ra, dec, unit="deg")
    points = centre.directional_offset_by(rng.uniform(0, 360, len(away)) * u.deg, away)
    return points.ra.deg, points.dec.deg


def astropy_separation(ra, dec, ra0, dec0):
    return SkyCoord(ra, dec, unit="deg").separation(SkyCoord(ra0, dec0, unit="deg")).deg


class TestCone:
    @given(angles, latitudes, radii, st.integers(0, 100))
    def test_holds_what_is_near_enough_and_covers_it(self, ra0, dec0, radius, seed):
        cone = Cone(ra0, dec0, radius)
        ra, dec = around(ra0, dec0, radius, 50, seed)
        distance = astropy_separation(ra, dec, ra0, dec0)
        inside = cone.contains(ra, dec)
        clear = np.abs(distance - radius) > 1e-12
        np.testing.assert_array_equal(inside[clear], (distance <= radius)[clear])
        assert covered(cone, ra, dec)[inside].all()

    @given(angles, latitudes)
    def test_of_radius_zero_is_its_centre(self, ra, dec):
        cone = Cone(ra, dec, 0)
        assert cone.contains(ra, dec).tolist() == [True]
        assert cone.contains(ra + 360, dec).tolist() == [True]
        beside = dec + (1e-9 if dec < 0 else -1e-9)
        assert cone.contains(ra, beside).tolist() == [False]
        assert covered(cone, [ra], [dec]).all()

    @pytest.mark.parametrize("radius", [1 / 3600, 0.1, 1.0, 30.0, 90.0, 135.0, 180.0])
    def test_edge_is_inside(self, radius):
        assert Cone(10, 0, radius).contains(10 + radius, 0).all()
        assert Cone(10, -90, radius).contains(0, -90 + radius).all()
        if radius < 180:
            assert not Cone(10, 0, radius).contains(10 + radius + 1e-10, 0).any()

    def test_of_180_degrees_is_the_whole_sky(self):
        ra, dec = sky(1000)
        cone = Cone(17, -33, 180)
        assert cone.contains(ra, dec).all()
        assert cone.contains(197, 33).all()
        np.testing.assert_array_equal(cone.ranges(), [[0, 12 * 4**29]])

    def test_around_a_pole_holds_all_right_ascensions(self):
        ra = np.arange(0, 360, 10.0)
        assert Cone(123, 90, 1).contains(ra, np.full(36, 89.0)).all()
        assert Cone(123, 90, 1).contains(ra, np.full(36, 90.0)).all()
        assert not Cone(123, 90, 1).contains(ra, np.full(36, 88.999999)).any()

    def test_wants_few_and_small_cells(self):
        ranges = Cone(56.75, 24.12, 10 / 60).ranges()
        share = (ranges[:, 1] - ranges[:, 0]).sum() / (12 * 4**29)
        assert len(ranges) < 600
        assert share < 1.1 * (1 - np.cos(np.radians(10 / 60))) / 2

    def test_depth_can_be_limited(self):
        ranges = Cone(45, 10, 1).ranges(order=3)
        assert (ranges % 4**26 == 0).all()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((0, 0, -1), "radius.*-1.0.*0 to 180"),
            ((0, 0, 181), "radius"),
            ((0, 0, float("nan")), "radius must be finite"),
            ((float("inf"), 0, 1), "ra must be finite"),
            ((0, 91, 1), "dec is out of range.*91"),
            (("x", 0, 1), "ra must be an angle"),
            ((0, 0, 3 * u.m), "radius must be an angle"),
            ((0, 0, [1, 2]), "radius must be an angle"),
        ],
    )
    def test_refuses_what_is_no_cone(self, arguments, words):
        with pytest.raises(RegionError, match=words):
            Cone(*arguments)

    def test_takes_quantities(self):
        cone = Cone(Angle("3h47m"), 24 * u.deg, 36 * u.arcsec)
        assert (cone.ra, cone.dec, cone.radius) == pytest.approx((56.75, 24, 0.01), abs=1e-12)

    def test_is_a_value(self):
        cone = Cone(1, 2, 3)
        assert repr(cone) == "Cone(ra=1.0, dec=2.0, radius=3.0)"
        assert pickle.loads(pickle.dumps(cone)) == cone
        assert len({cone, Cone(1.0, 2.0, 3.0)}) == 1


class TestBox:
    @given(angles, st.floats(0, 360), latitudes, latitudes, st.integers(0, 100))
    def test_holds_what_is_between_and_covers_it(self, west, width, one, other, seed):
        south, north = sorted((one, other))
        box = Box(ra=(west, west + width), dec=(south, north))
        ra, dec = sky(200, seed)
        rng = np.random.default_rng(seed)
        near = rng.uniform(-1e-6, 1e-6, 100)
        ra = np.concatenate((ra, (west + near) % 360, (west + width + near) % 360))
        dec = np.concatenate((dec, rng.uniform(south, north, 100), np.clip(north + near, -90, 90)))
        inside = box.contains(ra, dec)
        eastwards = (ra - west) % 360
        between = (eastwards <= width) & (south <= dec) & (dec <= north)
        clear = (np.abs(eastwards - width) > 1e-10) & (np.minimum(eastwards, 360 - eastwards) > 1e-10)
        clear &= np.abs(dec) < 90  # a pole has no right ascension
        np.testing.assert_array_equal(inside[clear], between[clear])
        assert covered(box, ra, dec)[inside].all()

    def test_edges_are_inside_and_the_next_number_is_not(self):
        box = Box(ra=(10.1, 20.3), dec=(-5.7, 5.9))
        assert box.contains([10.1, 20.3, 10.1, 20.3], [-5.7, -5.7, 5.9, 5.9]).all()
        assert not box.contains(np.nextafter(10.1, 0), 0).any()
        assert not box.contains(np.nextafter(20.3, 360), 0).any()
        assert not box.contains(15, np.nextafter(5.9, 90)).any()

    def test_crosses_ra_zero(self):
        box = Box(ra=(350, 10), dec=(-1, 1))
        assert box.contains([350, 359.9, 0, 10, 360, -10, 370], np.zeros(7)).all()
        assert not box.contains([349.999, 10.001, 180], np.zeros(3)).any()
        assert Box(ra=(-10, 10), dec=(-1, 1)).contains([350, 0, 10], np.zeros(3)).all()

    def test_that_ends_at_360_holds_ra_zero(self):
        assert Box(ra=(300, 360), dec=(-1, 1)).contains([0, 360, 300], np.zeros(3)).all()

    @pytest.mark.parametrize("ra", [(0, 360), (-180, 180), (10, 370), (0.3, 360.3)])
    def test_of_a_full_turn_is_a_ring(self, ra):
        ring = Box(ra=ra, dec=(80, 90))
        lon, lat = sky(2000)
        np.testing.assert_array_equal(ring.contains(lon, lat), lat >= 80)
        np.testing.assert_array_equal(Box(ra, (-90, 90)).ranges(), [[0, 12 * 4**29]])

    def test_that_reaches_a_pole_holds_it_whatever_its_ra(self):
        assert Box(ra=(0, 10), dec=(80, 90)).contains([5, 200], [90, 90]).all()
        assert not Box(ra=(0, 10), dec=(80, 89)).contains([5, 200], [90, 90]).any()
        assert covered(Box(ra=(0, 10), dec=(80, 90)), [5, 200], [90, 90]).all()

    @pytest.mark.parametrize("ra", [10.0, 0.0, 45.0, 359.99999999999])
    def test_may_be_a_meridian(self, ra):
        box = Box(ra=(ra, ra), dec=(-90, 90))
        dec = np.linspace(-90, 90, 1001)
        assert box.contains(np.full(1001, ra), dec).all()
        assert covered(box, np.full(1001, ra), dec).all()
        assert not box.contains(ra + 1e-9, 0).any()

    def test_is_false_where_a_coordinate_is_missing(self):
        assert not Box((0, 360), (-90, 90)).contains([np.nan, 1], [1, np.nan]).any()

    @pytest.mark.parametrize(
        ("ra", "dec", "words"),
        [
            ((0, 10), (5, -5), "smaller declination first"),
            ((0, 10), (-91, 5), "dec is out of range"),
            ((0, 361), (-1, 1), "more than a full turn"),
            ((0, float("nan")), (-1, 1), "finite"),
            (5, (-1, 1), "must be a pair"),
            ((0, 1, 2), (-1, 1), "must be a pair"),
        ],
    )
    def test_refuses_what_is_no_box(self, ra, dec, words):
        with pytest.raises(RegionError, match=words):
            Box(ra=ra, dec=dec)

    def test_takes_quantities(self):
        box = Box(ra=(Angle("1h"), 1 * u.rad), dec=(0, 30 * u.arcmin))
        assert (*box.ra, *box.dec) == pytest.approx((15, np.degrees(1), 0, 0.5), abs=1e-12)


class TestMoc:
    import mocpy

    @given(st.integers(0, 6), st.sets(st.integers(0, 11), min_size=1), st.integers(0, 50))
    def test_holds_its_cells(self, order, pixels, seed):
        moc = self.mocpy.MOC.from_string(f"{order}/" + " ".join(map(str, sorted(pixels))))
        region = as_region(moc)
        ra, dec = sky(2000, seed)
        inside = np.isin(radec_to_pixel(ra, dec, order), sorted(pixels))
        np.testing.assert_array_equal(region.contains(ra, dec), inside)
        np.testing.assert_array_equal(moc.contains_lonlat(ra * u.deg, dec * u.deg), inside)
        assert covered(region, ra, dec)[inside].all()
        coarse = region.ranges(order=2)
        assert (coarse % 4**27 == 0).all()

    def test_may_be_empty(self):
        region = as_region(self.mocpy.MOC.new_empty(5))
        assert region.ranges().shape == (0, 2)
        assert not region.contains([1.0], [2.0]).any()

    def test_is_false_where_a_coordinate_is_missing(self):
        region = as_region(self.mocpy.MOC.from_string("0/0-11"))
        assert (
            region.contains([1, np.nan, np.inf, 1, 1], [1, 1, 1, np.nan, 91]).tolist() == [True] + [False] * 4
        )


def test_as_region_passes_regions_and_refuses_the_rest():
    cone = Cone(1, 2, 3)
    assert as_region(cone) is cone
    polygon = Polygon([(0, 0), (1, 0), (0, 1)])
    assert as_region(polygon) is polygon
    for wrong in (None, (1, 2, 3), "cone", object()):
        with pytest.raises(RegionError, match=r"mocpy\.MOC"):
            as_region(wrong)


@pytest.mark.parametrize("order", range(30))
def test_no_cell_reaches_further_than_the_cover_believes(order):
    from cdshealpix.nested import healpix_to_lonlat, vertices

    count = 12 * 4**order
    cells = np.arange(count) if order < 4 else np.random.default_rng(order).integers(0, count, 1000)
    lon, lat = healpix_to_lonlat(cells.astype(np.uint64), order)
    middle = centres(cells, order)
    assert separation(middle, unit_vectors(lon.deg, lat.deg)).max() < 1e-14
    lon, lat = vertices(cells.astype(np.uint64), order, step=5)
    reach = separation(unit_vectors(lon.deg, lat.deg), middle[:, np.newaxis]).max()
    assert 0.6 < reach * 2**order < _REACH
