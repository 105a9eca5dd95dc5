"""A tree: the files of a catalog by path, in memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hatsformat.errors import OutputError, UsageError

OUTSIDE = "../"
"""The beginning of the paths of files beside the catalog, which links may point to."""


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link.

    Attributes
    ----------
    target : str
        The target, relative to the folder of the link.
    """

    target: str


Content: TypeAlias = bytes | Link
Tree: TypeAlias = Mapping[str, Content]
"""Files by POSIX path, relative to the root of the catalog or collection."""


def content(tree: Tree, path: str) -> bytes:
    """Return the content of a file.

    Raises
    ------
    UsageError
        If the file does not exist, or is a link.
    """
    found = tree.get(path)
    if not isinstance(found, bytes):
        raise UsageError("no such file in the tree", path=path, found=found)
    return found


def matching(tree: Tree, pattern: str) -> list[str]:
    """Return the paths that match a pattern, sorted. ``*`` matches within a name, ``**`` across names.

    Raises
    ------
    UsageError
        If no path matches: the mutation would change nothing.
    """
    parts = re.split(r"(\*\*|\*)", pattern)
    text = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    found = sorted(path for path in tree if re.fullmatch(text, path, re.DOTALL))
    if not found:
        raise UsageError("the pattern matches no file in the tree", found=pattern)
    return found


def is_leaf(path: str) -> bool:
    """Return whether a path is that of a leaf, of any member, or of a part of an index."""
    name = path.rsplit("/", 1)[-1]
    return ("/Norder=" in path or "dataset/index/" in path) and not name.startswith(("_", "."))


def leaves(tree: Tree, member: str = "") -> list[str]:
    """Return the paths of the leaves of a member (``""`` or ``"name/"``), sorted."""
    return sorted(path for path in tree if path.startswith(f"{member}dataset/") and is_leaf(path))


def member(tree: Tree, prefix: str) -> dict[str, Content]:
    """Return the tree of a member, with paths relative to its folder."""
    return {path[len(prefix) :]: data for path, data in tree.items() if path.startswith(prefix)}


def below(prefix: str, tree: Tree) -> dict[str, Content]:
    """Return a tree moved into a folder; ``prefix`` ends in a slash."""
    return {prefix + path: data for path, data in tree.items()}


def write_tree(tree: Tree, root: Path) -> None:
    """Write the files to a folder, which is created.

    Raises
    ------
    OutputError
        If a path leads outside the parent of the folder.
    """
    root.mkdir(parents=True, exist_ok=True)
    for path, data in sorted(tree.items()):
        inner = path.removeprefix(OUTSIDE)
        if ".." in inner.split("/") or inner.startswith("/"):
            raise OutputError("the path leads outside the folder of the case", path=path)
        file = (root.parent if path.startswith(OUTSIDE) else root) / inner
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, Link):
            file.symlink_to(data.target)
        else:
            file.write_bytes(data)
