"""Mutations of the tree, and of files as bytes."""

from __future__ import annotations

from hatsformat.conformance.artefacts import made_again
from hatsformat.conformance.mutations.registry import Mutated, Paths, expand, mutation
from hatsformat.conformance.tree import Link, Tree, content
from hatsformat.errors import UsageError


@mutation
def delete(tree: Tree, *, path: Paths) -> Mutated:
    """Remove files."""
    gone = set(expand(tree, path))
    return {name: data for name, data in tree.items() if name not in gone}


@mutation
def rename(tree: Tree, *, path: str, to: str) -> Mutated:
    """Move a file, or with a slash at the end of both all files of a directory."""
    moved = _moved(tree, path, to)
    return {**{name: data for name, data in tree.items() if name not in moved}, **_contents(tree, moved)}


@mutation
def copy(tree: Tree, *, path: str, to: str) -> Mutated:
    """Copy a file, or with a slash at the end of both all files of a directory."""
    return {**tree, **_contents(tree, _moved(tree, path, to))}


def _moved(tree: Tree, path: str, to: str) -> dict[str, str]:
    if not path.endswith("/"):
        content(tree, path)
        return {path: to}
    found = {name: to + name[len(path) :] for name in tree if name.startswith(path)}
    if not found or not to.endswith("/"):
        raise UsageError("the tree has no such directory", found=path)
    return found


def _contents(tree: Tree, moved: dict[str, str]) -> Mutated:
    return {new: tree[old] for old, new in moved.items()}


@mutation
def write(tree: Tree, *, path: str, text: str = "", data: str = "") -> Mutated:
    """Write a file, of text or of bytes in hexadecimal; replace it if it is there."""
    return {**tree, path: text.encode() + bytes.fromhex(data)}


@mutation
def truncate(tree: Tree, *, path: Paths, size: int) -> Mutated:
    """Keep the first bytes of files; a negative size cuts as many off the end."""
    return {**tree, **{name: content(tree, name)[:size] for name in expand(tree, path)}}


@mutation
def splice(tree: Tree, *, path: Paths, at: int, data: str, remove: int = 0) -> Mutated:
    """Insert bytes, in hexadecimal, at an offset of files, in place of some others."""
    changed = {}
    for name in expand(tree, path):
        old = content(tree, name)
        start = at if at >= 0 else len(old) + at
        changed[name] = old[:start] + bytes.fromhex(data) + old[start + remove :]
    return {**tree, **changed}


@mutation
def pad(tree: Tree, *, path: Paths, size: int, text: str = "\n") -> Mutated:
    """Append a text until files have at least a size in bytes."""
    filler = text.encode()
    changed = {}
    for name in expand(tree, path):
        data = content(tree, name)
        changed[name] = data + filler * -(-max(0, size - len(data)) // len(filler))
    return {**tree, **changed}


@mutation
def link(tree: Tree, *, path: str, target: str) -> Mutated:
    """Put a symbolic link at a path; the target is relative to the link's directory."""
    return {**tree, path: Link(target)}


@mutation
def make_again(tree: Tree, *, files: list[str], member: str = "") -> Mutated:
    """Make files again from the leaves that are there, such as ``dataset/_metadata``; or ``hats_nrows``."""
    return made_again(tree, member, files)
