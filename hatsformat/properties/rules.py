"""Find the problems of a properties file, by the keyword table and a few rules between keywords."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from hatsformat.properties.document import Entry, PropertiesDocument
from hatsformat.properties.keyword import Keyword
from hatsformat.properties.keywords import (
    ALIASES,
    COLLECTION_FILE,
    EXTENSION_FILE,
    KEYWORDS,
    TABLE_FILE,
    FileKind,
    find_text,
)
from hatsformat.properties.problems import Problem, Severity, sort_problems
from hatsformat.properties.values import BLANKS, split_list

_WORDS = re.compile(r"[^ \t\n\r\f]*")
_FORM_OF_TYPE = {
    "word": (_WORDS, "one word"),
    "url": (
        re.compile(r"(?!(?i:https?|ftp):(?!//[^/\s]))[A-Za-z][A-Za-z0-9+.-]*:.*", re.DOTALL),
        "a URL, such as https://example.org/catalog",
    ),
    "date": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z"), "a date, YYYY-mm-ddTHH:MMZ"),
    "integer": (re.compile(r"[0-9]*"), "an integer without a decimal point"),
    "order": (re.compile(r"[0-9]*"), "an integer without a decimal point"),
    "list": (re.compile(r"[^,;]*"), "names separated by blanks only"),
    "orders": (re.compile(r"[^,;]*"), "integers separated by blanks only"),
    "map": (re.compile(r"[^,;]*"), "names and directories separated by blanks only"),
}
_IVOIDS = (re.compile(r"ivo://\S*(\s+ivo://\S*)*", re.IGNORECASE), "IVOIDs, separated by blanks")
_IVOID = (re.compile(r"ivo://.*", re.DOTALL | re.IGNORECASE), "an IVOID, such as ivo://CDS/P/2MASS/J")
_UCD = r"(?:[a-z]+:)?(?:arith|em|instr|meta|obs|phot|phys|pos|spect|src|stat|time)(?:\.[a-z0-9_-]+)*"
_FORM_OF_KEYWORD = {
    "hats_version": (re.compile(r"v?[0-9]+(?:\.[0-9]+)*"), "a version, such as 1.0"),
    "data_ucd": (
        re.compile(rf"{_UCD}(?:[; ]+{_UCD})*", re.IGNORECASE),
        "UCDs, such as phot.mag;em.opt.V",
    ),
    "creator_did": _IVOID,
    "publisher_id": _IVOID,
    "addendum_did": _IVOIDS,
}
_STATUS_GROUPS = (
    {"private", "public"},
    {"main", "mirror", "partial"},
    {"clonable", "unclonable", "clonableOnce"},
)
_WORD_LIKE = ("word", "column", "reference", "url", "suffix")
_MAX_UNKNOWN = 20
"""The limit of unknown keywords to compare with known ones, which is slow."""


def validate_table(document: PropertiesDocument) -> list[Problem]:
    """Find every problem of the properties of a table (Note, section 3.6.1, Tables 1 and 2).

    Parameters
    ----------
    document : PropertiesDocument
        From `parse_properties_text`.

    Returns
    -------
    list of Problem
        The worst first; those of severity ``fatal`` are what `TableProperties.parse` raises for.
    """
    return find_problems(document, TABLE_FILE)


def validate_collection(document: PropertiesDocument) -> list[Problem]:
    """Find every problem of the properties of a collection (Note, sections 3.1 and 3.6.5).

    Parameters
    ----------
    document : PropertiesDocument
        From `parse_properties_text`.

    Returns
    -------
    list of Problem
        The worst first; those of severity ``fatal`` are what `CollectionProperties.parse` raises for.
    """
    return find_problems(document, COLLECTION_FILE)


def validate_extension(document: PropertiesDocument) -> list[Problem]:
    """Find every problem of the properties of an extension.

    Parameters
    ----------
    document : PropertiesDocument
        From `parse_properties_text`.

    Returns
    -------
    list of Problem
        The worst first; those of severity ``fatal`` are what `ExtensionProperties.parse` raises for.
    """
    return find_problems(document, EXTENSION_FILE)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A document and what the rules need from it.

    `table_type` is the type of table, ``collection``, or None for a missing or unknown type. `values` and
    `found` contain the values that could be read and the lines they are on, by the keyword's current name.
    """

    file_kind: FileKind
    entries: dict[str, Entry]
    table_type: str | None
    found: dict[str, Entry] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


