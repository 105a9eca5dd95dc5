"""Checks of supplements against their primary tables, row by row (Note, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from hatsformat import layout
from hatsformat.healpix import HealpixPixel, uniq
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.checks.columns import has_column
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.cross_checks import (
    IndexScan,
    Sighting,
    scan_index,
    scan_index_extra,
    scan_keys,
)
from hatsformat.validation.evidence.key_hashing import comparable_columns, family
from hatsformat.validation.evidence.margin_values import scan_margin_values
from hatsformat.validation.evidence.margins import MarginScan, scan_margin
from hatsformat.validation.evidence.schemas import plain
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check

_SIDES = (("primary", "hats_primary_table_url"), ("join", "hats_assn_join_table_url"))
"""The two tables of an association, and the keywords that name them."""


def _margin(catalog: CatalogEvidence) -> MarginScan:
    catalog.scope.require("rows")
    primary, threshold = catalog.primary, catalog.declared.value("hats_margin_threshold")
    if not threshold > 0:
        raise NoEvidenceError("the threshold of the margin must be more than 0")
    return catalog.cached("margin", lambda: scan_margin(catalog, primary, threshold))


@catalog_check("HATS-SUPP-004")
def margin_is_complete(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a margin has every row of its primary table within the threshold of a tile."""
    found = _margin(catalog)
    tiles = catalog.primary.files.tiles
    threshold = catalog.declared.value("hats_margin_threshold")
    for index, (count, example) in found.absent.items():
        tile = tiles[index]
        yield Departure.of(
            "missing rows in the margin",
            layout.leaf_path(
                tile.order,
                tile.pixel,
                catalog.files.dataset.suffix if catalog.folder.can_list else ".parquet",
            ),
            actual=f"{_rows(count)} missing, such as {example}",
            expected=f"every row within {threshold} arcsec of the tile",
        )


