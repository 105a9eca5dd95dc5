"""The layers of the package: a module imports only from its own layer or from one that stands before it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import hatsformat

PACKAGE = Path(hatsformat.__file__).parent

LAYERS: dict[str, tuple[str, ...]] = {
    "values": (
        "_spec", "_version", "arguments", "arrays", "errors", "healpix", "layout", "machine", "margins",
        "partition_info", "properties", "regions",
    ),
    "storage": ("storage",),
    "artefacts": ("artefacts",),
    "inputs": ("inputs",),
    "outputs": ("outputs",),
    "catalog": ("catalog",),
    "publishing": ("publishing",),
    "partitioner": ("partitioner",),
    "supplements": ("supplements",),
    "importing": ("importing",),
    "updates": ("updates",),
    "validation": ("validation",),
    "faces": ("__init__", "__main__", "cli", "conformance", "demo", "plot"),
}  # fmt: skip
RANK = {layer: rank for rank, layer in enumerate(LAYERS)}
BUILDING = ("inputs", "partitioner", "publishing", "supplements", "importing", "updates")
APART = {("validation", layer) for layer in BUILDING} | {("catalog", "inputs"), ("outputs", "inputs")}
"""Layers that may not import one another though they stand in order."""

UPWARD = {
    ("hatsformat.catalog.catalog", "hatsformat.updates.appending"),
    ("hatsformat.catalog.catalog", "hatsformat.updates.rebuilding"),
    ("hatsformat.catalog.collection", "hatsformat.updates.appending"),
    ("hatsformat.catalog.collection", "hatsformat.updates.rebuilding"),
}
"""The only imports from a later layer: `append` and `rebuild` are methods of what they change. They must be
inside a function, so that opening a catalog does not load what writes one."""

UNKNOWN_TO_VALUES = ("aiohttp", "fsspec", "pyarrow.dataset", "pyarrow.fs", "pyarrow.parquet", "s3fs", "upath")
"""The values know nothing of files, of their formats and of the network."""


def layer_of(module: str) -> str | None:
    """The layer of ``hatsformat.catalog.scan``; None where the table above does not say."""
    _, _, tail = module.partition(".")
    head = tail.split(".", 1)[0] or "__init__"
    return next((layer for layer, heads in LAYERS.items() if head in heads), None)


def read_package() -> dict[str, str]:
    """The source of every module of the package, by dotted name (a package's is that of its ``__init__``)."""
    sources = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = ("hatsformat", *file.relative_to(PACKAGE).with_suffix("").parts)
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.read_text("utf-8")
    return sources


def imports_of(module: str, sources: Mapping[str, str]) -> set[str]:
    """
    What a module imports, wherever in its text: inside functions and under TYPE_CHECKING, too.

    Of the package, these are modules; of other packages, modules or names in them.
    """
    is_package = any(other.startswith(module + ".") for other in sources)
    base = module.split(".") if is_package else module.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(sources[module])):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = base[: len(base) - node.level + 1] if node.level else []
            origin = ".".join([*prefix, *([node.module] if node.module else [])])
            found.update(_origin(origin, alias.name, sources) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {
            "import_module",
            "__import__",
        }:
            found.update(str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))
    return found - {module}


def _origin(package: str, name: str, sources: Mapping[str, str]) -> str:
    """The module that ``from package import name`` reads."""
    if f"{package}.{name}" in sources and not (package == "hatsformat" and name in hatsformat._HOME):
        return f"{package}.{name}"
    if package == "hatsformat" and name in hatsformat.__all__:
        return (
            "hatsformat._version"
            if name == "__version__"
            else f"hatsformat.{hatsformat._HOME.get(name, 'errors')}"
        )
    return package if package.split(".")[0] == "hatsformat" else f"{package}.{name}"


def violations(sources: Mapping[str, str]) -> list[str]:
    """Every import against the layers, and the first cycle, as sentences."""
    found = []
    graph = {module: imports_of(module, sources) for module in sources}
    for module, imported in graph.items():
        layer = layer_of(module)
        if layer is None:
            found.append(f"{module} is in no layer: add it to LAYERS")
            continue
        if layer == "values":
            strangers = [
                name
                for name in imported
                if any(f"{name}.".startswith(f"{bad}.") for bad in UNKNOWN_TO_VALUES)
            ]
            found += [f"{module} (values) imports {name}" for name in sorted(strangers)]
        for other in sorted(name for name in imported if name.split(".")[0] == "hatsformat"):
            theirs = layer_of(other)
            if (module, other) in UPWARD:
                continue
            if theirs is None or RANK[theirs] > RANK[layer] or (layer, theirs) in APART:
                found.append(f"{module} ({layer}) imports {other} ({theirs})")
    # The package's own __init__ names every public module without loading one: it is no part of a cycle.
    inner = {
        module: {name for name in imported & set(sources) if (module, name) not in UPWARD}
        for module, imported in graph.items()
        if module != "hatsformat"
    }
    try:
        TopologicalSorter(inner).prepare()
    except CycleError as error:
        found.append("a cycle: " + " imports ".join(reversed(error.args[1])))
    return found


