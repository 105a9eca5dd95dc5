"""The report as SARIF 2.1.0, for code hosting sites."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from hatsformat._version import __version__
from hatsformat.validation.findings import Departure, Finding, Location, NotRun, Verdict
from hatsformat.validation.requirements import Requirement, requirements
from hatsformat.validation.sanitizing import encodable, visible

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
NOTE = "https://www.ivoa.net/documents/Notes/hats-ivoa"
"""Where the note is published; more permanent than a page of the rules."""

MOST_LOCATIONS = 1000
"""The most locations of a finding; code hosting sites accept no more. `occurrenceCount` has the total."""

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_BASE = "CATALOG"


def render_sarif(
    verdict: Verdict, findings: Sequence[Finding], not_run: Sequence[NotRun], passed: Sequence[str]
) -> str:
    """Return a report as SARIF: a result per finding, and a notification per check that did not run.

    Parameters
    ----------
    verdict : Verdict
    findings : sequence of Finding
    not_run : sequence of NotRun
    passed : sequence of str
        The ids of the checks that found nothing.

    Returns
    -------
    str
        JSON. Paths are relative to the catalog, whose address is the base ``CATALOG``.
    """
    known = requirements()
    named = {finding.rule for finding in findings} | {item.rule for item in not_run} | set(passed)
    rules = [rule for rule in known.values() if rule.id in named]
    index = {rule.id: number for number, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "hatsformat",
                "version": __version__,
                "semanticVersion": __version__,
                "informationUri": NOTE,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [_notification(item, index[item.rule]) for item in not_run],
            }
        ],
        "originalUriBaseIds": {_BASE: {"uri": _root_uri(verdict.path)}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index[finding.rule]) for finding in findings],
        "properties": {
            "edition": verdict.edition,
            "level": verdict.level,
            "valid": verdict.valid,
            "summary": verdict.summary,
        },
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return encodable(json.dumps(log, indent=2, ensure_ascii=False))


def _rule(rule: Requirement) -> dict[str, Any]:
    origin = f"Note, section {rule.section}"
    full = f"{rule.summary} ({rule.level}; {origin})"
    why = f"{rule.why} " if rule.why else ""
    quote_ = f"> {rule.quote}\n\n" if rule.quote else ""
    why_line = f"**Why:** {rule.why}\n\n" if rule.why else ""
    markdown = f"{rule.summary}\n\n{quote_}{why_line}**How to fix it:** {rule.fix}\n\n{rule.level}; {origin}."
    return {
        "id": rule.id,
        "shortDescription": {"text": _plain(rule.summary)},
        "fullDescription": {"text": _plain(full)},
        "help": {"text": _plain(f"{why}{rule.fix}"), "markdown": markdown},
        "helpUri": NOTE,
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "level": rule.level,
            "section": rule.section,
            "stage": rule.stage,
            "tags": ["HATS", rule.id.split("-")[1], rule.level],
        },
    }


def _plain(text: str) -> str:
    return text.replace("`", "")


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "kind": "fail",
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [_location(departure) for departure in finding.departures[:MOST_LOCATIONS]],
        "occurrenceCount": finding.count,
        "partialFingerprints": {"hatsFinding/v1": _fingerprint(finding)},
        "properties": {"section": finding.section},
    }


def _message(finding: Finding) -> str:
    text = finding.message
    if finding.count > 1:
        text += f" ({finding.count} locations)"
    elif (detail := _detail(finding.departures[0])) is not None:
        text += f": {detail}"
    return visible(f"{text}. {_plain(finding.fix)}")


def _detail(departure: Departure) -> str | None:
    """Return the found and expected values, if the departure has them."""
    if departure.actual is None and departure.expected is None:
        return None
    if departure.expected is None:
        return departure.actual
    return f"{'' if departure.actual is None else departure.actual + ', '}expected {departure.expected}"


def _location(departure: Departure) -> dict[str, Any]:
    at = departure.location
    physical: dict[str, Any] = {"artifactLocation": {"uri": _relative_uri(at.path), "uriBaseId": _BASE}}
    if at.row is not None and at.row_group is None and at.row > 0:
        physical["region"] = {"startLine": at.row}
    found: dict[str, Any] = {"physicalLocation": physical}
    inside = _inside(at)
    if inside:
        found["logicalLocations"] = [
            {"name": name, "kind": kind, "fullyQualifiedName": f"{visible(at.path or '.')}#{name}"}
            for kind, name in inside
        ]
    detail = _detail(departure)
    if detail is not None:
        found["message"] = {"text": visible(detail)}
    return found


def _inside(at: Location) -> list[tuple[str, str]]:
    """Return the parts of a binary file, or the keyword of a text file, as kinds and names."""
    parts = []
    if at.column is not None:
        is_text = (at.path or "").endswith("properties")
        parts.append(("property" if is_text else "member", visible(at.column)))
    if at.row_group is not None:
        parts.append(("element", f"row group {at.row_group}" + ("" if at.row is None else f", row {at.row}")))
    return parts


def _fingerprint(finding: Finding) -> str:
    """Return a fingerprint that identifies a problem across reports."""
    at = finding.location
    words = [finding.rule, finding.message, at.column or "", (at.path or "") if finding.count == 1 else ""]
    return hashlib.sha256("\0".join(words).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _notification(item: NotRun, rule_index: int) -> dict[str, Any]:
    where = "" if item.path is None else f"{item.path}: "
    return {
        "associatedRule": {"id": item.rule, "index": rule_index},
        "level": "note",
        "message": {"text": visible(f"not run: {where}{item.reason}")},
    }


def _relative_uri(path: str | None) -> str:
    if path is None or not path.strip("/"):
        return "."
    return _quoted(path).lstrip("/")


def _quoted(path: str) -> str:
    try:
        # File names are bytes; those that are not UTF-8 become surrogates.
        return quote(path, safe="/=", errors="surrogateescape")
    except UnicodeEncodeError:
        return quote(visible(path), safe="/=")


def _root_uri(path: str) -> str:
    """Return the address of the catalog as a URI that ends in a slash."""
    scheme, found, rest = path.partition("://")
    if found:
        return f"{scheme}://{quote(rest.rstrip('/'), safe='/=:@%', errors='replace')}/"
    return f"file://{_quoted(str(PurePosixPath('/', path)))}/"
