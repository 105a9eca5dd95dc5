"""HEALPix arithmetic against plain Python integers, and positions against healpy and the worked example."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hatsformat import healpix
from hatsformat.errors import UsageError
from hatsformat.healpix import HealpixPixel

ORDERS = st.integers(0, 29)
RANGE29_MAX = 12 * 4**29


@st.composite
def tiles(draw: st.DrawFn) -> tuple[int, int]:
    order = draw(ORDERS)
    return order, draw(st.integers(0, 12 * 4**order - 1))


def lonlat() -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(st.floats(-720, 720), st.floats(-90, 90))


# The import pipeline's worked example: id, ra, dec, source pixel at order 3, value at order 29.
WORKED_EXAMPLE = [
    (0, 10, 10, 305, 1375225032727417701),
    (1, 10, 60, 47, 212759614188637996),
    (2, 20, 80, 62, 282722782596018419),
    (3, -10, 80, 253, 1141572291578781236),
    (4, 100, -80, 578, 2605422598393471435),
    (5, 200, 0, 409, 1843565829001140885),
    (6, 200, 60, 184, 831529732826217957),
    (7, 15, 70, 59, 266502695753865174),
]


def test_worked_example_exactly() -> None:
    _, ra, dec, source, deep = np.array(WORKED_EXAMPLE).T
    assert healpix.radec_to_pixel(ra, dec, 3).tolist() == source.tolist()
    assert healpix.radec_to_pixel(ra, dec, 29).tolist() == deep.tolist()
    assert healpix.change_order(deep, 29, 3).tolist() == source.tolist()
    assert [row[0] for row in sorted(WORKED_EXAMPLE, key=lambda row: row[4])] == [1, 7, 2, 6, 3, 0, 5, 4]


class TestTile:
    @given(tiles())
    def test_range_and_area(self, tile: tuple[int, int]) -> None:
        order, pixel = tile
        made = HealpixPixel(order, pixel)
        assert made.range29 == (pixel * 4 ** (29 - order), (pixel + 1) * 4 ** (29 - order))
        assert made.area == pytest.approx(41252.96124941927 / (12 * 4**order))
        assert str(made) == f"Norder={order}/Npix={pixel}"

    @pytest.mark.parametrize(
        ("order", "pixel"),
        [(-1, 0), (30, 0), (0, 12), (0, -1), (29, RANGE29_MAX), (1.0, 0), ("1", 0), (True, 0)],
    )
    def test_no_such_tile(self, order: int, pixel: int) -> None:
        with pytest.raises(UsageError):
            HealpixPixel(order, pixel)

    def test_is_a_value(self) -> None:
        assert {HealpixPixel(1, 2), HealpixPixel(1, 2)} == {HealpixPixel(1, 2)}
        assert HealpixPixel(0, 5) < HealpixPixel(1, 0)


class TestIntegers:
    @given(ORDERS)
    def test_npix(self, order: int) -> None:
        assert healpix.npix(order) == 12 * 4**order
        assert healpix.order_of_npix(12 * 4**order) == order

    @given(st.integers(-5, 10**6).filter(lambda n: n not in [12 * 4**k for k in range(10)]))
    def test_no_order_has_that_many(self, count: int) -> None:
        with pytest.raises(UsageError):
            healpix.order_of_npix(count)

    @given(ORDERS)
    def test_pixel_width(self, order: int) -> None:
        healpy = pytest.importorskip("healpy", reason="healpy is not installed (extra `test`)")
        assert float(healpix.pixel_width(order)) == pytest.approx(healpy.nside2resol(2**order), rel=1e-15)
        assert healpix.pixel_width([order] * 2).tolist() == [float(healpix.pixel_width(order))] * 2

    @given(st.lists(st.tuples(st.integers(-3, 40), st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 50))))
    def test_are_tiles(self, pairs: list[tuple[int, int]]) -> None:
        orders, pixels = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        expected = [0 <= order <= 29 and 0 <= pixel < 12 * 4**order for order, pixel in pairs]
        assert healpix.are_tiles(orders, pixels).tolist() == expected

    @given(st.lists(tiles(), max_size=20))
    def test_range29(self, many: list[tuple[int, int]]) -> None:
        starts, stops = healpix.range29([o for o, _ in many], [p for _, p in many])
        assert starts.dtype == stops.dtype == np.int64
        assert list(zip(starts.tolist(), stops.tolist(), strict=True)) == [
            HealpixPixel(*t).range29 for t in many
        ]

    @given(tiles(), ORDERS)
    def test_change_order(self, tile: tuple[int, int], new: int) -> None:
        order, pixel = tile
        expected = pixel // 4 ** (order - new) if new <= order else pixel * 4 ** (new - order)
        assert int(healpix.change_order(pixel, order, new)) == expected
        assert healpix.change_order([pixel] * 2, [order] * 2, [new] * 2).tolist() == [expected] * 2

    @given(tiles().filter(lambda t: t[0] <= 26), st.integers(0, 3))
    def test_children(self, tile: tuple[int, int], levels: int) -> None:
        order, pixel = tile
        kin = healpix.children([pixel], levels)
        assert kin.tolist() == [[pixel * 4**levels + k for k in range(4**levels)]]
        assert (healpix.change_order(kin, order + levels, order) == pixel).all()

    @given(st.integers(0, RANGE29_MAX - 1))
    def test_dir_number(self, pixel: int) -> None:
        assert int(healpix.dir_number(pixel)) == pixel - pixel % 10_000

    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=30))
    def test_merge_ranges(self, pairs: list[tuple[int, int]]) -> None:
        merged = healpix.merge_ranges([a for a, _ in pairs], [b for _, b in pairs])
        covered = {value for a, b in pairs for value in range(a, b)}
        assert merged.shape[1] == 2
        assert [v for a, b in merged.tolist() for v in range(a, b)] == sorted(covered)
        assert (merged[1:, 0] > merged[:-1, 1]).all()

    @pytest.mark.parametrize("order", [-1, 30, 2.5, "3", None, True, np.nan])
    def test_check_order(self, order: object) -> None:
        with pytest.raises(UsageError, match="invalid order"):
            healpix.check_order(order)
        assert healpix.check_order(np.int16(3)) == 3


class TestPositions:
    @given(st.lists(lonlat(), min_size=1, max_size=20), ORDERS)
    def test_like_healpy(self, points: list[tuple[float, float]], order: int) -> None:
        healpy = pytest.importorskip("healpy", reason="healpy is not installed (extra `test`)")
        ra, dec = np.array(points).T
        ours = healpix.radec_to_pixel(ra, dec, order)
        theirs = healpy.ang2pix(2**order, ra, dec, nest=True, lonlat=True)
        # On a pixel's edge rounding decides; both answers are then pixels that touch the point.
        for k in np.flatnonzero(ours != theirs):
            lon, lat = healpix.pixel_to_radec([ours[k], theirs[k]], order)
            x, y, z = (
                np.cos(np.radians(lat)) * np.cos(np.radians(lon)),
                np.cos(np.radians(lat)) * np.sin(np.radians(lon)),
                np.sin(np.radians(lat)),
            )
            apart = np.sqrt(np.diff(x) ** 2 + np.diff(y) ** 2 + np.diff(z) ** 2)[0]
            # Neighbours' centres, or the difference of two float64 on the sphere.
            assert apart <= 2.5 * np.sqrt(4 * np.pi / (12 * 4**order)) + 1e-13

    @given(st.integers(0, 24), st.data())
    def test_centres_are_in_their_pixels(self, order: int, data: st.DataObject) -> None:
        pixels = data.draw(hnp.arrays(np.int64, 10, elements=st.integers(0, 12 * 4**order - 1)))
        ra, dec = healpix.pixel_to_radec(pixels, order)
        assert (healpix.radec_to_pixel(ra, dec, order) == pixels).all()
        assert ((ra >= 0) & (ra < 360) & (np.abs(dec) <= 90)).all()

    @given(lonlat(), ORDERS, ORDERS)
    def test_orders_nest(self, point: tuple[float, float], one: int, other: int) -> None:
        deep, coarse = max(one, other), min(one, other)
        fine = healpix.radec_to_pixel([point[0]], [point[1]], deep)
        assert (
            healpix.change_order(fine, deep, coarse) == healpix.radec_to_pixel([point[0]], [point[1]], coarse)
        ).all()

    def test_ra_is_wrapped(self) -> None:
        turns = np.array([-720.0, -360, 0, 360, 720])
        for ra in (0.0, 10.0, 359.0):
            assert len(set(healpix.radec_to_pixel(ra + turns, np.full(5, 12.0), 20).tolist())) == 1

    def test_poles_and_extremes(self) -> None:
        top = healpix.radec_to_pixel(np.arange(0, 360, 7.0), np.full(52, 90.0), 0)
        bottom = healpix.radec_to_pixel(np.arange(0, 360, 7.0), np.full(52, -90.0), 0)
        assert set(top.tolist()) <= {0, 1, 2, 3}
        assert set(bottom.tolist()) <= {8, 9, 10, 11}
        assert healpix.radec_to_pixel([-1e-300, 1e300, -0.0], [0.0, -90.0, 90.0], 29).min() >= 0

    def test_shapes_and_kinds(self) -> None:
        assert healpix.radec_to_pixel(np.zeros((2, 3)), np.zeros((2, 3)), 3).shape == (2, 3)
        assert healpix.radec_to_pixel(np.zeros((2, 1)), [1.0, 2.0, 3.0], 3).shape == (2, 3)
        assert healpix.radec_to_pixel(10.0, 10.0, 3).shape == ()
        assert healpix.radec_to_pixel([], [], 3).dtype == np.int64
        big_endian = np.array([10.0, 20.0], dtype=">f8")
        assert healpix.radec_to_pixel(big_endian, big_endian, 9).tolist() == [
            int(healpix.radec_to_pixel(v, v, 9)) for v in (10.0, 20.0)
        ]
        # Single precision is widened before, not after, the arithmetic.
        single = np.float32([123.456])
        assert healpix.radec_to_pixel(single, single / 2, 29) == healpix.radec_to_pixel(
            single.astype(float), (single / 2).astype(float), 29
        )

    def test_the_callers_arrays_stay_as_they_are(self) -> None:
        ra, dec = np.array([-10.0, 370.0]), np.array([1.0, 2.0])
        healpix.radec_to_pixel(ra, dec, 5)
        assert (ra.tolist(), dec.tolist()) == ([-10.0, 370.0], [1.0, 2.0])

    def test_threads_change_nothing(self) -> None:
        rng = np.random.default_rng(1)
        ra, dec = rng.uniform(0, 360, 50_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 50_000)))
        assert (healpix.radec_to_pixel(ra, dec, 29) == healpix.radec_to_pixel(ra, dec, 29, threads=0)).all()

    @pytest.mark.parametrize("ra", [np.nan, np.inf, -np.inf])
    def test_ra_that_is_none(self, ra: float) -> None:
        with pytest.raises(UsageError, match="invalid coordinates"):
            healpix.radec_to_pixel([0.0, ra], [0.0, 0.0], 3)

    @pytest.mark.parametrize("dec", [np.nan, np.inf, -np.inf, 90.00000000000001, -91])
    def test_dec_that_is_none(self, dec: float) -> None:
        with pytest.raises(UsageError, match="invalid coordinates"):
            healpix.radec_to_pixel([0.0, 1.0], [0.0, dec], 3)

    @pytest.mark.parametrize("order", [-1, 30])
    def test_no_such_order(self, order: int) -> None:
        with pytest.raises(UsageError):
            healpix.radec_to_pixel([1.0], [1.0], order)

    @pytest.mark.parametrize("pixel", [-1, 768, 2**62])
    def test_no_such_pixel(self, pixel: int) -> None:
        with pytest.raises(UsageError, match="invalid pixels"):
            healpix.pixel_to_radec([pixel], 3)
        with pytest.raises(UsageError, match="invalid pixels"):
            healpix.outlines([pixel], 3)

    def test_outlines_go_round_their_pixel(self) -> None:
        healpy = pytest.importorskip("healpy", reason="healpy is not installed (extra `test`)")
        pixels = np.arange(768)
        ra, dec = healpix.outlines(pixels, 3)
        assert ra.shape == dec.shape == (768, 4)
        for pixel in (0, 63, 305, 409, 767):
            ours = healpy.ang2vec(ra[pixel], dec[pixel], lonlat=True)
            theirs = healpy.boundaries(8, pixel, nest=True).T
            apart = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
            assert apart.min(axis=1).max() < 1e-12
        assert healpix.outlines([5], 3, step=4)[0].shape == (1, 16)
        assert healpix.outlines([], 3)[0].shape == (0, 4)
