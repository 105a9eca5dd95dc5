"""What a validation found, as a value; renderers and programs read nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hatsformat.validate.findings import Finding, NotRun, Verdict
from hatsformat.validate.text import render_text


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a validation.

    Attributes
    ----------
    path : str
        What was validated.
    edition : str
        The edition of the note it was judged by.
    level : {"metadata", "footers", "rows"}
        How deep it went.
    findings : tuple of Finding
        Errors first, then warnings, then information.
    not_run : tuple of NotRun
        The checks whose evidence was missing.
    passed : tuple of str
        The ids of the checks that ran and found nothing; in a collection, once a member.
    """

    path: str
    edition: str
    level: str
    findings: tuple[Finding, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    passed: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether nothing worse than a warning was found."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def summary(self) -> dict[str, int]:
        """The numbers of findings by severity, and of checks passed and not run."""
        severities = [finding.severity for finding in self.findings]
        return {
            "error": severities.count("error"),
            "warning": severities.count("warning"),
            "info": severities.count("info"),
            "passed": len(self.passed),
            "not_run": len(self.not_run),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the report as ``spec/schemas/report.schema.json`` describes it."""
        return {
            "path": self.path,
            "edition": self.edition,
            "level": self.level,
            "valid": self.valid,
            "summary": self.summary,
            "findings": [finding.to_dict() for finding in self.findings],
            "not_run": [item.to_dict() for item in self.not_run],
        }

    def to_json(self, indent: int | None = 2) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def to_text(self, *, color: bool = False) -> str:
        """Return the report for people; see `hatsformat.validate.text.render_text`."""
        verdict = Verdict(self.path, self.edition, self.level, self.valid, self.summary)
        return render_text(verdict, self.findings, self.not_run, color=color)
