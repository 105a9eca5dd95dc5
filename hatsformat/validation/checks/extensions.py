"""Checks of extensions: properties files at the root of a collection that join more columns."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence

from hatsformat import layout
from hatsformat.errors import UnavailableError
from hatsformat.properties import Problem
from hatsformat.validation.check_api import NoEvidenceError, outage
from hatsformat.validation.checks.columns import has_column
from hatsformat.validation.checks.properties import as_departures
from hatsformat.validation.evidence.collection import CollectionEvidence, Extension
from hatsformat.validation.evidence.tree import OutsideError
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import collection_check, collection_checks
from hatsformat.validation.requirements import Requirement

_KINDS = {
    "HATS-EXT-003": ("missing-keyword",),
    "HATS-EXT-004": ("bad-value", "out-of-range", "inconsistent", "alias-conflict"),
    "HATS-EXT-005": ("encoding", "bad-escape", "no-keyword", "no-separator", "duplicate-keyword"),
    "HATS-EXT-006": (
        "odd-value",
        "stray-blank",
        "misspelt-keyword",
        "unused-keyword",
        "alias",
        "byte-order-mark",
    ),
}
"""The requirements that the problems of an extension's properties belong to; every kind is in one."""


def _readable(collection: CollectionEvidence) -> Iterator[Extension]:
    """Yield the readable extensions, then raise `NoEvidenceError` if there are others."""
    if not collection.extensions:
        raise NoEvidenceError("the collection lists no extensions")
    for extension in collection.extensions:
        if extension.file.value is not None:
            yield extension
    broken = sum(extension.file.value is None for extension in collection.extensions)
    if broken:
        raise NoEvidenceError(f"{broken} of {len(collection.extensions)} extensions cannot be read")


@collection_check("HATS-EXT-001")
def is_readable(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the files of extensions can be read."""
    if not collection.extensions:
        raise NoEvidenceError("the collection lists no extensions")
    for extension in collection.extensions:
        error = extension.file.error
        if isinstance(error, UnavailableError):
            raise outage(error)
        if error is not None and extension.file.is_there and not _is_outside(extension):
            yield Departure.of(
                "the extension's properties cannot be read", extension.path, actual=error.message
            )


def _is_outside(extension: Extension) -> bool:
    return isinstance(extension.file.error, OutsideError) and not layout.is_inside(extension.path)


@collection_check("HATS-EXT-002")
def is_extension(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the ``dataproduct_type`` of extensions is ``extension``."""
    for extension in _readable(collection):
        table_type = extension.document.to_dict().get("dataproduct_type", "").strip()
        if table_type and table_type != "extension":
            yield Departure.of(
                "dataproduct_type must be extension",
                extension.path,
                "dataproduct_type",
                actual=table_type,
                expected="extension",
            )


@collection_checks(*_KINDS)
def extension_problems(collection: CollectionEvidence, rule: Requirement) -> Iterator[Departure]:
    """Report the problems of the properties of extensions that belong to this requirement."""
    for extension in _readable(collection):
        yield from as_departures(_of(rule.id, extension.problems), extension.path)


def _of(rule: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    for problem in problems:
        # HATS-EXT-002 reports another type.
        another = problem.keyword == "dataproduct_type" and problem.kind == "bad-value"
        if problem.kind in _KINDS[rule] and not another:
            yield problem


@collection_check("HATS-EXT-007")
def names_primary(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that extensions name the collection's primary."""
    primary = next((member for member in collection.members if member.role == "primary"), None)
    if primary is None or primary.path is None:
        raise NoEvidenceError("the primary of the collection cannot be checked")
    for extension in _readable(collection):
        primary_url = extension.properties.hats_primary_table_url
        if primary_url is not None and posixpath.basename(
            posixpath.normpath(primary_url)
        ) != posixpath.basename(primary.path):
            yield Departure.of(
                "the extension and the collection name different primaries",
                extension.path,
                "hats_primary_table_url",
                actual=primary_url,
                expected=primary.reference,
            )


@collection_check("HATS-EXT-008")
def columns_exist(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the columns named by an extension exist in its tables."""
    missing: NoEvidenceError | None = None
    for extension in _readable(collection):
        properties = extension.properties
        wanted = (
            (properties.hats_primary_table_url, "hats_col_assn_primary", [properties.hats_col_assn_primary]),
            (properties.hats_assn_join_table_url, "hats_col_assn_join", [properties.hats_col_assn_join]),
            (properties.hats_assn_join_table_url, "hats_ext_cols", [*(properties.hats_ext_cols or ())]),
        )
        for reference, keyword, names in wanted:
            try:
                if reference is not None:
                    yield from _columns(collection, extension, reference, keyword, names)
            except NoEvidenceError as error:
                missing = error
    if missing is not None:
        raise missing


def _columns(
    collection: CollectionEvidence,
    extension: Extension,
    reference: str,
    keyword: str,
    names: Sequence[str | None],
) -> Iterator[Departure]:
    path = posixpath.normpath(reference)
    table = collection.find("" if path == "." else path) if layout.is_inside(reference) else None
    if table is None:
        raise NoEvidenceError("a table of the extension is not in the validated path")
    for name in names:
        if name is not None and not has_column(table.footers.schema, name):
            yield Departure.of(
                f"{keyword} names a missing column",
                extension.path,
                keyword,
                actual=name,
                expected=f"a column of {path}",
            )


@collection_check("HATS-EXT-009")
def nothing_unlisted(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the extensions at the collection's root are listed."""
    for path in collection.unlisted_extensions:
        yield Departure.of("the extension is not listed in all_extensions", path)


@collection_check("HATS-EXT-010")
def lies_at_the_root(collection: CollectionEvidence) -> Iterator[Departure]:
    """Check that the files of extensions are at the collection's root."""
    if not collection.extensions:
        raise NoEvidenceError("the collection lists no extensions")
    for extension in collection.extensions:
        if "/" in posixpath.normpath(extension.path) and layout.is_inside(extension.path):
            yield Departure.of(
                "the extension is not at the root of the collection",
                layout.COLLECTION_PROPERTIES,
                "all_extensions",
                actual=extension.path,
                expected=posixpath.basename(extension.path),
            )
