"""Writing cases as real trees, with a manifest that any language can read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatsformat._version import __version__
from hatsformat.conformance.corpus import Case, Expected, Verdict
from hatsformat.conformance.tree import write_tree
from hatsformat.errors import OutputError

MANIFEST = "manifest.json"
FORMAT = 1
"""The version of the manifest's form."""


@dataclass(frozen=True, slots=True)
class Materialized:
    """A case that stands on a disk.

    Attributes
    ----------
    case : Case
    path : Path
        The directory of the catalog or collection.
    findings : tuple of Expected
        What a validator must find, and nothing else.
    """

    case: Case
    path: Path
    findings: tuple[Expected, ...]

    @property
    def id(self) -> str:
        """The case's id."""
        return self.case.id

    @property
    def verdict(self) -> Verdict:
        """What a validator should say: ``sound``, ``remarks`` or ``invalid``."""
        return self.case.verdict


def materialize_case(case: Case, root: Path) -> Materialized:
    """Write one case to ``root/<id>/<base>``, replacing nothing.

    Raises
    ------
    OutputError
        If the directory is there already.
    """
    path = root / case.id / case.base
    if path.exists():
        raise OutputError("the directory exists", path=path, hint="choose a new one")
    tree = case.build()
    write_tree(tree, path)
    return Materialized(case, path, case.expected(tree))


def materialize_cases(
    cases: Sequence[Case], root: Path, progress: Callable[[str, int, int], None] | None = None
) -> list[Materialized]:
    """Write cases and their manifest to a new or empty directory.

    Parameters
    ----------
    cases : sequence of Case
    root : Path
    progress : callable, optional
        Called with a stage's name, the cases done and the cases in all.

    Raises
    ------
    OutputError
        If the directory is not empty.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OutputError("the directory is not empty", path=root, hint="choose a new one")
    root.mkdir(parents=True, exist_ok=True)
    done = []
    for number, case in enumerate(cases, 1):
        done.append(materialize_case(case, root))
        if progress is not None:
            progress("cases", number, len(cases))
    text = json.dumps(manifest(done, root), indent=1, ensure_ascii=False)
    (root / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return done


def manifest(cases: Sequence[Materialized], root: Path) -> dict[str, Any]:
    """Return the content of ``manifest.json``: every case, with its path relative to the manifest."""
    return {
        "format": FORMAT,
        "hatsformat": __version__,
        "cases": [
            {
                "id": item.id,
                "title": item.case.title,
                "path": item.path.relative_to(root).as_posix(),
                "base": item.case.base,
                "edition": item.case.edition,
                "level": item.case.level,
                "verdict": item.verdict,
                "findings": [finding.to_dict() for finding in item.findings],
            }
            for item in cases
        ],
    }
