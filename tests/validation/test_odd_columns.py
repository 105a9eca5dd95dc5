"""Whole catalogs with columns of odd types, and single leaves that differ in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import import_catalog
from hatsformat.validation import validate

ROWS = 200


def catalog(column: pa.Array, path: Path) -> list[Path]:
    """Make a catalog of several leaves, and return them."""
    rng = np.random.default_rng(5)
    rows = pa.table({"ra": rng.uniform(0, 9, ROWS), "dec": rng.uniform(0, 9, ROWS), "x": column})
    import_catalog(rows, path, name="odd", max_rows=50, thumbnail=True)
    return sorted(path.glob("dataset/Norder=*/Dir=*/*.parquet"))


def changed(leaf: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write a leaf anew."""
    pq.write_table(change(pq.read_table(leaf, partitioning=None)), leaf)


def rules(path: Path, area: str) -> set[str]:
    return {finding.rule for finding in validate(path).findings if finding.rule.startswith(area)}


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None if row % 3 else np.float16(row) for row in range(ROWS)], pa.float16()),
        pa.array(np.arange(ROWS), pa.timestamp("s")),
        pa.array([None if row % 3 else row for row in range(ROWS)], pa.timestamp("ns", "Europe/Berlin")),
        pa.array(np.arange(ROWS), pa.duration("s")),
        pa.array([[np.float16(row)] * (row % 3) for row in range(ROWS)], pa.list_(pa.float16())),
        pa.array([{"a": row, "b": [row]} for row in range(ROWS)]),
    ],
    ids=lambda column: str(column.type),
)
def test_odd_types_are_sound(column, tmp_path):
    catalog(column, tmp_path / "odd")
    assert validate(tmp_path / "odd").findings == ()


@pytest.mark.parametrize("unit", ["ms", "ns"])
def test_a_leaf_with_another_unit_of_time(unit, tmp_path):
    first, *_ = catalog(pa.array(np.arange(ROWS) * 1000, pa.timestamp("us")), tmp_path / "odd")
    changed(first, lambda rows: rows.set_column(3, "x", rows.column("x").cast(pa.timestamp(unit))))
    findings = [finding for finding in validate(tmp_path / "odd").findings if finding.rule == "HATS-LEAF-004"]
    assert [finding.severity for finding in findings] == ["error"]
    location = findings[0].departures[0].location
    assert location.path == str(first.relative_to(tmp_path / "odd"))
    assert location.column == "x"


def test_a_votable_in_another_encoding(tmp_path):
    fields = "".join(
        f'<FIELD name="{name}" datatype="{kind}"/>'
        for name, kind in (("_healpix_29", "long"), ("ra", "double"), ("dec", "double"), ("x", "long"))
    )
    table = f"<TABLE><DESCRIPTION>é</DESCRIPTION>{fields}</TABLE>"
    text = f'<VOTABLE version="1.4"><RESOURCE>{table}</RESOURCE></VOTABLE>'
    for encoding, expected in (("utf-8", False), ("latin-1", True)):
        path = tmp_path / encoding
        keys = {
            b"IVOA.VOTable-Parquet.version": b"1.0",
            b"IVOA.VOTable-Parquet.content": f'<?xml version="1.0"?>{text}'.encode(encoding),
        }
        for leaf in catalog(pa.array(np.arange(ROWS)), path):
            changed(
                leaf,
                lambda rows, keys=keys: rows.replace_schema_metadata(
                    {**(rows.schema.metadata or {}), **keys}
                ),
            )
        assert ("HATS-AUX-305" in rules(path, "HATS-AUX-305")) == expected


def test_very_many_columns(tmp_path):
    """What is looked up by a column's name must not look through all names each time."""
    leaves = catalog(pa.array(np.arange(ROWS)), tmp_path / "odd")
    more = {f"c{number}": [number] for number in range(5_000)}

    def widen(rows: pa.Table) -> pa.Table:
        for name, value in more.items():
            rows = rows.append_column(name, pa.array(value * rows.num_rows))
        return rows

    changed(leaves[0], widen)
    found = [finding for finding in validate(tmp_path / "odd").findings if finding.rule == "HATS-LEAF-003"]
    assert [finding.departures[0].location.column for finding in found] == list(more)
