"""`hatsformat validate`: its exit codes, its report in every form, its settings."""

from __future__ import annotations

import json
import shutil
import sys

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


@pytest.mark.parametrize(
    ("arguments", "name", "beginning"),
    [
        (["--format", "text"], "report.html", "error HATS-"),
        ([], "report.txt", "error HATS-"),
        ([], "report", "error HATS-"),
        ([], "report.json", "{"),
        (["--json"], "report.html", "{"),
        ([], "report.sarif", '{\n  "$schema"'),
        (["--format", "sarif"], "report.json", '{\n  "$schema"'),
        ([], "report.html", "<!DOCTYPE html>"),
        (["--format", "html"], "deep/er/page", "<!DOCTYPE html>"),
    ],
)
def test_the_file_has_the_form_that_is_asked_for_or_that_its_name_says(
    broken, tmp_path, arguments, name, beginning
):
    file = tmp_path / name
    result = run(broken, "--level", "footers", "-o", file, *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "")
    assert file.read_text("utf-8").startswith(beginning)
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == [file.name]


@pytest.mark.parametrize("style", ["sarif", "html"])
def test_every_form_can_be_printed(broken, style):
    result = run(broken, "--level", "footers", "--format", style)
    assert result.exit_code == 1
    assert result.stdout.startswith({"sarif": "{", "html": "<!DOCTYPE html>"}[style])


def test_a_report_that_could_not_be_written_is_told_before_the_work(broken, tmp_path, monkeypatch):
    def forbidden(*arguments, **options):
        raise AssertionError("this is not to be done")

    monkeypatch.setattr(sys.modules["hatsformat.validation"], "validate", forbidden)
    assert "this is a bug" in run(broken).stderr
    result = run(broken, "-o", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "this is a folder" in result.stderr


def test_a_report_that_fails_half_way_leaves_the_old_one(broken, tmp_path, monkeypatch):
    from hatsformat.validation import Report

    file = tmp_path / "report.html"
    file.write_text("old")

    def fails(report):
        raise MemoryError

    monkeypatch.setattr(Report, "to_html", fails)
    assert run(broken, "--level", "metadata", "-o", file).exit_code == 2
    assert file.read_text() == "old"


def test_rules_can_be_disabled(broken):
    report = json.loads(run(broken, "--level", "footers", "--json").stdout)
    rules = {finding["rule"] for finding in report["findings"]}
    options = [word for rule in rules for word in ("--disable", rule)]
    result = run(broken, "--level", "footers", "--json", *options)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["valid"], report["findings"]) == (True, [])
    assert rules <= {item["rule"] for item in report["not_run"] if item["reason"] == "disabled"}
    assert "disabled (HATS-" in run(broken, "--level", "metadata", "--disable", "HATS-AUX,HATS-PROP").stdout


def test_an_unknown_rule_could_not_run(broken):
    result = run(broken, "--disable", "HATS-LEAF-0001")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean HATS-LEAF-001" in result.stderr


SETTINGS = """
[validate]
level = "metadata"
fail-on = "warning"

[validate.severity]
HATS-AUX-001 = "warning"
HATS-LEAF = "info"
"""


@pytest.fixture
def warned(sky_catalog, tmp_path):
    """A catalog with one warning."""
    folder = tmp_path / "work" / "warned"
    shutil.copytree(sky_catalog, folder)
    (folder / "dataset" / "_metadata").unlink()
    return folder


def test_a_settings_file_says_how(warned, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text(SETTINGS)
    assert run(warned, "--level", "metadata").exit_code == 0
    result = run(warned, "--config", file, "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    assert json.loads(result.stdout)["level"] == "metadata"
    result = run(warned, "--config", file, "--json", "--level", "footers", "--fail-on", "error")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["level"] == "footers"
    assert run(warned, "--config", file, "--disable", "HATS-AUX-001").exit_code == 0
    result = run(warned, "--config", tmp_path / "none.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "settings file not found" in result.stderr


def test_the_settings_of_the_current_directory_are_followed_and_named(warned, monkeypatch):
    monkeypatch.chdir(warned.parent)
    (warned.parent / "hatsformat.toml").write_text(SETTINGS)
    result = run("warned", "--json")
    assert (result.exit_code, result.stderr) == (1, "hatsformat: using settings from ./hatsformat.toml\n")
    assert json.loads(result.stdout)["level"] == "metadata"
    result = run("warned", "--no-config", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["level"] == "rows"
    other = warned.parent / "other.toml"
    other.write_text('[validate]\nlevel = "footers"\n')
    assert json.loads(run("warned", "--config", "other.toml", "--json").stdout)["level"] == "footers"


def test_a_catalog_does_not_say_how_it_is_judged(broken, monkeypatch):
    (broken / "hatsformat.toml").write_text('[validate]\ndisable = ["HATS"]\n')
    assert run(broken).exit_code == 1
    monkeypatch.chdir(broken)
    for path in (".", broken, broken.parent):
        result = run(path, "--level", "footers")
        assert result.exit_code == 1
        assert "belongs to the catalog and is ignored" in result.stderr
        assert ": not valid (" in result.stdout
    monkeypatch.chdir(broken.parent)
    (broken.parent / "hatsformat.toml").symlink_to(broken / "hatsformat.toml")
    result = run("broken", "--level", "footers")
    assert result.exit_code == 1
    assert "is ignored" in result.stderr
    # Unless asked for in so many words.
    monkeypatch.chdir(broken)
    assert run(".", "--config", "hatsformat.toml").exit_code == 0
