"""Binning: the tiles that counts are binned into, against a slow oracle and against hats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat.errors import ThresholdError, UsageError
from hatsformat.partitioner.binning import align
from hatsformat.partitioner.pixel_counts import PixelCounts, SkyCounts, Tally


def oracle(histogram, max_rows, lowest, keep):
    """Tiles as a set of (order, pixel, rows), one source pixel at a time.

    A pixel goes to the largest tile over it that meets the threshold and, where empty siblings are dropped,
    has rows in more than one of its four children; else it stays by itself.
    """
    order = order_of(histogram)
    rows = {(order, pixel): int(count) for pixel, count in enumerate(histogram) if count}
    source = [pixel for _, pixel in rows]
    for level in range(order - 1, -1, -1):
        for pixel in source:
            parent = (level, pixel >> 2 * (order - level))
            if parent not in rows:
                children = [(level + 1, 4 * parent[1] + child) for child in range(4)]
                rows[parent] = sum(rows.get(child, 0) for child in children)
    tiles = set()
    for pixel in source:
        for level in range(lowest, order + 1):
            tile = (level, pixel >> 2 * (order - level))
            spread = sum((level + 1, 4 * tile[1] + child) in rows for child in range(4))
            if level == order or (rows[tile] <= max_rows and (keep or spread > 1)):
                tiles.add((*tile, rows[tile]))
                break
    return tiles


def order_of(histogram):
    return round(np.log(len(histogram) / 12) / np.log(4))


def tiles_of(alignment):
    return {tuple(int(value) for value in triple) for triple in alignment.triples}


@st.composite
def histograms(draw):
    """Counts of a whole sky at a small order, mostly empty or mostly full."""
    order = draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    filled = draw(st.sampled_from([0.005, 0.05, 0.3, 0.9, 1.0]))
    most = draw(st.sampled_from([1, 3, 50]))
    counts = rng.integers(1, most + 1, 12 * 4**order) * (rng.random(12 * 4**order) < filled)
    if not counts.any():
        counts[rng.integers(counts.size)] = 1
    # Sometimes only one base tile has rows.
    if draw(st.booleans()):
        chosen = np.zeros(12, dtype=bool)
        chosen[np.flatnonzero(counts.reshape(12, -1).sum(1))[0]] = True
        counts = (counts.reshape(12, -1) * chosen[:, None]).ravel()
    return counts


@settings(max_examples=150)
@given(histograms(), st.integers(0, 200), st.integers(0, 4), st.booleans())
def test_oracle(counts, more, lowest, keep):
    order = order_of(counts)
    lowest, threshold = min(lowest, order), int(counts.max()) + more
    found = align(counts, threshold, lowest_order=lowest, keep_empty_siblings=keep)
    assert tiles_of(found) == oracle(counts, threshold, lowest, keep)


def sparse(histogram):
    """Return the counts of a whole sky as a list of the pixels that have rows."""
    pixels = np.flatnonzero(histogram)
    return PixelCounts(order_of(histogram), pixels, histogram[pixels])


@settings(max_examples=100)
@given(histograms(), st.integers(0, 200), st.integers(0, 4), st.booleans())
def test_what_holds_for_any_tiles(counts, more, lowest, keep):
    order = order_of(counts)
    lowest, threshold = min(lowest, order), int(counts.max()) + more
    found = align(sparse(counts), threshold, lowest_order=lowest, keep_empty_siblings=keep)
    assert found.rows.sum() == counts.sum()
    assert found.rows.min() >= 1
    assert found.rows.max() <= threshold
    orders, pixels = np.asarray(found.tiles.orders, dtype=np.int64), found.tiles.pixels
    assert orders.min() >= lowest
    assert orders.max() <= order
    # Tiles lie along the sky, and none begins before the one before it ends.
    starts, stops = pixels << 2 * (29 - orders), (pixels + 1) << 2 * (29 - orders)
    assert (starts[1:] >= stops[:-1]).all()
    # Every pixel with rows has the tile that holds it; pixels outside all tiles have none.
    every = np.arange(counts.size)
    destination = found.tiles.find(every, order)
    for tile in range(len(found.tiles)):
        inside = every >> 2 * (order - int(orders[tile])) == pixels[tile]
        assert (destination[inside] == tile).all()
        assert counts[inside].sum() == found.rows[tile]
    assert (counts[destination == -1] == 0).all()


def test_sparse_and_dense_counts_are_the_same():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 5, 12 * 4**5)
    pixels = np.flatnonzero(counts)
    sparse = PixelCounts(5, pixels, counts[pixels])
    assert sparse.total == counts.sum()
    assert (sparse.dense() == counts).all()
    for keep in (False, True):
        dense = align(counts, 40, keep_empty_siblings=keep)
        assert (align(sparse, 40, keep_empty_siblings=keep).triples == dense.triples).all()


@pytest.mark.parametrize("integer", [np.uint8, np.int32, np.uint32, np.uint64])
def test_any_integers_count(integer):
    counts = np.zeros(48, dtype=integer)
    counts[[0, 1, 47]] = [200, 30, 7]
    assert tiles_of(align(counts, 230)) == {(0, 0, 230), (1, 47, 7)}


def test_sums_that_do_not_fit_the_counts_type():
    counts = np.full(48, 100, dtype=np.uint8)
    assert tiles_of(align(counts, 400)) == {(0, pixel, 400) for pixel in range(12)}
    assert tiles_of(align(counts, 399)) == {(1, pixel, 100) for pixel in range(48)}


def test_dropping_and_keeping_empty_siblings():
    counts = np.zeros(12 * 4**3, dtype=np.int64)
    counts[[0, 100]] = 1
    assert tiles_of(align(counts, 10)) == {(3, 0, 1), (3, 100, 1)}
    assert tiles_of(align(counts, 10, keep_empty_siblings=True)) == {(0, 0, 1), (0, 1, 1)}
    assert tiles_of(align(counts, 10, lowest_order=2, keep_empty_siblings=True)) == {(2, 0, 1), (2, 25, 1)}
    counts[1] = 1
    # Two of four siblings: they grow into their parent, which is alone in turn and grows no further.
    assert tiles_of(align(counts, 10)) == {(2, 0, 2), (3, 100, 1)}


def test_one_order_only():
    counts = np.ones(12 * 4**2, dtype=np.int64)
    for keep in (False, True):
        found = align(counts, 1000, lowest_order=2, keep_empty_siblings=keep)
        assert tiles_of(found) == {(2, pixel, 1) for pixel in range(192)}


def test_deepest_order():
    """Counts at order 29 are only ever sparse."""
    pixels = np.array([0, 5, 12 * 4**29 - 1])
    counts = PixelCounts(29, pixels, np.array([2, 2, 1]))
    last = (29, 12 * 4**29 - 1, 1)
    assert tiles_of(align(counts, 3)) == {(29, 0, 2), (29, 5, 2), last}
    assert tiles_of(align(counts, 4)) == {(27, 0, 4), last}


def test_nothing_to_bin():
    found = align(np.zeros(48, dtype=np.int64), 10)
    assert len(found.tiles) == 0
    assert found.triples.shape == (0, 3)
    assert (found.tiles.find(np.arange(48), 1) == -1).all()


@pytest.mark.parametrize("keep", [False, True])
def test_a_pixel_over_the_threshold(keep):
    counts = np.zeros(12 * 4**3, dtype=np.int64)
    counts[[5, 77, 600]] = [11, 40, 12]
    with pytest.raises(ThresholdError) as raised:
        align(counts, 10, keep_empty_siblings=keep)
    text = str(raised.value)
    # The densest tile, what it holds, the threshold, and both ways out.
    for word in ("order 3", "77", "40", "10"):
        assert word in text
    assert "highest" in text
    assert "max" in text or "threshold" in text
    assert "\n" not in text
    # With the threshold at the densest pixel it goes through.
    assert align(counts, 40, keep_empty_siblings=keep).rows.sum() == 63


@pytest.mark.parametrize(
    ("counts", "max_rows", "lowest"),
    [
        (np.ones(48), 0, 0),
        (np.ones(48), -1, 0),
        (np.ones(48), 1, 2),
        (np.ones(48), 1, -1),
        (np.ones(47), 1, 0),
    ],
)
def test_orders_and_thresholds_without_sense(counts, max_rows, lowest):
    with pytest.raises(UsageError):
        align(counts.astype(np.int64), max_rows, lowest_order=lowest)


class TestCounts:
    def test_merging(self):
        a = PixelCounts(3, np.array([1, 5]), np.array([2, 3]))
        b = PixelCounts(3, np.array([0, 5, 700]), np.array([1, 1, 4]))
        merged = PixelCounts.merged([a, b, a], 3)
        assert merged.pixels.tolist() == [0, 1, 5, 700]
        assert merged.rows.tolist() == [1, 4, 7, 4]
        assert PixelCounts.merged([], 3).total == 0

    @given(st.lists(st.integers(0, 12 * 4**29 - 1), max_size=60), st.integers(0, 29), st.integers(0, 29))
    def test_counting_and_degrading(self, pixels, order, lower):
        order, lower = max(order, lower), min(order, lower)
        counts = PixelCounts.of_sorted(np.sort(np.array(pixels, dtype=np.int64)), order)
        plain = {}
        for pixel in pixels:
            plain[pixel >> 2 * (29 - order)] = plain.get(pixel >> 2 * (29 - order), 0) + 1
        assert dict(zip(counts.pixels.tolist(), counts.rows.tolist(), strict=True)) == plain
        assert counts.pixels.tolist() == sorted(plain)
        coarse = {}
        for pixel in pixels:
            coarse[pixel >> 2 * (29 - lower)] = coarse.get(pixel >> 2 * (29 - lower), 0) + 1
        degraded = counts.degraded(lower)
        assert degraded.order == lower
        assert dict(zip(degraded.pixels.tolist(), degraded.rows.tolist(), strict=True)) == coarse

    def test_looking_up(self):
        counts = PixelCounts(2, np.array([3, 90]), np.array([7, 1]))
        assert counts.at(np.array([[0, 3], [90, 191]])).tolist() == [[0, 7], [1, 0]]


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore")
class TestHats:
    """The same tiles as hats chooses."""

    @pytest.mark.parametrize("drop", [True, False])
    @pytest.mark.parametrize("filled", [0.003, 0.1, 0.6, 1.0])
    @pytest.mark.parametrize(("order", "lowest"), [(3, 0), (5, 0), (5, 2)])
    def test_same_tiles(self, drop, filled, order, lowest):
        pixel_math = pytest.importorskip("hats.pixel_math", reason="hats is not installed (extra `interop`)")
        rng = np.random.default_rng(order * 100 + lowest)
        counts = rng.integers(1, 100, 12 * 4**order) * (rng.random(12 * 4**order) < filled)
        threshold = int(counts.max()) + 250
        theirs = pixel_math.generate_alignment(
            counts, highest_order=order, lowest_order=lowest, threshold=threshold, drop_empty_siblings=drop
        )
        ours = align(counts, threshold, lowest_order=lowest, keep_empty_siblings=not drop)
        expected = {
            tuple(int(number) for number in entry) for entry in theirs if entry is not None and entry[2]
        }
        assert tiles_of(ours) == expected
        triples = ours.triples
        for pixel in np.flatnonzero(counts):
            assert triples[ours.tiles.find(np.array([pixel]), order)[0]].tolist() == list(theirs[pixel])


class TestTally:
    """Counts that grow are what counting everything at once gives."""

    @given(st.lists(st.dictionaries(st.integers(0, 191), st.integers(1, 2**40), max_size=30), max_size=12))
    def test_sum(self, parts):
        tally = Tally(2)
        expected: dict[int, int] = {}
        for part in parts:
            pixels = np.array(sorted(part), dtype=np.int64)
            tally.add(PixelCounts(2, pixels, np.array([part[p] for p in sorted(part)], dtype=np.int64)))
            for pixel, rows in part.items():
                expected[pixel] = expected.get(pixel, 0) + rows
        total = tally.total()
        assert dict(zip(total.pixels.tolist(), total.rows.tolist(), strict=True)) == expected
        assert total.pixels.tolist() == sorted(expected)

    def test_counts_too_large_to_pack(self):
        large = PixelCounts(29, np.array([5, 12 * 4**29 - 1]), np.array([2**40, 1]))
        tally = Tally(29)
        for _ in range(3):
            tally.add(large)
        assert tally.total().rows.tolist() == [3 * 2**40, 3]
        assert large.pixels.tolist() == [5, 12 * 4**29 - 1], "what was added is not changed"


class TestSkyCounts:
    """Counts of a whole sky say what sparse ones say."""

    @given(st.lists(st.integers(0, 3), min_size=192, max_size=192))
    def test_like_sparse_ones(self, histogram):
        sky, listed = SkyCounts(np.array(histogram)), sparse(np.array(histogram))
        assert (sky.order, sky.total, sky.densest) == (listed.order, listed.total, listed.densest)
        assert sky.pixels.tolist() == listed.pixels.tolist()
        assert sky.rows.tolist() == listed.rows.tolist()
        starts, stops = (np.array(pixels) << 2 * (29 - 2) for pixels in ([0, 4, 100], [4, 4, 192]))
        assert sky.between(starts, stops).tolist() == [sum(histogram[:4]), 0, sum(histogram[100:])]
        assert listed.between(starts, stops).tolist() == sky.between(starts, stops).tolist()
        for order in (0, 1, 2):
            assert sky.degraded(order).dense().tolist() == listed.degraded(order).dense().tolist()

    def test_a_tally_counts_the_whole_sky_once_it_is_filled(self):
        tally = Tally(2)
        tally.add(PixelCounts(2, np.arange(10), np.ones(10, dtype=np.int64)))
        assert isinstance(tally.total(), PixelCounts)
        tally.add(PixelCounts(2, np.arange(5, 100), np.full(95, 2)))
        assert isinstance(tally.total(), SkyCounts)
        tally.add(tally.total())
        assert tally.total().total == 2 * (10 + 190)
