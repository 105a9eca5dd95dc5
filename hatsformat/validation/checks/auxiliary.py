"""Checks of the other Parquet files (Note, sections 3.6.4, 3.6.6 and 3.6.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hatsformat import layout
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.checks.footers import compare_keys
from hatsformat.validation.checks.schemas import compare_columns, compare_order, compare_types
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.footer_worker import Statistics
from hatsformat.validation.evidence.footers import Footer
from hatsformat.validation.evidence.statistics import FIELDS, KEYS, StatisticsScan, scan_statistics
from hatsformat.validation.evidence.tree import Artefact
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check, catalog_checks
from hatsformat.validation.requirements import Requirement

_MOST_GROUPS = 10
"""The most row groups of a file that a message lists."""


@catalog_checks("HATS-AUX-001", "HATS-AUX-002")
def is_there(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Check that the catalog has ``_metadata`` and ``_common_metadata``."""
    path = layout.METADATA if rule.id == "HATS-AUX-001" else layout.COMMON_METADATA
    if catalog.declared.no_leaf_files:
        raise NoEvidenceError(f"an association without leaf files does not need {path}")
    if catalog.folder.can_list:
        there = path in catalog.folder.paths
    else:
        there = (
            catalog.footers.metadata if path == layout.METADATA else catalog.footers.common_metadata
        ).is_there
    if not there:
        yield Departure.of("a recommended file is missing", path)


def broken(file: Artefact[Footer]) -> Iterator[Departure]:
    """Yield a departure if a Parquet file cannot be opened; raise `NoEvidenceError` if it is missing."""
    if not file.is_there:
        raise NoEvidenceError(f"{file.path} is missing")
    file.check_seen()
    if file.error is not None:
        yield Departure.of("the file cannot be read as Parquet", file.path, actual=file.error.message)


