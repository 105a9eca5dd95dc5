"""What can be wrong with a properties file, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["fatal", "error", "warning"]
"""How bad a problem is.

``fatal``: the catalog cannot be used and `parse` raises. ``error``: the file is not what the format says,
and a reader can still work with it. ``warning``: allowed or harmless, and yet other readers may stumble.
"""

_RANK = {"fatal": 0, "error": 1, "warning": 2}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a properties file.

    Attributes
    ----------
    kind : str
        A stable word for programs, such as ``missing-keyword``; see `KINDS`.
    severity : {"fatal", "error", "warning"}
        How bad it is; see `Severity`.
    message : str
        What is wrong, as a clause.
    keyword : str or None
        The keyword concerned.
    line : int or None
        The line of the file, from 1; None for what is not there.
    found, expected : str or None
        What was there, and what should have been.
    fix : str or None
        What to do about it.
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
    "bad-escape": "an escape sequence that stands for no character",
    "no-keyword": "a line with a value and no keyword",
    "no-separator": "a line with a keyword and nothing after it, not even a separator",
    "duplicate-keyword": "a keyword that stands on several lines",
    "alias": "a keyword under a name of another edition",
    "alias-conflict": "a keyword under two names with different values",
    "missing-keyword": "a keyword that this type of table must have",
    "bad-value": "a value that cannot be read as what its keyword holds",
    "out-of-range": "a number or date that is well formed and impossible",
    "odd-value": "a value outside the note's list or form for a keyword no reader depends on",
    "stray-blank": "a value with blanks around it, which other readers keep",
    "unused-keyword": "a keyword that this type of table does not use",
    "misspelt-keyword": "an unknown keyword that looks like a known one that is missing",
    "inconsistent": "two keywords that contradict each other",
}
"""Every kind of problem, with what it means."""


def sort_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Put the worst first, and within a severity the first in the file; stable."""
    return sorted(
        problems, key=lambda problem: (_RANK[problem.severity], problem.line is None, problem.line or 0)
    )


def _shorten(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
