"""Checks of a collection and the relations between its members (Note, section 3.1)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from hatsformat import layout
from hatsformat.healpix import uniq
from hatsformat.validation.check_api import NoEvidenceError, RowVerdict
from hatsformat.validation.checks.schemas import compare_columns, compare_types
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.collection import CollectionEvidence
from hatsformat.validation.evidence.declared import PRIMARY_TYPES
from hatsformat.validation.evidence.row_batch import RowBatch
from hatsformat.validation.evidence.tree import OutsideError
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check, collection_check, row_check

_PATH = layout.COLLECTION_PROPERTIES


@collection_check("HATS-COLL-001")
def has_properties(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that a collection has its ``collection.properties``."""
    file = collection.file
    file.check_seen()
    if not file.is_there:
        yield Departure.of("collection.properties is missing", _PATH)
    elif file.error is not None and file.error.expected is None:
        yield Departure.of("collection.properties cannot be read", _PATH, actual=file.error.message)


@collection_check("HATS-PROP-010")
def small_properties(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the properties file has at most 1 MiB."""
    error = collection.file.error
    if error is not None and error.expected is not None:
        yield Departure.of(
            "the properties file is too large and was not read", _PATH, expected="at most 1 MiB"
        )


@collection_check("HATS-TREE-007")
def no_links_out(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that no file at the collection's root is a link that leads out of it."""
    collection.tree.files()
    for path in sorted(path for path in collection.tree.links_out if "/" not in path):
        yield Departure.of("the file is a link out of the collection and was not opened", path)
    for path in collection.tree.linked_folders:
        if "/" not in path:
            yield Departure.of("the directory is a link and was not followed", path)


@collection_check("HATS-COLL-004")
def members_are_inside(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the members of a collection are its subdirectories."""
    for member in collection.members:
        if member.path is None:
            yield Departure.of(
                "the member is outside the collection and was not opened",
                _PATH,
                member.keyword,
                actual=member.reference,
                expected="a subdirectory",
            )
    for extension in collection.extensions:
        if isinstance(extension.file.error, OutsideError):
            yield Departure.of(
                "the extension is outside the collection and was not opened",
                _PATH,
                "all_extensions",
                actual=extension.path,
                expected="a properties file at the collection's root",
            )


@collection_check("HATS-COLL-005")
def members_are_there(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that every listed member exists."""
    for member in collection.members:
        if member.path is not None and member.path not in collection.catalogs:
            yield Departure.of(
                "missing member", _PATH, member.keyword, actual=member.reference, expected="a catalog"
            )
    for extension in collection.extensions:
        if not extension.file.is_there:
            yield Departure.of(
                "missing extension",
                _PATH,
                "all_extensions",
                actual=extension.path,
                expected="a properties file",
            )


def _typed(collection: CollectionEvidence, role: str, types: tuple[str, ...]) -> Iterator[Departure]:
    for member in collection.members:
        if member.role == role and member.path in collection.catalogs:
            found = collection.catalog(member).declared.table_type
            if found not in types:
                message = f"wrong type of table for the {role}"
                yield Departure.of(
                    message,
                    _PATH,
                    member.keyword,
                    actual=f"{member.reference} is of type {found}",
                    expected=" or ".join(types),
                )


@collection_check("HATS-COLL-006")
def primary_is_catalog(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the primary is a catalog."""
    yield from _typed(collection, "primary", PRIMARY_TYPES)


@collection_check("HATS-COLL-007")
def margins_are_margins(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the members in ``all_margins`` are margins."""
    yield from _typed(collection, "margin", ("margin",))


@collection_check("HATS-COLL-008")
def indexes_are_indexes(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the members in ``all_indexes`` are indexes of their field."""
    yield from _typed(collection, "index", ("index",))
    for member in collection.members:
        if member.role == "index" and member.path in collection.catalogs:
            over = collection.catalog(member).declared.properties.hats_index_column
            if over is not None and over != member.field:
                message = "hats_index_column differs from the field in all_indexes"
                yield Departure.of(
                    message,
                    _PATH,
                    member.keyword,
                    actual=f"{over} in {member.reference}",
                    expected=member.field,
                )


@collection_check("HATS-COLL-011")
def supplements_name_primary(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the supplements of a collection name its primary."""
    primary = next((member for member in collection.members if member.role == "primary"), None)
    if primary is None or primary.path is None:
        raise NoEvidenceError("the primary of the collection cannot be checked")
    accepted = {posixpath.basename(primary.path or posixpath.normpath(collection.tree.root.path))}
    if primary.path in collection.catalogs and collection.catalogs[primary.path].declared.properties_files:
        accepted.add(collection.catalogs[primary.path].declared.properties.obs_collection or "")
    for path, catalog in collection.catalogs.items():
        is_own = path != primary.path and catalog.declared.table_type != "association"
        primary_url = catalog.declared.properties.hats_primary_table_url if is_own else None
        if primary_url is not None and posixpath.basename(posixpath.normpath(primary_url)) not in accepted:
            name = posixpath.join(path, catalog.declared.properties_path)
            message = "the supplement and the collection name different primaries"
            yield Departure.of(
                message, name, "hats_primary_table_url", actual=primary_url, expected=primary.reference
            )


@collection_check("HATS-COLL-012")
def nothing_unlisted(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that every catalog in the collection's directory is listed."""
    for path in collection.unlisted:
        yield Departure.of("the catalog is not listed in collection.properties and was not validated", path)


@catalog_check("HATS-SUPP-005")
def margin_schema(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a margin has the columns and types of its primary table."""
    expected, found = catalog.primary.footers.schema, catalog.footers.schema
    whose = "the primary table"
    ours, theirs = (
        pa.schema([column for column in schema if column.name not in layout.HIVE_COLUMNS])
        for schema in (found, expected)
    )
    yield from compare_columns(layout.DATASET, ours, theirs, whose)
    yield from compare_types(layout.DATASET, found, expected, whose)


@row_check("HATS-SUPP-104", "rows of the index name tiles that have no leaf in the primary")
def index_tiles_are_primary_tiles(batch: RowBatch) -> RowVerdict:
    """Check that every tile that an index names has a leaf in the primary table."""
    if batch.plan.primary_tiles is None:
        raise NoEvidenceError("the primary table is not in the validated path")
    orders, pixels = batch.integers("Norder"), batch.integers("Npix")
    wrong = ~np.isin(uniq(orders.clip(0, 29), pixels), batch.plan.primary_tiles)
    names = (
        np.char.add(np.char.add("Norder=", orders.astype(str)), np.char.add("/Npix=", pixels.astype(str)))
        if wrong.any()
        else None
    )
    return RowVerdict(wrong, "Npix", names, "a tile of the primary table")
