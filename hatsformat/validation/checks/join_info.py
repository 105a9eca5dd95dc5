"""Checks of ``partition_join_info.csv``: which tiles an association joins (Note, section 3.6.2)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hatsformat import layout
from hatsformat.healpix import IntArray, uniq
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.partitions import PartitionLines
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check

_PATH = layout.PARTITION_JOIN_INFO
_FIRST_LINE = 2
"""The number of the first line after the header."""


@catalog_check("HATS-SUPP-203")
def is_readable(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the file is a CSV with its columns."""
    file = catalog.files.join_info
    if not file.is_there:
        raise NoEvidenceError(f"{_PATH} is missing")
    file.check_seen()
    if file.error is not None:
        expected = "integers in Norder, Npix, join_Norder and join_Npix"
        yield Departure.of(
            "invalid partition_join_info.csv", _PATH, actual=file.error.message, expected=expected
        )


@catalog_check("HATS-SUPP-212")
def soft_has_it(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that an association without leaf files has a ``partition_join_info.csv``."""
    there = catalog.folder.can_list and len(catalog.files.dataset.leaves)
    if catalog.declared.no_leaf_files and not there and not catalog.files.join_info.is_there:
        yield Departure.of("the association has neither leaf files nor partition_join_info.csv", _PATH)


@catalog_check("HATS-SUPP-213")
def names_tiles(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that every line names two tiles that exist."""
    for lines, prefix in zip(catalog.files.join_info.need(), ("", "join_"), strict=True):
        for at in np.flatnonzero(~lines.possible).tolist():
            yield Departure.of(
                "invalid tile",
                _PATH,
                f"{prefix}Npix",
                row=at + _FIRST_LINE,
                actual=_tile(lines, at),
                expected="order 0 to 29, pixel below 12 * 4**order",
            )


@catalog_check("HATS-SUPP-208")
def names_once(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that no pair of tiles is listed more than once."""
    own, joined = catalog.files.join_info.need()
    pairs = np.stack([own.orders, own.pixels, joined.orders, joined.pixels], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    again = np.ones(len(pairs), dtype=bool)
    again[first] = False
    for at in np.flatnonzero(again).tolist():
        yield Departure.of(
            "duplicate pair of tiles",
            _PATH,
            row=at + _FIRST_LINE,
            actual=f"{_tile(own, at)} and {_tile(joined, at)}",
        )


@catalog_check("HATS-SUPP-209")
def names_own_tiles(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the lines list all tiles of the association, and no others."""
    own = catalog.files.join_info.need()[0]
    tiles = catalog.files.tiles
    known = uniq(tiles.orders, tiles.pixels)
    yield from _strange(own, known, "", "a tile of the association")
    for index in np.flatnonzero(~np.isin(known, own.uniq)).tolist():
        yield Departure.of(
            "partition_join_info.csv does not list a tile of the association", _PATH, actual=str(tiles[index])
        )


@catalog_check("HATS-SUPP-210")
def names_joined_tiles(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the joined tiles are tiles of the joined table."""
    joined = catalog.files.join_info.need()[1]
    tiles = catalog.linked(catalog.declared.value("hats_assn_join_table_url")).files.tiles
    known = uniq(tiles.orders, tiles.pixels)
    yield from _strange(joined, known, "join_", "a tile of the joined table")


def _strange(lines: PartitionLines, known: IntArray, prefix: str, expected: str) -> Iterator[Departure]:
    for at in np.flatnonzero(lines.possible & ~np.isin(lines.uniq, known)).tolist():
        yield Departure.of(
            f"a tile in partition_join_info.csv is not {expected}",
            _PATH,
            f"{prefix}Npix",
            row=at + _FIRST_LINE,
            actual=_tile(lines, at),
            expected=expected,
        )


def _tile(lines: PartitionLines, at: int) -> str:
    return f"Norder={lines.orders[at]}/Npix={lines.pixels[at]}"
