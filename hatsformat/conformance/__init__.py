"""The conformance corpus: small catalogs, valid and invalid, and the tools to test other programs with them.

A *base* is a small valid catalog, a *mutation* changes its files, and a *case* is a base, mutations and the
findings that a validator must report. The cases are in ``tests/conformance/`` and in the wheel. The names
below are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hatsformat.conformance.corpus import Case, Expected, load_cases, select_cases
    from hatsformat.conformance.materialize import Materialized, materialize_case, materialize_cases
    from hatsformat.conformance.suites import ReaderSuite, ValidatorSuite, WriterSuite

_MODULES = {
    "Case": "corpus",
    "Expected": "corpus",
    "Materialized": "materialize",
    "ReaderSuite": "suites",
    "ValidatorSuite": "suites",
    "WriterSuite": "suites",
    "load_cases": "corpus",
    "materialize_case": "materialize",
    "materialize_cases": "materialize",
    "select_cases": "corpus",
}

__all__ = [
    "Case",
    "Expected",
    "Materialized",
    "ReaderSuite",
    "ValidatorSuite",
    "WriterSuite",
    "load_cases",
    "materialize_case",
    "materialize_cases",
    "select_cases",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'hatsformat.conformance' has no attribute {name!r}")
    return getattr(import_module(f"hatsformat.conformance.{_MODULES[name]}"), name)