@catalog_check("HATS-SUPP-006")
def margin_is_of_its_primary(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the rows of a margin are rows of its primary table."""
    for path, (count, row) in _margin(catalog).strange.items():
        yield Departure.of(
            "the margin has rows that are not in the primary table",
            path,
            row=row,
            actual=f"{_rows(count)}, the first of them row {row}",
            expected="rows of the primary table",
        )


@catalog_check("HATS-SUPP-009")
def margin_has_values_of_its_primary(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the rows of a margin have the same values as in its primary table."""
    catalog.scope.require("rows")
    for found in scan_margin_values(catalog, catalog.primary):
        yield Departure.of(
            "values in the margin differ from the primary table",
            found.path,
            found.column,
            row=found.row,
            actual=f"{_rows(found.rows)}, such as {found.value} in row {found.row}",
            expected="the values of the row at the same position",
        )


@catalog_check("HATS-SUPP-010")
def margin_has_rows_once(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a margin leaf has no row more often than its primary table."""
    for path, (count, row) in _margin(catalog).again.items():
        yield Departure.of(
            "duplicate rows in the margin",
            path,
            row=row,
            actual=f"{_rows(count)} too many, such as row {row}",
            expected="each row of the primary table once",
        )


@catalog_check("HATS-SUPP-007")
def margin_tiles_are_primary_tiles(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the tiles of a margin are tiles of its primary table."""
    tiles = catalog.primary.files.tiles
    leaves = catalog.files.leaves
    strange = ~np.isin(leaves.uniq, uniq(tiles.orders, tiles.pixels))
    reported: set[str] = set()
    for index in np.flatnonzero(strange).tolist():
        if leaves.units[index] not in reported:
            reported.add(leaves.units[index])
            tile = HealpixPixel(int(leaves.orders[index]), int(leaves.pixels[index]))
            message = "the margin has a leaf for a tile that the primary table does not have"
            yield Departure.of(
                message, leaves.units[index], actual=tile, expected="a tile of the primary table"
            )


def _index(catalog: CatalogEvidence) -> IndexScan:
    catalog.scope.require("rows")
    primary, column = catalog.primary, catalog.declared.value("hats_index_column")
    for name in ("Norder", "Npix"):
        if catalog.footers.schema.names.count(name) != 1 or not pa.types.is_integer(
            catalog.footers.schema.field(name).type
        ):
            raise NoEvidenceError(f"the index has no integer column {name}")
    return catalog.cached("index", lambda: scan_index(catalog, primary, column))


@catalog_check("HATS-SUPP-105")
def index_is_complete(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that an index has every value of its primary table, with its tile."""
    for found in _index(catalog).absent:
        yield Departure.of(
            "values of the primary table are missing from the index",
            layout.DATASET,
            catalog.declared.properties.hats_index_column,
            actual=f"{_seen(found)} of {catalog.primary.folder.prefix}{found.path}",
            expected="every value, with every tile that has it",
        )


@catalog_check("HATS-SUPP-106")
def index_is_right(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the tiles that an index names contain the values."""
    for found in _index(catalog).wrong:
        yield Departure.of(
            "the index names tiles that do not contain the value",
            found.path,
            "Npix",
            row=found.row,
            actual=_seen(found),
            expected="the tile of the value's row in the primary table",
        )


@catalog_check("HATS-SUPP-110")
def index_carries_values(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the extra columns of an index have the values of the primary table, declared or not."""
    primary, column = catalog.primary, catalog.declared.value("hats_index_column")
    declared = catalog.declared.properties.hats_index_extra_column or ()
    shared = comparable_columns(catalog.footers.schema, primary.footers.schema)
    extras = dict.fromkeys((*declared, *(name for name in shared if name != column)))
    if not extras:
        return
    _index(catalog)
    for extra in extras:
        for found in scan_index_extra(catalog, primary, column, extra):
            yield Departure.of(
                "values in the index differ from the primary table",
                found.path,
                extra,
                row=found.row,
                actual=_seen(found),
                expected="the value of the row in the primary table",
            )


@catalog_check("HATS-SUPP-107")
def index_has_its_type(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the indexed column has the same type in the primary table."""
    name = catalog.declared.value("hats_index_column")
    primary = catalog.primary.footers.schema
    kinds = [
        schema.field(name).type
        for schema in (catalog.footers.schema, primary)
        if schema.names.count(name) == 1
    ]
    if len(kinds) < 2:
        raise NoEvidenceError(f"the column {name} is missing from the index or the primary table")
    own, expected = kinds
    if not plain(own).equals(plain(expected)):
        message = "the indexed column has different types in the index and the primary table"
        yield Departure.of(message, layout.DATASET, name, actual=own, expected=expected)


@catalog_check("HATS-SUPP-206")
def joined_columns_exist(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the columns that an association joins exist in the two tables."""
    missing: NoEvidenceError | None = None
    for side, table_keyword in _SIDES:
        keyword = f"hats_col_assn_{side}"
        try:
            name, table = (
                catalog.declared.value(keyword),
                catalog.linked(catalog.declared.value(table_keyword)),
            )
            if not has_column(table.footers.schema, name):
                yield Departure.of(
                    f"{keyword} names a column that is missing from the table in {table_keyword}",
                    catalog.declared.properties_path,
                    keyword,
                    actual=name,
                    expected=f"a column of {table.folder.name or 'the table'}",
                )
        except NoEvidenceError as error:
            missing = error
    if missing is not None:
        raise missing


@catalog_check("HATS-SUPP-205")
def keys_are_in_both_tables(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the keys of an association exist in the tables that it links."""
    if catalog.declared.no_leaf_files:
        raise NoEvidenceError("an association without leaf files has no keys")
    catalog.scope.require("rows")
    missing: NoEvidenceError | None = None
    for side, table_keyword in _SIDES:
        try:
            own = f"hats_col_assn_{side}_assn"
            yield from _keys(catalog, own, catalog.declared.value(f"hats_col_assn_{side}"), table_keyword)
        except NoEvidenceError as error:
            missing = error
    if missing is not None:
        raise missing


def _keys(catalog: CatalogEvidence, keyword: str, column: str, table_keyword: str) -> Iterator[Departure]:
    own = getattr(catalog.declared.properties, keyword) or column
    table = catalog.linked(catalog.declared.value(table_keyword))
    if all(
        schema.names.count(name) == 1
        for schema, name in ((catalog.footers.schema, own), (table.footers.schema, column))
    ):
        kind, expected = catalog.footers.schema.field(own).type, table.footers.schema.field(column).type
        if {family(kind), family(expected)} == {"integer", "text"}:
            message = f"key types differ between the association and the table in {table_keyword}"
            yield Departure.of(message, layout.DATASET, own, actual=kind, expected=expected)
            return
    for found in scan_keys(catalog, own, table, column):
        yield Departure.of(
            f"the association has keys that are missing from the table in {table_keyword}",
            found.path,
            own,
            row=found.row,
            actual=_seen(found),
            expected=f"values of {column} in {table.folder.name or 'the table'}",
        )


def _seen(found: Sighting) -> str:
    return f"{_rows(found.rows)}, such as {found.value} in row {found.row}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
