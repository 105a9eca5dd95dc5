"""A catalog as a value: its files by path, held in memory, before they are written anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hatsformat.errors import OutputError, UsageError

OUTSIDE = "../"
"""What the paths of files begin with that lie beside the catalog, where links may lead to."""


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link.

    Attributes
    ----------
    target : str
        As it is written; relative to the link's own directory.
    """

    target: str


Content: TypeAlias = bytes | Link
Tree: TypeAlias = Mapping[str, Content]
"""Files by POSIX path, relative to the root of the catalog or collection."""


def content(tree: Tree, path: str) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    UsageError
        If there is no such file, or it is a link.
    """
    found = tree.get(path)
    if not isinstance(found, bytes):
        raise UsageError("the tree has no such file", path=path, found=found)
    return found


def matching(tree: Tree, pattern: str) -> list[str]:
    """Return the paths that a pattern matches, sorted: ``*`` is anything but ``/``, and ``**`` anything.

    Raises
    ------
    UsageError
        If it matches none: the recipe would then change nothing.
    """
    parts = re.split(r"(\*\*|\*)", pattern)
    text = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    found = sorted(path for path in tree if re.fullmatch(text, path, re.DOTALL))
    if not found:
        raise UsageError("the pattern matches no file of the tree", found=pattern)
    return found


def is_leaf(path: str) -> bool:
    """Return whether a path looks like that of a leaf, of any member, or of a file of an index."""
    name = path.rsplit("/", 1)[-1]
    return ("/Norder=" in path or "dataset/index/" in path) and not name.startswith(("_", "."))


def leaves(tree: Tree, member: str = "") -> list[str]:
    """Return the paths of the leaves below a member's directory (``""`` or ``"name/"``), sorted."""
    return sorted(path for path in tree if path.startswith(f"{member}dataset/") and is_leaf(path))


def member(tree: Tree, prefix: str) -> dict[str, Content]:
    """Return the tree of a member alone, its paths relative to its own directory."""
    return {path[len(prefix) :]: data for path, data in tree.items() if path.startswith(prefix)}


def below(prefix: str, tree: Tree) -> dict[str, Content]:
    """Return a tree put into a directory, ``prefix`` with a slash at its end."""
    return {prefix + path: data for path, data in tree.items()}


def write_tree(tree: Tree, root: Path) -> None:
    """Write the files below a directory, which is made.

    Raises
    ------
    OutputError
        If a path would climb out of the directory's parent.
    """
    root.mkdir(parents=True, exist_ok=True)
    for path, data in sorted(tree.items()):
        inner = path.removeprefix(OUTSIDE)
        if ".." in inner.split("/") or inner.startswith("/"):
            raise OutputError("the path leads out of the case's directory", path=path)
        place = (root.parent if path.startswith(OUTSIDE) else root) / inner
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, Link):
            place.symlink_to(data.target)
        else:
            place.write_bytes(data)
