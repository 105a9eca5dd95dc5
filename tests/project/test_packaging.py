"""What is shipped: one version, the specification, the type marker, the command."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import hatsformat
from hatsformat import _spec

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_changelog_knows_this_version():
    released = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert released[0] in {hatsformat.__version__, "Unreleased"}
    assert hatsformat.__version__ in released


def test_the_version_is_written_once():
    file = ROOT / PYPROJECT["tool"]["hatch"]["version"]["path"]
    assert f'"{hatsformat.__version__}"' in file.read_text("utf-8")
    assert "version" not in PYPROJECT["project"]


def test_an_installed_package_has_this_version():
    try:
        installed = metadata.version("hatsformat")
    except metadata.PackageNotFoundError:
        pytest.skip("the package is not installed, only importable")
    assert installed == hatsformat.__version__


def test_the_command_and_the_type_marker_are_there():
    module, _, name = PYPROJECT["project"]["scripts"]["hatsformat"].partition(":")
    assert (module, name) == ("hatsformat.cli", "main")
    assert (Path(hatsformat.__file__).parent / "py.typed").is_file()


def test_the_specification_is_found_in_a_checkout():
    assert _spec.spec_path() == ROOT / "spec"
    assert _spec.spec_path("schemas", "report.schema.json").is_file()
    assert list(_spec.spec_path("requirements").glob("*.yaml"))


def test_the_specification_is_found_in_a_wheel(tmp_path, monkeypatch):
    (tmp_path / "hatsformat" / "spec" / "schemas").mkdir(parents=True)
    monkeypatch.setattr(_spec, "_PACKAGE", tmp_path / "hatsformat")
    assert _spec.spec_path("schemas") == tmp_path / "hatsformat" / "spec" / "schemas"
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["spec"] == "hatsformat/spec"
    assert all((ROOT / source).is_dir() for source in included)