def find_problems(document: PropertiesDocument, file_kind: FileKind) -> list[Problem]:
    """Return all problems of a document, including those of its text.

    Parameters
    ----------
    document : PropertiesDocument
    file_kind : FileKind

    Returns
    -------
    list of Problem
        The worst first.
    """
    reading = _read(document, file_kind)
    problems = list(document.problems)
    for keyword in file_kind.keywords.values():
        problems.extend(_check_names(reading, keyword))
        for name in (keyword.name, *keyword.aliases):
            entry = reading.entries.get(name)
            if entry is not None and keyword.value_type.strip(entry.value):
                problems.extend(_check_value(reading, keyword, entry))
        if keyword.name not in reading.found:
            problems.extend(_check_missing(reading, keyword))
    problems.extend(_check_other_keywords(reading))
    problems.extend(_check_times(reading))
    problems.extend(_check_collection(reading) if file_kind is COLLECTION_FILE else _check_table(reading))
    return sort_problems(problems)


def _read(document: PropertiesDocument, file_kind: FileKind) -> _Reading:
    entries = document.last_entries()
    texts = {name: entry.value for name, entry in entries.items()}
    table_type: str | None = file_kind.types[0]
    if "dataproduct_type" in file_kind.keywords:
        table_type = texts.get("dataproduct_type", "").strip(BLANKS)
        table_type = table_type if table_type in file_kind.types else None
    reading = _Reading(file_kind, entries, table_type)
    for keyword in file_kind.keywords.values():
        found = find_text(texts, keyword)
        if found is not None:
            reading.found[keyword.name] = entries[found[0]]
            try:
                reading.values[keyword.name] = keyword.parse(found[1])
            except (ValueError, OverflowError):
                continue  # _check_value reports it
    return reading


def _check_names(reading: _Reading, keyword: Keyword) -> Iterator[Problem]:
    own = reading.entries.get(keyword.name)
    for alias in keyword.aliases:
        entry = reading.entries.get(alias)
        if entry is None or not keyword.value_type.strip(entry.value):
            continue
        fix = f"rename it to {keyword.name}"
        yield Problem(
            "alias", "warning", f"{alias} is the name in another edition", alias, entry.line, fix=fix
        )
        agreeing = ("", keyword.value_type.strip(entry.value))
        if own is not None and keyword.value_type.strip(own.value) not in agreeing:
            yield Problem(
                "alias-conflict",
                "error",
                f"{alias} and {keyword.name} mean the same but differ; {keyword.name} is used",
                alias,
                entry.line,
                entry.value,
                own.value,
                f"remove the line with {alias}",
            )


def _check_value(reading: _Reading, keyword: Keyword, entry: Entry) -> Iterator[Problem]:
    kind = "bad-value"
    problem = None
    try:
        keyword.parse(entry.value)
    except OverflowError:
        kind, problem = "out-of-range", f"the value of {entry.keyword} is out of range"
    except ValueError:
        problem = f"the value of {entry.keyword} cannot be read"
    if problem is not None:
        counts = reading.found[keyword.name] is entry
        used = reading.table_type is None or keyword.used_by(reading.table_type)
        severity: Severity = "fatal" if keyword.vital and counts and used else "error"
        yield Problem(kind, severity, problem, entry.keyword, entry.line, entry.value, keyword.expected)
        return
    expected = _expected_form(keyword, entry.value)
    if expected is not None:
        message = f"the value of {entry.keyword} differs from the form in the note"
        yield Problem("odd-value", "warning", message, entry.keyword, entry.line, entry.value, expected)
    if keyword.value_type.name in _WORD_LIKE and entry.value != entry.value.strip(BLANKS):
        message = f"the value of {entry.keyword} has blanks around it, which other readers keep"
        yield Problem(
            "stray-blank", "warning", message, entry.keyword, entry.line, entry.value, fix="remove the blanks"
        )
    if reading.table_type is not None and not keyword.used_by(reading.table_type):
        yield _unused(entry, reading.table_type)


def _expected_form(keyword: Keyword, value: str) -> str | None:
    """Return the form in the note if a value, although it can be read, is in a different form."""
    text = keyword.value_type.strip(value)
    words = split_list(text) if keyword.value_type.is_list else (text,)
    if keyword.choices and not set(words) <= set(keyword.choices):
        return keyword.expected
    if keyword.name == "hats_status" and any(len(group & set(words)) > 1 for group in _STATUS_GROUPS):
        return "at most one word of each group, such as private or public, and main, mirror or partial"
    form = _FORM_OF_KEYWORD.get(keyword.name) or _FORM_OF_TYPE.get(keyword.value_type.name)
    return None if form is None or form[0].fullmatch(text) else form[1]


