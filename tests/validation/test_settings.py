"""Which rules are run and how much a departure counts: by argument and by settings file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat import NotFoundError, StorageError, UsageError
from hatsformat.validation import requirements, validate
from hatsformat.validation.checks import load
from hatsformat.validation.engine import _EVIDENCE_RULE
from hatsformat.validation.registry import CATALOG_CHECKS
from hatsformat.validation.settings import Settings, select_rules, settings_nearby
from tests.support.catalogs_to_break import collection, object_catalog, set_property, write

load()
IDS = sorted(requirements())


def severities_of(report):
    return {finding.rule: finding.severity for finding in report.findings}


@pytest.fixture
def faulty(tmp_path):
    """A catalog with an error (a wrong number of rows) and two warnings (no _metadata, a wrong word)."""
    files = object_catalog()
    del files["dataset/_metadata"]
    set_property(files, {"hats_nrows": 7, "hats_frame": "ICRS"})
    return write(tmp_path / "faulty", files)


def test_the_faults_are_found_unless_something_is_said(faulty):
    report = validate(faulty)
    assert severities_of(report) == {
        "HATS-PROP-401": "error",
        "HATS-AUX-001": "warning",
        "HATS-PROP-304": "warning",
    }
    assert "disabled" not in {item.reason for item in report.not_run}


def test_a_disabled_rule_is_not_run_and_not_passed(faulty):
    report = validate(faulty, disable=("HATS-PROP-401", "hats-aux"))
    assert severities_of(report) == {"HATS-PROP-304": "warning"}
    assert report.valid
    off = {item.rule for item in report.not_run if item.reason == "disabled"}
    asked = select_rules(["HATS-AUX", "HATS-PROP-401"])
    # What is not asked of this catalog, or is checked by no program, is not run in any case.
    assert off == {
        rule for rule in asked if rule in CATALOG_CHECKS and requirements()[rule].concerns("object", "1.0")
    }
    assert off.isdisjoint(report.passed)
    assert not any(rule.startswith("HATS-AUX") for rule in report.passed)


def test_one_rule_may_be_said_without_a_tuple(faulty):
    assert "HATS-AUX-001" not in severities_of(validate(faulty, disable="HATS-AUX-001"))


def test_a_disabled_rule_of_several_members_is_told_once(tmp_path):
    report = validate(write(tmp_path, collection()), disable="HATS-LEAF-003")
    assert [(item.rule, item.path) for item in report.not_run if item.reason == "disabled"] == [
        ("HATS-LEAF-003", None)
    ]


def test_a_check_of_rows_is_not_even_carried_out(tmp_path, monkeypatch):
    from hatsformat.validation.check_api import RowCheck
    from hatsformat.validation.registry import ROW_CHECKS

    judged = []

    def judge(batch):
        judged.append(batch)
        return check.judge(batch)

    check = ROW_CHECKS["HATS-HPX-013"]
    monkeypatch.setitem(ROW_CHECKS, "HATS-HPX-013", RowCheck(check.message, judge))
    root = write(tmp_path, object_catalog())
    assert validate(root).valid
    assert judged
    judged.clear()
    assert validate(root, disable="HATS-HPX-013").valid
    assert judged == []


def test_what_the_engine_itself_finds_can_be_disabled(tmp_path, monkeypatch):
    def fails(catalog, rule):
        raise RuntimeError("surprise")

    monkeypatch.setitem(CATALOG_CHECKS, "HATS-PROP-005", fails)
    root = write(tmp_path, object_catalog())
    assert severities_of(validate(root)) == {_EVIDENCE_RULE: "error"}
    report = validate(root, disable=_EVIDENCE_RULE)
    assert severities_of(report) == {}
    reasons = {item.rule: item.reason for item in report.not_run}
    assert reasons["HATS-PROP-005"] == "the check failed on the content of the files"
    assert reasons[_EVIDENCE_RULE] == "disabled"
    assert severities_of(validate(root, severities={_EVIDENCE_RULE: "info"})) == {_EVIDENCE_RULE: "info"}


def test_everything_can_be_disabled(faulty):
    report = validate(faulty, disable="HATS")
    assert (report.findings, report.passed) == ((), ())
    assert {item.reason for item in report.not_run} == {"disabled"}


def test_severities_can_be_changed(faulty):
    report = validate(faulty, severities={"HATS-PROP": "info", "HATS-PROP-304": "error"})
    assert severities_of(report) == {
        "HATS-PROP-304": "error",  # the longer one counts, and errors come first
        "HATS-AUX-001": "warning",
        "HATS-PROP-401": "info",
    }
    assert [finding.severity for finding in report.findings] == ["error", "warning", "info"]
    assert not report.valid
    assert validate(faulty, severities={"HATS-PROP-401": "warning"}).valid
    assert requirements()["HATS-PROP-401"].severity == "error"


@pytest.mark.parametrize(
    ("selector", "near"),
    [
        ("HATS-AUX-0001", "HATS-AUX-001"),
        ("HATS-LAEF", "HATS-LEAF"),
        ("HATS-PROP-499", "HATS-PROP-"),
        ("AUX", "hatsformat rules"),
        ("", "hatsformat rules"),
        ("HATS-AUX-1", "HATS-AUX"),
        ("HATS-", "hatsformat rules"),
    ],
)
def test_an_unknown_rule_is_refused_and_its_like_named(tmp_path, selector, near):
    with pytest.raises(UsageError, match="unknown rule") as caught:
        validate(tmp_path, disable=[selector])
    assert near in caught.value.hint
    with pytest.raises(UsageError, match="unknown rule"):
        validate(tmp_path, severities={selector: "info"})


def test_an_unknown_severity_level_or_edition_is_refused(tmp_path):
    for arguments in (
        {"severities": {"HATS-AUX": "fatal"}},
        {"level": "deep"},
        {"edition": "2.0"},
    ):
        with pytest.raises(UsageError, match="unknown"):
            validate(tmp_path, **arguments)
    with pytest.raises(UsageError, match="unknown severity to fail on"):
        Settings().changed(fail_on="info")


@given(st.lists(st.sampled_from(IDS), max_size=5), st.booleans())
def test_ids_mean_themselves_and_areas_their_ids(ids, lower):
    assert select_rules([rule.lower() if lower else rule for rule in ids]) == set(ids)
    areas = {rule.rpartition("-")[0] for rule in ids}
    assert select_rules(areas) == {rule for rule in IDS if rule.rpartition("-")[0] in areas}


def config(tmp_path, text):
    file = tmp_path / "settings.toml"
    file.write_text(text, "utf-8")
    return file


def test_a_settings_file_says_the_same(faulty, tmp_path):
    file = config(
        tmp_path,
        """
        [validate]
        level = "footers"
        edition = "draft-2025-04"
        fail-on = "warning"
        disable = ["HATS-AUX-001", "HATS-HPX"]

        [validate.severity]
        "HATS-PROP-401" = "info"
        """,
    )
    settings = Settings.read(file)
    assert (settings.level, settings.edition, settings.fail_on) == (
        "footers",
        "draft-2025-04",
        "warning",
    )
    assert settings.disabled == select_rules(["HATS-AUX-001", "HATS-HPX"])
    report = validate(faulty, config=file)
    assert (report.level, report.edition) == ("footers", "draft-2025-04")
    found = severities_of(report)
    assert (found["HATS-PROP-401"], "HATS-AUX-001" in found) == ("info", False)
    assert validate(faulty, config=settings) == report


def test_arguments_stand_over_the_file(faulty, tmp_path):
    file = config(
        tmp_path,
        '[validate]\nlevel = "metadata"\ndisable = ["HATS-AUX-001"]\nseverity = {HATS-PROP = "info"}',
    )
    report = validate(
        faulty,
        level="footers",
        edition="1.0",
        disable="HATS-PROP-304",
        severities={"HATS-PROP-401": "warning"},
        config=file,
    )
    assert (report.level, severities_of(report)) == ("footers", {"HATS-PROP-401": "warning"})


def test_an_empty_file_changes_nothing(faulty, tmp_path):
    assert Settings.read(config(tmp_path, "")) == Settings()
    assert validate(faulty, config=config(tmp_path, "[validate]\n")) == validate(faulty)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("validate = 1", "validate has the wrong type"),
        ("[validat]\n", "did you mean validate"),
        ("[validate]\ndisabled = []", "did you mean disable"),
        ('[validate]\ndisable = "HATS-AUX"', "disable has the wrong type"),
        ("[validate]\ndisable = [1]", "rules and severities must be strings"),
        ("[validate]\nlevel = 3", "level has the wrong type"),
        ("[validate]\nedition = 1.0", "edition has the wrong type"),
        ('[validate]\nfail-on = "info"', "unknown severity to fail on"),
        ('[validate]\nlevel = "row"', "unknown level"),
        ("[validate.severity]\nHATS-AUX = 1", "rules and severities must be strings"),
        ('[validate.severity]\nHATS-AUX = "off"', "unknown severity"),
        ('[validate]\ndisable = ["HATS-AUX-999"]', "unknown rule"),
        ("not = = toml", "invalid TOML in the settings file"),
        ("x = " + "[" * 5000, "invalid TOML in the settings file"),
    ],
)
def test_a_wrong_settings_file_is_refused_and_named(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        Settings.read(config(tmp_path, text))
    assert "settings.toml" in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="invalid TOML"):
        Settings.read(tmp_path / "x.toml")
    with pytest.raises(NotFoundError, match="settings file not found"):
        Settings.read(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(StorageError, match="larger"):
        Settings.read(tmp_path / "x.toml")


def test_the_file_of_the_current_directory_is_followed_only_if_it_is_no_part_of_the_catalog(
    tmp_path, monkeypatch
):
    work, catalog = tmp_path / "work", tmp_path / "work" / "stars"
    catalog.mkdir(parents=True)
    monkeypatch.chdir(work)
    assert settings_nearby(catalog) is None
    (work / "hatsformat.toml").write_text("")
    assert settings_nearby(catalog).trusted
    assert settings_nearby("stars").trusted
    assert settings_nearby("s3://bucket/stars").trusted
    assert not settings_nearby(".").trusted
    assert not settings_nearby(tmp_path).trusted  # it holds the file, too
    (catalog / "hatsformat.toml").write_text("")
    (work / "hatsformat.toml").unlink()
    (work / "hatsformat.toml").symlink_to(catalog / "hatsformat.toml")
    assert not settings_nearby("stars").trusted
    assert settings_nearby(tmp_path / "other").trusted
    monkeypatch.chdir(catalog)
    assert not settings_nearby(".").trusted
    (catalog / "hatsformat.toml").unlink()
    (catalog / "hatsformat.toml").symlink_to(tmp_path / "elsewhere.toml")
    assert not settings_nearby(".").trusted
    (tmp_path / "alias").symlink_to(catalog)
    assert not settings_nearby(tmp_path / "alias").trusted


def test_the_file_in_the_catalog_is_never_followed_by_the_function(tmp_path, monkeypatch):
    files = object_catalog()
    set_property(files, {"hats_nrows": 7})
    files["hatsformat.toml"] = b'[validate]\ndisable = ["HATS"]\n'
    root = write(tmp_path, files)
    monkeypatch.chdir(root)
    assert "HATS-PROP-401" in severities_of(validate("."))
