"""The cases: small text recipes, read from ``tests/conformance/cases/*.yaml``."""

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
"""What a validator should say: nothing at all; warnings or information only; or at least one error."""

_PACKAGE = Path(__file__).resolve().parent


def corpus_path(*parts: str) -> Path:
    """Return the path of a file or folder of the corpus: ``tests/conformance/``, or its copy in a wheel.

    Parameters
    ----------
    *parts : str
        Path below it, such as ``"golden"``.
    """
    inside = _PACKAGE / "cases"
    root = inside if inside.is_dir() else _PACKAGE.parent.parent / "tests" / "conformance"
    return root.joinpath(*parts)


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding that a case must give, at one place.

    Attributes
    ----------
    rule : str
        The id of the requirement.
    severity : {"error", "warning", "info"}
    path : str or None
        The file, relative to the catalog; None for the catalog as a whole.
    column : str or None
        The column or keyword; None where the case does not say.
    row_group : int or None
        The row group; None where the case does not say.
    """

    rule: str
    severity: str
    path: str | None = None
    column: str | None = None
    row_group: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
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
    """A recipe: a base, the mutations that change it, and what a validator must say of the result.

    Attributes
    ----------
    id : str
        Never reused.
    title : str
        What is special about it, in a sentence.
    base : str
        The name of the sound catalog that it begins with.
    steps : tuple of (str, mapping)
        Mutations by name, each with its arguments.
    expect : tuple of mapping
        The findings as the recipe has them; see `expected`.
    level, edition : str
        How a validator has to be asked.
    pending : str or None
        Why no check finds it yet.
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
        """Make one from an entry of a file of cases."""
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
        """The ids of the requirements that it departs from."""
        return frozenset(item["rule"] for item in self.expect)

    @property
    def verdict(self) -> Verdict:
        """What a validator should say."""
        severities = {_severity(item) for item in self.expect}
        if not severities:
            return "sound"
        return "invalid" if "error" in severities else "remarks"

    def build(self) -> Tree:
        """Return the case's tree.

        Raises
        ------
        UsageError
            If the recipe names what is not there.
        """
        from hatsformat.conformance.bases import build_base
        from hatsformat.conformance.mutations import apply_mutations

        try:
            return apply_mutations(build_base(self.base), self.steps)
        except UsageError as error:
            message = f"case {self.id}: {error.message}"
            raise UsageError(message, found=error.found, path=error.path) from error

    def expected(self, tree: Tree) -> tuple[Expected, ...]:
        """Return the findings with their places, patterns of paths resolved in the case's tree."""
        return tuple(place for item in self.expect for place in _places(item, tree))


def _severity(item: Mapping[str, Any]) -> str:
    from hatsformat.validation.requirements import requirements

    if "severity" in item:
        return str(item["severity"])
    rule = requirements().get(item["rule"])
    if rule is None:
        raise UsageError("there is no such requirement", found=item["rule"])
    return rule.severity


def _places(item: Mapping[str, Any], tree: Tree) -> Iterable[Expected]:
    from hatsformat.conformance.mutations.registry import LEAVES, expand

    stated = item.get("path")
    listed: list[str | None] = stated if isinstance(stated, list) else [stated]
    paths: list[str | None] = []
    for path in listed:
        is_pattern = path is not None and ("*" in path or path == LEAVES)
        paths += expand(tree, str(path)) if is_pattern else [path]
    for path in paths:
        yield Expected(item["rule"], _severity(item), path, item.get("column"), item.get("row_group"))


@cache
def load_cases() -> Mapping[str, Case]:
    """Return every case by its id, in the order of the files.

    Raises
    ------
    UsageError
        If the corpus is not there.
    FormatError
        If an id is there twice, or an entry is not what ``case.schema.json`` says where it matters.
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
                raise FormatError("this is no case", path=file, found=str(entry)[:200]) from error
            if case.id in found:
                raise FormatError(f"the case {case.id} is there twice", path=file)
            found[case.id] = case
    return found


def select_cases(
    *, ids: Iterable[str] = (), rules: Iterable[str] = (), edition: str | None = None
) -> list[Case]:
    """Return cases, in the order of the files.

    Parameters
    ----------
    ids : iterable of str, optional
        The beginnings of ids, such as ``prop`` or ``prop-101``; all by default.
    rules : iterable of str, optional
        Only those that depart from one of these requirements; beginnings of ids, such as ``HATS-PROP``.
    edition : str, optional
        Only those of this edition of the note.

    Raises
    ------
    UsageError
        If there is none.
    """
    starts, wanted = tuple(ids), tuple(rules)
    chosen = [
        case
        for case in load_cases().values()
        if (not starts or case.id.startswith(starts))
        and (not wanted or any(rule.startswith(wanted) for rule in case.rules))
        and edition in (None, case.edition)
    ]
    if not chosen:
        raise UsageError("no case is chosen", found=", ".join([*starts, *wanted]) or edition)
    return chosen
