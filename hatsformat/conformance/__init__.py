"""The conformance corpus: sound and faulty catalogs made from recipes, and what judges other tools by them.

The recipes are in ``tests/conformance/`` and ship in the wheel. A *base* is a small sound catalog;
*mutations* are named faults; a *case* is a base, mutations, and what a validator must find and nothing else.
The names below are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hatsformat.conformance.corpus import Case, Expected, load_cases, select_cases
    from hatsformat.conformance.materialize import Materialized, materialize_case, materialize_cases
    from hatsformat.conformance.suites import ReaderSuite, ValidatorSuite, WriterSuite

_HOME = {
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
    if name not in _HOME:
        raise AttributeError(f"module 'hatsformat.conformance' has no attribute {name!r}")
    return getattr(import_module(f"hatsformat.conformance.{_HOME[name]}"), name)
