"""The names that `hatsformat` promises, and what its import costs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hatsformat
from hatsformat import errors

PUBLIC = {
    "AppendOptions",
    "Box",
    "Catalog",
    "CatalogWriter",
    "Collection",
    "CollectionProperties",
    "Cone",
    "Finding",
    "HealpixPixel",
    "ImportChanges",
    "ImportOptions",
    "LeafPlan",
    "Location",
    "NotRun",
    "PartitionInfo",
    "Polygon",
    "Problem",
    "RebuildOptions",
    "Report",
    "Scan",
    "ScanPlan",
    "Settings",
    "SupplementOptions",
    "TableProperties",
    "__version__",
    "build_collection",
    "build_index",
    "build_margin",
    "import_catalog",
    "open_catalog",
    "open_collection",
    "validate",
}
HEAVY = {
    "aiohttp", "astropy", "cdshealpix", "dask", "distributed", "duckdb", "jsonschema", "matplotlib", "mocpy",
    "pandas", "polars", "rich", "s3fs",
}  # fmt: skip


def error_names() -> set[str]:
    return {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }


def loaded_after(statement: str) -> set[str]:
    """The top names of the modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_public_names_are_these():
    assert set(hatsformat.__all__) == PUBLIC | error_names()
    assert sorted(hatsformat.__all__) == dir(hatsformat)


def test_every_public_name_is_there_and_documented():
    for name in hatsformat.__all__:
        value = getattr(hatsformat, name)
        assert name == "__version__" or inspect.getdoc(value), name


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(hatsformat.__file__).read_text("utf-8"))
    seen = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(hatsformat.__all__) <= seen


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'open_catalogue'"):
        _ = hatsformat.open_catalogue


@pytest.mark.parametrize(
    "first", ["import hatsformat.validation", "from hatsformat.validation import Report", "pass"]
)
def test_validate_is_the_function_whatever_was_imported_first(first):
    check = "assert callable(hatsformat.validate)\nfrom hatsformat import validate\nprint(callable(validate))"
    code = f"import hatsformat\n{first}\n{check}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True\n"


def test_import_loads_nothing_heavy():
    loaded = loaded_after("import hatsformat")
    assert "hatsformat" in loaded
    assert loaded & (HEAVY | {"numpy", "pyarrow"}) == set()


def test_opening_a_catalog_needs_nothing_heavy():
    loaded = loaded_after("from hatsformat import *")
    assert "pyarrow" in loaded
    assert loaded & HEAVY == set()


def test_every_error_is_a_hats_error():
    for name in error_names():
        assert issubclass(getattr(hatsformat, name), hatsformat.HatsError), name
