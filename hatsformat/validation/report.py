"""The result of a validation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hatsformat.validation.check_api import OUTAGE
from hatsformat.validation.findings import Finding, NotRun, Verdict
from hatsformat.validation.sanitizing import encodable
from hatsformat.validation.sky_drawing import Footprint
from hatsformat.validation.text import render_text


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a validation.

    Attributes
    ----------
    path : str
        What was validated.
    edition : str
        The edition of the note.
    level : {"metadata", "footers", "rows"}
        How deep it went.
    findings : tuple of Finding
        Errors first, then warnings, then info.
    not_run : tuple of NotRun
        The checks whose evidence was missing.
    passed : tuple of str
        The ids of the checks that ran and found nothing; in a collection, once a member.
    skies : tuple of Footprint
        The tiles of the catalogs, for the picture; no part of the report as JSON.
    """

    path: str
    edition: str
    level: str
    findings: tuple[Finding, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    passed: tuple[str, ...] = ()
    skies: tuple[Footprint, ...] = field(default=(), compare=False, repr=False)

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

    @property
    def outages(self) -> tuple[NotRun, ...]:
        """The checks that did not run because the storage failed; run them again."""
        return tuple(item for item in self.not_run if item.reason.startswith(OUTAGE))

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
        return encodable(json.dumps(self.to_dict(), indent=indent, ensure_ascii=False))

    def to_text(self, *, color: bool = False) -> str:
        """Return the report as text; see `hatsformat.validation.text.render_text`."""
        return render_text(self._verdict, self.findings, self.not_run, color=color)

    def to_sarif(self) -> str:
        """Return the report as SARIF 2.1.0; see `hatsformat.validation.sarif.render_sarif`."""
        from hatsformat.validation.sarif import render_sarif

        return render_sarif(self._verdict, self.findings, self.not_run, self.passed)

    def to_html(self) -> str:
        """Return the report as a self-contained HTML page; see `hatsformat.validation.html`."""
        from hatsformat.validation.html import render_html

        return render_html(self._verdict, self.findings, self.not_run, self.skies)

    def fails(self, fail_on: str = "error") -> bool:
        """Return whether a finding has at least the severity ``"error"`` or ``"warning"``."""
        return not self.valid or (fail_on == "warning" and self.summary["warning"] > 0)

    @property
    def _verdict(self) -> Verdict:
        return Verdict(self.path, self.edition, self.level, self.valid, self.summary)
