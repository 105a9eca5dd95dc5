"""`hatsformat append` and `hatsformat rebuild`: what they do and what they print."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hatsformat import AppendOptions, RebuildOptions, import_catalog, open_catalog
from hatsformat.cli import main
from hatsformat.cli.appending import append_command, rebuild_command
from tests.support import skies


@pytest.fixture
def catalog(tmp_path):
    root = tmp_path / "sky"
    import_catalog(skies.stars(200, 1), root, leaf="directory", max_rows=120)
    pq.write_table(skies.stars(300, 2), tmp_path / "night.parquet")
    return root


def run(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_rows_are_added_and_tiles_rewritten(catalog, tmp_path):
    text = run("append", catalog, tmp_path / "night.parquet")
    assert text.startswith(f"{catalog}: 300 rows in ")
    assert text.endswith(f"; run: hatsformat rebuild {catalog}\n")
    text = run("rebuild", catalog)
    tiles = len(open_catalog(catalog).partitions)
    assert text.startswith(f"{catalog}: 500 rows in {tiles} tiles, ")
    assert run("rebuild", catalog, "--leaf", "file").startswith(f"{catalog}: 500 rows in {tiles} tiles, 0 ")


def test_the_logs_as_json(catalog, tmp_path):
    log = json.loads(run("append", catalog, tmp_path / "night.parquet", "--json"))
    assert (log["rows_written"], log["rebuild_due"], log["drift"]["threshold"]) == (300, True, 120)
    log = json.loads(run("rebuild", catalog, "--json"))
    assert (log["rows_written"], log["written"] > 0) == (500, True)


def test_an_error_is_one_line(catalog, tmp_path):
    run("rebuild", catalog, "--leaf", "file")
    result = CliRunner().invoke(main, ["append", str(catalog), str(tmp_path / "night.parquet")])
    assert result.exit_code == 2
    assert 'leaf="directory"' in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "options"),
    [(append_command, AppendOptions), (rebuild_command, RebuildOptions)],
)
def test_every_option_has_a_flag(command, options):
    flags = {option.name for option in command.params} - {"path", "inputs", "as_json"}
    assert flags == options.__annotations__.keys()
