"""Writing cases to disk, with a manifest in JSON."""

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
"""Version of the format of the manifest."""


@dataclass(frozen=True, slots=True)
class Materialized:
    """A case that was written to disk.

    Attributes
    ----------
    case : Case
    path : Path
        The folder of the catalog or collection.
    findings : tuple of Expected
        The findings that a validator must report, and no others.
    """

    case: Case
    path: Path
    findings: tuple[Expected, ...]

    @property
    def id(self) -> str:
        """The id of the case."""
        return self.case.id

    @property
    def verdict(self) -> Verdict:
        """The expected result: ``sound``, ``remarks`` or ``invalid``."""
        return self.case.verdict


def materialize_case(case: Case, root: Path) -> Materialized:
    """Write one case to ``root/<id>/<base>``.

    Raises
    ------
    OutputError
        If the folder exists.
    """
    path = root / case.id / case.base
    if path.exists():
        raise OutputError("the folder exists", path=path, hint="choose a new one")
    tree = case.build()
    write_tree(tree, path)
    return Materialized(case, path, case.expected(tree))


def materialize_cases(
    cases: Sequence[Case], root: Path, progress: Callable[[str, int, int], None] | None = None
) -> list[Materialized]:
    """Write cases and their manifest to a new or empty folder.

    Parameters
    ----------
    cases : sequence of Case
    root : Path
    progress : callable, optional
        Called with the name of the stage, the cases done and the number of cases.

    Raises
    ------
    OutputError
        If the folder is not empty.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OutputError("the folder is not empty", path=root, hint="choose a new or empty one")
    root.mkdir(parents=True, exist_ok=True)
    written = []
    for count, case in enumerate(cases, 1):
        written.append(materialize_case(case, root))
        if progress is not None:
            progress("cases", count, len(cases))
    text = json.dumps(manifest(written, root), indent=1, ensure_ascii=False)
    (root / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return written


def manifest(cases: Sequence[Materialized], root: Path) -> dict[str, Any]:
    """Return the content of ``manifest.json``; paths are relative to its folder."""
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
