"""`conformance run`: any validator, judged by its findings or by its exit code."""

from __future__ import annotations

import json
import sys
import time

import pytest
from click.testing import CliRunner

from hatsformat.cli import main
from hatsformat.conformance.corpus import Expected, load_cases
from hatsformat.conformance.judge import compare, findings_of
from hatsformat.conformance.materialize import materialize_case
from hatsformat.conformance.runner import Command, Completed, count_outcomes, judge_run, run_cases
from hatsformat.errors import UsageError

FAULTY, SOUND, REMARKS = (load_cases()[name] for name in ("pinf-004", "sound-map", "pinf-001"))
FINDING = {
    "rule": "HATS-PINF-004",
    "severity": "error",
    "location": {"path": "partition_info.csv", "column": None, "row_group": None, "row": 14},
}


def tool(tmp_path, body: str, placeholders: str = "{path}") -> Command:
    """A validator that is a Python program."""
    program = tmp_path / "tool with blank.py"
    program.write_text(f"import json, os, sys, time\npath = sys.argv[1]\n{body}\n")
    return Command.parse(f"'{sys.executable}' '{program}' {placeholders}", timeout=20)


def outcomes(command, *cases):
    return [result.outcome for result in run_cases(command, cases)]


def test_a_tool_that_says_yes_to_everything(tmp_path):
    assert outcomes(tool(tmp_path, ""), FAULTY, SOUND, REMARKS) == ["missed", "passed", "undecided"]


def test_a_tool_that_says_no_to_everything(tmp_path):
    command = tool(tmp_path, "sys.exit(3)")
    assert outcomes(command, FAULTY, SOUND, REMARKS) == ["caught", "false alarm", "undecided"]


def test_a_tool_with_the_right_finding(tmp_path):
    command = tool(tmp_path, f"print({json.dumps(json.dumps({'findings': [FINDING]}))})\nsys.exit(1)")
    (result,) = run_cases(command, [FAULTY])
    assert (result.outcome, result.reads) == ("caught", "findings")


@pytest.mark.parametrize(
    ("findings", "outcome"),
    [
        ([], "missed"),
        ([{**FINDING, "rule": "HATS-PINF-005"}], "missed"),
        ([{**FINDING, "severity": "warning"}], "missed"),
        ([{**FINDING, "location": {"path": "other.csv"}}], "missed"),
        ([FINDING, {**FINDING, "rule": "HATS-PINF-005"}], "false alarm"),
        ([{"rule": "HATS-PINF-004", "location": {"path": "partition_info.csv"}}], "caught"),
        ([FINDING, FINDING], "caught"),
    ],
)
def test_findings_are_compared_by_rule_and_place(findings, outcome, tmp_path):
    item = materialize_case(FAULTY, tmp_path)
    completed = Completed(1, json.dumps({"findings": findings}).encode(), b"")
    assert judge_run(item, Command(("tool", "{path}")), completed).outcome == outcome


def test_places_of_one_finding_count_each():
    place = {"location": {"path": "a"}, "actual": None, "expected": None}
    report = {"findings": [{**FINDING, "places": [place, {"location": {"path": "b", "column": "c"}}]}]}
    assert [(item.path, item.column) for item in findings_of(report)] == [("a", None), ("b", "c")]
    with pytest.raises(ValueError, match="no list"):
        findings_of({"findings": "many"})


def test_the_least_severity():
    error, info = Expected("R", "error", "a"), Expected("S", "info", "a")
    assert compare([error, info], [error], "warning").exact
    assert compare([error], [error, info], "error").exact
    assert compare([error, info], [error]).missed == (info,)
    assert compare([error], [error, info]).unexpected == (info,)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("raise ValueError('not a catalog')", "ValueError: not a catalog"),
        ("os.kill(os.getpid(), 11)", "signal SIGSEGV"),
        ("print(\"thread 'main' panicked at src/main.rs\", file=sys.stderr); sys.exit(101)", "panicked"),
    ],
)
def test_a_crash_is_no_catch(body, detail, tmp_path):
    (result,) = run_cases(tool(tmp_path, body), [FAULTY])
    assert result.outcome == "crashed"
    assert detail in result.detail


def test_a_tool_that_hangs_is_killed_with_its_children(tmp_path):
    mark = tmp_path / "alive"
    child = f"import time; time.sleep(4); open({str(mark)!r}, 'w')"
    command = tool(
        tmp_path, f"import subprocess\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)"
    )
    command = Command(command.words, timeout=2)
    (result,) = run_cases(command, [FAULTY])
    assert (result.outcome, result.detail) == ("crashed", "killed after 2 s")
    time.sleep(3)
    assert not mark.exists()


