"""Very many runs are merged into few before tiles are taken from them, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat.importing import run_import
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner import merging
from hatsformat.partitioner.build_log import BuildLog
from hatsformat.partitioner.context import open_context
from hatsformat.partitioner.memory import MemoryBudget
from hatsformat.partitioner.merging import merge_runs
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.runs import RunStore

BASE_TILES = PartitionInfo([0] * 12, range(12))


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MOST_RUNS", 3)
    monkeypatch.setattr(merging, "SAMPLE_STEP", 2)
    monkeypatch.setattr(merging, "PIECE_ROWS", 8)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def merged(scratch: Path, chunks: list[list[int]]) -> list[dict[str, list[object]]]:
    """Keep sorted pixels as runs on scratch, merge them, and return the rows of what comes of it."""
    store = RunStore(0, scratch)
    runs, names = [], iter(range(10**6))
    for number, pixels in enumerate(chunks):
        found = np.array(sorted(pixels), dtype=np.int64)
        ids = [next(names) for _ in pixels]
        table = pa.table({"pixel": found, "id": ids, "name": pa.array([f"n{i}" for i in ids], pa.string())})
        runs.append(store.keep((number, 0), f"input {number}", table, found))
    schema = pa.schema({"pixel": pa.int64(), "id": pa.int64(), "name": pa.string()})
    log = BuildLog("sky", "sky")
    with open_context(ImportOptions(workers=1), scratch, log) as context:
        result = merge_runs(runs, BASE_TILES, schema, context)
    ends = [run.rows.pixels[[0, -1]] for run in result]
    for start, stop in zip(BASE_TILES.starts, BASE_TILES.stops, strict=True):
        assert len(result) <= 3 or sum(first < stop and last >= start for first, last in ends) <= 3
    rows = []
    for run in result:
        count = len(run.rows.pixels)
        table = run.rows.slice(0, count)
        assert table.column("pixel").to_pylist() == run.rows.pixels.tolist() == sorted(run.rows.pixels)
        for first in range(count):  # any range can be had
            assert run.rows.slice(first, count).equals(table.slice(first))
        rows.append(table.to_pydict())
    return rows


@given(
    st.lists(
        st.lists(st.integers(0, 40) | st.integers(0, 12 * 4**29 - 1), min_size=1, max_size=30), max_size=11
    )
)
def test_rows_stay_in_the_order_of_inputs(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[list[int]]
) -> None:
    tables = merged(tmp_path_factory.mktemp("runs"), chunks)
    pairs = [pair for table in tables for pair in zip(table["pixel"], table["id"], strict=True)]
    expected = [pixel for chunk in chunks for pixel in sorted(chunk)]
    assert sorted(pairs, key=lambda pair: pair[1]) == list(zip(expected, range(len(expected)), strict=True))
    for table in tables:
        own = list(zip(table["pixel"], table["id"], strict=True))
        assert own == sorted(own), "equal pixels in the order of the inputs"
        assert table["name"] == [f"n{number}" for number in table["id"]]


@pytest.mark.parametrize("categories", [False, True])
def test_the_catalog_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, categories: bool) -> None:
    rng = np.random.default_rng(3)
    inputs = []
    for number in range(9):
        table = pa.table(
            {
                "id": np.arange(200) + 200 * number,
                "ra": rng.uniform(0, 360, 200).round(1),
                "dec": rng.uniform(-80, 80, 200).round(0),
                "band": pa.array(rng.choice(["g", "r", f"x{number}"], 200)),
            }
        )
        if categories:
            table = table.set_column(3, "band", table.column("band").dictionary_encode())
        inputs.append(table)
    options = {"max_rows": 150, "highest_order": 5, "workers": 1, "name": "sky"}
    told = []
    run_import(iter(inputs), tmp_path / "plain", **options)
    monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
    monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 3000))
    run_import(iter(inputs), tmp_path / "merged", progress=lambda *step: told.append(step), **options)
    assert any(stage == "merging" for stage, *_ in told) is not categories
    files = [path.relative_to(tmp_path / "plain") for path in (tmp_path / "plain").rglob("Npix=*.parquet")]
    assert files
    for path in files:
        one, other = tmp_path / "plain" / path, tmp_path / "merged" / path
        if categories:  # which are numbered as they come
            assert pq.ParquetFile(one).read().to_pylist() == pq.ParquetFile(other).read().to_pylist()
        else:
            assert one.read_bytes() == other.read_bytes()
