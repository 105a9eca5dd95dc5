"""The types of keyword arguments name what the functions take, no more and no less."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import get_args, get_origin, get_type_hints

import pytest

import hatsformat
from hatsformat.arguments import AppendOptions, ImportChanges, RebuildOptions, SupplementOptions
from hatsformat.importing import run_import
from hatsformat.partitioner.options import ImportOptions
from hatsformat.updates import appending, rebuilding


def as_argument(field: object) -> object:
    """What may be given for a field: what is kept as a tuple may be any iterable."""
    return Iterable[get_args(field)[0]] if get_origin(field) is tuple else field


FIELDS = {name: as_argument(field) for name, field in get_type_hints(ImportOptions).items()}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (ImportChanges, FIELDS),
        *((kind, get_type_hints(kind)) for kind in (AppendOptions, RebuildOptions, SupplementOptions)),
    ],
)
def test_the_names_and_types_are_those_of_the_import_options(kind, names):
    assert get_type_hints(kind) == {name: FIELDS[name] for name in names}


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (hatsformat.import_catalog, "ImportChanges"),
        (run_import, "ImportChanges"),
        (hatsformat.CatalogWriter, "ImportChanges"),
        (hatsformat.build_margin, "SupplementOptions"),
        (hatsformat.build_index, "SupplementOptions"),
        (hatsformat.build_collection, "SupplementOptions"),
        (hatsformat.Catalog.append, "AppendOptions"),
        (hatsformat.Collection.append, "AppendOptions"),
        (appending.append, "AppendOptions"),
        (hatsformat.Catalog.rebuild, "RebuildOptions"),
        (hatsformat.Collection.rebuild, "RebuildOptions"),
        (rebuilding.rebuild, "RebuildOptions"),
    ],
)
def test_every_function_is_typed(function, kind):
    *_, last = inspect.signature(function).parameters.values()
    assert last.kind is inspect.Parameter.VAR_KEYWORD
    assert last.annotation == f"Unpack[{kind}]"
