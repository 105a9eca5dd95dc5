"""Find the rows in the margins of tiles (Note, section 3.1).

The margin of a tile contains the rows of other tiles that are within a threshold of its border. Most rows are
deep inside their tile, which their pixel shows. For the others, the pixels around them give the few tiles
that may be near, and the distance to the border of each is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hatsformat.errors import UsageError
from hatsformat.healpix import (
    MAX_ORDER,
    FloatArray,
    IntArray,
    change_order,
    merge_ranges,
    pixel_width,
    range29,
    touch_border,
)
from hatsformat.healpix.edges import are_near
from hatsformat.partition_info import PartitionInfo

NARROWEST = 0.6
"""The ring of pixels around a pixel is at least this wide, times `pixel_width`."""

WIDEST_ARCSEC = float(np.degrees(NARROWEST * pixel_width(0))) * 3600
"""The largest threshold: all positions within it of a base tile are in the neighbouring base tiles."""

_PAIRS = 500_000
"""Pairs of a row and a tile to compute at a time."""


def margin_rows(
    tiles: PartitionInfo, threshold_arcsec: float, pixels: IntArray, ra: FloatArray, dec: FloatArray
) -> tuple[IntArray, IntArray]:
    """Find the margins that rows belong to.

    Parameters
    ----------
    tiles : PartitionInfo
        The tiles to find margins for; they must not overlap.
    threshold_arcsec : float
        More than 0 and at most `WIDEST_ARCSEC`.
    pixels : ndarray of int64, shape (n,)
        Order-29 pixels of the rows. A row does not belong to the margin of the tile with its pixel.
    ra, dec : ndarray of float64, shape (n,)
        Positions of the rows, in degrees.

    Returns
    -------
    rows, tiles : ndarray of int64, shape (m,)
        Pairs of a row and the index of a tile, sorted by row, then by tile. A row exactly as far from the
        border as the threshold belongs to the margin.

    Raises
    ------
    UsageError
        If the threshold is out of range.

    Examples
    --------
    Three rows, one of them 5 arcseconds east of the meridian between base tiles 0 and 1:

    >>> import numpy as np
    >>> from hatsformat import PartitionInfo
    >>> from hatsformat.healpix import radec_to_pixel
    >>> ra, dec = np.array([10.0, 90 + 5 / 3600, 100.0]), np.array([60.0, 45.0, 60.0])
    >>> rows, tiles = margin_rows(PartitionInfo([0, 0], [0, 1]), 10, radec_to_pixel(ra, dec, 29), ra, dec)
    >>> rows.tolist(), tiles.tolist()
    ([1], [0])
    """
    check_threshold(threshold_arcsec)
    radius = float(np.radians(threshold_arcsec / 3600))
    order = cell_order(radius)
    rows = _outer_rows(tiles, pixels, order)
    parts = [(rows[:0], rows[:0])]
    for near_rows, near_tiles in _possible_pairs(tiles, order, pixels, rows):
        near = are_near(
            ra[near_rows],
            dec[near_rows],
            tiles.orders[near_tiles].astype(np.int64),
            tiles.pixels[near_tiles],
            radius,
        )
        parts.append((near_rows[near], near_tiles[near]))
    row, tile = (np.concatenate(column) for column in zip(*parts, strict=True))
    by_row = np.lexsort((tile, row))
    return row[by_row], tile[by_row]


def check_threshold(threshold_arcsec: float) -> None:
    """Check the threshold of a margin, in arcseconds.

    Raises
    ------
    UsageError
        If it is not more than 0 and at most `WIDEST_ARCSEC`.
    """
    if not 0 < threshold_arcsec <= WIDEST_ARCSEC:
        raise UsageError(
            "the threshold of a margin is out of range",
            found=f"{threshold_arcsec:g} arcsec",
            expected=f"more than 0, and at most {WIDEST_ARCSEC / 3600:.0f} degrees",
        )


def as_arcsec(angle: Any) -> float:
    """Return an angle in arcseconds: a bare number as it is, an Astropy quantity converted.

    Raises
    ------
    UsageError
        If it is not an angle.
    """
    try:
        return float(angle.to_value("arcsec") if hasattr(angle, "to_value") else angle)
    except (TypeError, ValueError) as error:
        raise UsageError(
            "invalid angle",
            found=angle,
            expected="arcseconds, or an Astropy quantity with an angular unit",
        ) from error


def cell_order(radius: float) -> int:
    """Return the deepest order at which the pixels around a pixel cover `radius` (radians) around it."""
    order = 0
    while order < MAX_ORDER and NARROWEST * pixel_width(order + 1) >= radius:
        order += 1
    return order


def surroundings(tiles: PartitionInfo, threshold_arcsec: float) -> IntArray:
    """Return order-29 ranges that cover tiles and everything within a threshold of them.

    Parameters
    ----------
    tiles : PartitionInfo
    threshold_arcsec : float
        See `margin_rows`.

    Returns
    -------
    ndarray of int64, shape (k, 2)
        Half-open, sorted and disjoint. They also cover some positions farther away.
    """
    deepest = cell_order(float(np.radians(threshold_arcsec / 3600)))
    starts, stops = [], []
    orders = tiles.orders.astype(np.int64)
    for order in np.unique(orders).tolist():
        level = min(order, deepest)
        pixels = np.unique(change_order(tiles.pixels[orders == order], order, level))
        around = _blocks(pixels, level)
        low, high = range29(level, around[around >= 0])
        starts.append(low)
        stops.append(high)
    none = np.empty(0, dtype=np.int64)
    return merge_ranges(np.concatenate([none, *starts]), np.concatenate([none, *stops]))


def _outer_rows(tiles: PartitionInfo, pixels: IntArray, order: int) -> IntArray:
    """Return the rows whose pixel of `order` touches the border of its tile, sorted along the sky."""
    own = tiles.find(pixels)
    orders = np.where(own >= 0, tiles.orders[own] if len(tiles) else 0, order).astype(np.int64)
    levels = np.maximum(order - orders, 0)
    rows = np.flatnonzero(touch_border(change_order(pixels, MAX_ORDER, order), levels))
    return rows[np.argsort(pixels[rows])]


def _blocks(pixels: IntArray, order: int) -> IntArray:
    """Return pixels with the pixels around them, shape (n, 9); -1 for a neighbour that does not exist."""
    from cdshealpix.nested import neighbours

    if not pixels.size:
        return np.empty((0, 9), dtype=np.int64)
    found: IntArray = neighbours(pixels.astype(np.uint64), order, 1).astype(np.int64)
    return found


def _possible_pairs(
    tiles: PartitionInfo, order: int, pixels: IntArray, rows: IntArray
) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield pairs of a row and a tile that shares a block of pixels with it, about `_PAIRS` at a time."""
    if not rows.size:
        return
    cells, which = np.unique(change_order(pixels[rows], MAX_ORDER, order), return_inverse=True)
    cell, tile = _tiles_around(tiles, _blocks(cells, order), order)
    begins = np.searchsorted(cell, np.arange(len(cells) + 1))
    counts = np.diff(begins)[which]
    total = np.cumsum(counts)
    for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(total // _PAIRS)) + 1):
        again = np.repeat(part, counts[part])
        offsets = np.arange(len(again)) - np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
        row, near = rows[again], tile[begins[which[again]] + offsets]
        outside = (pixels[row] < tiles.starts[near]) | (pixels[row] >= tiles.stops[near])
        yield row[outside], near[outside]


def _tiles_around(tiles: PartitionInfo, blocks: IntArray, order: int) -> tuple[IntArray, IntArray]:
    """Return the distinct pairs of a block and the index of a tile that shares a pixel with it, sorted."""
    block, column = np.nonzero(blocks >= 0)
    starts, stops = range29(order, blocks[block, column])
    first = np.searchsorted(tiles.stops, starts, side="right")
    count = np.maximum(np.searchsorted(tiles.starts, stops, side="left") - first, 0)
    tile = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
    # Not `numpy.unique`: the pairs are nearly sorted, and sorting them is ten times as fast.
    pairs = np.sort(np.repeat(block, count) * (len(tiles) + 1) + tile)
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    return pairs // (len(tiles) + 1), pairs % (len(tiles) + 1)
