"""Judging catalogs and collections: evidence, checks bound to requirements, and the report.

A requirement is an entry of ``spec/requirements/``. A check is a small function registered under the id of
a requirement (`registry`); it takes the evidence (`evidence`), which is gathered lazily and once, and yields
faults. The engine groups them into the findings of a `Report`, which renderers show.
"""

from __future__ import annotations

from hatsformat.validate.engine import validate
from hatsformat.validate.findings import Finding, Location, NotRun, Place
from hatsformat.validate.report import Report
from hatsformat.validate.requirements import EDITIONS, LEVELS, Requirement, requirements

__all__ = [
    "EDITIONS",
    "LEVELS",
    "Finding",
    "Location",
    "NotRun",
    "Place",
    "Report",
    "Requirement",
    "requirements",
    "validate",
]
