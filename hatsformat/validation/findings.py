"""Departures from requirements, and the findings that group them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hatsformat.validation.requirements import Severity
from hatsformat.validation.sanitizing import encodable, one_line

EXAMPLES = 5
"""How many departures of a finding the text report shows."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """The location of a departure.

    Attributes
    ----------
    path : str or None
        The file, relative to the validated path; None for the path itself.
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
        """Return the location for JSON, with all keys."""
        return {"path": self.path, "column": self.column, "row_group": self.row_group, "row": self.row}


@dataclass(frozen=True, slots=True)
class Departure:
    """One departure from a requirement, as a check reports it and a report shows it.

    Departures of a check with the same message and column become one finding, so what differs from location
    to location belongs in `actual` and `expected`.

    Attributes
    ----------
    message : str
        What is wrong.
    location : Location
    actual, expected : str or None
        The found and the expected value.
    """

    message: str
    location: Location
    actual: str | None = None
    expected: str | None = None

    @classmethod
    def of(
        cls,
        message: str,
        path: str | None = None,
        column: str | None = None,
        row_group: int | None = None,
        row: int | None = None,
        *,
        actual: object = None,
        expected: object = None,
    ) -> Departure:
        """Create a departure; each part becomes one short line of safe text.

        Parameters
        ----------
        message : str
        path : str or None
            The file, relative to the catalog; None for the catalog as a whole.
        column, row_group, row
            See `Location`.
        actual, expected : object
        """
        location = Location(
            None if path is None else encodable(path),
            None if column is None else one_line(column, 200),
            row_group,
            row,
        )
        return cls(
            one_line(message, 300),
            location,
            None if actual is None else one_line(actual, 300),
            None if expected is None else one_line(expected, 300),
        )

    def within(self, prefix: str) -> Departure:
        """Return the departure with its path relative to a folder above the catalog.

        Parameters
        ----------
        prefix : str
            The catalog's folder, with a slash at its end; empty for the root.
        """
        if not prefix:
            return self
        path = encodable(prefix.rstrip("/") if self.location.path is None else prefix) + (
            self.location.path or ""
        )
        return replace(self, location=replace(self.location, path=path))

    def to_dict(self) -> dict[str, Any]:
        """Return the departure for JSON, without the message that its finding has."""
        return {"location": self.location.to_dict(), "actual": self.actual, "expected": self.expected}


@dataclass(frozen=True, slots=True)
class Finding:
    """All departures of a catalog from a requirement with the same message and column.

    Attributes
    ----------
    rule : str
        The id of the requirement.
    severity : {"error", "warning", "info"}
    fix : str
        How to fix it.
    section : str
        The section of the note.
    departures : tuple of Departure
        All of them, sorted by path; never empty.
    """

    rule: str
    severity: Severity
    fix: str
    section: str
    departures: tuple[Departure, ...]

    @property
    def message(self) -> str:
        """What is wrong."""
        return self.departures[0].message

    @property
    def location(self) -> Location:
        """Where the first departure is."""
        return self.departures[0].location

    @property
    def actual(self) -> str | None:
        """The found value at the first location."""
        return self.departures[0].actual

    @property
    def expected(self) -> str | None:
        """The expected value at the first location."""
        return self.departures[0].expected

    @property
    def count(self) -> int:
        """The number of departures."""
        return len(self.departures)

    @property
    def examples(self) -> tuple[Departure, ...]:
        """The first few departures."""
        return self.departures[:EXAMPLES]

    def to_dict(self) -> dict[str, Any]:
        """Return the finding for JSON, with all its departures."""
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
            "places": [departure.to_dict() for departure in self.departures],
        }


@dataclass(frozen=True, slots=True)
class NotRun:
    """A check that could not run completely, and so has not passed.

    Attributes
    ----------
    rule : str
        The id of the requirement.
    reason : str
        What was missing.
    path : str or None
        The member of the collection; None for the validated path itself.
    """

    rule: str
    reason: str
    path: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"rule": self.rule, "reason": self.reason, "path": self.path}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The summary of a validation.

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
