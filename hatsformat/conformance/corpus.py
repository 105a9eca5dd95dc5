"""The cases, read from ``tests/conformance/cases/*.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hatsformat.errors import FormatError, UsageError

if TYPE_CHECKING:
    from hatsformat.conformance.tree import Tree

Verdict = Literal["sound", "remarks", "invalid"]
"""The expected result: no findings, only warnings or infos, or at least one error."""

_PACKAGE = Path(__file__).resolve().parent


def corpus_path(*parts: str) -> Path:
    """Return the path of a file or folder of the corpus, in ``tests/conformance/`` or its copy in a wheel.

    Parameters
    ----------
    *parts : str
        Parts of the path, such as ``"golden"``.
    """
    in_wheel = _PACKAGE / "cases"
    root = in_wheel if in_wheel.is_dir() else _PACKAGE.parent.parent / "tests" / "conformance"
    return root.joinpath(*parts)


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding at one location.

    Attributes
    ----------
    rule : str
        The id of the rule.
    severity : {"error", "warning", "info"}
    path : str or None
        The file, relative to the catalog; None for the catalog as a whole.
    column : str or None
        The column or keyword; None if it does not matter.
    row_group : int or None
        The row group; None if it does not matter.
    """

    rule: str
    severity: str
    path: str | None = None
    column: str | None = None
    row_group: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as data for JSON."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "path": self.path,
            "column": self.column,
            "row_group": self.row_group,
        }

    def __str__(self) -> str:
        parts = [self.rule, self.path or "."]
        if self.column is not None:
            parts.append(f"[{self.column}]")
        if self.row_group is not None:
            parts.append(f"row group {self.row_group}")
        return " ".join(parts)


@dataclass(frozen=True)
class Case:
    """A base, the mutations that change it, and the findings that a validator must report.

    Attributes
    ----------
    id : str
        Unique, and never reused.
    title : str
        What is special about the catalog.
    base : str
        The name of the base.
    steps : tuple of (str, mapping)
        The names of the mutations, each with its arguments.
    expect : tuple of mapping
        The findings as written in the file of cases; see `expected`.
    level, edition : str
        The level and edition to validate with.
    pending : str or None
        Why no check reports the findings yet.
    """

    id: str
    title: str
    base: str
    steps: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    expect: tuple[Mapping[str, Any], ...] = ()
    level: str = "rows"
    edition: str = "1.0"
    pending: str | None = None

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Case:
        """Make a case from an entry of a file of cases."""
        steps = tuple(item for step in entry.get("mutate", ()) for item in step.items())
        return cls(
            id=entry["id"],
            title=entry["title"],
            base=entry["base"],
            steps=steps,
            expect=tuple(entry.get("expect", ())),
            level=entry.get("level", "rows"),
            edition=entry.get("edition", "1.0"),
            pending=entry.get("pending"),
        )

    @property
    def rules(self) -> frozenset[str]:
        """The ids of the rules that the case breaks."""
        return frozenset(item["rule"] for item in self.expect)

    @property
    def verdict(self) -> Verdict:
        """The expected result."""
        severities = {_severity(item) for item in self.expect}
        if not severities:
            return "sound"
        return "invalid" if "error" in severities else "remarks"

    def build(self) -> Tree:
        """Return the files of the case.

        Raises
        ------
        UsageError
            If a base, mutation or file does not exist.
        """
        from hatsformat.conformance.bases import build_base
        from hatsformat.conformance.mutations import apply_mutations

        try:
            return apply_mutations(build_base(self.base), self.steps)
        except UsageError as error:
            message = f"case {self.id}: {error.message}"
            raise UsageError(message, found=error.found, path=error.path) from error

    def expected(self, tree: Tree) -> tuple[Expected, ...]:
        """Return the findings, one per location; patterns of paths are matched with the files of the case."""
        return tuple(finding for item in self.expect for finding in _findings(item, tree))


def _severity(item: Mapping[str, Any]) -> str:
    from hatsformat.validation.requirements import requirements

    if "severity" in item:
        return str(item["severity"])
    rule = requirements().get(item["rule"])
    if rule is None:
        raise UsageError("unknown rule", found=item["rule"])
    return rule.severity


def _findings(item: Mapping[str, Any], tree: Tree) -> Iterable[Expected]:
    from hatsformat.conformance.mutations.registry import LEAVES, expand

    declared = item.get("path")
    patterns: list[str | None] = declared if isinstance(declared, list) else [declared]
    paths: list[str | None] = []
    for path in patterns:
        is_pattern = path is not None and ("*" in path or path == LEAVES)
        paths += expand(tree, str(path)) if is_pattern else [path]
    for path in paths:
        yield Expected(item["rule"], _severity(item), path, item.get("column"), item.get("row_group"))


@cache
def load_cases() -> Mapping[str, Case]:
    """Return all cases by id, in the order of the files.

    Raises
    ------
    UsageError
        If the corpus is missing.
    FormatError
        If an id occurs more than once, or an entry is not a valid case.
    """
    import yaml

    files = sorted(corpus_path("cases").glob("*.yaml"))
    if not files:
        raise UsageError("the cases are missing", path=corpus_path("cases"))
    found: dict[str, Case] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in files:
        for entry in yaml.load(file.read_text("utf-8"), Loader=loader)["cases"]:
            try:
                case = Case.from_entry(entry)
            except (KeyError, TypeError, AttributeError) as error:
                raise FormatError("not a valid case", path=file, found=str(entry)[:200]) from error
            if case.id in found:
                raise FormatError(f"duplicate case {case.id}", path=file)
            found[case.id] = case
    return found


def select_cases(
    *, ids: Iterable[str] = (), rules: Iterable[str] = (), edition: str | None = None
) -> list[Case]:
    """Return the cases that match all conditions, in the order of the files.

    Parameters
    ----------
    ids : iterable of str, optional
        Beginnings of case ids, such as ``prop`` or ``prop-101``.
    rules : iterable of str, optional
        Beginnings of rule ids, such as ``HATS-PROP``; the case must break one of these rules.
    edition : str, optional
        The edition of the note.

    Raises
    ------
    UsageError
        If no case matches.
    """
    id_prefixes, rule_prefixes = tuple(ids), tuple(rules)
    selected = [
        case
        for case in load_cases().values()
        if (not id_prefixes or case.id.startswith(id_prefixes))
        and (not rule_prefixes or any(rule.startswith(rule_prefixes) for rule in case.rules))
        and edition in (None, case.edition)
    ]
    if not selected:
        raise UsageError("no case matches", found=", ".join([*id_prefixes, *rule_prefixes]) or edition)
    return selected
