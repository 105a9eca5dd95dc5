"""The valid catalogs that the cases are made from.

They are made with plain pyarrow and the value modules of the package, not with its writer, so that both the
writer and the validator can be tested against them.
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
"""The function that makes each base, by name."""


@cache
def build_base(name: str) -> Tree:
    """Return a base by name. It is made once and read-only.

    Raises
    ------
    UsageError
        If the base is unknown.
    """
    if name not in BASES:
        raise UsageError("unknown base", found=name, expected=", ".join(BASES))
    return MappingProxyType(BASES[name]())


def base_title(name: str) -> str:
    """Return a description of a base, in one sentence."""
    text = " ".join((inspect.getdoc(BASES[name]) or "").split()).removeprefix("Return ")
    return text[:1].upper() + text[1:]
