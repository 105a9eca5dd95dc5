"""The report as SARIF 2.1.0: the structure that hosts of code ask for, whatever a catalog holds."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest

from hatsformat.validation import Departure, Finding, Location, NotRun, Report, requirements, validate
from hatsformat.validation.sarif import MOST_LOCATIONS
from tests.support.catalogs_to_break import collection, object_catalog, parquet, read, set_property, write

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
URI = {"type": "string", "minLength": 1, "pattern": r"^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+$"}
ABSOLUTE = {**URI, "pattern": r"^[a-z][a-z0-9+.-]*:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+$"}
ARTIFACT = {
    "type": "object",
    "required": ["uri", "uriBaseId"],
    "additionalProperties": False,
    "properties": {"uri": URI, "uriBaseId": {"const": "CATALOG"}},
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "additionalProperties": False,
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": ARTIFACT,
                "region": {"properties": {"startLine": {"type": "integer", "minimum": 1}}},
            },
        },
        "logicalLocations": {
            "type": "array",
            "items": {
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "kind": {"type": "string"},
                    "fullyQualifiedName": {"type": "string"},
                },
            },
        },
        "message": TEXT,
    },
}
ESSENTIAL = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": ABSOLUTE,
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results", "originalUriBaseIds", "invocations"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "properties": {
                            "driver": {
                                "required": ["name", "version", "rules"],
                                "properties": {
                                    "name": {"const": "hatsformat"},
                                    "informationUri": ABSOLUTE,
                                    "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
                                },
                            }
                        }
                    },
                    "invocations": {
                        "items": {
                            "required": ["executionSuccessful"],
                            "properties": {
                                "executionSuccessful": {"type": "boolean"},
                                "toolExecutionNotifications": {
                                    "items": {
                                        "required": ["message"],
                                        "properties": {"message": TEXT, "level": LEVEL},
                                    }
                                },
                            },
                        }
                    },
                    "originalUriBaseIds": {
                        "properties": {"CATALOG": {"properties": {"uri": {**ABSOLUTE}}}},
                        "required": ["CATALOG"],
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "properties": {"type": "object"},
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
    "$defs": {
        "rule": {
            "type": "object",
            "required": ["id", "shortDescription", "fullDescription", "help", "helpUri"],
            "properties": {
                "shortDescription": TEXT,
                "fullDescription": TEXT,
                "help": {**TEXT, "required": ["text", "markdown"]},
                "helpUri": ABSOLUTE,
                "defaultConfiguration": {"properties": {"level": LEVEL}},
            },
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "message", "level", "locations", "partialFingerprints"],
            "properties": {
                "ruleIndex": {"type": "integer", "minimum": 0},
                "kind": {"const": "fail"},
                "level": LEVEL,
                "message": TEXT,
                "locations": {"type": "array", "minItems": 1, "items": LOCATION},
                "occurrenceCount": {"type": "integer", "minimum": 1},
                "partialFingerprints": {"additionalProperties": {"type": "string", "minLength": 8}},
            },
        },
    },
}


def run_of(report):
    log = json.loads(report.to_sarif().encode("utf-8"))
    jsonschema.Draft202012Validator(ESSENTIAL).validate(log)
    return log["runs"][0]


def departure(location, actual=None, expected=None, message="it is wrong"):
    return Departure(message, location, actual, expected)


def finding(*departures, rule="HATS-LEAF-001", message="it is wrong", severity="error"):
    found = tuple(replace(found, message=message) for found in departures)
    return Finding(rule, severity, "Fix `it`.", "3.5", found)


def report_of(*findings, path="/data/stars"):
    return Report(path, "1.0", "rows", findings)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    files = object_catalog()
    leaves = [path for path in files if path.startswith("dataset/Norder")]
    for path in leaves[2:5]:
        files[path] = parquet(read(files[path]).drop_columns("mag"))
    del files["dataset/_metadata"]
    set_property(files, {"hats_nrows": 7, "hats_frame": "ICRS"})
    return write(tmp_path_factory.mktemp("stars and dust"), files)


def test_a_report_has_the_structure_of_sarif(broken):
    report = validate(broken)
    run = run_of(report)
    assert len(run["results"]) == len(report.findings)
    rules = run["tool"]["driver"]["rules"]
    for result, found in zip(run["results"], report.findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == found.rule
        assert result["level"] == {"error": "error", "warning": "warning", "info": "note"}[found.severity]
        assert result["occurrenceCount"] == found.count == len(result["locations"])
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [note["associatedRule"]["id"] for note in notes] == [item.rule for item in report.not_run]
    named = {item.rule for item in (*report.findings, *report.not_run)} | set(report.passed)
    assert {rule["id"] for rule in rules} == named
    assert run["properties"]["valid"] is False


def test_places_are_relative_and_resolve(broken):
    run = run_of(validate(broken))
    base = run["originalUriBaseIds"]["CATALOG"]["uri"]
    assert base == broken.as_uri() + "/"
    for result in run["results"]:
        for location in result["locations"]:
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            assert not urlsplit(uri).scheme
            assert ".." not in uri
    (rows,) = [result for result in run["results"] if result["ruleId"] == "HATS-PROP-304"]
    (place,) = rows["locations"]
    line = place["physicalLocation"]["region"]["startLine"]
    assert b"hats_frame" in (broken / "hats.properties").read_bytes().splitlines()[line - 1]
    assert place["logicalLocations"][0]["name"] == "hats_frame"


def test_members_of_a_collection_are_below_it(tmp_path):
    files = collection()
    set_property(files, {"hats_nrows": 7}, "margin_2deg/")
    (result,) = run_of(validate(write(tmp_path, files)))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "margin_2deg/hats.properties"


def test_rows_of_parquet_are_no_lines():
    place = departure(Location("dataset/a.parquet", "ra", 2, 5), "nan", "a finite number")
    (result,) = run_of(report_of(finding(place)))["results"]
    (location,) = result["locations"]
    assert "region" not in location["physicalLocation"]
    assert [item["name"] for item in location["logicalLocations"]] == ["ra", "row group 2, row 5"]
    assert location["message"]["text"] == "nan, expected a finite number"
    assert result["message"]["text"] == "it is wrong: nan, expected a finite number. Fix it."


def test_the_catalog_as_a_whole_is_a_place():
    (result,) = run_of(report_of(finding(departure(Location()))))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "."


@pytest.mark.parametrize(
    "path",
    [
        "a b/ü#?.parquet",
        "c:/x",
        "//server/x",
        "a\x1b[31m\nb",
        "caf\udce9.parquet",
        "lone \ud800 half",
        "%2e%2e/x",
        'x"<script>',
        "=/&;",
    ],
)
def test_any_name_is_a_relative_uri(path):
    place = departure(Location(path, "co\x07l\udcff", None, None), "va\x1blue\udcff", "\u202eright")
    report = report_of(finding(place, message="odd \x00 name \udcff"), path=f"/data/{path}")
    (result,) = run_of(report)["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert urlsplit(uri)[:2] == ("", "")
    if path == "caf\udce9.parquet":
        assert uri == "caf%E9.parquet"
    elif "\ud800" not in path:
        assert unquote(uri) == path.lstrip("/")
    shown = json.dumps(result["message"]) + json.dumps(result["locations"][0]["message"])
    assert "\\u001b" not in shown
    assert "\\u202e" not in shown.replace("\\\\u202e", "")


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("s3://bucket/my stars/", "s3://bucket/my%20stars/"),
        ("https://host:8080/a/b", "https://host:8080/a/b/"),
        ("memory://x", "memory://x/"),
        ("/a b/c", "file:///a%20b/c/"),
    ],
)
def test_the_base_is_the_catalogs_place(path, uri):
    assert run_of(report_of(path=path))["originalUriBaseIds"]["CATALOG"]["uri"] == uri


def test_ten_thousand_places_are_one_result():
    places = [departure(Location(f"dataset/Norder=6/Dir=0/Npix={n}.parquet", "mag")) for n in range(10_000)]
    (result,) = run_of(report_of(finding(*places)))["results"]
    assert (result["occurrenceCount"], len(result["locations"])) == (10_000, MOST_LOCATIONS)
    assert "(10000 locations)" in result["message"]["text"]


def test_fingerprints_stay_while_the_fault_stays():
    def fingerprint(*places, **more):
        (result,) = run_of(report_of(finding(*places, **more)))["results"]
        return result["partialFingerprints"]["hatsFinding/v1"]

    here, there = departure(Location("a", None, None, 3), "1"), departure(Location("b", None, None, 3), "1")
    moved, column = departure(Location("a", None, None, 9), "2"), departure(Location("a", "ra"))
    assert fingerprint(here) == fingerprint(moved)
    assert len({fingerprint(here), fingerprint(there), fingerprint(column)}) == 3
    assert fingerprint(here) != fingerprint(here, rule="HATS-LEAF-002")
    assert fingerprint(here, there) == fingerprint(here, there, moved)


def test_rules_are_explained(broken):
    for rule in run_of(validate(broken))["tool"]["driver"]["rules"]:
        known = requirements()[rule["id"]]
        assert known.summary in rule["help"]["markdown"]
        assert known.why in rule["help"]["markdown"]
        assert known.fix in rule["help"]["markdown"]
        assert known.section in rule["fullDescription"]["text"]
        assert "`" not in rule["fullDescription"]["text"]


def test_a_severity_that_was_changed_is_that_of_the_result(broken):
    run = run_of(validate(broken, severities={"HATS-PROP-401": "info"}))
    (result,) = [result for result in run["results"] if result["ruleId"] == "HATS-PROP-401"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert (result["level"], rule["defaultConfiguration"]["level"]) == ("note", "error")


def test_what_is_not_run_may_name_anything():
    report = Report("/x", "1.0", "rows", (), (NotRun("HATS-AUX-001", "bad \x1b\udcff", "m\x00"),))
    (note,) = run_of(report)["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "not run: m\\x00: bad \\x1b\\udcff"
