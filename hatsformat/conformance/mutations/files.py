"""Mutations of paths and of the bytes of files."""

from __future__ import annotations

from hatsformat.conformance.artefacts import with_derived_files
from hatsformat.conformance.mutations.registry import Mutated, Paths, expand, mutation
from hatsformat.conformance.tree import Link, Tree, content
from hatsformat.errors import UsageError


@mutation
def delete(tree: Tree, *, path: Paths) -> Mutated:
    """Remove files."""
    removed = set(expand(tree, path))
    return {name: data for name, data in tree.items() if name not in removed}


@mutation
def rename(tree: Tree, *, path: str, to: str) -> Mutated:
    """Move a file; if both paths end in a slash, move all files of a folder."""
    moved = _moved(tree, path, to)
    return {**{name: data for name, data in tree.items() if name not in moved}, **_contents(tree, moved)}


@mutation
def copy(tree: Tree, *, path: str, to: str) -> Mutated:
    """Copy a file; if both paths end in a slash, copy all files of a folder."""
    return {**tree, **_contents(tree, _moved(tree, path, to))}


def _moved(tree: Tree, path: str, to: str) -> dict[str, str]:
    if not path.endswith("/"):
        content(tree, path)
        return {path: to}
    found = {name: to + name[len(path) :] for name in tree if name.startswith(path)}
    if not found or not to.endswith("/"):
        raise UsageError("no such folder in the tree", found=path)
    return found


def _contents(tree: Tree, moved: dict[str, str]) -> Mutated:
    return {new: tree[old] for old, new in moved.items()}


@mutation
def write(tree: Tree, *, path: str, text: str = "", data: str = "") -> Mutated:
    """Write a file from text or from bytes in hexadecimal; an existing file is replaced."""
    return {**tree, path: text.encode() + bytes.fromhex(data)}


@mutation
def truncate(tree: Tree, *, path: Paths, size: int) -> Mutated:
    """Keep the first bytes of files; a negative size removes that many from the end."""
    return {**tree, **{name: content(tree, name)[:size] for name in expand(tree, path)}}


@mutation
def splice(tree: Tree, *, path: Paths, at: int, data: str, remove: int = 0) -> Mutated:
    """Replace bytes at an offset of files by others, in hexadecimal."""
    changed = {}
    for name in expand(tree, path):
        old = content(tree, name)
        start = at if at >= 0 else len(old) + at
        changed[name] = old[:start] + bytes.fromhex(data) + old[start + remove :]
    return {**tree, **changed}


@mutation
def pad(tree: Tree, *, path: Paths, size: int, text: str = "\n") -> Mutated:
    """Append text until files have at least a size in bytes."""
    filler = text.encode()
    changed = {}
    for name in expand(tree, path):
        data = content(tree, name)
        changed[name] = data + filler * -(-max(0, size - len(data)) // len(filler))
    return {**tree, **changed}


@mutation
def link(tree: Tree, *, path: str, target: str) -> Mutated:
    """Make a symbolic link; the target is relative to the folder of the link."""
    return {**tree, path: Link(target)}


@mutation
def make_again(tree: Tree, *, files: list[str], member: str = "") -> Mutated:
    """Update files that depend on the leaves, such as ``dataset/_metadata``, or ``hats_nrows``."""
    return with_derived_files(tree, member, files)
