"""The requirements of the format, as data: ``spec/requirements/*.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from hatsformat._spec import spec_path
from hatsformat.errors import UsageError

Severity = Literal["error", "warning", "info"]

EDITIONS = ("draft-2025-04", "1.0")
"""The supported editions of the note; the last is the default."""

LEVELS = ("metadata", "footers", "rows")
"""The levels of a validation; each level includes those before it."""

STAGES = ("tree", "properties", "partition-info", "auxiliary", "footers", "rows", "members")
"""The stages of a validation, in the order in which their checks run."""

_SEVERITY: Mapping[str, Severity] = {
    "MUST": "error",
    "SHOULD": "warning",
    "MAY": "info",
    "PRACTICE": "info",
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement of the note, or of the practice of all readers.

    Attributes
    ----------
    id : str
        ``HATS-<AREA>-<NNN>``; never reused.
    level : {"MUST", "SHOULD", "MAY", "PRACTICE"}
        The level; PRACTICE is what the note leaves open and readers rely on.
    section : str
        The section of the note.
    summary : str
        What is true for a valid catalog.
    editions : frozenset of str
        The editions of the note that ask for it.
    applies_to : frozenset of str
        The types of table, or ``collection``.
    stage : str
        The evidence that decides it; see `STAGES`.
    fix : str
        What to do about a departure.
    severity : {"error", "warning", "info"}
        The severity of a departure; by default that of the level.
    quote : str or None
        The note's own words.
    why : str or None
        What goes wrong if it is not met.
    keyword : str or None
        The keyword of the properties files that it is about.
    unchecked : str or None
        Why no program checks it; None where one does.
    """

    id: str
    level: Literal["MUST", "SHOULD", "MAY", "PRACTICE"]
    section: str
    summary: str
    editions: frozenset[str]
    applies_to: frozenset[str]
    stage: str
    fix: str
    severity: Severity
    quote: str | None = None
    why: str | None = None
    keyword: str | None = None
    unchecked: str | None = None

    def concerns(self, table_type: str, edition: str) -> bool:
        """Return whether the requirement applies to this type of table in this edition."""
        return table_type in self.applies_to and edition in self.editions

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Requirement:
        """Create a requirement from an entry of a requirements file."""
        return cls(
            id=entry["id"],
            level=entry["level"],
            section=entry["section"],
            summary=entry["summary"],
            editions=frozenset(entry["editions"]),
            applies_to=frozenset(entry["applies_to"]),
            stage=entry["stage"],
            fix=entry["fix"],
            severity=entry.get("severity", _SEVERITY[entry["level"]]),
            quote=entry.get("quote"),
            why=entry.get("why"),
            keyword=entry.get("keyword"),
            unchecked=entry.get("unchecked"),
        )


@cache
def _files() -> Mapping[str, Mapping[str, Any]]:
    """Return the content of every file of requirements, by its name without suffix."""
    import yaml

    # Sorted by stem, so that properties.yaml comes before properties-values.yaml.
    files = sorted(spec_path("requirements").glob("*.yaml"), key=lambda file: file.stem)
    if not files:
        raise UsageError("the requirements are missing", path=spec_path("requirements"))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return {file.stem: yaml.load(file.read_text("utf-8"), Loader=loader) for file in files}


@cache
def requirements() -> Mapping[str, Requirement]:
    """Return every requirement by its id, in the order of the files.

    Raises
    ------
    UsageError
        If the specification is missing, or has a duplicate id.
    """
    found: dict[str, Requirement] = {}
    for content in _files().values():
        for entry in content["requirements"]:
            if entry["id"] in found:
                raise UsageError("duplicate requirement", found=entry["id"])
            found[entry["id"]] = Requirement.from_entry(entry)
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class Area:
    """A group of requirements, those of one file and of the files that go on with it.

    Attributes
    ----------
    title : str
    page : str
        The name of the first file, and of the page about them, without its suffix.
    """

    title: str
    page: str


@cache
def areas() -> Mapping[str, Area]:
    """Return the areas by the middle part of their ids: ``LEAF`` of ``HATS-LEAF-004``."""
    found: dict[str, Area] = {}
    for page, content in _files().items():
        found.setdefault(content["area"], Area(content["title"], page))
    return MappingProxyType(found)