def _check_missing(reading: _Reading, keyword: Keyword) -> Iterator[Problem]:
    essential = keyword.name in reading.file_kind.essential
    # A kind of file with only one type, such as a collection, needs its keywords whatever its type says.
    types = reading.file_kind.types if reading.table_type is None else (reading.table_type,)
    if not all(name in keyword.required for name in types):
        return
    kind = reading.table_type or reading.file_kind.name
    expected = keyword.expected
    name = reading.found.get("name")
    if keyword.name == "obs_collection" and name is not None:
        expected += f", such as the name {name.value[:80]!r}"
    yield Problem(
        "missing-keyword",
        "fatal" if essential else "error",
        f"{keyword.name} is missing, which is required for type {kind}",
        keyword.name,
        expected=expected,
        fix=f"add a line {keyword.name} = …",
    )


def _check_other_keywords(reading: _Reading) -> Iterator[Problem]:
    known = reading.file_kind.keywords
    absent = [name for name in known if name not in reading.found]
    unknown = 0
    for name, entry in reading.entries.items():
        present = ALIASES.get(name, name)
        if present in known or not entry.value.strip(BLANKS):
            continue
        if present in KEYWORDS:
            yield _unused(entry, reading.table_type or reading.file_kind.name)
        elif unknown < _MAX_UNKNOWN:
            unknown += 1
            close = get_close_matches(name[:64], absent, 1, cutoff=0.85)
            if close:
                yield Problem(
                    "misspelt-keyword",
                    "warning",
                    f"{name} is not a keyword of the note",
                    name,
                    entry.line,
                    fix=f"if you mean {close[0]}, rename it",
                )


def _unused(entry: Entry, table_type: str) -> Problem:
    message = f"{entry.keyword} is not used in a table of type {table_type}"
    if table_type in ("collection", "table"):
        message = f"{entry.keyword} is not used in a {table_type}"
    return Problem("unused-keyword", "warning", message, entry.keyword, entry.line, entry.value)


def _check_collection(reading: _Reading) -> Iterator[Problem]:
    for default, listing in (("default_margin", "all_margins"), ("default_index", "all_indexes")):
        value = reading.values.get(default)
        listed = reading.values.get(listing) or ()
        if value is not None and value not in listed:
            expected = f"one of {', '.join(listed)}" if listed else f"{listing} to contain it"
            yield _inconsistent(reading, default, f"{default} is not in {listing}", expected)
    for listing, step in (("all_margins", 1), ("all_indexes", 2), ("all_extensions", 2)):
        members = split_list(reading.found[listing].value)[::step] if listing in reading.values else ()
        if len(set(members)) < len(members):
            message = f"{listing} contains a duplicate name" + ("; the last one is used" if step == 2 else "")
            yield _inconsistent(reading, listing, message, "unique names")
    for path in (reading.values.get("all_extensions") or {}).values():
        if not path.endswith(".properties"):
            message = "all_extensions must point to properties files"
            yield _inconsistent(reading, "all_extensions", message, "paths that end in .properties")


def _check_table(reading: _Reading) -> Iterator[Problem]:
    value: Callable[[str], Any] = reading.values.get
    if value("hats_col_ra") is not None and value("hats_col_ra") == value("hats_col_dec"):
        message = "hats_col_dec names the same column as hats_col_ra"
        yield _inconsistent(reading, "hats_col_dec", message, "the column of the declination")
    column = value("hats_col_healpix")
    if column not in (None, "_healpix_29") and value("hats_col_healpix_order") is None:
        message = "hats_col_healpix is declared without hats_col_healpix_order; order 29 is assumed"
        yield _inconsistent(reading, "hats_col_healpix", message, "hats_col_healpix_order", "warning")
    order = value("hats_skymap_order")
    if value("hats_skymap_alt_orders") and (order is None or max(value("hats_skymap_alt_orders")) >= order):
        message = "the orders in hats_skymap_alt_orders must be below hats_skymap_order"
        expected = "hats_skymap_order" if order is None else f"orders below {order}"
        yield _inconsistent(reading, "hats_skymap_alt_orders", message, expected, "warning")


def _check_times(reading: _Reading) -> Iterator[Problem]:
    for first, last in (("t_min", "t_max"), ("hats_creation_date", "hats_release_date")):
        start, end = reading.values.get(first), reading.values.get(last)
        if isinstance(start, datetime) and isinstance(end, datetime):
            # Some writers only write the day.
            start, end = start.date(), end.date()
        if start is not None and end is not None and end < start:
            expected = f"{reading.found[first].value} or later"
            yield _inconsistent(reading, last, f"{last} is before {first}", expected, "warning")


def _inconsistent(
    reading: _Reading, name: str, message: str, expected: str, severity: Severity = "error"
) -> Problem:
    entry = reading.found[name]
    return Problem("inconsistent", severity, message, entry.keyword, entry.line, entry.value, expected)
