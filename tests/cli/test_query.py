"""`hatsformat query` and `info`: the rows that a plain search of the whole table finds, in every form."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hatsformat.cli import main


def run(*arguments):
    """Run a command that must succeed; return what it printed."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def ids(text):
    """The source ids in a printed table."""
    return sorted(pa.csv.read_csv(io.BytesIO(text.encode()))["source_id"].to_pylist())


def separation(sky, ra, dec):
    """Angles to a position, in degrees, by the law of cosines."""
    lon, lat = np.radians(sky["ra"].to_numpy()), np.radians(sky["dec"].to_numpy())
    turn = lon - np.radians(ra)
    cosine = np.sin(lat) * np.sin(np.radians(dec)) + np.cos(lat) * np.cos(np.radians(dec)) * np.cos(turn)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def expected(sky, mask):
    """The ids of the rows that a mask picks."""
    return sorted(sky["source_id"].to_numpy()[mask].tolist())


@pytest.mark.parametrize("radius", ["0.5", "90arcmin", "7200arcsec", "3deg", "0.1rad"])
def test_a_cone(sky, sky_catalog, radius):
    degrees = {"0.5": 0.5, "90arcmin": 1.5, "7200arcsec": 2, "3deg": 3, "0.1rad": np.degrees(0.1)}[radius]
    text = run("query", sky_catalog, "--cone", "80.9", "-69.8", radius, "--columns", "source_id")
    wanted = expected(sky, separation(sky, 80.9, -69.8) <= degrees)
    assert ids(text) == wanted
    assert len(wanted) > 20


def test_a_cone_in_hours(sky, sky_catalog):
    text = run("query", sky_catalog, "--cone", "17h45m40s", "-29d00m28s", "5", "--columns", "source_id")
    wanted = expected(sky, separation(sky, 15 * (17 + 45 / 60 + 40 / 3600), -(29 + 28 / 3600)) <= 5)
    assert ids(text) == wanted
    assert len(wanted) > 100


def test_a_box_across_zero_with_a_condition(sky, sky_catalog):
    text = run(
        "query",
        sky_catalog,
        "--box",
        "330",
        "30",
        "-75",
        "-70",
        "--where",
        "phot_g < 19",
        "--columns",
        "source_id",
    )
    ra, dec, magnitude = (sky[name].to_numpy() for name in ("ra", "dec", "phot_g"))
    wanted = expected(sky, ((ra >= 330) | (ra <= 30)) & (dec >= -75) & (dec <= -70) & (magnitude < 19))
    assert ids(text) == wanted
    assert len(wanted) > 20


def test_a_polygon_and_a_moc_agree_with_a_cone_inside_them(sky, sky_catalog, tmp_path):
    import astropy.units as u
    import mocpy

    cone = set(ids(run("query", sky_catalog, "--cone", "270", "-30", "2", "--columns", "source_id")))
    around = "--polygon", "265 -34, 275 -34, 275 -26, 265 -26"
    assert cone < set(ids(run("query", sky_catalog, *around, "--columns", "source_id")))
    moc = mocpy.MOC.from_cone(270 * u.deg, -30 * u.deg, radius=2 * u.deg, max_depth=12)
    for suffix, style in (("fits", "fits"), ("json", "json"), ("txt", "ascii")):
        file = tmp_path / f"cone.{suffix}"
        moc.save(str(file), format=style)
        found = set(ids(run("query", sky_catalog, "--moc", file, "--columns", "source_id")))
        inside = set(
            expected(sky, moc.contains_lonlat(sky["ra"].to_numpy() * u.deg, sky["dec"].to_numpy() * u.deg))
        )
        assert cone <= found == inside


def test_columns_are_those_asked_for_and_a_limit_holds(sky_catalog):
    text = run("query", sky_catalog, "--columns", "dec, ra", "--columns", "phot_g", "--limit", "7")
    table = pa.csv.read_csv(io.BytesIO(text.encode()))
    assert table.column_names == ["dec", "ra", "phot_g"]
    assert len(table) == 7
    assert run("query", sky_catalog, "--columns", "ra", "--limit", "0").splitlines() == ['"ra"']


def read(file):
    """The ids and magnitudes in a file that a query wrote, as another program reads it."""
    if file.suffix == ".parquet":
        table = pq.read_table(file).to_pydict()
    elif file.suffix == ".csv":
        table = pa.csv.read_csv(file).to_pydict()
    else:
        from astropy.table import Table

        table = Table.read(file)
    return dict(zip(map(float, table["source_id"]), map(float, table["phot_g"]), strict=True))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".fits", ".vot", ".ecsv"])
