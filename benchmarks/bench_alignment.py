"""Choose tiles from the same histogram with hatsformat and with hats, and compare what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import sky
from benchmarks.measure import installed, machine, median, table
from hatsformat.healpix import MAX_ORDER, npix, radec_to_pixel
from hatsformat.partitioner.binning import Alignment, align
from hatsformat.partitioner.pixel_counts import PixelCounts

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AlignmentBench:
    """Which histogram, and how often.

    Parameters
    ----------
    rows : int
        Rows of the mock sky that are counted.
    order : int
        HEALPix order of the counts.
    max_rows : int
        Threshold.
    repetitions : int
        Rounds; in each, either side runs once in either mode.
    """

    rows: int = 5_000_000
    order: int = 10
    max_rows: int = 500_000
    repetitions: int = 3


def histogram(rows: int, order: int) -> IntArray:
    """Count the rows of a mock sky in the pixels of an order, shape (12 * 4**order,)."""
    counts = np.zeros(npix(order), dtype=np.int64)
    for _, chunk in sky.chunks(sky.Sky(rows, 1)):
        pixels = radec_to_pixel(chunk["ra"].to_numpy(), chunk["dec"].to_numpy(), order)
        counts += np.bincount(pixels, minlength=len(counts))
    return counts


def ours(counts: IntArray, bench: AlignmentBench, keep: bool) -> Alignment:
    """Choose the tiles with hatsformat."""
    return align(counts, bench.max_rows, keep_empty_siblings=keep)


def tile_of_pixels(alignment: Alignment) -> IntArray:
    """Return the index of the tile of every pixel of the sky, -1 where there is none."""
    return alignment.tiles.find(np.arange(npix(alignment.order)), alignment.order)


def every_tile(alignment: Alignment) -> IntArray:
    """Return order and pixel of the tile of every pixel of the sky, shape (n, 2), -1 where there is none."""
    found = tile_of_pixels(alignment)
    tiles: IntArray = np.append(alignment.triples[:, :2], [[-1, -1]], axis=0)[found]
    return tiles


def theirs(counts: IntArray, bench: AlignmentBench, keep: bool) -> Any:
    """Return what hats returns: an object array of (order, pixel, rows) or None."""
    from hats.pixel_math import generate_alignment

    return generate_alignment(
        counts, highest_order=bench.order, threshold=bench.max_rows, drop_empty_siblings=not keep
    )


def same(ours_: Alignment, theirs_: Any, counts: IntArray) -> bool:
    """Whether every pixel that holds rows goes to the same tile, and every tile holds as many."""
    triples = np.array([(-1, -1, -1) if tile is None else tile for tile in theirs_], dtype=np.int64)
    held = counts > 0
    tiles = np.unique(triples[held], axis=0)
    mine = np.unique(ours_.triples, axis=0)
    return bool((every_tile(ours_)[held] == triples[held, :2]).all()) and np.array_equal(tiles, mine)


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _line(counts: IntArray, bench: AlignmentBench, keep: bool, with_hats: bool) -> list[str]:
    """Run one mode in turns and lay out its line."""
    mine, mapped, others = [], [], []
    outcome = "-"
    for _ in range(bench.repetitions):
        seconds, alignment = _timed(lambda: ours(counts, bench, keep))
        mine.append(seconds)
        mapped.append(seconds + _timed(partial(tile_of_pixels, alignment))[0])
        if with_hats:
            seconds, result = _timed(lambda: theirs(counts, bench, keep))
            others.append(seconds)
            outcome = "same" if same(alignment, result, counts) else "DIFFERENT"
    line = [
        "kept" if keep else "dropped",
        str(len(alignment.rows)),
        f"{median(mine):.4f}",
        f"{median(mapped):.4f}",
    ]
    if not with_hats:
        return [*line, "-", "-", "-", outcome]
    ratios = [f"{median(others) / median(seconds):.0f}" for seconds in (mine, mapped)]
    return [*line, f"{median(others):.2f}", *ratios, outcome]


def _sparse_line(bench: AlignmentBench) -> str:
    """Choose tiles from sparse counts two orders deeper, where a whole sky would not fit."""
    order = bench.order + 2
    parts = []
    for _, chunk in sky.chunks(sky.Sky(bench.rows, 1)):
        pixels = np.sort(radec_to_pixel(chunk["ra"].to_numpy(), chunk["dec"].to_numpy(), MAX_ORDER))
        parts.append(PixelCounts.of_sorted(pixels, order))
    counts = PixelCounts.merged(parts, order)
    seconds = [_timed(lambda: align(counts, bench.max_rows))[0] for _ in range(bench.repetitions)]
    return (
        f"order {order} from sparse counts ({len(counts.pixels):,} pixels hold rows): {median(seconds):.3f} s"
    )


def report(bench: AlignmentBench) -> str:
    """Run both in turns, in both modes, and return the table."""
    counts = histogram(bench.rows, bench.order)
    with_hats = installed("hats")
    head = [
        machine(),
        f"{bench.rows:,} rows at order {bench.order}: {np.count_nonzero(counts):,} of {len(counts):,} pixels "
        f"hold rows; threshold {bench.max_rows:,}; medians of {bench.repetitions}, in turns",
        "tiles: the alignment itself; mapped: and the tile of every pixel of the sky, as hats returns it",
    ]
    if not with_hats:
        head.append("hats is not installed: left out")
    lines = [_line(counts, bench, keep, with_hats) for keep in (True, False)]
    header = [
        "empty siblings", "tiles", "tiles s", "mapped s", "hats s", "hats/tiles", "hats/mapped", "outcome",
    ]  # fmt: skip
    return "\n".join([*head, table(header, lines), _sparse_line(bench)])
