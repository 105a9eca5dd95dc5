"""``per_partition_statistics.parquet``: what the leaves' footers say, held against the rows themselves."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import import_catalog, open_catalog, storage
from hatsformat.artefacts import statistics
from hatsformat.artefacts.leaf import LeafFormat, write_leaf
from hatsformat.artefacts.statistics import FIELDS, KEYS, write_statistics
from hatsformat.errors import LeafError
from hatsformat.healpix import HealpixPixel
from hatsformat.importing import run_import
from hatsformat.validation import validate
from tests.support import skies

NAME = "per_partition_statistics.parquet"


def sky() -> pa.Table:
    table = skies.stars(600, seed=4)
    rng = np.random.default_rng(0)
    days = [dt.date(2020, 1, 1) + dt.timedelta(int(day)) for day in rng.integers(0, 99, 600)]
    curves = [[{"mjd": float(t), "band": "gr"[k % 2]} for k in range(t % 4)] for t in range(600)]
    fluxes = [None if k % 7 == 0 else list(rng.normal(size=k % 3)) for k in range(600)]
    table = table.append_column("day", pa.array(days)).append_column("lc", pa.array(curves))
    table = table.append_column("fluxes", pa.array(fluxes, pa.list_(pa.float64())))
    return table.append_column("blank", pa.array([math.nan] * 600))


def inner(values: list[object], *path: str) -> list[object]:
    """The values within lists of structs, one after the other."""
    flat = [item for value in values for item in (value or [])]
    return [item[path[0]] for item in flat] if path else flat


@pytest.mark.parametrize("values", [1, 1000, 10**9])
def test_each_row_is_of_a_row_group_and_says_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: int
) -> None:
    monkeypatch.setattr(statistics, "_BATCH_VALUES", values)
    run_import(sky(), tmp_path / "sky", max_rows=200, row_group_rows=50, statistics=True)
    found = pq.read_table(tmp_path / "sky" / NAME)
    rows = found.to_pylist()
    seen = 0
    for leaf in skies.read_leaves(tmp_path / "sky"):
        with (tmp_path / "sky" / leaf.path).open("rb") as stream, pq.ParquetFile(stream) as file:
            for number in range(file.num_row_groups):
                row, group = rows[seen], file.read_row_group(number).to_pydict()
                seen += 1
                assert [row[key] for key in KEYS] == [leaf.order, leaf.pixel, number]
                group["lc.list.element.mjd"] = inner(group["lc"], "mjd")
                group["lc.list.element.band"] = inner(group["lc"], "band")
                group["fluxes"] = inner(group["fluxes"])
                del group["lc"]
                for name, held in group.items():
                    there = [v for v in held if v is not None and v == v]
                    low, high = (min(there), max(there)) if there else (None, None)
                    assert row[f"{name}::min_value"] == low, name
                    assert row[f"{name}::max_value"] == high, name
                    if "lc" not in name and name != "fluxes":
                        assert row[f"{name}::null_count"] == held.count(None)
                        assert row[f"{name}::row_count"] == len(held)
                    assert row[f"{name}::disk_bytes"] > 0
    assert seen == len(rows)
    assert len(found.column_names) == 3 + 6 * (len(sky().column_names) + 2)
    assert found.schema.field("day::min_value").type == pa.date32()
    assert found.schema.field("flux::max_value").type == pa.float32()
    assert {name.rpartition("::")[2] for name in found.column_names[3:]} == set(FIELDS)


def test_none_unless_asked_for(tmp_path: Path) -> None:
    run_import(skies.stars(20), tmp_path / "sky")
    assert NAME not in skies.files(tmp_path / "sky")


def test_a_leaf_of_other_columns(tmp_path: Path) -> None:
    table = pa.table({"a": [1], "b": [2]})
    footer = write_leaf(storage.resolve(tmp_path / "leaf.parquet"), table, LeafFormat()).footer
    with pytest.raises(LeafError, match=r"Npix=3 differ from the catalog"):
        write_statistics(
            storage.resolve(tmp_path / NAME), pa.schema({"a": pa.int64()}), [(HealpixPixel(0, 3), footer)]
        )
    assert [path.name for path in tmp_path.iterdir()] == ["leaf.parquet"]


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_hats_reads_from_it_what_it_reads_from_the_footers(tmp_path: Path) -> None:
    hats = pytest.importorskip("hats", reason="hats is not installed (extra `interop`)")
    table = skies.stars(600, seed=4).drop_columns(["good"])
    run_import(table, tmp_path / "plain", max_rows=200, row_group_rows=50)
    run_import(table, tmp_path / "told", max_rows=200, row_group_rows=50, statistics=True)
    plain, told = hats.read_hats(tmp_path / "plain"), hats.read_hats(tmp_path / "told")
    for ask in ("aggregate_column_statistics", "per_partition_statistics"):
        ours, theirs = (getattr(c, ask)(include_columns=["id", "ra", "dec"]) for c in (told, plain))
        assert sorted(ours.columns) == sorted(theirs.columns)
        for column in theirs.columns:
            # From the footers hats makes text of numbers.
            assert [float(v) for v in ours[column]] == [float(v) for v in theirs[column]], column
        assert ours.index.tolist() == theirs.index.tolist()


def test_rows_that_are_appended_are_told(tmp_path: Path) -> None:
    run_import(skies.stars(300), tmp_path / "sky", max_rows=100, leaf="directory", statistics=True)
    before = pq.read_table(tmp_path / "sky" / NAME)
    open_catalog(tmp_path / "sky").append(skies.stars(50, seed=5))
    after = pq.read_table(tmp_path / "sky" / NAME)
    assert after.slice(0, len(before)) == before
    files = [path for path in skies.files(tmp_path / "sky") if "Npix=" in path]
    assert len(after) == len(files) > len(before)
    assert sum(after["id::row_count"].to_pylist()) == 350
    assert validate(tmp_path / "sky").findings == ()


def test_dates_that_python_has_not(tmp_path):
    far = pa.array([10**18, 2 * 10**18], pa.timestamp("us"))
    table = pa.table({"ra": [1.0, 2.0], "dec": [1.0, 2.0], "t": far})
    import_catalog(table, tmp_path / "sky", statistics=True)
    assert validate(tmp_path / "sky").findings == ()
