"""The chain: every check has a case that passes and one that fails, which passes once the check is off."""

from __future__ import annotations

import inspect

import pytest

from hatsformat.conformance.corpus import load_cases
from hatsformat.conformance.materialize import materialize_case
from hatsformat.validation import checks, registry, requirements, validate

checks.load()
CASES = [case for case in load_cases().values() if case.pending is None]
CHECKED = {*registry.CATALOG_CHECKS, *registry.COLLECTION_CHECKS}


def test_every_check_has_a_failing_case():
    failing = {rule for case in CASES for rule in case.rules}
    assert sorted(CHECKED - failing) == []
    assert failing <= set(requirements())


@pytest.fixture(scope="module")
def passed(tmp_path_factory) -> set[str]:
    """The rules that the sound cases pass, and whatever passes in a faulty one."""
    root = tmp_path_factory.mktemp("passing")
    found: set[str] = set()
    for case in CASES:
        if case.verdict == "sound":
            item = materialize_case(case, root)
            found.update(validate(item.path, level=case.level, edition=case.edition).passed)
    return found


def test_every_check_has_a_passing_case(passed):
    assert sorted(CHECKED - passed) == []


def find_rules(case, path, without, monkeypatch) -> set[str]:
    """The rules of the findings when some checks are switched off."""
    if "disable" in inspect.signature(validate).parameters:
        report = validate(path, level=case.level, edition=case.edition, disable=tuple(without))
    else:
        for table in (registry.CATALOG_CHECKS, registry.COLLECTION_CHECKS):
            for rule in without & set(table):
                monkeypatch.delitem(table, rule)
        report = validate(path, level=case.level, edition=case.edition)
    return {finding.rule for finding in report.findings}


@pytest.mark.parametrize("case", [c for c in CASES if c.rules], ids=lambda case: case.id)
def test_a_failing_case_stops_failing_when_its_checks_are_off(case, tmp_path, monkeypatch):
    item = materialize_case(case, tmp_path)
    assert find_rules(case, item.path, set(case.rules), monkeypatch) == set()


def test_only_the_check_that_is_off_is_silent(tmp_path, monkeypatch):
    case = load_cases()["hpx-008"]
    item = materialize_case(case, tmp_path)
    assert find_rules(case, item.path, {"HATS-HPX-008"}, monkeypatch) == {"HATS-HPX-007"}
