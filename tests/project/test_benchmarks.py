"""The benchmarks run, at a tiny size; what they measure is never judged here."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

pytest.importorskip("psutil", reason="the benchmarks measure with psutil")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _project_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def load(name):
    return importlib.import_module(f"benchmarks.{name}")


def galactic_latitude(table):
    sky = load("sky")
    ra, dec = np.radians(table["ra"].to_numpy()), np.radians(table["dec"].to_numpy())
    pole = sky.GALACTIC_AXES[2]
    return np.degrees(
        np.arcsin(pole @ np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]))
    )


def test_sky_is_deterministic_and_its_files_share_the_rows(tmp_path):
    sky = load("sky")
    files = sky.make(sky.Sky(1000, 3), tmp_path / "a")
    again = sky.make(sky.Sky(1000, 3), tmp_path / "b")
    tables = [pq.read_table(path) for path in files]
    assert [table.num_rows for table in tables] == [333, 333, 334]
    assert pa.concat_tables(tables).equals(pa.concat_tables([pq.read_table(path) for path in again]))
    assert pa.concat_tables(tables).equals(
        pa.concat_tables([table for _, table in sky.chunks(sky.Sky(1000, 1))])
    )
    assert len(set(pa.concat_tables(tables)["source_id"].to_pylist())) == 1000


def test_sky_over_several_chunks_and_files(monkeypatch):
    sky = load("sky")
    monkeypatch.setattr(sky, "CHUNK_ROWS", 100)
    parts = list(sky.chunks(sky.Sky(450, 4)))
    rows = {}
    for file, table in parts:
        rows[file] = rows.get(file, 0) + table.num_rows
    assert rows == {0: 112, 1: 113, 2: 112, 3: 113}
    whole = pa.concat_tables([table for _, table in parts])
    longer = pa.concat_tables([table for _, table in sky.chunks(sky.Sky(600, 1))])
    assert whole.slice(0, 400).equals(longer.slice(0, 400))


def test_sky_is_cached(tmp_path):
    sky = load("sky")
    (path,) = sky.make(sky.Sky(10, 1), tmp_path)
    before = path.stat().st_mtime_ns
    assert sky.make(sky.Sky(10, 1), tmp_path) == [path]
    assert path.stat().st_mtime_ns == before
    assert [entry.name for entry in tmp_path.iterdir()] == [sky.Sky(10, 1).name]


def test_csv_and_parquet_hold_the_same_sky(tmp_path):
    sky = load("sky")
    (parquet,) = sky.make(sky.Sky(500, 1), tmp_path)
    (csv,) = sky.make(sky.Sky(500, 1, "csv"), tmp_path)
    expected = pq.read_table(parquet)
    assert pc.read_csv(csv).cast(expected.schema).equals(expected)


def test_sky_lies_on_the_sphere_and_is_clustered():
    sky = load("sky")
    table = sky.chunk(1, 0, 50_000)
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    assert ra.min() >= 0
    assert ra.max() < 360
    assert np.abs(dec).max() <= 90
    near_plane = np.abs(galactic_latitude(table)) < 10
    assert near_plane.mean() > 0.5  # an even sky has 17 % of its rows there
    assert table.column_names == list(sky.COLUMNS)


def test_floor_writes_every_row_sorted_along_the_sky(tmp_path):
    sky, floor = load("sky"), load("floor")
    (parquet,) = sky.make(sky.Sky(2000, 1), tmp_path)
    floor.process(parquet, tmp_path, floor.ParquetOptions())
    written = pq.read_table(tmp_path / parquet.name)
    index = written[floor.INDEX].to_numpy()
    assert (np.diff(index) >= 0).all()
    original = pq.read_table(parquet)
    assert written.drop_columns([floor.INDEX]).sort_by("source_id").equals(original.sort_by("source_id"))


def test_floor_writes_as_our_leaves_are_written():
    leaf, floor, sky = importlib.import_module("hatsformat.artefacts.leaf"), load("floor"), load("sky")
    table = floor.index_and_sort(sky.chunk(1, 0, 10))
    ours = leaf.parquet_options(table.schema, leaf.LeafFormat())
    theirs = floor.ParquetOptions().arguments(table.schema)
    for option in (
        "compression",
        "compression_level",
        "column_encoding",
        "use_dictionary",
        "sorting_columns",
    ):
        assert theirs[option] == (list(ours[option]) if option == "sorting_columns" else ours[option]), option
    assert theirs["row_group_size"] == leaf.LeafFormat().row_group_rows


def test_measure_sees_the_memory_of_children():
    measure = load("measure")
    child = "import time; held = b'x' * (1 << 27); time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    cost = measure.run(["python", "-c", parent])
    assert cost.peak_bytes > 1 << 27
    assert cost.cpu_seconds > 0


def test_measure_passes_on_what_a_failing_program_said():
    measure = load("measure")
    with pytest.raises(RuntimeError, match="exit 3") as raised:
        measure.run(["python", "-c", "print('sorry'); raise SystemExit(3)"])
    assert "sorry" in str(raised.value)


def test_alignment_is_compared(monkeypatch):
    bench = load("bench_alignment")
    monkeypatch.setattr(bench, "installed", lambda module: False)
    report = bench.report(bench.AlignmentBench(rows=2000, order=4, max_rows=200, repetitions=1))
    assert "kept" in report
    assert "dropped" in report


def test_alignment_tells_a_difference():
    bench = load("bench_alignment")
    counts = np.zeros(192, dtype=np.int64)
    counts[[3, 5, 100]] = 4
    alignment = bench.ours(counts, bench.AlignmentBench(order=2, max_rows=8), keep=True)
    theirs = np.full(192, None)
    for pixel, (order, tile, rows) in {3: (0, 0, 8), 5: (0, 0, 8), 100: (0, 6, 4)}.items():
        theirs[pixel] = (order, tile, rows)
    assert bench.same(alignment, theirs, counts)
    theirs[100] = (1, 25, 4)
    assert not bench.same(alignment, theirs, counts)


def test_floor_alone_is_benched_from_the_command_line(tmp_path, monkeypatch, capsys):
    main = load("__main__").main
    argv = [
        "benchmarks",
        "import",
        "--rows",
        "1000",
        "--files",
        "2",
        "--only",
        "floor",
        "--data",
        str(tmp_path),
    ]
    monkeypatch.setattr(sys, "argv", [*argv, "--repetitions", "1"])
    assert main() == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-2:] == ["2", "1,000"]


def test_unknown_benchmark_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "speed"])
    assert load("__main__").main() == 2
    assert "no benchmark named speed" in capsys.readouterr().err


def test_leaf_formats_report(tmp_path, monkeypatch):
    leaf_formats = load("leaf_formats")
    ways = list(leaf_formats.WAYS)[:2]
    monkeypatch.setattr(leaf_formats, "WAYS", {way: leaf_formats.WAYS[way] for way in ways})
    monkeypatch.setattr(leaf_formats, "CONES", 2)
    lines = leaf_formats.report(tmp_path, 5000, 1).splitlines()
    assert len(lines) == 3 + len(ways)
    assert list(tmp_path.iterdir()) == []


def test_validation_is_timed_beside_plain_reading(tmp_path):
    bench_validate, sky = load("bench_validate"), load("sky")
    bench = bench_validate.ValidateBench(sky.Sky(2000, 1), 500, leaves=20, tiles=50, repetitions=1)
    report = bench_validate.report(tmp_path, bench)
    assert all(f"validate: {level}" in report for level in ("rows", "footers", "metadata"))
    assert "footers of 20 leaves" in report
    assert "metadata of 50 tiles" in report
    assert [path.name for path in tmp_path.iterdir()] == ["sky1-2000x1-parquet-1"]


def test_the_trees_that_are_timed_are_sound(tmp_path):
    bench_validate, validate = load("bench_validate"), importlib.import_module("hatsformat").validate
    bench_validate.many_leaves(20, tmp_path / "leaves")
    bench_validate.many_tiles(50, tmp_path / "tiles")
    assert validate(tmp_path / "leaves", "footers").valid
    assert validate(tmp_path / "tiles", "metadata").valid
    assert len(list((tmp_path / "tiles").glob("dataset/Norder=9/Dir=0/Npix=*.parquet"))) == 50
