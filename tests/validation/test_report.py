"""The report as a value, as JSON and as text."""

from __future__ import annotations

import json

import jsonschema
import pytest

import hatsformat
from hatsformat import NotFoundError, UsageError
from hatsformat._spec import spec_path
from hatsformat.validation import Departure, Finding, Location, NotRun, Report, validate
from tests.support.catalogs_to_break import collection, object_catalog, parquet, read, set_property, write


@pytest.fixture(scope="module")
def schema():
    content = json.loads(spec_path("schemas", "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(content)
    return content


def broken_catalog(tmp_path):
    files = object_catalog()
    leaves = [path for path in files if path.startswith("dataset/Norder")]
    for path in leaves[2:9]:
        files[path] = parquet(read(files[path]).drop_columns("mag"))
    files[leaves[0]] = b"nothing"
    set_property(files, {"hats_frame": "ICRS"})
    return write(tmp_path, files)


def test_json_follows_the_schema(tmp_path, schema):
    for level in ("metadata", "footers", "rows"):
        report = validate(broken_catalog(tmp_path), level=level)
        content = json.loads(report.to_json())
        jsonschema.validate(content, schema)
        assert content == report.to_dict()
    assert content["summary"]["error"] >= 2
    assert content["valid"] is False


def test_many_places_of_one_fault_are_one_finding(tmp_path):
    report = validate(broken_catalog(tmp_path), level="footers")
    (finding,) = [finding for finding in report.findings if finding.rule == "HATS-LEAF-003"]
    assert finding.count == 7
    assert len(finding.examples) == 5
    assert len(finding.to_dict()["places"]) == 7
    assert [found.location.path for found in finding.departures] == sorted(
        found.location.path for found in finding.departures
    )
    assert finding.location.column == "mag"
    assert "(7 locations)" in report.to_text()
    assert "and 2 more" in report.to_text()


def test_errors_come_first(tmp_path):
    severities = [finding.severity for finding in validate(broken_catalog(tmp_path)).findings]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert len(set(severities)) > 1


def test_what_is_not_run_is_not_passed(tmp_path):
    report = validate(broken_catalog(tmp_path), level="footers")
    reasons = {item.rule: item.reason for item in report.not_run}
    assert "needs level rows" in reasons["HATS-HPX-007"]
    assert "cannot be read" in reasons["HATS-PROP-401"]
    assert set(reasons).isdisjoint(report.passed)
    # Where only some files could be judged, there may be findings all the same.
    assert "HATS-LEAF-003" in reasons
    assert "1 of " in reasons["HATS-LEAF-003"]


def test_a_level_reads_no_more_than_it_says(tmp_path, monkeypatch):
    from hatsformat.validation.evidence import catalog_footers, rows

    def forbidden(*arguments, **options):
        raise AssertionError("this is not to be read")

    root = write(tmp_path, object_catalog())
    monkeypatch.setattr(rows, "read_batches", forbidden)
    assert validate(root, level="footers").valid
    monkeypatch.setattr(catalog_footers, "read_footers", forbidden)
    assert validate(root, level="metadata").valid


def test_members_are_named(tmp_path):
    files = collection()
    set_property(files, {"hats_nrows": 7}, "margin_2deg/")
    del files["index_id/dataset/_metadata"]
    report = validate(write(tmp_path, files))
    assert [(finding.rule, finding.location.path) for finding in report.findings] == [
        ("HATS-PROP-401", "margin_2deg/hats.properties"),
        ("HATS-AUX-001", "index_id/dataset/_metadata"),
    ]
    # Of the collection itself only the rules for extensions, which it has none of, are not run.
    assert {item.path for item in report.not_run} <= {None, "catalog", "margin_2deg", "index_id"}
    assert {item.rule[:8] for item in report.not_run if item.path is None} == {"HATS-EXT"}
    assert report.passed.count("HATS-PROP-101") == 3


def test_text_says_what_where_and_how():
    location = Location("a.parquet", "ra", 0, 4)
    departure = Departure("rows without a valid position", location, "nan", "a finite number")
    finding = Finding("HATS-HPX-012", "error", "Give them one.", "3.6.1", (departure,))
    report = Report(
        "there", "1.0", "rows", (finding,), (NotRun("HATS-AUX-101", "no such file", "m"),), ("x", "y")
    )
    assert report.to_text() == (
        "error HATS-HPX-012: rows without a valid position\n"
        "  at a.parquet [ra] row group 0 row 4: nan, expected a finite number\n"
        "  why: A row without a position is in no region, and some readers fail on it.\n"
        "  fix: Give them one. (Note, section 3.6.1)\n"
        "\n"
        "Not run:\n"
        "  m: no such file (HATS-AUX-101)\n"
        "\n"
        "there: not valid (edition 1.0, level rows): "
        "1 error, 0 warnings, 0 info; 2 checks passed, 1 not run\n"
    )
    assert "\x1b[31merror\x1b[0m" in report.to_text(color=True)
    assert not report.valid


HOSTILE = "a\x1b[31m\x00\r\nb\x9b\u202e\u2028\udcff\ud800"


def test_nothing_from_a_catalog_reaches_the_terminal(schema):
    """No control character, no mark of direction, no half of a pair: each is written out."""
    departure = Departure(HOSTILE, Location(HOSTILE, HOSTILE), HOSTILE, HOSTILE)
    finding = Finding("HATS-LEAF-001", "error", "f", "3.5", (departure, departure))
    report = Report(HOSTILE, "1.0", "rows", (finding,), (NotRun("HATS-LEAF-002", HOSTILE, HOSTILE),))
    text = report.to_text()
    assert text.encode("utf-8").decode() == text
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.count("\n") == 10
    assert text.count("\\x1b[31m") == 1 + 2 * 4 + 2 + 1
    assert json.loads(report.to_json().encode("utf-8")) == report.to_dict()
    jsonschema.validate(report.to_dict(), schema)


def test_warnings_leave_a_catalog_valid():
    finding = Finding("HATS-AUX-001", "warning", "f", "3", (Departure("m", Location("a")),))
    assert Report("p", "1.0", "rows", (finding,)).valid


def test_usage_errors(tmp_path):
    with pytest.raises(NotFoundError, match="no such file or directory"):
        validate(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="this is a file, not a directory"):
        validate(tmp_path / "file")
    with pytest.raises(UsageError, match="level"):
        validate(tmp_path, level="deep")
    with pytest.raises(UsageError, match="edition"):
        validate(tmp_path, edition="2.0")


def test_an_empty_directory_is_no_catalog(tmp_path):
    rules = {finding.rule for finding in validate(tmp_path).findings}
    assert {"HATS-PROP-001", "HATS-TREE-001"} <= rules


def test_it_is_public():
    assert hatsformat.validate is validate
    assert hatsformat.Report is Report
