"""Checks register themselves, and the order in which their modules are imported makes no difference."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from hatsformat.validation.checks import MODULES

PROGRAM = """
import json, sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(f"hatsformat.validation.checks.{name}")
from hatsformat.validation import registry
from hatsformat.validation.checks import load
load()
tables = (registry.CATALOG_CHECKS, registry.COLLECTION_CHECKS)
rules = [{rule: f"{check.__module__}.{check.__name__}" for rule, check in table.items()} for table in tables]
rules.append({rule: check.judge.__name__ for rule, check in registry.ROW_CHECKS.items()})
print(json.dumps(rules))
"""


def registered(*names: str) -> list[dict[str, str]]:
    """The check of each requirement after a new interpreter has imported modules in an order."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shuffled(seed: int) -> list[str]:
    names = list(MODULES)
    random.Random(seed).shuffle(names)
    return names


@pytest.fixture(scope="module")
def usual() -> list[dict[str, str]]:
    return registered()


@pytest.mark.parametrize(
    "names",
    [
        ["supplements", "rows"],
        ["members", "rows"],
        ["row_groups", "rows"],
        ["keys", "rows"],
        sorted(MODULES),
        list(reversed(MODULES)),
        shuffled(1),
        shuffled(2),
    ],
    ids="-".join,
)
def test_the_order_of_imports_makes_no_difference(names, usual):
    assert registered(*names) == usual
