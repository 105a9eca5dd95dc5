"""A threshold in bytes: what a row weighs, and tiles that weigh no more than they may."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import open_catalog
from hatsformat.errors import ThresholdError
from hatsformat.importing import run_import
from hatsformat.partitioner.row_sizes import row_sizes
from tests.support.row_weights import weight

COLUMNS = {
    "int64": pa.array([1, None, 3]),
    "bool": pa.array([True, False, None]),
    "text": pa.array(["", None, "größer"]),
    "bytes": pa.array([b"abc", b"", None]),
    "list": pa.array([[1.5, 2.5], [], None], pa.list_(pa.float32())),
    "texts": pa.array([["a", "bcd"], None, [None]], pa.list_(pa.string())),
    "curve": pa.array([[{"t": 1.0, "band": "g"}], [], [{"t": 2.0, "band": "red"}] * 3]),
    "pair": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int16(), 2)),
    "struct": pa.array([{"a": 1, "b": "x"}, {"a": 2, "b": "yy"}, {"a": 3, "b": ""}]),
    "map": pa.array([[("k", 1)], [], [("l", 2), ("mm", 3)]], pa.map_(pa.string(), pa.int32())),
    "nothing": pa.nulls(3),
    "decimal": pa.array([None, 1, 2], pa.decimal128(10, 2)),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_row_weighs_what_its_values_weigh(name: str) -> None:
    column = COLUMNS[name]
    table = pa.table({name: pa.chunked_array([column, column.slice(1, 2), column.slice(2)])})
    expected = [8 + weight(value, column.type) for value in table.column(0).to_pylist()]
    assert row_sizes(table).tolist() == expected


def test_no_row_weighs_nothing() -> None:
    assert row_sizes(pa.table({"a": pa.array([], pa.string())})).tolist() == []


def test_tiles_weigh_no_more_than_they_may(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    count, limit = 3000, 20_000
    words = ["x" * int(length) for length in rng.integers(0, 300, count)]
    table = pa.table({"ra": rng.uniform(0, 90, count), "dec": rng.uniform(0, 60, count), "note": words})
    run_import(table, tmp_path / "sky", max_bytes=limit, highest_order=8)
    catalog = open_catalog(tmp_path / "sky")
    assert catalog.properties.hats_max_bytes == limit
    assert catalog.properties.hats_max_rows is None
    assert catalog.scan().count_rows() == count
    weights = []
    for path in (tmp_path / "sky").rglob("Npix*.parquet"):
        with path.open("rb") as stream:
            leaf = pq.read_table(stream).drop_columns(["_healpix_29"])
        weights.append(int(row_sizes(leaf).sum()))
    assert max(weights) <= limit
    assert sum(weights) == int(row_sizes(table).sum())


def test_a_row_that_weighs_too_much(tmp_path: Path) -> None:
    table = pa.table({"ra": [1.0], "dec": [2.0], "note": ["x" * 5000]})
    with pytest.raises(ThresholdError, match="holds too many bytes for one tile"):
        run_import(table, tmp_path / "sky", max_bytes=5000)
    assert not (tmp_path / "sky").exists()