def test_every_import_looks_up_and_none_goes_round():
    assert violations(read_package()) == []


CLEAN = {
    "hatsformat": "",
    "hatsformat.errors": "",
    "hatsformat.healpix": "from hatsformat.errors import UsageError",
    "hatsformat.storage": "from hatsformat import errors\nimport fsspec",
    "hatsformat.catalog": "from hatsformat.catalog.scan import Scan",
    "hatsformat.catalog.scan": "import hatsformat.storage",
    "hatsformat.partitioner": "from hatsformat import Catalog, __version__",
    "hatsformat.validation": "from . import storage\nfrom .catalog import scan",
    "hatsformat.cli": "def f():\n    from hatsformat import validate",
}


def test_a_clean_package_passes():
    assert violations(CLEAN) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("errors", "import hatsformat.storage", "errors (values) imports hatsformat.storage (storage)"),
        ("storage", "from hatsformat import Scan", "storage (storage) imports hatsformat.catalog (catalog)"),
        (
            "storage",
            "def late():\n    from hatsformat.catalog.scan import Scan",
            "storage (storage) imports hatsformat.catalog.scan (catalog)",
        ),
        (
            "catalog.scan",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..partitioner import plan",
            "catalog.scan (catalog) imports hatsformat.partitioner (partitioner)",
        ),
        (
            "catalog.scan",
            "from hatsformat import validate",
            "catalog.scan (catalog) imports hatsformat.validation (validation)",
        ),
        (
            "validation",
            "import importlib\nimportlib.import_module('hatsformat.partitioner')",
            "validation (validation) imports hatsformat.partitioner (partitioner)",
        ),
        ("healpix", "def late():\n    import fsspec.core", "healpix (values) imports fsspec.core"),
        ("healpix", "from pyarrow import parquet", "healpix (values) imports pyarrow.parquet"),
        ("novel", "", "novel is in no layer: add it to LAYERS"),
    ],
)
def test_a_planted_violation_is_found(module, source, expected):
    assert f"hatsformat.{expected}" in violations({**CLEAN, f"hatsformat.{module}": source})


@pytest.mark.parametrize(
    ("module", "source", "members"),
    [
        ("errors", "def late():\n    import hatsformat.healpix", {"errors", "healpix"}),
        ("catalog.scan", "from hatsformat.catalog import Scan", {"catalog", "catalog.scan"}),
    ],
)
def test_a_planted_cycle_is_found(module, source, members):
    (found,) = violations({**CLEAN, f"hatsformat.{module}": source})
    assert found.startswith("a cycle: ")
    assert set(found.removeprefix("a cycle: ").split(" imports ")) == {
        f"hatsformat.{name}" for name in members
    }


def test_the_upward_imports_are_used_and_made_when_called():
    sources = read_package()
    for module, other in UPWARD:
        assert other in imports_of(module, sources), f"{module} no longer imports {other}"
        at_the_top = ast.Module(
            [
                node
                for node in ast.parse(sources[module]).body
                if isinstance(node, ast.Import | ast.ImportFrom)
            ],
            [],
        )
        assert other not in imports_of(module, {**sources, module: ast.unparse(at_the_top)})


@pytest.mark.parametrize(
    ("module", "other"),
    [("catalog.scan", "updates.appending"), ("catalog.catalog", "updates.metadata")],
)
def test_other_upward_imports_are_found(module, other):
    planted = {
        **CLEAN,
        f"hatsformat.{module}": f"def f():\n    from hatsformat.{other} import append",
        f"hatsformat.{other}": "",
    }
    expected = f"hatsformat.{module} (catalog) imports hatsformat.{other} (updates)"
    assert violations(planted) == [expected]


def test_modules_stay_small():
    long = {name: lines for name, text in read_package().items() if (lines := text.count("\n")) > 450}
    assert long == {}
