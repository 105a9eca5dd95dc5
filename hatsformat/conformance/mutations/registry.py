"""The registry of mutations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from hatsformat.conformance.tree import Content, Tree, leaves, matching
from hatsformat.errors import UsageError

Mutated: TypeAlias = dict[str, Content]
Value: TypeAlias = str | int | float | bool | None
"""A scalar in YAML."""

Paths: TypeAlias = str | list[str]
"""Paths or patterns: ``*`` matches within a name, ``**`` across names, and ``leaves`` means all leaves."""

LEAVES = "leaves"

MUTATIONS: dict[str, Callable[..., Mutated]] = {}
"""All mutations by name: functions of a tree and keyword arguments that return another tree."""


def mutation(function: Callable[..., Mutated]) -> Callable[..., Mutated]:
    """Register a mutation under the name of its function."""
    MUTATIONS[function.__name__] = function
    return function


def expand(tree: Tree, path: Paths) -> list[str]:
    """Return the paths that match one or several patterns.

    Raises
    ------
    UsageError
        If a pattern matches nothing.
    """
    patterns = [path] if isinstance(path, str) else path
    found: list[str] = []
    for pattern in patterns:
        found += leaves(tree) if pattern == LEAVES else matching(tree, pattern)
    return list(dict.fromkeys(found))


def apply_mutations(tree: Tree, steps: Iterable[tuple[str, Mapping[str, Any]]]) -> Mutated:
    """Apply mutations in order.

    Parameters
    ----------
    tree : mapping of str to bytes or Link
        The tree, which is not modified.
    steps : iterable of (str, mapping)
        The name of each mutation and its arguments.

    Raises
    ------
    UsageError
        If a mutation is unknown, has invalid arguments, or changes nothing.
    """
    result = dict(tree)
    for name, arguments in steps:
        function = MUTATIONS.get(name)
        if function is None:
            raise UsageError("unknown mutation", found=name, expected=", ".join(sorted(MUTATIONS)))
        try:
            inspect.signature(function).bind(result, **arguments)
        except TypeError as error:
            raise UsageError(f"invalid arguments for the mutation {name}: {error}") from error
        before = result
        result = function(before, **arguments)
        if result == before:
            raise UsageError(f"the mutation {name} changes nothing", found=dict(arguments))
    return result