def test_output_without_end_does_no_harm(tmp_path):
    command = Command(tool(tmp_path, "while True: sys.stdout.write('x' * 65536)").words, timeout=1)
    assert outcomes(command, SOUND) == ["crashed"]


def test_no_shell_sees_the_command(tmp_path):
    mark = tmp_path / "made by a shell"
    command = Command.parse(f"{sys.executable} -c pass {{path}} ; touch '{mark}'")
    assert outcomes(command, SOUND) == ["passed"]
    assert not mark.exists()


def test_the_placeholders_are_filled(tmp_path):
    item = materialize_case(FAULTY, tmp_path / "{level}")
    words = Command(("tool", "--path={path}", "{level}", "{edition}")).fill(item)
    assert words == ["tool", f"--path={item.path}", "rows", "1.0"]


@pytest.mark.parametrize("text", ["tool", "true --all", "no-such-program {path}", "'open {path}", "{path}"])
def test_a_command_that_cannot_run_is_refused(text):
    with pytest.raises(UsageError):
        Command.parse(text)


def test_cases_that_a_tool_cannot_be_asked_for():
    draft = load_cases()["aux-204"]
    shallow = load_cases()["coll-006"]
    plain, full = Command(("tool", "{path}")), Command(("tool", "{path}", "{edition}", "{level}"))
    assert [plain.can_run(case) for case in (SOUND, draft, shallow)] == [True, False, False]
    assert [full.can_run(case) for case in (SOUND, draft, shallow)] == [True, True, True]


def test_jobs_keep_the_order(tmp_path):
    cases = [FAULTY, SOUND, REMARKS, load_cases()["pinf-005"]]
    steps = []
    command = tool(tmp_path, "")
    results = list(run_cases(command, cases, jobs=3, progress=lambda *step: steps.append(step)))
    assert [result.case.id for result in results] == [case.id for case in cases]
    assert steps == [("cases", number, 4) for number in (1, 2, 3, 4)]
    assert count_outcomes(results) == {
        "caught": 0, "passed": 1, "undecided": 1, "missed": 2, "false alarm": 0, "crashed": 0,
    }  # fmt: skip


def invoke(*words):
    return CliRunner().invoke(main, ["conformance", *words], prog_name="hatsformat")


def test_run_tells_what_it_missed(tmp_path):
    words = tool(tmp_path, "").words
    command = f"'{words[0]}' '{words[1]}' {{path}}"
    done = invoke("run", "--command", command, "--case", "pinf-004", "--case", "sound-map")
    assert done.exit_code == 1
    assert "pinf-004  missed" in done.output
    assert "sound-map" not in done.output
    done = invoke("run", "--command", command, "--case", "pinf-004", "--json")
    report = json.loads(done.output)
    assert report["summary"] == {
        "caught": 0, "passed": 0, "undecided": 0, "missed": 1, "false alarm": 0, "crashed": 0, "not_run": 0,
    }  # fmt: skip
    assert report["cases"][0]["case"] == "pinf-004"


def test_run_says_when_a_tool_is_right(tmp_path):
    words = tool(tmp_path, "").words
    done = invoke("run", "--command", f"'{words[0]}' '{words[1]}' {{path}}", "--case", "sound-map", "--all")
    assert done.exit_code == 0
    assert "sound-map  passed" in done.output


def test_run_that_cannot_run():
    done = invoke("run", "--command", "no-such-program {path}")
    assert done.exit_code == 2
    assert "no such program" in done.output


def test_our_own_validator_is_right():
    command = (
        f"'{sys.executable}' -m hatsformat validate {{path}} --json --level {{level}} --edition {{edition}}"
    )
    done = invoke(
        "run", "--command", command, "--case", "pinf-004", "--case", "coll-006", "--case", "sound-draft"
    )
    assert done.exit_code == 0, done.output


def test_list():
    done = invoke("list", "--rule", "HATS-PINF-004")
    assert done.exit_code == 0
    assert "pinf-004" in done.output
    assert "sound" not in done.output
    listed = json.loads(invoke("list", "--json").output)
    assert {case["id"] for case in listed} == set(load_cases())
    assert invoke("list", "--case", "nothing").exit_code == 2


def test_materialize(tmp_path):
    done = invoke("materialize", str(tmp_path / "new"), "--case", "sound-map")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "new" / "sound-map" / "map" / "hats.properties").is_file()
    assert invoke("materialize", str(tmp_path / "new")).exit_code == 2
