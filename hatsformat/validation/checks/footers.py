"""Checks of the data files by their footers (Note, section 3.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from hatsformat import layout
from hatsformat.errors import NotFoundError
from hatsformat.healpix import MAX_ORDER, HealpixPixel
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.checks.schemas import (
    compare_columns,
    compare_nulls,
    compare_order,
    compare_types,
    is_nested,
)
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.leaves import unit_of
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check, catalog_checks
from hatsformat.validation.requirements import Requirement

INDEX_IN_TILE = "HATS-HPX-008"
"""Checked by statistics if the footers have them, else by the rows."""


@catalog_check("HATS-LEAF-001")
def opens(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that every data file is a Parquet file."""
    files = (*catalog.footers.leaves.broken, *catalog.footers.strays.broken)
    for broken in files:
        # Without a listing, missing leaves are reported as HATS-PINF-006.
        listed = catalog.folder.can_list or not isinstance(broken.error, NotFoundError)
        if broken.error is not None and listed and not broken.is_unseen:
            actual = broken.error.message
            yield Departure.of("the file cannot be opened as Parquet", broken.path, actual=actual)
    for broken in files:
        broken.check_seen()


@catalog_check("HATS-LEAF-002")
def has_rows(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a leaf has rows, in at least one file."""
    known = catalog.footers.leaves.readable
    full = {unit_of(footer.path) for footer in known if footer.rows} if any(not f.rows for f in known) else ()
    for footer in catalog.footers.leaves.each():
        if footer.rows == 0 and unit_of(footer.path) not in full:
            yield Departure.of("the leaf has no rows", footer.path, actual="0 rows")


_COMPARISONS: Mapping[str, Callable[[str, pa.Schema, pa.Schema], Iterator[Departure]]] = {
    "HATS-LEAF-003": compare_columns,
    "HATS-LEAF-004": compare_types,
    "HATS-LEAF-005": compare_order,
    "HATS-LEAF-017": compare_nulls,
}


@catalog_checks(*_COMPARISONS)
def same_schema(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Check that all data files have the same columns, types, nulls and order."""
    for footer in catalog.footers.leaves_and_strays():
        if footer.schema is not catalog.footers.schema:
            yield from _COMPARISONS[rule.id](footer.path, footer.schema, catalog.footers.schema)


@catalog_check("HATS-LEAF-006")
def no_hive_columns(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that leaves do not repeat the path keys as columns."""
    for footer in catalog.footers.leaves.each():
        for name in layout.HIVE_COLUMNS:
            if name in footer.schema.names:
                yield Departure.of("the leaf repeats its path as a column", footer.path, name)


@catalog_check("HATS-LEAF-007")
def same_keys(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the data files have the key-value metadata of ``_common_metadata``."""
    expected = catalog.footers.common_metadata.need().keys
    for footer in catalog.footers.leaves_and_strays():
        yield from compare_keys(footer.path, footer.keys, expected, layout.COMMON_METADATA)


def compare_keys(
    path: str, keys: Mapping[str, str], expected: Mapping[str, str], whose: str
) -> Iterator[Departure]:
    """Yield a departure if the key-value metadata of two files differs."""
    if keys != expected:
        differ = sorted(key for key in {*keys, *expected} if keys.get(key) != expected.get(key))
        yield Departure.of(
            "key-value metadata differs",
            path,
            actual=f"differs in {', '.join(differ)}",
            expected=f"as in {whose}",
        )


@catalog_check("HATS-LEAF-015")
def has_nested_column(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a nested catalog has a nested column."""
    if not any(map(is_nested, catalog.footers.schema.types)):
        yield Departure.of(
            "a nested catalog must have a struct of lists or a list of structs",
            catalog.declared.properties_path,
            "dataproduct_type",
            actual="nested",
            expected="object or source",
        )


@catalog_check("HATS-LEAF-008")
def distinct_names(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a file has no duplicate columns."""
    for footer in catalog.footers.leaves_and_strays():
        for name, times in sorted(Counter(footer.schema.names).items()):
            if times > 1:
                yield Departure.of("duplicate column", footer.path, name)


@catalog_check("HATS-TREE-010")
def within_threshold(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that no leaf has more rows than ``hats_max_rows``."""
    most = catalog.declared.value("hats_max_rows")
    rows: dict[str, int] = {}
    for footer, unit in zip(catalog.footers.leaves.readable, _units(catalog), strict=True):
        rows[unit] = rows.get(unit, 0) + footer.rows
    message = "the leaf has more rows than hats_max_rows"
    over = {unit: count for unit, count in rows.items() if count > most}
    for unit, count in over.items():
        yield Departure.of(message, unit, actual=count, expected=f"at most {most}")
    if 2 * len(over) > len(rows):
        # If most leaves are too large, the keyword is probably wrong.
        expected = f"at least {max(over.values())}, the rows of the largest leaf"
        yield Departure.of(
            message, catalog.declared.properties_path, "hats_max_rows", actual=most, expected=expected
        )
    catalog.footers.leaves.check_complete()


def _units(catalog: CatalogEvidence) -> list[str]:
    units = dict(zip(catalog.files.leaves.paths, catalog.files.leaves.units, strict=True))
    return [units[footer.path] for footer in catalog.footers.leaves.readable]


@catalog_check("HATS-PROP-401")
def number_of_rows(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``hats_nrows`` is the number of rows."""
    declared = catalog.declared.value("hats_nrows")
    if catalog.declared.no_leaf_files:
        raise NoEvidenceError("an association without leaf files has no rows to count")
    if declared == 0 and not len(catalog.files.leaves):
        return
    if catalog.footers.leaves.rows != declared:
        message = "hats_nrows differs from the number of rows in the data files"
        yield Departure.of(
            message,
            catalog.declared.properties_path,
            "hats_nrows",
            actual=declared,
            expected=catalog.footers.leaves.rows,
        )


# The index column


def _index_type(catalog: CatalogEvidence) -> pa.DataType:
    if catalog.declared.index_column not in catalog.footers.schema.names:
        raise NoEvidenceError(f"the column {catalog.declared.index_column} is missing")
    return catalog.footers.schema.field(
        catalog.footers.schema.names.index(catalog.declared.index_column)
    ).type


@catalog_check("HATS-HPX-001")
def has_index(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the leaves have an index column."""
    if (
        catalog.declared.properties.hats_col_healpix is None
        and catalog.declared.index_column not in catalog.footers.schema.names
    ):
        yield Departure.of("missing HEALPix index column", layout.DATASET, catalog.declared.index_column)


@catalog_check("HATS-HPX-003")
def index_first(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the index column is the first."""
    _index_type(catalog)
    first = catalog.footers.schema.names[0]
    if first != catalog.declared.index_column:
        yield Departure.of(
            "the index column must be the first column",
            layout.DATASET,
            catalog.declared.index_column,
            actual=f"{first} is the first column",
        )


@catalog_check("HATS-HPX-004")
def index_is_integer(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the type of the index column can hold its values."""
    kind = _index_type(catalog)
    bits = 2 * catalog.declared.index_order + 4 + (0 if pa.types.is_unsigned_integer(kind) else 1)
    if not pa.types.is_integer(kind) or kind.bit_width < min(bits, 64):
        yield Departure.of(
            "the type of the index column cannot hold its values",
            layout.DATASET,
            catalog.declared.index_column,
            actual=kind,
            expected="int64",
        )


@catalog_check("HATS-HPX-005")
def index_is_signed(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the integers of the index column are signed."""
    kind = _index_type(catalog)
    if pa.types.is_unsigned_integer(kind):
        message = "the index column is unsigned"
        yield Departure.of(
            message, layout.DATASET, catalog.declared.index_column, actual=kind, expected="int64"
        )


def change_range(tile: HealpixPixel, order: int) -> tuple[int, int]:
    """Return a tile's half-open range of pixels at another order; at least the pixel that contains it."""
    start, stop = tile.range29
    shift = 2 * (MAX_ORDER - order)
    return start >> shift, ((stop - 1) >> shift) + 1


@catalog_checks(INDEX_IN_TILE)
def index_in_tile(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Check that the index values of a leaf are within its tile."""
    _index_type(catalog)
    if any(found.low is None for footer in catalog.footers.leaves.readable for found in footer.statistics):
        if not catalog.scope.reaches("rows"):
            raise NoEvidenceError("row groups have no statistics for the index column")
        yield from catalog.rows.departures(rule.id)
        return
    tiles = dict(
        zip(
            catalog.files.leaves.paths,
            zip(catalog.files.leaves.orders, catalog.files.leaves.pixels, strict=True),
            strict=True,
        )
    )
    for footer in catalog.footers.leaves.each():
        order, pixel = tiles[footer.path]
        start, stop = change_range(HealpixPixel(int(order), int(pixel)), catalog.declared.index_order)
        for group, found in enumerate(footer.statistics):
            low, high = found.low, found.high
            if low is not None and high is not None and (low < start or high >= stop):
                yield Departure.of(
                    "index values outside the tile of their leaf",
                    footer.path,
                    catalog.declared.index_column,
                    group,
                    actual=f"{low} to {high}",
                    expected=f"{start} to {stop - 1}",
                )
                break
