"""The bits of pixel numbers, compared with healpy, mocpy and plain Python integers."""

from __future__ import annotations

import healpy
import mocpy
import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hatsformat import healpix

LARGEST = 2**29 - 1


def numbers(most: int) -> st.SearchStrategy[npt.NDArray[np.int64]]:
    return hnp.arrays(np.int64, st.integers(0, 20), elements=st.integers(0, most) | st.just(most))


@st.composite
def tiles(draw: st.DrawFn) -> tuple[int, int]:
    order = draw(st.integers(0, 29))
    return order, draw(st.integers(0, 12 * 4**order - 1))


def order_and_pixel(number: int) -> tuple[int, int]:
    """The inverse of `uniq`, in plain integers."""
    order = (number.bit_length() - 3) // 2
    return order, number - 4 * 4**order


class TestXY:
    @given(numbers(4**29 - 1))
    def test_pack_reverses_unpack(self, inner: npt.NDArray[np.int64]) -> None:
        x, y = healpix.unpack_xy(inner)
        assert x.dtype == y.dtype == np.int64
        assert ((x >= 0) & (x <= LARGEST) & (y >= 0) & (y <= LARGEST)).all()
        assert healpix.pack_xy(x, y).tolist() == inner.tolist()

    @given(st.integers(0, LARGEST), st.integers(0, LARGEST))
    def test_unpack_reverses_pack(self, x: int, y: int) -> None:
        packed = healpix.pack_xy([x], [y])
        assert packed.dtype == np.int64
        assert [found.tolist() for found in healpix.unpack_xy(packed)] == [[x], [y]]
        assert int(healpix.pack_xy(x, y)) == int(packed[0])

    @given(tiles())
    def test_like_healpy(self, tile: tuple[int, int]) -> None:
        order, pixel = tile
        x, y, base = (int(value) for value in healpy.pix2xyf(2**order, pixel, nest=True))
        inner = pixel - base * 4**order
        found_x, found_y = healpix.unpack_xy(np.array([inner]))
        assert (int(found_x[0]), int(found_y[0])) == (x, y)
        assert int(healpix.pack_xy(x, y)) == inner
        assert healpy.xyf2pix(2**order, x, y, base, nest=True) == pixel


class TestTouchBorder:
    @given(tiles(), st.integers(0, 29))
    def test_as_x_and_y_say(self, pixel: tuple[int, int], levels: int) -> None:
        order, number = pixel
        levels = min(levels, order)
        last = 2**levels - 1
        x, y, _ = (int(value) for value in healpy.pix2xyf(2**order, number, nest=True))
        expected = x & last in (0, last) or y & last in (0, last)
        assert healpix.touch_border(np.array([number]), np.array([levels])).tolist() == [expected]

    def test_of_one_tile(self) -> None:
        inside = ~healpix.touch_border(np.arange(64), np.full(64, 3))
        assert inside.sum() == 36
        assert healpix.touch_border(np.arange(12), np.zeros(12, dtype=np.int64)).all()
        assert healpix.touch_border(np.arange(48), np.ones(48, dtype=np.int64)).all()


class TestUniq:
    @given(st.lists(tiles(), max_size=20))
    def test_round_trip(self, many: list[tuple[int, int]]) -> None:
        orders, pixels = np.array(many, dtype=np.int64).reshape(-1, 2).T
        found = healpix.uniq(orders, pixels)
        assert found.dtype == np.int64
        assert found.tolist() == [4 * 4**order + pixel for order, pixel in many]
        assert [order_and_pixel(number) for number in found.tolist()] == many
        assert healpix.uniq(orders.astype(np.uint8), pixels).tolist() == found.tolist()
        assert sorted(many) == [order_and_pixel(number) for number in sorted(found.tolist())]

    @given(tiles())
    def test_like_mocpy(self, tile: tuple[int, int]) -> None:
        order, pixel = tile
        moc = mocpy.MOC.from_healpix_cells(
            np.array([pixel], dtype=np.uint64), np.array([order], dtype=np.uint8), max_depth=29
        )
        assert moc.uniq_hpx.tolist() == [int(healpix.uniq(order, pixel))]
