"""Checks of every row (Note, sections 3.3 and 3.5)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hatsformat.healpix import MAX_ORDER, IntArray, are_tiles, change_order, npix, pixel_width
from hatsformat.validation.check_api import NoEvidenceError, RowVerdict
from hatsformat.validation.checks.footers import INDEX_IN_TILE, change_range
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.row_batch import RowBatch
from hatsformat.validation.evidence.rows import DATA_RULE
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_checks, row_check
from hatsformat.validation.requirements import Requirement


@row_check("HATS-HPX-012", "rows without a valid position")
def finite_position(batch: RowBatch) -> RowVerdict:
    """Check that every row has a finite right ascension and declination."""
    if np.isfinite((*batch.ra_range, *batch.dec_range)).all():
        return RowVerdict(batch.nothing)
    no_ra, no_dec = ~np.isfinite(batch.ra), ~np.isfinite(batch.dec)
    column, values = (batch.plan.ra, batch.ra) if no_ra.any() else (batch.plan.dec, batch.dec)
    return RowVerdict(no_ra | no_dec, column, values, "a finite number")


@row_check("HATS-HPX-013", "declinations are not between -90 and 90 degrees")
def declination_in_range(batch: RowBatch) -> RowVerdict:
    """Check that a declination is between -90 and 90 degrees."""
    low, high = batch.dec_range
    if low >= -90 and high <= 90:
        return RowVerdict(batch.nothing)
    wrong = np.isfinite(batch.dec) & (np.abs(batch.dec) > 90)
    return RowVerdict(wrong, batch.plan.dec, batch.dec, "-90 to 90")


@row_check("HATS-HPX-014", "right ascensions are not between -180 and 360 degrees")
def right_ascension_in_range(batch: RowBatch) -> RowVerdict:
    """Check that a right ascension is between -180 and 360 degrees."""
    low, high = batch.ra_range
    if low >= -180 and high <= 360:
        return RowVerdict(batch.nothing)
    wrong = np.isfinite(batch.ra) & ((batch.ra < -180) | (batch.ra > 360))
    return RowVerdict(wrong, batch.plan.ra, batch.ra, "0 to 360")


@row_check("HATS-HPX-010", "index values are missing or not valid pixel numbers")
def index_is_a_pixel(batch: RowBatch) -> RowVerdict:
    """Check that every row has an index value that is a pixel number of the column's order."""
    order = batch.plan.index_order
    low, high = batch.index_range
    if low >= 0 and high < npix(order):
        return RowVerdict(batch.nothing)
    wrong = (batch.index < 0) | (batch.index >= npix(order))
    return RowVerdict(wrong, batch.plan.index, batch.index, f"0 to {npix(order) - 1} (order {order})")


@row_check("HATS-HPX-017", "rows are not sorted by the index column")
@row_check("HATS-HPX-006", "rows are not sorted by the index column")
def sorted_by_index(batch: RowBatch) -> RowVerdict:
    """Check that the rows of each file are sorted by the index column."""
    first = batch.index[0] if batch.before.index is None else batch.before.index
    if batch.ascends and first <= batch.index[0]:
        return RowVerdict(batch.nothing)
    previous = np.concatenate(([first], batch.index[:-1]))
    wrong = (batch.index < previous) & (batch.index >= 0)
    return RowVerdict(wrong, batch.plan.index, batch.index, "ascending values")


@row_check("HATS-HPX-016", "duplicate pixels in the map")
def one_value_a_pixel(batch: RowBatch) -> RowVerdict:
    """Check that a map has every pixel only once. In a sorted map, duplicates are adjacent."""
    before = -1 if batch.before.index is None else batch.before.index
    previous = np.concatenate(([before], batch.index[:-1]))
    return RowVerdict((batch.index == previous) & (batch.index >= 0), batch.plan.index, batch.index)


@row_check("HATS-HPX-009", "index values outside the statistics of their row group")
def within_statistics(batch: RowBatch) -> RowVerdict:
    """Check that the statistics of a row group cover its index values."""
    if not batch.statistics or any(found.low is None for _, found in batch.statistics):
        raise NoEvidenceError("row groups have no statistics for the index column")
    parts = [(rows, found.low, found.high) for rows, found in batch.statistics if rows]
    rows, lows, highs = (np.array(values, dtype=np.int64) for values in zip(*parts, strict=True))
    stops = np.cumsum(rows)
    if batch.ascends and batch.index[0] >= 0:
        firsts, lasts = batch.index[stops - rows], batch.index[stops - 1]
        if (lows <= firsts).all() and (lasts <= highs).all():
            return RowVerdict(batch.nothing)
    low, high = np.repeat(lows, rows), np.repeat(highs, rows)
    wrong = (batch.index >= 0) & ((batch.index < low) | (batch.index > high))
    at = int(np.argmax(wrong))
    return RowVerdict(
        wrong, batch.plan.index, batch.index, f"{low[at]} to {high[at]}" if wrong.any() else None
    )


@row_check("HATS-HPX-007", "index values do not match the positions")
def index_is_position(batch: RowBatch) -> RowVerdict:
    """Check that the index value of a row is the HEALPix value of its position."""
    order = batch.plan.index_order
    if batch.index_agrees:
        return RowVerdict(batch.nothing)
    expected = change_order(batch.pixels29, MAX_ORDER, order)
    wrong = batch.on_sky & (batch.index >= 0) & (batch.index != expected)
    rows = np.flatnonzero(wrong)
    if rows.size:
        wrong[rows] = ~batch.may_be_in(rows, batch.index[rows], order)
    return RowVerdict(wrong, batch.plan.index, batch.index, expected)


