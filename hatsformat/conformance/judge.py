"""Comparing what a validator found with what a case expects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hatsformat.conformance.corpus import Expected

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How findings differ from what was expected.

    Attributes
    ----------
    found, missed : tuple of Expected
        What was expected, and was or was not found.
    unexpected : tuple of Expected
        What was found, and was not expected.
    """

    found: tuple[Expected, ...]
    missed: tuple[Expected, ...]
    unexpected: tuple[Expected, ...]

    @property
    def exact(self) -> bool:
        """Whether there is no difference."""
        return not self.missed and not self.unexpected


def compare(expected: Iterable[Expected], found: Iterable[Expected], least: str = "info") -> Comparison:
    """Compare findings, place by place.

    A finding that is expected is found if a place has its rule and path, its severity where the validator
    tells one, and its column and row group where the case tells them.

    Parameters
    ----------
    expected, found : iterable of Expected
    least : {"info", "warning", "error"}
        The least severe findings that count.
    """
    counted = SEVERITIES[: SEVERITIES.index(least) + 1]
    wanted = [item for item in expected if item.severity in counted]
    places = [item for item in found if item.severity in (*counted, "")]
    hits = [[_is_hit(want, place) for place in places] for want in wanted]
    claimed = [any(column) for column in zip(*hits, strict=True)] if hits else [False] * len(places)
    return Comparison(
        tuple(want for want, row in zip(wanted, hits, strict=True) if any(row)),
        tuple(want for want, row in zip(wanted, hits, strict=True) if not any(row)),
        tuple(place for place, hit in zip(places, claimed, strict=True) if not hit),
    )


def _is_hit(want: Expected, place: Expected) -> bool:
    return (
        want.rule == place.rule
        and want.path == place.path
        and place.severity in ("", want.severity)
        and want.column in (None, place.column)
        and want.row_group in (None, place.row_group)
    )


def places_of(report: Mapping[str, Any]) -> list[Expected]:
    """Return every place of every finding of a report, as ``report.schema.json`` describes it.

    A report may be less than that: a finding needs its ``rule``; ``severity``, ``location`` and ``places``
    may be missing, and so may every part of a location.

    Raises
    ------
    ValueError
        If it is no report at all.
    """
    findings = report.get("findings")
    if not isinstance(findings, list) or not all(isinstance(item, Mapping) for item in findings):
        raise ValueError("there is no list of findings")
    found = []
    for item in findings:
        places = item.get("places") or []
        locations = [place.get("location") for place in places if isinstance(place, Mapping)]
        for location in locations or [item.get("location")]:
            at = location if isinstance(location, Mapping) else {}
            place = Expected(
                str(item.get("rule", "")),
                str(item.get("severity", "")),
                at.get("path"),
                at.get("column"),
                at.get("row_group"),
            )
            if place not in found:
                found.append(place)
    return found
