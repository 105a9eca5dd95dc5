"""The files around the code agree: workflows, Makefile, recipe, citation and pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import hatsformat

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(
    set((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) - {ROOT / ".github/ISSUE_TEMPLATE/config.yml"}
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONDA_NAMES = {"astropy": "astropy-base"}  # without matplotlib and the rest of what `astropy` brings there


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))


def python_classifiers() -> set[str]:
    found = (
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in PROJECT["classifiers"]
    )
    return {match[1] for match in found if match}


def test_every_workflow_is_there():
    assert {path.stem for path in WORKFLOWS} == {"ci", "docs", "nightly", "release"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_make_and_may_do_little(path):
    workflow = load(path)
    called = {
        name for step in steps(workflow) for name in re.findall(r"\bmake ([\w-]+)", step.get("run", ""))
    }
    assert called
    assert called <= make_targets()
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@(v\d+|release/v\d+)", step["uses"])


def test_only_publishing_may_ask_for_an_identity():
    rights = {
        (path.stem, name): job["permissions"]
        for path in WORKFLOWS
        for name, job in load(path)["jobs"].items()
        if "permissions" in job
    }
    assert rights == {("release", "publish"): {"id-token": "write"}}


def test_every_promised_python_is_tested():
    jobs = load(ROOT / ".github/workflows/ci.yml")["jobs"]
    assert set(jobs["test"]["strategy"]["matrix"]["python"]) == python_classifiers()
    (lowest,) = (
        step["with"]["python-version"]
        for step in jobs["test-lowest"]["steps"]
        if "python-version" in step.get("with", {})
    )
    assert PROJECT["requires-python"] == f">={lowest}"


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_complete(path):
    form = load(path)
    assert {"name", "description", "body"} <= set(form)
    identifiers = [field["id"] for field in form["body"]]
    assert len(set(identifiers)) == len(identifiers)
    for field in form["body"]:
        assert field["type"] in {"textarea", "input"}
        assert field["attributes"]["label"]


def test_the_recipe_needs_what_pyproject_needs():
    recipe = load(ROOT / "recipe" / "recipe.yaml")
    wanted = set()
    for requirement in PROJECT["dependencies"]:
        name, bounds = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
        wanted.add(f"{CONDA_NAMES.get(name, name.lower())} {bounds}")
    python, *others = recipe["requirements"]["run"]
    assert python == "python >=${{ python_min }}"
    assert set(others) == wanted
    assert PROJECT["requires-python"] == f">={recipe['context']['python_min']}"
    assert recipe["context"]["version"] == hatsformat.__version__
    assert recipe["package"]["name"] == PROJECT["name"]
    assert recipe["about"]["license"] == PROJECT["license"]
    (command,) = recipe["build"]["python"]["entry_points"]
    assert command == f"hatsformat = {PROJECT['scripts']['hatsformat']}"


def test_the_citation_names_this_version():
    citation = load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert (citation["title"], citation["version"]) == (PROJECT["name"], hatsformat.__version__)
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert citation["keywords"] == PROJECT["keywords"]
