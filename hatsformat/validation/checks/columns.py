"""Checks of the columns named in the properties (Note, Table 1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from hatsformat import layout
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check, catalog_checks
from hatsformat.validation.requirements import Requirement


def _names(catalog: CatalogEvidence, keyword: str) -> tuple[str, ...]:
    value = getattr(catalog.declared.properties, keyword)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def has_column(schema: pa.Schema, name: str) -> bool:
    """Return whether a schema has a column, or a field of a nested column (``lc.mag``)."""
    if name in schema.names:
        return True
    outer, dot, inner = name.partition(".")
    if not dot or outer not in schema.names:
        return False
    kind = schema.field(schema.names.index(outer)).type
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_struct(kind)) and kind.get_field_index(inner) >= 0


def _missing(catalog: CatalogEvidence, keyword: str, names: Iterable[str]) -> Iterator[Departure]:
    for name in names:
        if not has_column(catalog.footers.schema, name):
            message = f"{keyword} names a missing column"
            yield Departure.of(
                message,
                catalog.declared.properties_path,
                keyword,
                actual=name,
                expected="a column of the data files",
            )


@catalog_checks(
    "HATS-PROP-405",
    "HATS-PROP-406",
    "HATS-PROP-408",
    "HATS-PROP-409",
    "HATS-PROP-410",
    "HATS-HPX-002",
    "HATS-SUPP-102",
)
def named_columns(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Check that the columns that a keyword names exist."""
    keyword = str(rule.keyword)
    names = _names(catalog, keyword)
    if names:
        yield from _missing(catalog, keyword, names)


@catalog_check("HATS-PROP-407")
def numeric_coordinates(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the coordinates are numbers."""
    for name in (*_names(catalog, "hats_col_ra"), *_names(catalog, "hats_col_dec")):
        if catalog.footers.schema.names.count(name) == 1:
            kind = catalog.footers.schema.field(name).type
            if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
                message = "a coordinate column must be numeric"
                yield Departure.of(message, layout.DATASET, name, actual=kind, expected="double")


@catalog_check("HATS-SUPP-101")
def index_columns(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that an index has the indexed column, ``Norder`` and ``Npix``."""
    yield from _missing(catalog, "hats_index_column", _names(catalog, "hats_index_column"))
    for name in ("Norder", "Npix"):
        if name not in catalog.footers.schema.names:
            yield Departure.of("missing column in the index", layout.DATASET, name, actual="no such column")


@catalog_check("HATS-SUPP-108")
def index_tiles_are_integers(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``Norder`` and ``Npix`` of an index are integers."""
    for name in ("Norder", "Npix"):
        if catalog.footers.schema.names.count(name) == 1:
            kind = catalog.footers.schema.field(name).type
            if not pa.types.is_integer(kind):
                expected = "uint8" if name == "Norder" else "uint64"
                yield Departure.of(
                    "Norder and Npix of an index must be integers",
                    layout.DATASET,
                    name,
                    actual=kind,
                    expected=expected,
                )


@catalog_check("HATS-SUPP-201")
def association_columns(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the columns of an association that match its two tables exist."""
    if catalog.declared.no_leaf_files:
        raise NoEvidenceError("an association without leaf files has no columns")
    for keyword in ("hats_col_assn_primary_assn", "hats_col_assn_join_assn"):
        yield from _missing(catalog, keyword, _names(catalog, keyword))


@catalog_check("HATS-SUPP-202")
def association_leaves(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that an association has leaf files if and only if ``hats_assn_leaf_files`` is true."""
    declared = catalog.declared.value("hats_assn_leaf_files")
    catalog.folder.require_listing()
    count = len(catalog.files.dataset.leaves)
    if declared is not (count > 0):
        message = "hats_assn_leaf_files does not match the files"
        yield Departure.of(
            message,
            catalog.declared.properties_path,
            "hats_assn_leaf_files",
            actual=declared,
            expected=f"{count > 0}: {count} leaf files",
        )
