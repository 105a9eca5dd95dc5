"""The stars of the corpus: a small, fixed sky with tiles of several orders.

Most stars are well inside their tiles, so that rounding cannot move them to another tile. A few are about
three arcseconds from the border of a tile, on either side: they are the rows of the margin cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hatsformat.healpix import IntArray, change_order, pack_xy, pixel_to_radec, radec_to_pixel

THRESHOLD = 20
"""The most rows in a tile."""

MARGIN_ARCSEC = 10.0
"""The threshold of the margin cache, in arcseconds."""

_DEPTH = 6
_EDGE_DEPTH = 15

_COUNTS = {
    (0, 0): 6, (0, 3): 5, (0, 9): 4,
    (1, 16): 8, (1, 18): 6, (2, 68): 8, (2, 69): 12, (2, 70): 7,
    (5, 11000): 8, (5, 11001): 7, (5, 11002): 8, (5, 11003): 6,
}  # fmt: skip
"""The number of stars in each tile (order, pixel). The pixels of order 5 are in ``Dir=10000``."""

_EDGES = (
    (1, 16, -1, 3_000), (2, 68, 0, 900),
    (5, 11000, -1, 300), (5, 11001, 0, 500), (5, 11001, 700, -1), (5, 11003, 650, 0), (5, 11002, -1, 40),
)  # fmt: skip
"""Stars at the border of a tile: order, pixel, and x and y in cells of order 15; -1 is the last cell."""


@dataclass(frozen=True)
class Sky:
    """Stars and their tiles.

    Attributes
    ----------
    table : pyarrow.Table
        Columns id, ra, dec, mag and band, sorted by id.
    tiles : tuple of (int, int)
        Order and pixel of each tile, sorted.
    """

    table: pa.Table
    tiles: tuple[tuple[int, int], ...]


def stars() -> Sky:
    """Return the stars of the corpus."""
    cells = [_inside(order, pixel, count) for (order, pixel), count in _COUNTS.items()]
    cells += [np.array([_at_edge(*edge)]) for edge in _EDGES]
    ra, dec = pixel_to_radec(np.concatenate(cells), 29)
    # Rounded first, so that the index column is computed from the values in the files.
    ra, dec = np.round(ra, 9), np.round(dec, 9)
    count = len(ra)
    ids = (np.arange(count, dtype=np.int64) * 37) % count + 1001
    order = np.argsort(ids)
    magnitude = np.round(12 + (ids % 41) * 0.25, 2).astype(np.float32)
    table = pa.table(
        {
            "id": ids,
            "ra": ra,
            "dec": dec,
            "mag": pa.array(magnitude, mask=ids % 11 == 0),
            "band": pa.array(np.array(["g", "r", "i"])[ids % 3]),
        }
    )
    return Sky(table.take(order), tuple(sorted(_COUNTS)))


def _inside(order: int, pixel: int, count: int) -> IntArray:
    """Return order-29 pixels spread over the inner part of a tile."""
    depth = order + _DEPTH
    first = pixel << 2 * _DEPTH
    step = 4**_DEPTH // count
    cells: IntArray = first + step // 3 + step * np.arange(count, dtype=np.int64)
    # The centre of each cell, not its corner.
    middle: IntArray = change_order(cells, depth, 29) + 3 * (1 << 2 * (28 - depth))
    return middle


def _at_edge(order: int, pixel: int, x: int, y: int) -> int:
    depth = _EDGE_DEPTH - order
    last = 2**depth - 1
    column, row = (last if value < 0 else value for value in (x, y))
    cell = (pixel << 2 * depth) + int(pack_xy(column, row))
    return (cell << 2 * (29 - _EDGE_DEPTH)) + 3 * (1 << 2 * (28 - _EDGE_DEPTH))


def with_index(table: pa.Table, column: str = "_healpix_29", order: int = 29) -> pa.Table:
    """Return a table with the index column as its first column, sorted by it."""
    values = radec_to_pixel(table["ra"].to_numpy(), table["dec"].to_numpy(), order)
    indexed = table.add_column(0, column, pa.array(values))
    return indexed.take(np.argsort(values, kind="stable"))


def positions29(table: pa.Table) -> IntArray:
    """Return the order-29 pixels of a table's positions."""
    return radec_to_pixel(table["ra"].to_numpy(), table["dec"].to_numpy(), 29)


def in_tile(positions: IntArray, order: int, pixel: int) -> IntArray:
    """Return the indices of the positions in a tile."""
    return np.flatnonzero(change_order(positions, 29, order) == pixel)


def near_tile(table: pa.Table, order: int, pixel: int, arcsec: float) -> IntArray:
    """Return the indices of rows outside a tile and within a distance of its border.

    By brute force: a row is near the tile if any point on a circle around it is in the tile.
    """
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    turns = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    north = dec[:, None] + arcsec / 3600 * np.sin(turns)
    east = ra[:, None] + arcsec / 3600 * np.cos(turns) / np.cos(np.radians(dec))[:, None]
    around = change_order(radec_to_pixel(east, north, 29), 29, order)
    near = (around == pixel).any(axis=1)
    near[in_tile(positions29(table), order, pixel)] = False
    return np.flatnonzero(near)
