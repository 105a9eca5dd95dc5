"""Faults planted in a valid catalog: the check must name it, at its location, and nothing else is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pyarrow as pa

from hatsformat.validation import requirements, validate
from tests.support.catalogs_to_break import (
    Files,
    described,
    leaf_name,
    metadata_files,
    object_catalog,
    parquet,
    read,
    set_property,
    write,
)

LEAF = leaf_name(0, 3)
OTHER = leaf_name(1, 45)
PROPERTIES = "hats.properties"
COLLECTION = "collection.properties"


@cache
def built(base: Callable[[], Files]) -> Files:
    return base()


@dataclass(frozen=True)
class Planted:
    """A fault: how it is planted, the rule that names it, where, and the other rules that see it too."""

    rule: str
    plant: Callable[[Files], None]
    path: str | None
    column: str | None = None
    also: set[str] = field(default_factory=set)
    base: Callable[[], Files] = object_catalog
    edition: str = "1.0"

    def __str__(self) -> str:
        return f"{self.rule}-{self.plant.__name__}"


FAULTS: list[Planted] = []


def fault(
    rule: str, path: str | None, column: str | None = None, also: str = "", base=object_catalog, edition="1.0"
):
    def add(plant):
        others = {f"HATS-{name}" for name in also.split()}
        FAULTS.append(Planted(f"HATS-{rule}", plant, path, column, others, base, edition))
        return plant

    return add


def edit(
    files: Files, path: str, change: Callable[[pa.Table], pa.Table], *, refresh: bool = True, **options
) -> None:
    """Change a data file, and the metadata with it."""
    files[path] = parquet(change(read(files[path])), **options)
    if refresh:
        files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})


def put(table: pa.Table, name: str, values) -> pa.Table:
    is_arrow = isinstance(values, pa.Array | pa.ChunkedArray)
    array = values if is_arrow else pa.array(values, table.schema.field(name).type)
    return table.set_column(table.schema.names.index(name), name, array)


def numbers(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).to_numpy().copy()


def planted_in(module: str) -> list[Planted]:
    """The faults that a test module plants."""
    return [planted for planted in FAULTS if planted.plant.__module__ == module]


def check_planted(tmp_path, planted: Planted) -> None:
    """The check must name the fault, at its place, and nothing else may be found."""
    files = dict(built(planted.base))
    planted.plant(files)
    report = validate(write(tmp_path, files), edition=planted.edition)
    found = {finding.rule: finding for finding in reversed(report.findings)}
    assert set(found) == {planted.rule} | planted.also, described(report)
    places = [place.location for f in report.findings if f.rule == planted.rule for place in f.departures]
    assert planted.path in {place.path for place in places}, described(report)
    if planted.column is not None:
        assert planted.column in {place.column for place in places}, described(report)
    assert found[planted.rule].severity == requirements()[planted.rule].severity
    assert planted.rule not in report.passed


def listed(files, changes):
    set_property(files, changes, name=COLLECTION)
