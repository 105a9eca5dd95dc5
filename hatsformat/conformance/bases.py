"""The sound catalogs that every case begins with.

They are made of plain pyarrow and the package's value modules, and not with the package's writer, so that
writer and validator can both be judged by them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from hatsformat.conformance import catalogs, supplements
from hatsformat.conformance.tree import Content, Tree
from hatsformat.errors import UsageError

BASES: Mapping[str, Callable[[], dict[str, Content]]] = MappingProxyType(
    {
        "object": catalogs.object_catalog,
        "source": catalogs.source,
        "nested": catalogs.nested,
        "leaf_directories": catalogs.leaf_directories,
        "other_suffix": catalogs.other_suffix,
        "order13": catalogs.order13,
        "bare": catalogs.bare,
        "draft": catalogs.draft,
        "margin": supplements.margin,
        "index": supplements.index,
        "association": supplements.association,
        "association_soft": supplements.association_soft,
        "map": supplements.map_catalog,
        "collection": supplements.collection,
        "linked": supplements.linked,
    }
)
"""What makes each base, by its name."""


@cache
def build_base(name: str) -> Tree:
    """Return a base by its name; it is made once, and cannot be changed.

    Raises
    ------
    UsageError
        If there is no such base.
    """
    if name not in BASES:
        raise UsageError("there is no such base", found=name, expected=", ".join(BASES))
    return MappingProxyType(BASES[name]())


def base_title(name: str) -> str:
    """Return what a base is, in a sentence."""
    text = " ".join((inspect.getdoc(BASES[name]) or "").split()).removeprefix("Return ")
    return text[:1].upper() + text[1:]
