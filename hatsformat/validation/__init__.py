"""Validation of catalogs and collections: evidence, checks of requirements, and the report.

A requirement is an entry of ``spec/requirements/``. A check is a small function registered under the id of
a requirement (`registry`); it takes the evidence (`evidence`), which is gathered lazily and once, and yields
departures. The engine groups them into the findings of a `Report`, which renderers show.
"""

from __future__ import annotations

from hatsformat.validation.engine import validate
from hatsformat.validation.findings import Departure, Finding, Location, NotRun
from hatsformat.validation.report import Report
from hatsformat.validation.requirements import EDITIONS, LEVELS, Requirement, requirements

__all__ = [
    "EDITIONS",
    "LEVELS",
    "Departure",
    "Finding",
    "Location",
    "NotRun",
    "Report",
    "Requirement",
    "requirements",
    "validate",
]
