"""Checks of the properties files (Note, section 3.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hatsformat import layout
from hatsformat.properties import ALIASES, KEYWORDS, Problem, PropertiesDocument
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.collection import CollectionEvidence
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check, catalog_checks, collection_checks
from hatsformat.validation.requirements import Requirement, requirements

_HALF_CIRCLE = 180 * 3600
_VERSIONS = ("0.1", "1.0")
"""The versions of the note."""

_SYNTAX = {
    "HATS-PROP-005": ("encoding",),
    "HATS-PROP-006": ("bad-escape", "no-keyword", "no-separator"),
    "HATS-PROP-009": ("byte-order-mark",),
    "HATS-PROP-011": ("alias",),
    "HATS-PROP-012": ("alias-conflict",),
    "HATS-PROP-013": ("unused-keyword",),
    "HATS-PROP-014": ("stray-blank",),
    "HATS-PROP-015": ("misspelt-keyword",),
}
"""The kinds of problems that belong to each requirement, whatever the keyword."""

_DUPLICATES = {"HATS-PROP-007": "error", "HATS-PROP-008": "warning"}
_LISTS, _FORMS = "HATS-PROP-315", "HATS-PROP-316"

_BY_KEYWORD = {
    "1": ("missing-keyword",),
    "2": ("bad-value", "out-of-range"),
    "3": ("odd-value", "inconsistent"),
}
"""The kinds of problems of a requirement's keyword, by the first digit of its HATS-PROP number."""

_RELATIONS = ("HATS-PROP-317", "HATS-PROP-318", "HATS-PROP-319", "HATS-PROP-320", "HATS-PROP-321")
"""Requirements that relate two keywords; the other 300s are about the form of one keyword."""


def rule_of(problem: Problem) -> str | None:
    """Return the requirement that a problem of a catalog's properties belongs to."""
    if problem.kind == "duplicate-keyword":
        return next(rule for rule, severity in _DUPLICATES.items() if severity == problem.severity)
    for rule, kinds in _SYNTAX.items():
        if problem.kind in kinds:
            return rule
    keyword = ALIASES.get(problem.keyword or "", problem.keyword)
    for rule, kinds in _keyword_rules().items():
        if problem.kind in kinds and requirements()[rule].keyword == keyword:
            return rule
    known = KEYWORDS.get(keyword or "")
    if problem.kind == "odd-value":
        return _LISTS if known is not None and known.value_type.is_list else _FORMS
    return None


def _keyword_rules() -> dict[str, tuple[str, ...]]:
    rules = {}
    for rule in (*REQUIRED, *VALUES, *FORMS):
        kinds = _BY_KEYWORD[rule.split("-")[2][0]]
        if kinds[0] == "odd-value":
            kinds = ("inconsistent",) if rule in _RELATIONS else ("odd-value",)
        rules[rule] = kinds
    return rules


REQUIRED = tuple(f"HATS-PROP-{number}" for number in range(101, 113))
VALUES = tuple(f"HATS-PROP-{number}" for number in range(201, 219))
FORMS = (*(f"HATS-PROP-{number}" for number in (*range(301, 315), 322, 323)), *_RELATIONS)


def as_departures(problems: Iterable[Problem], path: str) -> Iterator[Departure]:
    """Convert problems of a properties file to departures."""
    for problem in problems:
        yield Departure.of(
            problem.message,
            path,
            problem.keyword,
            row=problem.line,
            actual=problem.found,
            expected=problem.expected,
        )


