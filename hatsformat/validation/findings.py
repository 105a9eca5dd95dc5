"""Findings and their places, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hatsformat.validation.requirements import Severity

EXAMPLES = 5
"""How many places of a finding are shown to people."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where something is.

    Attributes
    ----------
    path : str or None
        The file, relative to what was validated; None for the catalog as a whole.
    column : str or None
        The column of a Parquet file, or the keyword of a properties file.
    row_group : int or None
        The row group of a Parquet file, from 0.
    row : int or None
        The row of a Parquet file, from 0; the line of a text file, from 1.
    """

    path: str | None = None
    column: str | None = None
    row_group: int | None = None
    row: int | None = None

    def __str__(self) -> str:
        parts = [self.path or "."]
        if self.column is not None:
            parts.append(f"[{self.column}]")
        if self.row_group is not None:
            parts.append(f"row group {self.row_group}")
        if self.row is not None:
            parts.append(f"row {self.row}" if self.row_group is not None else f"line {self.row}")
        return " ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the location for JSON; every key is there."""
        return {"path": self.path, "column": self.column, "row_group": self.row_group, "row": self.row}


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places where a fault was found, with what is there and what should be.

    Attributes
    ----------
    location : Location
    actual, expected : str or None
    """

    location: Location
    actual: str | None = None
    expected: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the place for JSON."""
        return {"location": self.location.to_dict(), "actual": self.actual, "expected": self.expected}


@dataclass(frozen=True, slots=True)
class Finding:
    """A departure from a requirement: one fault, at one or many places.

    Attributes
    ----------
    rule : str
        The id of the requirement.
    severity : {"error", "warning", "info"}
    message : str
        What is wrong.
    fix : str
        What to do about it.
    section : str
        The section of the note.
    places : tuple of Place
        Every place, in the order of their paths; never empty.
    """

    rule: str
    severity: Severity
    message: str
    fix: str
    section: str
    places: tuple[Place, ...]

    @property
    def location(self) -> Location:
        """The first place."""
        return self.places[0].location

    @property
    def actual(self) -> str | None:
        """What is at the first place."""
        return self.places[0].actual

    @property
    def expected(self) -> str | None:
        """What should be at the first place."""
        return self.places[0].expected

    @property
    def count(self) -> int:
        """The number of places."""
        return len(self.places)

    @property
    def examples(self) -> tuple[Place, ...]:
        """The first few places."""
        return self.places[:EXAMPLES]

    def to_dict(self) -> dict[str, Any]:
        """Return the finding for JSON, with all its places."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "location": self.location.to_dict(),
            "message": self.message,
            "expected": self.expected,
            "actual": self.actual,
            "fix": self.fix,
            "section": self.section,
            "count": self.count,
            "places": [place.to_dict() for place in self.places],
        }


@dataclass(frozen=True, slots=True)
class NotRun:
    """A check that could not be carried out, wholly or in part, and so was not passed.

    Attributes
    ----------
    rule : str
        The id of the requirement.
    reason : str
        What was missing.
    path : str or None
        The member of a collection concerned; None for what was validated itself.
    """

    rule: str
    reason: str
    path: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"rule": self.rule, "reason": self.reason, "path": self.path}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a validation in short.

    Attributes
    ----------
    path, edition, level : str
        What was validated, by which edition of the note, and how deep.
    valid : bool
    summary : dict of str to int
        The numbers of findings by severity, and of checks passed and not run.
    """

    path: str
    edition: str
    level: str
    valid: bool
    summary: dict[str, int]
