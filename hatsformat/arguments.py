"""The types of the keyword arguments of functions that build catalogs, so that editors can complete them.

`ImportOptions` documents each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypedDict

from hatsformat.errors import UsageError

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the name of a stage, the steps done and the total number of steps."""


class _Workers(TypedDict, total=False):
    workers: int | None
    processes: bool
    scheduler: str | None
    memory: int | None


class _Leaves(TypedDict, total=False):
    lowest_order: int
    highest_order: int
    keep_empty_siblings: bool
    row_group_rows: int
    row_group_bytes: int
    subtile_order_delta: int | None


class _Inputs(TypedDict, total=False):
    ra: str
    dec: str
    ra_unit: str | None
    dec_unit: str | None
    frame: str
    format: str | None
    delimiter: str | None
    comment: str | None
    table: str | None
    bad_coordinates: str
    scratch: str | None


class ImportChanges(_Inputs, _Leaves, _Workers, total=False):
    """The keyword arguments of `import_catalog` and `CatalogWriter`: the fields of `ImportOptions`."""

    name: str | None
    catalog_type: str
    max_rows: int
    max_bytes: int | None
    sort_by: Iterable[str]
    leaf: str
    thumbnail: bool
    margins_arcsec: Iterable[float]
    indexes: Iterable[str]
    statistics: bool
    log: str | None
    overwrite: bool
    resume: bool


class AppendOptions(_Inputs, _Leaves, _Workers, total=False):
    """The keyword arguments of `Catalog.append` and `Collection.append`."""


class RebuildOptions(_Leaves, _Workers, total=False):
    """The keyword arguments of `Catalog.rebuild` and `Collection.rebuild`."""

    max_rows: int
    max_bytes: int | None
    leaf: str


class SupplementOptions(_Workers, total=False):
    """The keyword arguments of `build_margin`, `build_index` and `build_collection`."""

    scratch: str | None
    overwrite: bool
    row_group_rows: int


def check_arguments(given: Mapping[str, Any], known: type, what: str) -> None:
    """Raise `UsageError` if a keyword argument is not in one of the types above."""
    if unknown := sorted(given.keys() - known.__annotations__.keys()):
        raise UsageError(
            f"unknown option {unknown[0]!r} for {what}", expected=", ".join(known.__annotations__)
        )
