"""The tests are laid out as the package is, and no test imports another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hatsformat

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = Path(hatsformat.__file__).parent

NOT_IN_THE_PACKAGE = {
    "values",  # errors, HEALPix, layout, properties, regions: what knows nothing of files
    "faces",  # what people look at: plots and the demo
    "corpus",  # the code around the conformance corpus, whose data is in tests/conformance
    "conformance",
    "fuzz",
    "interop",
    "project",
    "support",
}


def imported_tests(source: str) -> set[str]:
    """The test modules that a module imports, wherever in its text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            found |= {f"{origin}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found.add(ast.unparse(node.args[0]).strip("f'\""))
    ours = {name for name in found if name.startswith(("tests.", "test_", "."))}
    return {name for name in ours if any(part.startswith("test_") for part in name.split("."))}


def test_no_module_imports_a_test_module():
    """What several tests use is in tests/support."""
    found = {
        str(file.relative_to(TESTS)): names
        for file in TESTS.rglob("*.py")
        if (names := imported_tests(file.read_text("utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "from tests.values.test_regions import sky",
        "from tests.values import test_regions",
        "from . import test_regions",
        "from .test_regions import sky",
        "import tests.values.test_regions",
        "def late():\n    from tests.values.test_regions import sky",
        "importlib.import_module('tests.values.test_regions')",
        "import_module(f'test_{name}')",
    ],
)
def test_a_planted_import_is_found(source):
    assert len(imported_tests(source)) == 1


def test_helpers_may_be_imported():
    assert imported_tests("from tests.support import skies\nfrom tests.support.skies import stars") == set()


def test_every_folder_is_named_for_a_folder_of_the_package():
    folders = {
        path.name for path in TESTS.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))
    }
    assert folders - NOT_IN_THE_PACKAGE - {path.name for path in PACKAGE.iterdir()} == set()


def test_every_test_file_is_in_a_folder():
    assert {path.name for path in TESTS.glob("*.py")} == {"__init__.py", "conftest.py"}
    assert not list((TESTS / "support").glob("test_*.py"))
