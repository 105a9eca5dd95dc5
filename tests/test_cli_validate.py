"""`hatsformat validate`: its exit codes, its report in both forms."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from hatsformat._spec import spec_path
from hatsformat.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


@pytest.fixture
def broken(sky_catalog, tmp_path):
    """A catalog with a leaf that is no Parquet file."""
    folder = tmp_path / "broken"
    shutil.copytree(sky_catalog, folder)
    leaf = next(iter(sorted(folder.rglob("Npix=*.parquet"))))
    leaf.write_bytes(b"PAR1 or not")
    return folder


def test_what_was_imported_is_valid(sky_catalog):
    result = run(sky_catalog)
    assert (result.exit_code, result.stderr) == (0, "")
    assert ": valid (" in result.stdout
    assert "0 errors, 0 warnings" in result.stdout


def test_a_broken_catalog_is_not_and_the_report_says_where(broken):
    result = run(broken)
    assert (result.exit_code, result.stderr) == (1, "")
    assert ": not valid (" in result.stdout
    assert "Npix=" in result.stdout


@pytest.mark.parametrize("style", [["--json"], ["--format", "json"]])
def test_the_report_as_json_is_what_its_schema_says(broken, style):
    import jsonschema

    result = run(broken, *style)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    schema = json.loads(spec_path("schemas", "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(report)
    assert report["valid"] is False
    assert report["summary"]["error"] > 0


def test_the_report_goes_into_a_file(broken, tmp_path):
    file = tmp_path / "report.json"
    result = run(broken, "--json", "--output", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads(file.read_text("utf-8"))["path"] == str(broken)


def test_the_level_and_the_edition_are_those_asked_for(sky_catalog):
    for level in ("metadata", "footers", "rows"):
        report = json.loads(run(sky_catalog, "--level", level, "--json").stdout)
        assert (report["level"], report["edition"], report["valid"]) == (level, "1.0", True)
    report = json.loads(
        run(sky_catalog, "--edition", "draft-2025-04", "--level", "metadata", "--json").stdout
    )
    assert report["edition"] == "draft-2025-04"


def test_warnings_can_count_as_failures(sky_catalog, tmp_path):
    folder = tmp_path / "warned"
    shutil.copytree(sky_catalog, folder)
    (folder / "skymap.fits").unlink()
    report = json.loads(run(folder, "--json").stdout)
    if not report["valid"] or not report["summary"]["warning"]:
        (folder / "dataset" / "_metadata").unlink()
        report = json.loads(run(folder, "--json").stdout)
    assert (report["valid"], report["summary"]["warning"] > 0) == (True, True)
    assert run(folder).exit_code == 0
    assert run(folder, "--fail-on", "warning").exit_code == 1
    assert run(sky_catalog, "--fail-on", "warning").exit_code == 0