@catalog_check("HATS-AUX-003")
def metadata_opens(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``_metadata`` can be read."""
    yield from broken(catalog.footers.metadata)


@catalog_check("HATS-AUX-004")
def common_metadata_opens(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``_common_metadata`` can be read."""
    yield from broken(catalog.footers.common_metadata)


@dataclass
class _MetadataGroups:
    """The row groups of a file in ``_metadata``: rows, bytes and range of index values."""

    rows: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    ranges: list[tuple[Any, Any]] = field(default_factory=list)


def _in_metadata(catalog: CatalogEvidence) -> Mapping[str, _MetadataGroups]:
    """Return the row groups in ``_metadata`` of each file, by path in the catalog."""
    return catalog.cached("row groups in _metadata", lambda: _by_file(catalog.footers.metadata.need()))


def _by_file(footer: Footer) -> dict[str, _MetadataGroups]:
    found: dict[str, _MetadataGroups] = {}
    statistics = footer.statistics or (Statistics(),) * len(footer.files)
    groups = zip(footer.files, footer.group_rows, footer.group_bytes, statistics, strict=True)
    for path, rows, size, known in groups:
        listed = found.setdefault(f"{layout.DATASET}/{path}" if path else "", _MetadataGroups())
        listed.rows.append(rows)
        listed.sizes.append(size)
        listed.ranges.append((known.low, known.high))
    return found


@catalog_check("HATS-AUX-005")
def metadata_names_leaves(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``_metadata`` lists every data file, and no others."""
    named = _in_metadata(catalog)
    leaves = set(catalog.files.leaves.paths)
    if "" in named:
        yield Departure.of("_metadata has row groups without a file path", layout.METADATA)
    for path in sorted(set(named) - leaves - {""}):
        yield Departure.of(
            "_metadata lists a file that is not a data file of the catalog", layout.METADATA, actual=path
        )
    for path in sorted(leaves - set(named)):
        yield Departure.of(
            "_metadata does not list a data file", layout.METADATA, actual="nothing", expected=path
        )


@catalog_check("HATS-AUX-006")
def metadata_counts_rows(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``_metadata`` has the number of rows of each file."""
    named = _in_metadata(catalog)
    for footer in catalog.footers.leaves_and_strays():
        if footer.path in named and (rows := sum(named[footer.path].rows)) != footer.rows:
            yield Departure.of(
                "_metadata and the file differ in their number of rows",
                footer.path,
                actual=rows,
                expected=footer.rows,
            )


@catalog_check("HATS-AUX-016")
def metadata_has_row_groups(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``_metadata`` has the row groups of each file, with their sizes and index values."""
    named = _in_metadata(catalog)
    for footer in catalog.footers.leaves_and_strays():
        listed = named.get(footer.path)
        # Other checks report unlisted files and different columns.
        if listed is None or footer.schema is not catalog.footers.schema:
            continue
        if tuple(listed.rows) != footer.group_rows:
            yield _stale(footer.path, f"rows {_list(listed.rows)}", f"rows {_list(footer.group_rows)}")
            continue
        for group, (found, own) in enumerate(zip(listed.ranges, footer.statistics, strict=False)):
            if None not in (*found, own.low) and found != (own.low, own.high):
                actual, expected = f"{found[0]} to {found[1]}", f"{own.low} to {own.high}"
                yield _stale(footer.path, actual, expected, catalog.declared.index_column, group)
                break
        else:
            sizes = zip(listed.sizes, footer.group_bytes, strict=True)
            differ = [group for group, (listed_size, own_size) in enumerate(sizes) if listed_size != own_size]
            if differ and catalog.footers.metadata.need().schema is catalog.footers.schema:
                listed_size, own_size = listed.sizes[differ[0]], footer.group_bytes[differ[0]]
                yield _stale(footer.path, f"{listed_size} bytes", f"{own_size} bytes", None, differ[0])


def _stale(
    path: str, actual: str, expected: str, column: str | None = None, group: int | None = None
) -> Departure:
    message = "_metadata and the file differ in their row groups"
    return Departure.of(
        message, layout.METADATA, column, group, actual=f"{path}: {actual}", expected=expected
    )


def _list(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:_MOST_GROUPS])) + (", …" if len(rows) > _MOST_GROUPS else "")


@catalog_check("HATS-AUX-017")
def auxiliary_order(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the other Parquet files have the column order of the data files."""
    files = [catalog.footers.common_metadata, catalog.footers.thumbnail]
    if catalog.scope.reaches("footers"):
        files.append(catalog.footers.metadata)
    for file in files:
        if file.value is not None:
            yield from compare_order(file.path, file.value.schema, catalog.footers.schema)


@catalog_checks("HATS-AUX-007", "HATS-AUX-012", "HATS-AUX-202")
def auxiliary_schema(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Check that the other Parquet files have the columns and types of the data files."""
    if rule.id == "HATS-AUX-007":
        file = catalog.footers.metadata
    else:
        file = catalog.footers.common_metadata if rule.id == "HATS-AUX-012" else catalog.footers.thumbnail
    found = file.need().schema
    yield from compare_columns(file.path, found, catalog.footers.schema)
    yield from compare_types(file.path, found, catalog.footers.schema)


@catalog_check("HATS-AUX-008")
def metadata_keys(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``_metadata`` has the key-value metadata of ``_common_metadata``."""
    expected = catalog.footers.common_metadata.need().keys
    yield from compare_keys(
        layout.METADATA, catalog.footers.metadata.need().keys, expected, layout.COMMON_METADATA
    )


@catalog_check("HATS-AUX-009")
def common_metadata_is_schema(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``_common_metadata`` has no rows."""
    rows = catalog.footers.common_metadata.need().rows
    if rows:
        yield Departure.of("_common_metadata has rows", layout.COMMON_METADATA, actual=rows, expected=0)


@catalog_check("HATS-AUX-010")
def statistics_open(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the statistics file can be read and has the required columns."""
    file = catalog.footers.statistics
    yield from broken(file)
    if file.value is not None:
        for name in ("Norder", "Npix", "row_group_index"):
            if name not in file.value.schema.names:
                yield Departure.of("missing column in the statistics", file.path, name)


@catalog_check("HATS-AUX-011")
def statistics_rows(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the statistics have one row per row group."""
    rows = catalog.footers.statistics.need().rows
    catalog.footers.leaves.check_complete()
    groups = sum(len(footer.group_rows) for footer in catalog.footers.leaves.readable)
    if rows != groups:
        message = "the statistics must have one row per row group"
        yield Departure.of(message, layout.STATISTICS, actual=f"{rows} rows", expected=f"{groups} row groups")


def _scan(catalog: CatalogEvidence) -> StatisticsScan:
    catalog.scope.require("footers")
    return catalog.cached("statistics", lambda: scan_statistics(catalog))


@catalog_check("HATS-AUX-013")
def statistics_name_row_groups(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that each row of the statistics belongs to a different row group of the leaves."""
    for row, (order, pixel, group) in _scan(catalog).strange:
        yield Departure.of(
            "unknown or duplicate row group in the statistics",
            layout.STATISTICS,
            row=row,
            actual=f"Norder={order}, Npix={pixel}, row_group_index={group}",
        )


@catalog_check("HATS-AUX-014")
def statistics_values(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the values of the statistics match the footers."""
    for row, column, value, expected in _scan(catalog).wrong:
        yield Departure.of(
            "the statistics differ from the footers",
            layout.STATISTICS,
            column,
            row=row,
            actual=value,
            expected=expected,
        )


@catalog_check("HATS-AUX-018")
def statistics_columns(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the columns of the statistics belong to columns of the leaves."""
    names = catalog.footers.statistics.need().schema.names
    own = catalog.footers.schema.names
    # A nested column has one entry per leaf column, such as "lightcurve.mag.list.element".
    nested = tuple(f"{name}." for name in own)
    for name in names:
        column, _, field = name.rpartition("::")
        is_known = column in own or column.startswith(nested)
        if name not in KEYS and not (field in FIELDS and is_known):
            message = "unknown column in the statistics"
            yield Departure.of(
                message,
                layout.STATISTICS,
                name,
                expected=f"COLUMN::FIELD, with a column of the leaves and one of {', '.join(FIELDS)}",
            )


@catalog_check("HATS-AUX-015")
def statistics_sizes(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the sizes in the statistics match the footers."""
    found = _scan(catalog).sizes
    if found:
        row, column, value, expected = found[0]
        yield Departure.of(
            "the sizes in the statistics differ from the footers",
            layout.STATISTICS,
            actual=f"{value} bytes of {column.partition('::')[0]} in row {row}, and {len(found) - 1} more",
            expected=expected,
        )
