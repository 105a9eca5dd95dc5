"""The demo: its mock sky, its folder, and that it does what it says."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat.demo import DemoOptions, mock_sky, run_demo, write_inputs
from hatsformat.errors import OutputError, UsageError


def separations(sky, ra, dec):
    """Angles to a position, in degrees, by the law of cosines."""
    lon, lat = np.radians(sky["ra"].to_numpy()), np.radians(sky["dec"].to_numpy())
    cosine = np.sin(lat) * np.sin(np.radians(dec)) + np.cos(lat) * np.cos(np.radians(dec)) * np.cos(
        lon - np.radians(ra)
    )
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_the_sky_is_the_same_every_time():
    assert mock_sky(5000).equals(mock_sky(5000))
    assert not mock_sky(5000).equals(mock_sky(5000, seed=1))


def test_the_sky_is_a_sky():
    sky = mock_sky(20_000)
    assert len(sky) == 20_000
    assert sky["source_id"].null_count == sky["ra"].null_count == sky["dec"].null_count == 0
    assert len(sky["source_id"].unique()) == 20_000
    assert 0 <= sky["ra"].to_numpy().min() <= sky["ra"].to_numpy().max() < 360
    assert -90 <= sky["dec"].to_numpy().min() <= sky["dec"].to_numpy().max() <= 90
    assert 0 < sky["colour"].null_count < 10_000


def test_the_sky_is_dense_where_the_galaxy_is():
    sky = mock_sky(100_000)
    near_centre = (separations(sky, 266.405, -28.936) < 10).sum()
    near_pole = (separations(sky, 192.859, 27.128) < 10).sum()
    assert near_centre > 20 * near_pole > 0
    lmc = separations(sky, 80.9, -69.8)[np.array(sky["group"].to_pylist()) == "LMC"]
    assert len(lmc) == 6000
    assert np.median(lmc) < 4


def test_the_inputs_hold_the_sky(tmp_path):
    sky = mock_sky(3000)
    files = write_inputs(sky, tmp_path)
    assert [file.name for file in files] == [f"sky-{n}.parquet" for n in range(4)] + [
        "sky-4.csv",
        "sky-5.csv",
    ]
    tables = [pa.csv.read_csv(file) if file.suffix == ".csv" else pq.read_table(file) for file in files]
    together = pa.concat_tables(tables)
    assert together["source_id"].to_pylist() == sky["source_id"].to_pylist()
    assert np.allclose(together["dec"].to_numpy(), sky["dec"].to_numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("rows", [999, 50_000_001])
def test_a_sky_of_another_size_is_refused(rows):
    with pytest.raises(UsageError, match="out of range"):
        DemoOptions(rows=rows)


@pytest.mark.slow
def test_the_demo_from_input_to_plot_and_again(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")
    folder, story = tmp_path / "a folder", []
    for _ in range(2):  # an earlier demo's folder is used again
        assert run_demo(DemoOptions(folder, rows=5000), print_line=story.append)
    assert (folder / "catalog" / "hats.properties").is_file()
    assert (folder / "sky.png").read_bytes().startswith(b"\x89PNG")
    commands = [line.split()[2] for line in story if line.startswith("  $ hatsformat ")]
    assert commands == ["import", "validate", "query", "plot"] * 2
    assert "'" in next(line for line in story if "$ hatsformat validate" in line)


@pytest.mark.slow
def test_the_commands_that_the_demo_shows_do_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    story = []
    run_demo(DemoOptions("first", rows=2000, plot=False), print_line=story.append)
    shown = [line.removeprefix("  $ hatsformat ") for line in story if line.startswith("  $ hatsformat ")]
    there = (tmp_path / "first" / "catalog").rename(tmp_path / "before")
    for command in shown:
        subprocess.run(
            ["bash", "-c", f'"{sys.executable}" -m hatsformat {command}'],
            check=True,
            timeout=60,
            capture_output=True,
        )
    leaves = {file.relative_to(there): file.stat().st_size for file in there.rglob("*.parquet")}
    again = tmp_path / "first" / "catalog"
    assert {file.relative_to(again): file.stat().st_size for file in again.rglob("*.parquet")} == leaves


def test_what_no_demo_made_is_left_alone(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("dear reader")
    with pytest.raises(OutputError, match="not from a demo"):
        run_demo(DemoOptions(mine, rows=1000))
    assert [file.name for file in mine.iterdir()] == ["thesis.tex"]
    with pytest.raises(OutputError, match="not a folder"):
        run_demo(DemoOptions(mine / "thesis.tex", rows=1000))
    with pytest.raises(OutputError):
        run_demo(DemoOptions(mine / "thesis.tex" / "below", rows=1000))