def test_every_kind_of_file_holds_the_rows(sky, sky_catalog, tmp_path, suffix):
    file = tmp_path / f"rows{suffix}"
    printed = run("query", sky_catalog, "--cone", "80.9", "-69.8", "2", "-o", file)
    assert printed == f"{file}\n"
    mask = separation(sky, 80.9, -69.8) <= 2
    wanted = dict(
        zip(*(map(float, sky[name].to_numpy()[mask]) for name in ("source_id", "phot_g")), strict=True)
    )
    assert read(file) == pytest.approx(wanted)
    assert list(tmp_path.iterdir()) == [file]
    file.write_text("old")
    run("query", sky_catalog, "--cone", "80.9", "-69.8", "2", "-o", file, "--overwrite")
    assert len(read(file)) == len(wanted)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".fits", ".vot", ".ecsv"])
def test_no_rows_are_a_file_without_rows(sky_catalog, tmp_path, suffix):
    file = tmp_path / f"rows{suffix}"
    run("query", sky_catalog, "--where", "phot_g > 99", "--columns", "source_id,phot_g", "-o", file)
    assert read(file) == {}


def test_the_plan_says_what_is_read_and_reads_no_rows(sky, sky_catalog):
    plan = json.loads(run("query", sky_catalog, "--cone", "80.9", "-69.8", "10arcmin", "--plan", "--json"))
    assert 0 < plan["leaves"] < plan["total_leaves"]
    assert plan["rows"] < len(sky) / 4
    assert all((sky_catalog / one["path"]).is_file() for one in plan["files"])
    text = run("query", sky_catalog, "--cone", "80.9", "-69.8", "10arcmin", "--plan")
    assert all(one["path"] in text for one in plan["files"])


def test_a_terminal_shows_the_first_rows(sky_catalog, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    main(["query", str(sky_catalog), "--columns", "source_id,group"], standalone_mode=False)
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].split() == ["source_id", "group"]
    assert len(lines) == 51
    assert "50 rows" in shown.err


def test_lists_do_not_go_into_csv(tmp_path):
    table = pa.table({"ra": [1.0, 2.0], "dec": [3.0, 4.0], "flux": [[1.0], [2.0, 3.0]]})
    pq.write_table(table, tmp_path / "in.parquet")
    run("import", tmp_path / "in.parquet", "--out", tmp_path / "out")
    result = CliRunner().invoke(main, ["query", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "flux" in result.stderr
    assert result.stdout == ""
    run("query", tmp_path / "out", "-o", tmp_path / "rows.parquet")
    assert pc.list_value_length(pq.read_table(tmp_path / "rows.parquet")["flux"]).to_pylist() == [1, 2]


def test_a_reader_that_goes_away_is_no_error(sky_catalog):
    command = [sys.executable, "-m", "hatsformat", "query", str(sky_catalog)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b'"_healpix_29"')
        process.stdout.close()
        errors = process.stderr.read()
        code = process.wait(60)
    assert (code, errors) == (141, b"")


def test_info_counts_what_is_there(sky, sky_catalog):
    about = json.loads(run("info", sky_catalog, "--json"))
    leaves = list(sky_catalog.rglob("Npix=*.parquet"))
    assert about["rows"] == len(sky) == sum(pq.read_metadata(leaf).num_rows for leaf in leaves)
    assert about["tiles"] == len(leaves) == sum(about["tiles_by_order"].values())
    assert about["size_bytes"] == sum(
        file.stat().st_size for file in sky_catalog.rglob("*") if file.is_file()
    )
    assert [one["name"] for one in about["columns"]] == ["_healpix_29", *sky.column_names]
    assert about["properties"]["hats_nrows"] == str(len(sky))
    text = run("info", sky_catalog)
    assert "20000" in text
    assert "phot_g" in text


def test_info_of_a_collection_names_its_members(shared):
    folder = shared / "third_party" / "catalogs" / "small_sky_o1_collection"
    about = json.loads(run("info", folder, "--json"))
    assert about["name"] == "small_sky_order1"
    assert about["margins"] == ["small_sky_order1_margin", "small_sky_order1_margin_10arcs"]
    assert about["indexes"] == ["id"]


def test_info_shows_units_and_descriptions(tmp_path):
    unit = {b"unit": b"deg", b"description": b"Right ascension"}
    schema = pa.schema([pa.field("ra", pa.float64(), metadata=unit), pa.field("dec", pa.float64())])
    pq.write_table(pa.table({"ra": [1.0], "dec": [2.0]}, schema=schema), tmp_path / "in.parquet")
    run("import", tmp_path / "in.parquet", "--out", tmp_path / "out")
    about = json.loads(run("info", tmp_path / "out", "--json"))
    assert {"name": "ra", "type": "double", "unit": "deg", "description": "Right ascension"} in about[
        "columns"
    ]
    assert any(
        line.split() == ["ra", "double", "deg", "Right", "ascension"]
        for line in run("info", tmp_path / "out").splitlines()
    )
