"""Which rows are in which margins: held against the outlines that healpy draws."""

from __future__ import annotations

import healpy
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import PartitionInfo, UsageError
from hatsformat.healpix import radec_to_pixel
from hatsformat.margins import WIDEST_ARCSEC, margin_rows, surroundings
from tests.support.outlines import STEP, UNSURE, outline_distances, vectors


def check(tiles: PartitionInfo, arcsec: float, ra: npt.ArrayLike, dec: npt.ArrayLike) -> int:
    """Hold all pairs of rows and tiles against the oracle, and return how many rows are in margins."""
    ra, dec = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    pixels = radec_to_pixel(ra, dec, 29)
    rows, found = margin_rows(tiles, arcsec, pixels, ra, dec)
    assert np.array_equal(np.lexsort((found, rows)), np.arange(len(rows)))
    pairs = set(zip(rows.tolist(), found.tolist(), strict=True))
    assert len(pairs) == len(rows)
    positions, radius = vectors(ra, dec), np.radians(arcsec / 3600)
    for index, tile in enumerate(tiles):
        start, stop = tile.range29
        inside = (pixels >= start) & (pixels < stop)
        distances = outline_distances(tile.order, tile.pixel, positions)
        near = ~inside & (distances <= radius)
        width = np.sqrt(4 * np.pi / healpy.nside2npix(2**tile.order))
        judged = np.abs(distances - radius) > UNSURE * radius + width / STEP**2
        mine = np.zeros(len(ra), dtype=bool)
        mine[[row for row, other in pairs if other == index]] = True
        assert np.array_equal(mine[judged], near[judged]), (tile, arcsec)
        assert not (mine & inside).any()
    return len(rows)


def whole_sky(order: int) -> PartitionInfo:
    count = 12 * 4**order
    return PartitionInfo(np.full(count, order), np.arange(count))


def around_border(
    rng: np.random.Generator, order: int, pixel: int, arcsec: float, count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Positions up to two thresholds from the border of a tile, some of them at its corners."""
    outline = np.asarray(healpy.boundaries(2**order, pixel, step=64, nest=True)).T
    base = outline[np.concatenate((rng.integers(0, 256, count - 40), np.repeat([0, 64, 128, 192], 10)))]
    offset = rng.normal(size=(count, 3))
    offset *= np.radians(arcsec / 3600) * 2 * rng.random((count, 1)) / np.linalg.norm(offset, axis=1)[:, None]
    ra, dec = healpy.vec2ang(base + offset, lonlat=True)
    return np.asarray(ra), np.asarray(dec)


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("share", [1e-3, 0.03, 0.3])
def test_margins_of_tiles_everywhere(order: int, share: float) -> None:
    """At poles, at RA 0, where seven tiles meet, at the ends of the polar caps."""
    rng = np.random.default_rng(order)
    width = float(np.degrees(np.sqrt(4 * np.pi / (12 * 4**order)))) * 3600
    tiles = whole_sky(order)
    chosen = np.arange(len(tiles)) if order < 2 else rng.choice(len(tiles), 12, replace=False)
    for pixel in chosen.tolist():
        ra, dec = around_border(rng, order, pixel, width * share, 120)
        some = PartitionInfo([order], [pixel])
        assert check(some, width * share, ra, dec) > 10
    ra, dec = around_border(rng, order, int(chosen[0]), width * share, 60)
    _, found = margin_rows(tiles, width * share, radec_to_pixel(ra, dec, 29), ra, dec)
    assert len(np.unique(found)) > 1


@st.composite
def skies(draw: st.DrawFn) -> tuple[PartitionInfo, float, list[float], list[float]]:
    """Tiles of mixed orders with gaps, a threshold less or more than a tile is wide, and rows near them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    top = draw(st.integers(0, 8))
    pixel = draw(st.integers(0, 12 * 4**top - 1))
    waiting, tiles = [(top, pixel)], []
    neighbours = healpy.get_all_neighbours(2**top, pixel, nest=True)
    waiting += [(top, int(other)) for other in dict.fromkeys(neighbours.tolist()) if other >= 0]
    while waiting:
        order, number = waiting.pop()
        if order < top + 3 and len(tiles) < 30 and rng.random() < 0.4:
            waiting += [(order + 1, 4 * number + child) for child in range(4)]
        elif rng.random() < 0.9:
            tiles.append((order, number))
    width = float(np.degrees(np.sqrt(4 * np.pi / (12 * 4**top)))) * 3600
    arcsec = min(width * 10 ** draw(st.floats(-3, 0.3)), 30 * 3600.0)
    ra, dec = around_border(rng, top, pixel, arcsec, 60)
    return PartitionInfo.of_tiles(tiles or [(top, pixel)]), arcsec, ra.tolist(), dec.tolist()


@settings(max_examples=20, deadline=None)
@given(skies())
def test_margins_of_mixed_tiles(sky: tuple[PartitionInfo, float, list[float], list[float]]) -> None:
    tiles, arcsec, ra, dec = sky
    check(tiles, arcsec, ra, dec)
    ranges = surroundings(tiles, arcsec)
    pixels = radec_to_pixel(ra, dec, 29)
    rows, _ = margin_rows(tiles, arcsec, pixels, np.array(ra), np.array(dec))
    for pixel in pixels[rows].tolist():
        assert ((ranges[:, 0] <= pixel) & (pixel < ranges[:, 1])).any()


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("arcsec", "part", "expected"),
    [
        (1e-6, 0.999, True), (1e-6, 1.001, False), (1e-6, 1.0, True),
        (10.0, 1 - 1e-9, True), (10.0, 1 + 1e-9, False), (10.0, 1.0, True),
        (3600.0, 1 - 1e-12, True), (3600.0, 1 + 1e-12, False), (3600.0, 1.0, True),
    ],
)  # fmt: skip
def test_exactly_at_the_threshold_is_near(side: int, arcsec: float, part: float, expected: bool) -> None:
    """The meridian of RA 90 parts two base tiles: how far rows are from it is plain trigonometry."""
    dec = np.array([42.0, 45.0, 60.0, 80.0, 85.0])
    distance = np.radians(arcsec * part / 3600)
    ra = 90 + side * np.degrees(np.arcsin(np.sin(distance) / np.cos(np.radians(dec))))
    rows, found = margin_rows(PartitionInfo([0, 0], [0, 1]), arcsec, radec_to_pixel(ra, dec, 29), ra, dec)
    assert rows.tolist() == (list(range(5)) if expected else [])
    assert (found == (0 if side > 0 else 1)).all()


