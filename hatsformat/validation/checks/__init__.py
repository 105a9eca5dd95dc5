"""The checks, by the evidence they use; importing a module registers its checks."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "tree",
    "properties",
    "partition_info",
    "footers",
    "columns",
    "auxiliary",
    "thumbnail",
    "voparquet",
    "join_info",
    "skymaps",
    "rows",
    "row_groups",
    "keys",
    "members",
    "supplements",
    "extensions",
)


def load() -> None:
    """Register every check."""
    for name in MODULES:
        import_module(f"{__name__}.{name}")