@catalog_checks(*_SYNTAX, *_DUPLICATES, *REQUIRED, *VALUES, *FORMS, _LISTS, _FORMS)
def properties_problems(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Report the problems of the properties file that belong to this requirement."""
    path = catalog.declared.properties_path
    yield from as_departures((p for p in catalog.declared.problems if rule_of(p) == rule.id), path)


_CONTROLS, _EMPTY = "HATS-PROP-018", "HATS-PROP-019"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def _text_departures(
    rule: Requirement, document: PropertiesDocument, problems: Iterable[Problem], path: str
) -> Iterator[Departure]:
    """Report entries with control characters or without a value, if no other check reports them."""
    missing = {problem.keyword for problem in problems if problem.kind == "missing-keyword"}
    broken = {problem.line for problem in problems if problem.kind in _SYNTAX["HATS-PROP-006"]}
    for entry in document.entries:
        if entry.line in broken:
            continue
        if rule.id == _CONTROLS and _CONTROL.search(entry.keyword + entry.value):
            message = "a line has control characters"
            yield Departure.of(message, path, entry.keyword, row=entry.line, actual=entry.value)
        if rule.id == _EMPTY and not entry.value.strip() and entry.keyword not in missing:
            yield Departure.of("a keyword has no value", path, entry.keyword, row=entry.line)


@catalog_checks(_CONTROLS, _EMPTY)
def clean_text(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Report control characters and empty values in the catalog's properties."""
    yield from _text_departures(
        rule, catalog.declared.document, catalog.declared.problems, catalog.declared.properties_path
    )


@collection_checks(_CONTROLS, _EMPTY)
def clean_collection_text(collection: CollectionEvidence, rule: Requirement) -> Iterator[Departure]:
    """Report control characters and empty values in the collection's properties."""
    document = collection.document
    yield from _text_departures(rule, document, collection.problems, layout.COLLECTION_PROPERTIES)


@catalog_check("HATS-PROP-412")
def known_version(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``hats_version`` is a version of the note."""
    version = catalog.declared.value("hats_version")
    if version.removeprefix("v") not in _VERSIONS and not any(
        problem.keyword == "hats_version" for problem in catalog.declared.problems
    ):
        yield Departure.of(
            "unknown version of the note",
            catalog.declared.properties_path,
            "hats_version",
            actual=version,
            expected=" or ".join(_VERSIONS),
        )


@catalog_check("HATS-PROP-004")
def same_twice(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``hats.properties`` and ``properties`` agree."""
    if len(catalog.declared.documents) < 2:
        return
    texts = [document.to_dict() for document in catalog.declared.documents]
    message = "hats.properties and properties differ"
    for keyword in sorted({*texts[0], *texts[1]}):
        ours, theirs = texts[0].get(keyword), texts[1].get(keyword)
        if ours != theirs:
            yield Departure.of(
                message,
                layout.LEGACY_PROPERTIES,
                keyword,
                actual=theirs or "nothing",
                expected=ours or "nothing",
            )


_COLLECTION_RULES = {
    ("missing-keyword", "obs_collection"): "HATS-COLL-002",
    ("missing-keyword", "hats_primary_table_url"): "HATS-COLL-003",
    ("inconsistent", "default_margin"): "HATS-COLL-009",
    ("inconsistent", "default_index"): "HATS-COLL-010",
    ("inconsistent", "all_margins"): "HATS-COLL-013",
    ("inconsistent", "all_indexes"): "HATS-COLL-013",
    ("inconsistent", "all_extensions"): "HATS-COLL-013",
    ("bad-value", "all_indexes"): "HATS-PROP-219",
    ("out-of-range", "all_indexes"): "HATS-PROP-219",
    ("bad-value", "all_extensions"): "HATS-COLL-013",
}


def collection_rule_of(problem: Problem) -> str | None:
    """Return the requirement that a problem of a collection's properties belongs to."""
    return _COLLECTION_RULES.get((problem.kind, problem.keyword or "")) or rule_of(problem)


def _collection_rules() -> list[str]:
    shared = [
        rule
        for rule in (*_SYNTAX, *_DUPLICATES, *VALUES, *FORMS, _LISTS, _FORMS)
        if "collection" in requirements()[rule].applies_to
    ]
    return list(dict.fromkeys([*_COLLECTION_RULES.values(), *shared]))


@collection_checks(*_collection_rules())
def collection_problems(collection: CollectionEvidence, rule: Requirement) -> Iterator[Departure]:
    """Report the problems of the collection's properties that belong to this requirement."""
    found = (p for p in collection.problems if collection_rule_of(p) == rule.id)
    yield from as_departures(found, layout.COLLECTION_PROPERTIES)


@catalog_check("HATS-SUPP-001")
def positive_threshold(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the margin's threshold is more than 0 and at most half a circle."""
    threshold = catalog.declared.value("hats_margin_threshold")
    if not 0 < threshold <= _HALF_CIRCLE:
        message = (
            "the margin threshold must be more than 0"
            if threshold <= 0
            else "the margin threshold is more than half a circle"
        )
        yield Departure.of(
            message,
            catalog.declared.properties_path,
            "hats_margin_threshold",
            actual=threshold,
            expected=f"more than 0, at most {_HALF_CIRCLE} arcseconds",
        )
