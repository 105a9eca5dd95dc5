"""Comparison of the findings of a validator with those that a case expects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hatsformat.conformance.corpus import Expected

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between reported and expected findings.

    Attributes
    ----------
    found, missed : tuple of Expected
        The expected findings that were reported, and those that were not.
    unexpected : tuple of Expected
        The reported findings that were not expected.
    """

    found: tuple[Expected, ...]
    missed: tuple[Expected, ...]
    unexpected: tuple[Expected, ...]

    @property
    def exact(self) -> bool:
        """Whether there are no differences."""
        return not self.missed and not self.unexpected


def compare(expected: Iterable[Expected], found: Iterable[Expected], least: str = "info") -> Comparison:
    """Compare findings, location by location.

    A reported finding matches an expected one if the rule and path are equal, and also the severity if the
    validator reports one, and the column and row group if the case declares them.

    Parameters
    ----------
    expected, found : iterable of Expected
    least : {"info", "warning", "error"}
        The lowest severity of the findings to compare.
    """
    severities = SEVERITIES[: SEVERITIES.index(least) + 1]
    wanted = [item for item in expected if item.severity in severities]
    reported = [item for item in found if item.severity in (*severities, "")]
    matches = [[_matches(want, item) for item in reported] for want in wanted]
    is_wanted = [any(column) for column in zip(*matches, strict=True)] if matches else [False] * len(reported)
    return Comparison(
        tuple(want for want, row in zip(wanted, matches, strict=True) if any(row)),
        tuple(want for want, row in zip(wanted, matches, strict=True) if not any(row)),
        tuple(item for item, known in zip(reported, is_wanted, strict=True) if not known),
    )


def _matches(want: Expected, reported: Expected) -> bool:
    return (
        want.rule == reported.rule
        and want.path == reported.path
        and reported.severity in ("", want.severity)
        and want.column in (None, reported.column)
        and want.row_group in (None, reported.row_group)
    )


def findings_of(report: Mapping[str, Any]) -> list[Expected]:
    """Return the findings of a report in the form of ``report.schema.json``, one per location.

    A finding needs only its ``rule``; ``severity``, ``location`` and ``places`` may be missing, and so may
    every part of a location.

    Raises
    ------
    ValueError
        If the report has no list of findings.
    """
    findings = report.get("findings")
    if not isinstance(findings, list) or not all(isinstance(item, Mapping) for item in findings):
        raise ValueError("the report has no list of findings")
    found = []
    for item in findings:
        places = item.get("places") or []
        locations = [place.get("location") for place in places if isinstance(place, Mapping)]
        for location in locations or [item.get("location")]:
            known = location if isinstance(location, Mapping) else {}
            finding = Expected(
                str(item.get("rule", "")),
                str(item.get("severity", "")),
                known.get("path"),
                known.get("column"),
                known.get("row_group"),
            )
            if finding not in found:
                found.append(finding)
    return found
