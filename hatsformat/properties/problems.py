"""Problems of properties files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["fatal", "error", "warning"]
"""How bad a problem is.

``fatal``: the catalog cannot be used, and `parse` raises. ``error``: the file violates the format, but can
still be used. ``warning``: allowed, but some readers may fail.
"""

_RANK = {"fatal": 0, "error": 1, "warning": 2}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of a properties file.

    Attributes
    ----------
    kind : str
        A stable identifier, such as ``missing-keyword``; see `KINDS`.
    severity : {"fatal", "error", "warning"}
        See `Severity`.
    message : str
        What is wrong, as a clause.
    keyword : str or None
        The keyword that has the problem.
    line : int or None
        The line of the file, from 1; None for something that is missing.
    found, expected : str or None
        What was found, and what was expected.
    fix : str or None
        How to fix it.
    """

    kind: str
    severity: Severity
    message: str
    keyword: str | None = None
    line: int | None = None
    found: str | None = None
    expected: str | None = None
    fix: str | None = None

    def __str__(self) -> str:
        text = self.message if self.line is None else f"line {self.line}: {self.message}"
        details = []
        if self.found is not None:
            details.append(f"found {_shorten(self.found)!r}")
        if self.expected is not None:
            details.append(f"expected {self.expected}")
        if details:
            text += f" ({', '.join(details)})"
        return f"{text}; {self.fix}" if self.fix else text


KINDS = {
    "encoding": "bytes that are not UTF-8",
    "byte-order-mark": "a byte-order mark before the first line",
    "bad-escape": "an invalid escape sequence",
    "no-keyword": "a line without a keyword",
    "no-separator": "a line with a keyword but no separator",
    "duplicate-keyword": "a keyword on more than one line",
    "alias": "a keyword under its name in another edition",
    "alias-conflict": "a keyword under two names with different values",
    "missing-keyword": "a required keyword that is missing",
    "bad-value": "a value that cannot be read",
    "out-of-range": "a number or date that is well formed but out of range",
    "odd-value": "a value that is not in the note's list or form, of a keyword that no reader depends on",
    "stray-blank": "a value with blanks around it, which other readers keep",
    "unused-keyword": "a keyword that this type of table does not use",
    "misspelt-keyword": "an unknown keyword that is similar to a missing one",
    "inconsistent": "two keywords that contradict each other",
}
"""The kinds of problems and their meaning."""


def sort_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems by severity, the worst first, then by line."""
    return sorted(
        problems, key=lambda problem: (_RANK[problem.severity], problem.line is None, problem.line or 0)
    )


def _shorten(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
