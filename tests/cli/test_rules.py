"""`hatsformat rules`: the list, its filters, and a rule explained."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hatsformat.cli import main
from hatsformat.conformance.corpus import load_cases
from hatsformat.validation import requirements
from hatsformat.validation.settings import select_rules

RULES = requirements()


def run(*arguments):
    return CliRunner().invoke(main, ["rules", *arguments])


def listed(*arguments):
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return [line.split()[0] for line in result.stdout.splitlines()[1:]]


def test_all_rules_are_listed_with_what_they_ask():
    result = run()
    assert listed() == list(RULES)
    header, *lines = result.stdout.splitlines()
    assert header.split() == [
        "id", "level", "severity", "stage", "section", "applies", "to", "summary",
    ]  # fmt: skip
    for line, rule in zip(lines, RULES.values(), strict=True):
        assert rule.level in line
        assert rule.stage in line
        assert rule.section in line
        assert line.endswith(rule.summary.replace("`", ""))
        assert ("unchecked" in line.split()[2]) == (rule.unchecked is not None)


@pytest.mark.parametrize(
    ("arguments", "fits"),
    [
        (["--level", "should"], lambda rule: rule.level == "SHOULD"),
        (["--severity", "error"], lambda rule: rule.severity == "error"),
        (["--stage", "rows"], lambda rule: rule.stage == "rows"),
        (["--section", "3.6.1"], lambda rule: rule.section.startswith("3.6.1")),
        (["--applies-to", "margin"], lambda rule: "margin" in rule.applies_to),
        (["--edition", "draft-2025-04"], lambda rule: "draft-2025-04" in rule.editions),
        (["--checked"], lambda rule: rule.unchecked is None),
        (["--unchecked"], lambda rule: rule.unchecked is not None),
        (["HATS-LEAF", "hats-hpx", "--stage", "footers"], None),
    ],
)
def test_filters_choose(arguments, fits):
    if fits is None:
        chosen = select_rules(["HATS-LEAF", "HATS-HPX"])
        expected = [rule.id for rule in RULES.values() if rule.id in chosen and rule.stage == "footers"]
    else:
        expected = [rule.id for rule in RULES.values() if fits(rule)]
    assert 0 < len(expected) < len(RULES)
    assert listed(*arguments) == expected


def test_nothing_may_fit():
    assert listed("HATS-LEAF", "--applies-to", "collection") == []


def test_a_rule_is_explained():
    rule = RULES["HATS-LEAF-004"]
    cases = [case.id for case in load_cases().values() if rule.id in case.rules]
    result = run("hats-leaf-004")
    assert (result.exit_code, result.stderr) == (0, "")
    told = result.stdout
    for part in (rule.id, rule.summary, rule.quote, rule.why, rule.fix, rule.section, rule.level, *cases):
        assert part in told
    assert cases
    assert "footers.same_schema" in told
    assert "draft-2025-04, 1.0" in told


def test_several_are_explained_one_by_one():
    told = run("HATS-LEAF-004", "HATS-TREE-012").stdout
    assert told.index("HATS-LEAF-004: ") < told.index("HATS-TREE-012: ")
    assert RULES["HATS-TREE-012"].unchecked in told
    assert "cases" not in told[told.index("HATS-TREE-012: ") :]


@pytest.mark.parametrize("rule", list(RULES))
def test_every_rule_can_be_explained(rule):
    result = run(rule)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{rule}: {RULES[rule].summary}")


def test_json_has_everything():
    told = json.loads(run("--json").stdout)
    assert [item["id"] for item in told] == list(RULES)
    for item in told:
        rule = RULES[item["id"]]
        for name in ("level", "severity", "stage", "section", "keyword", "summary", "quote", "why", "fix"):
            assert item[name] == getattr(rule, name)
        assert set(item["applies_to"]) == rule.applies_to
        assert set(item["editions"]) == rule.editions
        assert bool(item["checks"]) == (item["unchecked"] is None)
        assert item["cases"] == [case.id for case in load_cases().values() if rule.id in case.rules]
    assert [item["id"] for item in json.loads(run("HATS-EVID-001", "--json").stdout)] == ["HATS-EVID-001"]


def test_an_unknown_rule_could_not_run():
    result = run("HATS-LAEF-004")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean HATS-LEAF-004" in result.stderr
    assert run("--level", "shall").exit_code == 2
