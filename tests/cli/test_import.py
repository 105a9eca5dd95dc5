"""`hatsformat import`: what it makes, and what it says about it."""

from __future__ import annotations

import dataclasses
import io
import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hatsformat import open_catalog
from hatsformat.cli import main
from hatsformat.cli._output import progress_bars
from hatsformat.cli.importing import import_command
from hatsformat.partitioner.options import ImportOptions


def run(*arguments):
    """Run a command that must succeed; return what it printed."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_files_become_a_catalog(sky, sky_files, tmp_path):
    text = run("import", *sky_files, "--out", tmp_path / "stars", "--max-rows", "2000")
    catalog = open_catalog(tmp_path / "stars")
    assert text.startswith(f"{tmp_path / 'stars'}: 20000 rows in {len(catalog.partitions)} tiles, ")
    assert (
        sorted(catalog.scan(["source_id"]).to_table()["source_id"].to_pylist())
        == sky["source_id"].to_pylist()
    )
    assert catalog.name == "stars"


def test_what_was_done_as_json(sky_files, tmp_path):
    log = json.loads(run("import", *sky_files[:2], "--out", tmp_path / "stars", "--json"))
    size = sum(file.stat().st_size for file in (tmp_path / "stars").rglob("*") if file.is_file())
    assert log["path"] == str(tmp_path / "stars")
    assert log["rows_read"] == log["rows_written"] == open_catalog(tmp_path / "stars").properties.hats_nrows
    assert log["size_bytes"] == size


def test_every_option_of_an_import_has_a_flag():
    flags = {option.name for option in import_command.params}
    assert flags - {"inputs", "out", "as_json"} == {field.name for field in dataclasses.fields(ImportOptions)}


def test_every_option_reaches_the_partitioner(sky, tmp_path):
    turned = sky.rename_columns(["delta" if name == "dec" else name for name in sky.column_names])
    turned = turned.set_column(1, "hours", pc.divide(sky["ra"], 15.0))
    pa.csv.write_csv(turned, tmp_path / "in.txt", pa.csv.WriteOptions(delimiter=";"))
    out = tmp_path / "out"
    run(
        "import", tmp_path / "in.txt", "--out", out, "--name", "turned", "--ra", "hours", "--dec", "delta",
        "--ra-unit", "hour", "--dec-unit", "deg", "--format", "csv", "--delimiter", ";", "--comment", "#",
        "--frame", "icrs", "--max-rows", "3000",
        "--lowest-order", "1", "--highest-order", "6", "--keep-empty-siblings", "--sort-by", "phot_g",
        "--row-group-rows", "700", "--leaf", "directory", "--workers", "1", "--memory", "1GiB",
        "--scratch", tmp_path / "scratch", "--thumbnail", "--catalog-type", "source",
        "--bad-coordinates", "drop",
    )  # fmt: skip
    catalog = open_catalog(out)
    properties = catalog.properties
    assert (properties.obs_collection, properties.dataproduct_type, properties.npix_suffix) == (
        "turned",
        "source",
        "/",
    )
    assert properties.hats_max_rows == 3000
    assert 1 <= catalog.partitions.orders.min() <= catalog.partitions.orders.max() <= 6
    assert (out / "data_thumbnail.parquet").is_file()
    leaves = list(out.rglob("Npix=*/*.parquet"))
    assert len(leaves) == len(catalog.partitions)
    groups = [pq.read_metadata(leaf).row_group(0).num_rows for leaf in leaves]
    assert max(groups) <= 700
    assert properties.hats_nrows == len(sky)


def test_rows_without_a_position_are_counted_and_told(tmp_path):
    file = tmp_path / "in.csv"
    file.write_text("id,ra,dec\n1,10,20\n2,,30\n3,40,95\n")
    text = run("import", file, "--out", tmp_path / "dropped", "--bad-coordinates", "drop")
    assert "1 rows in 1 tiles" in text
    assert "2 of 3 rows have no valid position: dropped" in text
    text = run("import", file, "--out", tmp_path / "kept", "--bad-coordinates", "quarantine")
    aside = tmp_path / "kept.quarantine.parquet"
    assert str(aside) in text
    assert sorted(pq.read_table(aside)["id"].to_pylist()) == [2, 3]


def test_a_catalog_is_replaced_only_when_that_is_said(sky_files, tmp_path):
    out = tmp_path / "stars"
    run("import", sky_files[0], "--out", out)
    run("import", sky_files[1], sky_files[2], "--out", out, "--overwrite")
    rows = sum(pq.read_metadata(file).num_rows for file in sky_files[1:3])
    assert open_catalog(out).properties.hats_nrows == rows
    assert sorted(file.name for file in tmp_path.iterdir()) == ["stars"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_progress_goes_to_a_terminal_only(monkeypatch):
    with progress_bars() as report:
        assert report is None
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bars(quiet=True) as report:
        assert report is None
    assert screen.getvalue() == ""
    with progress_bars() as report:
        report("mapping", 1, 3)
        report("mapping", 3, 3)
        report("reducing", 2, 7)
    assert "mapping" in screen.getvalue()
    assert "3/3" in screen.getvalue()
    assert "2/7" in screen.getvalue()


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".ecsv"])
def test_what_a_query_wrote_can_be_imported(sky, sky_catalog, tmp_path, suffix):
    file = tmp_path / f"rows{suffix}"
    columns = ",".join(name for name in sky.column_names if name != "group")
    run("query", sky_catalog, "--cone", "80.9", "-69.8", "3", "--columns", columns, "-o", file)
    run("import", file, "--out", tmp_path / "again")
    before = open_catalog(sky_catalog).scan(["source_id", "ra", "dec"]).to_table()
    after = open_catalog(tmp_path / "again").scan(["source_id", "ra", "dec"]).to_table()
    rows = {row["source_id"]: row for row in before.to_pylist()}
    assert len(after) > 100
    assert all(rows[row["source_id"]] == row for row in after.to_pylist())
