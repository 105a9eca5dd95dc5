"""Checks of ``partition_info.csv`` (Note, section 3.6.2)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hatsformat import layout
from hatsformat.errors import NotFoundError
from hatsformat.healpix import IntArray, dir_number, uniq
from hatsformat.partition_info import ROWS_COLUMN
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.partitions import PartitionLines
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check

_PATH = layout.PARTITION_INFO


@catalog_check("HATS-PINF-001")
def is_there(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the catalog has a ``partition_info.csv``."""
    if not catalog.files.partition_info.is_there:
        yield Departure.of("partition_info.csv is missing", _PATH)


@catalog_check("HATS-PINF-002")
def is_readable(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the file is a CSV with integers in ``Norder`` and ``Npix``."""
    found = catalog.files.partition_info
    if not found.is_there:
        raise NoEvidenceError(f"{_PATH} is missing")
    found.check_seen()
    if found.error is not None:
        actual = (
            found.error.message
            if found.error.found is None
            else f"{found.error.message}: {found.error.found}"
        )
        yield Departure.of(
            "the file cannot be read", _PATH, actual=actual, expected="a CSV with Norder and Npix"
        )


def _name(lines: PartitionLines, index: int) -> str:
    return f"Norder={lines.orders[index]}, Npix={lines.pixels[index]}"


def _line(index: int) -> int:
    """Return the line number in the file, after the header."""
    return index + 2


@catalog_check("HATS-PINF-003")
def tiles_exist(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that every line names a tile that exists."""
    lines = catalog.files.partition_info.need()
    for index in np.flatnonzero(~lines.possible).tolist():
        yield Departure.of(
            "invalid tile",
            _PATH,
            row=_line(index),
            actual=_name(lines, index),
            expected="order 0 to 29, pixel below 12·4^order",
        )


@catalog_check("HATS-PINF-004")
def no_duplicates(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that no tile is listed more than once."""
    lines = catalog.files.partition_info.need()
    order = np.argsort(lines.uniq, kind="stable")
    again = order[1:][lines.uniq[order[1:]] == lines.uniq[order[:-1]]]
    for index in np.sort(again[lines.possible[again]]).tolist():
        yield Departure.of("duplicate tile", _PATH, row=_line(index), actual=_name(lines, index))


@catalog_check("HATS-PINF-005")
def no_overlaps(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that no listed tile is within another."""
    tiles = catalog.files.partition_info.need().tiles
    for coarse, fine in tiles.overlaps().tolist():
        yield Departure.of(
            "a listed tile is within another listed tile",
            _PATH,
            actual=f"{tiles[fine]} within {tiles[coarse]}",
        )


def _listed(catalog: CatalogEvidence) -> PartitionLines:
    if catalog.declared.no_leaf_files:
        raise NoEvidenceError("an association without leaf files has no leaves")
    return catalog.files.partition_info.need()


@catalog_check("HATS-PINF-006")
def tiles_have_leaves(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that every listed tile has a leaf."""
    lines = _listed(catalog)
    message = "a listed tile has no leaf"
    if not catalog.folder.can_list:
        for broken in catalog.footers.leaves.broken:
            if isinstance(broken.error, NotFoundError):
                yield Departure.of(message, broken.path, actual="no such file")
        return
    tiles = lines.tiles
    absent = ~np.isin(uniq(tiles.orders, tiles.pixels), catalog.files.leaves.uniq)
    paths = layout.leaf_paths(tiles.orders[absent], tiles.pixels[absent], catalog.files.dataset.suffix)
    for path in sorted(paths):
        yield Departure.of(
            message, path, actual="no such file", expected="a leaf for each tile in partition_info.csv"
        )
    # The leaf may be missing or the line wrong, so report both locations.
    for index in np.flatnonzero(lines.possible & ~np.isin(lines.uniq, catalog.files.leaves.uniq)).tolist():
        yield Departure.of(
            message, _PATH, row=_line(index), actual=_name(lines, index), expected="a tile with a leaf"
        )


@catalog_check("HATS-PINF-007")
def leaves_are_listed(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that every leaf's tile is listed."""
    lines = _listed(catalog)
    catalog.folder.require_listing()
    leaves = catalog.files.leaves
    if not len(lines) and len(leaves):
        # An empty list is one problem, not one per leaf.
        count = len(set(leaves.units))
        yield Departure.of(
            "partition_info.csv lists no tile", _PATH, actual=0, expected=f"{count}, one per leaf"
        )
        return
    unlisted = np.flatnonzero(~np.isin(leaves.uniq, lines.uniq)).tolist()
    units = sorted({leaves.units[index] for index in unlisted})
    message = "the leaf's tile is not listed in partition_info.csv"
    for unit in units:
        yield Departure.of(message, unit)
    if units:
        yield Departure.of(message, _PATH, expected=f"{len(lines) + len(units)} lines of tiles")


@catalog_check("HATS-PINF-009")
def right_dir(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a column ``Dir`` matches the pixels."""
    lines = catalog.files.partition_info.need()
    if "Dir" in lines.others:
        yield Departure.of("Dir must contain integers", _PATH, "Dir")
    if "Dir" not in lines.extra:
        return
    dirs = lines.extra["Dir"]
    for index in np.flatnonzero(lines.possible & (dirs != dir_number(lines.pixels))).tolist():
        expected = int(dir_number(lines.pixels[index]))
        yield Departure.of(
            "Dir does not match Npix",
            _PATH,
            "Dir",
            row=_line(index),
            actual=dirs[index],
            expected=expected,
        )


@catalog_check("HATS-PINF-008")
def right_rows(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a column ``num_rows`` has the number of rows of each leaf."""
    lines = _listed(catalog)
    if ROWS_COLUMN in lines.others:
        yield Departure.of("num_rows must contain integers", _PATH, ROWS_COLUMN)
    if ROWS_COLUMN not in lines.extra:
        return
    declared = lines.extra[ROWS_COLUMN]
    numbers, rows = rows_by_tile(catalog)
    at = np.searchsorted(numbers, lines.uniq).clip(0, max(len(numbers) - 1, 0))
    known = lines.possible & np.isin(lines.uniq, numbers)
    for index in np.flatnonzero(known).tolist():
        if declared[index] != rows[at[index]]:
            yield Departure.of(
                "num_rows differs from the number of rows in the leaf",
                _PATH,
                ROWS_COLUMN,
                row=_line(index),
                actual=declared[index],
                expected=int(rows[at[index]]),
            )


def rows_by_tile(catalog: CatalogEvidence) -> tuple[IntArray, IntArray]:
    """Return the numbers of the tiles (see `uniq`), ascending, and the rows in each tile's leaf."""
    catalog.footers.leaves.check_complete()
    counts = np.array([footer.rows for footer in catalog.footers.leaves.readable], dtype=np.int64)
    numbers, tile = np.unique(catalog.files.leaves.uniq, return_inverse=True)
    rows = np.zeros(len(numbers), dtype=np.int64)
    np.add.at(rows, tile, counts)
    return numbers, rows
