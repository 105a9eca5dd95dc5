"""Which rows belong into the margins of which tiles (Note, section 3.1).

The margin of a tile holds the rows of other tiles that lie within a threshold of its border. A row is looked
at for itself: most lie deep inside of their tile and are passed over by their pixel number alone; for the
others, the pixels around them name the few tiles that may be near.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hatsformat.errors import UsageError
from hatsformat.healpix import MAX_ORDER, FloatArray, IntArray, change_order, merge_ranges, npix, range29
from hatsformat.healpix.edges import are_near
from hatsformat.partition_info import PartitionInfo

NARROWEST = 0.6
"""A lower bound of the width of the ring of pixels around a pixel, in square roots of a pixel's area."""

WIDEST_ARCSEC = float(np.degrees(NARROWEST * np.sqrt(4 * np.pi / npix(0)))) * 3600
"""The widest threshold: the base tiles around a tile hold all that is so near to it."""

_PAIRS = 500_000
_EVEN = 0x5555_5555_5555_5555


def margin_rows(
    tiles: PartitionInfo, threshold_arcsec: float, pixels: IntArray, ra: FloatArray, dec: FloatArray
) -> tuple[IntArray, IntArray]:
    """Find the tiles whose margins rows belong into.

    Parameters
    ----------
    tiles : PartitionInfo
        The tiles of the catalog, without overlaps; others have no margin.
    threshold_arcsec : float
        More than 0 and at most `WIDEST_ARCSEC`.
    pixels : ndarray of int64, shape (n,)
        The rows' order-29 pixels: a row does not belong into the margin of the tile that holds its pixel.
    ra, dec : ndarray of float64, shape (n,)
        Where the rows are, in degrees.

    Returns
    -------
    rows, tiles : ndarray of int64, shape (m,)
        Pairs of a row and the index of a tile: rows ascending, and the tiles of each row ascending. A row
        just as far from the border as the threshold belongs into the margin.

    Raises
    ------
    UsageError
        If the threshold is none.

    Examples
    --------
    Three rows, of which one lies 5 arcseconds east of the meridian between the base tiles 0 and 1:

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
    """Refuse what is no threshold of a margin, in arcseconds.

    Raises
    ------
    UsageError
    """
    if not 0 < threshold_arcsec <= WIDEST_ARCSEC:
        raise UsageError(
            "this cannot be the threshold of a margin",
            found=f"{threshold_arcsec:g} arcsec",
            expected=f"more than 0, and at most {WIDEST_ARCSEC / 3600:.0f} degrees",
        )


def as_arcsec(angle: Any) -> float:
    """Return an angle in arcseconds: a bare number as it is, an Astropy quantity converted.

    Raises
    ------
    UsageError
        If it is neither.
    """
    try:
        return float(angle.to_value("arcsec") if hasattr(angle, "to_value") else angle)
    except (TypeError, ValueError) as error:
        raise UsageError(
            "this is not an angle",
            found=angle,
            expected="arcseconds, or an Astropy quantity with an angular unit",
        ) from error


def cell_order(radius: float) -> int:
    """Return the deepest order whose pixels around a pixel hold all within `radius` (radians) of it."""
    order = 0
    while order < MAX_ORDER and NARROWEST * np.sqrt(4 * np.pi / npix(order + 1)) >= radius:
        order += 1
    return order


def surroundings(tiles: PartitionInfo, threshold_arcsec: float) -> IntArray:
    """Return order-29 ranges that hold all rows within a threshold of some tiles, and some more.

    Parameters
    ----------
    tiles : PartitionInfo
    threshold_arcsec : float
        See `margin_rows`.

    Returns
    -------
    ndarray of int64, shape (k, 2)
        Sorted, disjoint and half-open; the tiles themselves are in them.
    """
    deepest = cell_order(float(np.radians(threshold_arcsec / 3600)))
    starts, stops = [], []
    orders = tiles.orders.astype(np.int64)
    for order in np.unique(orders).tolist():
        level = min(order, deepest)
        cells = np.unique(change_order(tiles.pixels[orders == order], order, level))
        around = _blocks(cells, level)
        low, high = range29(level, around[around >= 0])
        starts.append(low)
        stops.append(high)
    none = np.empty(0, dtype=np.int64)
    return merge_ranges(np.concatenate([none, *starts]), np.concatenate([none, *stops]))


def _outer_rows(tiles: PartitionInfo, pixels: IntArray, order: int) -> IntArray:
    """Return the rows in those cells of `order` that are at the edge of their tile, sorted along the sky."""
    own = tiles.find(pixels)
    orders = np.where(own >= 0, tiles.orders[own] if len(tiles) else 0, order).astype(np.int64)
    levels = np.maximum(order - orders, 0)
    cells = pixels >> (2 * (MAX_ORDER - order))
    last = ((np.int64(1) << (2 * levels)) - 1) & _EVEN
    x, y = cells & last, (cells >> 1) & last
    rows = np.flatnonzero((x == 0) | (x == last) | (y == 0) | (y == last))
    return rows[np.argsort(pixels[rows])]


def _blocks(cells: IntArray, order: int) -> IntArray:
    """Return cells and those around them, shape (n, 9); -1 where there is none."""
    from cdshealpix.nested import neighbours

    if not cells.size:
        return np.empty((0, 9), dtype=np.int64)
    found: IntArray = neighbours(cells.astype(np.uint64), order, 1).astype(np.int64)
    return found


def _possible_pairs(
    tiles: PartitionInfo, order: int, pixels: IntArray, rows: IntArray
) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield rows and tiles that may be near them, in bounded numbers: those that share a block of cells."""
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
    """Return pairs of a block and the index of a tile that shares a pixel with it, sorted, each once."""
    block, column = np.nonzero(blocks >= 0)
    starts, stops = range29(order, blocks[block, column])
    first = np.searchsorted(tiles.stops, starts, side="right")
    count = np.maximum(np.searchsorted(tiles.starts, stops, side="left") - first, 0)
    tile = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
    # Not `numpy.unique`, whose hashing takes ten times as long as sorting what is nearly sorted.
    pairs = np.sort(np.repeat(block, count) * (len(tiles) + 1) + tile)
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    return pairs // (len(tiles) + 1), pairs % (len(tiles) + 1)