def test_around_a_pole_every_tile_is_near() -> None:
    ra = np.arange(0.5, 360, 1.0)
    dec = np.full(len(ra), 90 - 5 / 3600)
    for sign, first in ((1, 0), (-1, 8)):
        tiles = PartitionInfo([0] * 4, range(first, first + 4))
        rows, _ = margin_rows(tiles, 5.001, radec_to_pixel(ra, sign * dec, 29), ra, sign * dec)
        assert np.bincount(rows).tolist() == [3] * len(ra)


def test_a_row_may_be_near_to_tiles_far_smaller_than_the_threshold() -> None:
    """Not only the tiles that touch the row's own are near when the threshold is wider than they are."""
    tiles = PartitionInfo(np.full(256, 10), np.arange(256))
    ra, dec = healpy.pix2ang(2**10, 120, nest=True, lonlat=True)
    rows, _ = margin_rows(tiles, 5 * 3600.0, radec_to_pixel([ra], [dec], 29), np.array([ra]), np.array([dec]))
    assert len(rows) == 255


def test_rows_outside_of_all_tiles_are_in_the_margins_they_are_near() -> None:
    tiles = PartitionInfo([1], [4 * 4 + 2])
    ra, dec = around_border(np.random.default_rng(1), 1, 4 * 4 + 2, 100.0, 100)
    assert check(tiles, 100.0, ra, dec) > 10


def test_nothing_is_near_where_there_is_nothing() -> None:
    none = np.empty(0)
    for tiles in (PartitionInfo([], []), PartitionInfo([1], [3])):
        rows, found = margin_rows(tiles, 10, np.empty(0, dtype=np.int64), none, none)
        assert rows.size == found.size == 0
    rows, _ = margin_rows(PartitionInfo([], []), 10, np.array([5]), np.array([45.0]), np.array([0.0]))
    assert rows.size == 0


@pytest.mark.parametrize("arcsec", [0.0, -1.0, float("nan"), float("inf"), WIDEST_ARCSEC * 1.01])
def test_a_threshold_that_is_none_is_refused(arcsec: float) -> None:
    none = np.empty(0)
    with pytest.raises(UsageError, match="threshold of a margin"):
        margin_rows(PartitionInfo([1], [3]), arcsec, np.empty(0, dtype=np.int64), none, none)
