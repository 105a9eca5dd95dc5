"""What a mutation is, and the table of all mutations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from hatsformat.conformance.tree import Content, Tree, leaves, matching
from hatsformat.errors import UsageError

Mutated: TypeAlias = dict[str, Content]
Value: TypeAlias = str | int | float | bool | None
"""A scalar, as YAML has it."""

Paths: TypeAlias = str | list[str]
"""Paths or patterns: ``*`` matches within a name, ``**`` across names, and ``leaves`` is every leaf."""

LEAVES = "leaves"

MUTATIONS: dict[str, Callable[..., Mutated]] = {}
"""Every mutation by its name: a function of a tree and keyword arguments that returns another tree."""


def mutation(function: Callable[..., Mutated]) -> Callable[..., Mutated]:
    """Register a mutation under its function's name."""
    MUTATIONS[function.__name__] = function
    return function


def expand(tree: Tree, path: Paths) -> list[str]:
    """Return the paths that one or several patterns match.

    Raises
    ------
    UsageError
        If one matches nothing.
    """
    patterns = [path] if isinstance(path, str) else path
    found: list[str] = []
    for pattern in patterns:
        found += leaves(tree) if pattern == LEAVES else matching(tree, pattern)
    return list(dict.fromkeys(found))


def apply_mutations(tree: Tree, steps: Iterable[tuple[str, Mapping[str, Any]]]) -> Mutated:
    """Apply mutations one after the other.

    Parameters
    ----------
    tree : mapping of str to bytes or Link
        Not changed.
    steps : iterable of (str, mapping)
        The name of each mutation and its arguments.

    Raises
    ------
    UsageError
        If there is no such mutation, its arguments do not fit, or it would change nothing.
    """
    result = dict(tree)
    for name, arguments in steps:
        function = MUTATIONS.get(name)
        if function is None:
            raise UsageError("there is no such mutation", found=name, expected=", ".join(sorted(MUTATIONS)))
        try:
            inspect.signature(function).bind(result, **arguments)
        except TypeError as error:
            raise UsageError(f"the mutation {name} does not take these arguments: {error}") from error
        before = result
        result = function(before, **arguments)
        if result == before:
            raise UsageError(f"the mutation {name} changes nothing", found=dict(arguments))
    return result
