"""Select and describe rules, for the command line and the pages."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hatsformat.validation import checks
from hatsformat.validation.registry import CATALOG_CHECKS, COLLECTION_CHECKS, ROW_CHECKS
from hatsformat.validation.requirements import EDITIONS, Requirement, requirements
from hatsformat.validation.settings import select_rules

ENGINE_RULE = "HATS-EVID-001"
"""The one rule that the engine itself reports."""

TYPES = ("object", "source", "nested", "margin", "index", "association", "map", "collection")
"""What requirements apply to, in the order in which they are listed."""


@dataclass(frozen=True, slots=True)
class Check:
    """The function that checks a requirement.

    Attributes
    ----------
    name : str
        Its module and name, below ``hatsformat.validation.checks``.
    summary : str
        The first line of its docstring.
    """

    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter of rules; None or empty matches all.

    Attributes
    ----------
    selectors : tuple of str
        Ids, or prefixes of ids.
    level, severity, stage, applies_to, edition : str or None
    section : str or None
        A section of the note, with those below it.
    checked : bool or None
        Only rules that are checked, or only rules that are not.
    """

    selectors: tuple[str, ...] = ()
    level: str | None = None
    severity: str | None = None
    stage: str | None = None
    applies_to: str | None = None
    edition: str | None = None
    section: str | None = None
    checked: bool | None = None

    def _fits(self, rule: Requirement) -> bool:
        return (
            self.level in (None, rule.level)
            and self.severity in (None, rule.severity)
            and self.stage in (None, rule.stage)
            and (self.applies_to is None or self.applies_to in rule.applies_to)
            and (self.edition is None or self.edition in rule.editions)
            and (self.section is None or in_section(rule.section, self.section))
            and (self.checked is None or self.checked == (rule.unchecked is None))
        )

    def select(self) -> list[Requirement]:
        """Return the rules, in the order of the specification.

        Raises
        ------
        UsageError
            If a selector matches no rule.
        """
        ids = select_rules(self.selectors) if self.selectors else requirements().keys()
        return [rule for rule in requirements().values() if rule.id in ids and self._fits(rule)]


def in_section(section: str, wanted: str) -> bool:
    """Return whether a section is the wanted one or below it: 3.6.1 and its Table 1 are in 3.6."""
    return section == wanted or section.startswith((f"{wanted}.", f"{wanted},"))


def checks_of(rule: str) -> list[Check]:
    """Return the functions that check a requirement; empty if it is unchecked."""
    checks.load()
    if rule == ENGINE_RULE:
        return [Check("engine", "The engine reports every check that failed on the content of a file.")]
    functions: list[Callable[..., object]] = (
        [ROW_CHECKS[rule].judge]
        if rule in ROW_CHECKS
        else [table[rule] for table in (CATALOG_CHECKS, COLLECTION_CHECKS) if rule in table]
    )
    found = []
    for inner in map(inspect.unwrap, functions):
        name = f"{inner.__module__}.{inner.__qualname__}".removeprefix("hatsformat.validation.checks.")
        found.append(Check(name, (inspect.getdoc(inner) or "").partition("\n")[0]))
    return found


def types_text(rule: Requirement) -> str:
    """Return the types that a requirement applies to, as text."""
    tables = TYPES[:-1]
    if set(tables) <= rule.applies_to:
        return "all tables" + (", collection" if "collection" in rule.applies_to else "")
    return ", ".join(name for name in TYPES if name in rule.applies_to)


def editions_text(rule: Requirement) -> str:
    """Return the editions of a requirement as text, the oldest first."""
    return ", ".join(edition for edition in EDITIONS if edition in rule.editions)


def rule_to_dict(rule: Requirement) -> dict[str, Any]:
    """Return a rule for JSON, with all its fields."""
    return {
        "id": rule.id,
        "level": rule.level,
        "severity": rule.severity,
        "stage": rule.stage,
        "section": rule.section,
        "applies_to": [name for name in TYPES if name in rule.applies_to],
        "editions": [edition for edition in EDITIONS if edition in rule.editions],
        "keyword": rule.keyword,
        "summary": rule.summary,
        "quote": rule.quote,
        "why": rule.why,
        "fix": rule.fix,
        "unchecked": rule.unchecked,
        "checks": [{"name": check.name, "summary": check.summary} for check in checks_of(rule.id)],
    }


@dataclass(frozen=True, slots=True)
class SectionCount:
    """How many requirements a section has.

    Attributes
    ----------
    section : str
    by_level : mapping of str to int
    checked, unchecked : int
    """

    section: str
    by_level: Mapping[str, int]
    checked: int
    unchecked: int


def count_sections(rules: Iterable[Requirement]) -> Iterator[SectionCount]:
    """Yield the numbers of requirements by section, in the order of the note."""
    by_section: dict[str, list[Requirement]] = {}
    for rule in rules:
        by_section.setdefault(rule.section, []).append(rule)
    for section in sorted(by_section, key=section_key):
        inside = by_section[section]
        unchecked = sum(rule.unchecked is not None for rule in inside)
        levels = Counter[str](rule.level for rule in inside)
        yield SectionCount(section, levels, len(inside) - unchecked, unchecked)


def section_key(section: str) -> tuple[list[int], str]:
    """Return the sort key of a section."""
    numbers, _, rest = section.partition(",")
    return [int(number) for number in numbers.split(".")], rest