@row_check("HATS-HPX-011", "rows outside the tile of their leaf")
def in_own_tile(batch: RowBatch) -> RowVerdict:
    """Check that every row is in the tile of its position."""
    if batch.tile is None:
        raise NoEvidenceError("the file does not belong to a tile")
    start, stop = batch.tile.range29
    low, high = batch.pixel_range
    if start <= low and high < stop:
        return RowVerdict(batch.nothing)
    wrong = batch.on_sky & ((batch.pixels29 < start) | (batch.pixels29 >= stop))
    rows = np.flatnonzero(wrong)
    if rows.size:
        near = batch.nearby_pixels(rows, batch.tile.order)
        wrong[rows] = (near != batch.tile.pixel).all(axis=0)
    own = change_order(batch.pixels29, MAX_ORDER, batch.tile.order)
    return RowVerdict(wrong, None, _tile_names(batch.tile.order, own, wrong), str(batch.tile))


def _tile_names(order: int, pixels: IntArray, wrong: np.ndarray) -> list[str] | None:
    """Return the tile of the first wrong row, as the expected value of a verdict."""
    if not wrong.any():
        return None
    at = int(np.argmax(wrong))
    return [""] * at + [f"Norder={order}/Npix={pixels[at]}"]


@row_check("HATS-LEAF-010", "Norder, Dir or Npix column differs from the path")
def hive_columns(batch: RowBatch) -> RowVerdict:
    """Check that columns that repeat the path keys match the path."""
    if batch.tile is None:
        raise NoEvidenceError("the file does not belong to a tile")
    own = {"Norder": batch.tile.order, "Npix": batch.tile.pixel, "Dir": batch.tile.pixel // 10_000 * 10_000}
    wrong = batch.nothing
    for name, value in own.items():
        if name in batch.table.column_names:
            values = batch.integers(name)
            wrong = values != value
            if wrong.any():
                return RowVerdict(wrong, name, values, value)
    return RowVerdict(wrong)


@row_check("HATS-SUPP-002", "rows of a margin leaf are inside its own tile")
def outside_own_tile(batch: RowBatch) -> RowVerdict:
    """Check that no row of a margin leaf is inside its own tile."""
    if batch.tile is None:
        raise NoEvidenceError("the file does not belong to a tile")
    start, stop = batch.tile.range29
    inside = (batch.pixels29 >= start) & (batch.pixels29 < stop)
    rows = np.flatnonzero(inside)
    if rows.size:
        # On the edge, rounding may decide the tile.
        inside[rows] = (batch.nearby_pixels(rows, batch.tile.order) == batch.tile.pixel).all(axis=0)
    return RowVerdict(inside, None, [str(batch.tile)] * len(inside), "rows of other tiles")


@row_check("HATS-SUPP-003", "rows of a margin leaf are too far from its tile")
def near_own_tile(batch: RowBatch) -> RowVerdict:
    """Check that the rows of a margin are roughly within the threshold of their tile."""
    threshold = batch.plan.margin_threshold
    if batch.tile is None or threshold is None:
        raise NoEvidenceError("the tile or the threshold of the margin is unknown")
    around = _surroundings(batch.tile.order, batch.tile.pixel, threshold / 3600)
    if around is None:
        raise NoEvidenceError("the threshold is larger than a tile")
    depth, ring = around
    start, stop = batch.tile.range29
    inside = (batch.pixels29 >= start) & (batch.pixels29 < stop)
    near = np.isin(change_order(batch.pixels29, MAX_ORDER, depth), ring)
    wrong = batch.on_sky & ~inside & ~near
    return RowVerdict(wrong, None, None, f"rows within {threshold} arcsec of the tile")


def _surroundings(order: int, pixel: int, degrees: float) -> tuple[int, IntArray] | None:
    """Return the pixels around a tile, at an order where they are wider than the threshold.

    They are the tile's neighbours at the tile's order, or rings of smaller pixels: at least one, at most four
    thresholds wide, since writers work with pixels too.
    """
    from cdshealpix.nested import external_neighbours

    depth = order
    # The narrowest pixels are about half as wide as the square root of their area.
    while depth < min(MAX_ORDER, order + 10) and np.degrees(pixel_width(depth + 1)) > 4 * degrees:
        depth += 1
    if np.degrees(pixel_width(depth)) < 2 * degrees:
        return None
    edges, corners = external_neighbours(np.array([pixel], dtype=np.uint64), order, depth - order)
    cells = np.concatenate([np.ravel(edges), np.ravel(corners)]).astype(np.int64)
    return depth, np.unique(cells[cells >= 0])


@row_check("HATS-SUPP-103", "invalid tiles in the index")
def index_names_tiles(batch: RowBatch) -> RowVerdict:
    """Check that every row of an index names a tile that exists."""
    orders, pixels = batch.integers("Norder"), batch.integers("Npix")
    return RowVerdict(~are_tiles(orders, pixels), "Npix", pixels, "a pixel of the order in Norder")


@row_check(INDEX_IN_TILE, "index values outside the tile of their leaf", reported=False)
def index_in_tile(batch: RowBatch) -> RowVerdict:
    """Check the index values of a leaf against its tile, if there are no statistics."""
    if batch.tile is None:
        raise NoEvidenceError("the file does not belong to a tile")
    start, stop = change_range(batch.tile, batch.plan.index_order)
    low, high = batch.index_range
    if start <= low and high < stop:
        return RowVerdict(batch.nothing)
    wrong = (batch.index < start) | (batch.index >= stop)
    return RowVerdict(wrong, batch.plan.index, batch.index, f"{start} to {stop - 1}")


@catalog_checks(DATA_RULE)
def readable_data(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Check that the data of every column can be read."""
    yield from catalog.rows.departures(rule.id)
    catalog.footers.leaves.check_complete()
