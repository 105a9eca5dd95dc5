"""The pytest plugin ``hatsformat``: fixtures that give other projects the cases, each with its expectation.

Nothing heavy is imported before a test asks for a case.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hatsformat.conformance.corpus import Case
    from hatsformat.conformance.materialize import Materialized

CHOICE = "hats_cases_of_suite"
"""The attribute by which a test of a suite says which cases it wants, where there is no marker."""

_FIXTURE = "hats_case"
_MARKER = "hats_cases"
_MARKER_HELP = (
    "hats_cases(verdict=None, rules=None, bases=None, level=None, edition=None, tables=False): which cases "
    "of the HATS conformance corpus the fixture hats_case gives: of a verdict (sound, remarks, invalid), "
    "departing from one of some requirements, made from some bases, for a level and an edition; tables: only "
    "those with rows"
)
_WITHOUT_ROWS = frozenset({"collection", "linked", "association_soft"})


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER_HELP)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes ``hats_case`` every case that its marker chooses."""
    if _FIXTURE not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker(_MARKER)
    cases = choose_cases(**(marker.kwargs if marker else getattr(metafunc.function, CHOICE, {})))
    metafunc.parametrize(_FIXTURE, cases, ids=[case.id for case in cases], indirect=True)


def choose_cases(
    verdict: str | None = None,
    rules: Iterable[str] | None = None,
    bases: Iterable[str] | None = None,
    level: str | None = None,
    edition: str | None = None,
    tables: bool = False,
) -> list[Case]:
    """Return the cases that a marker chooses; see the marker's help."""
    from hatsformat.conformance.corpus import load_cases

    wanted_rules, wanted_bases = _names(rules), _names(bases)
    return [
        case
        for case in load_cases().values()
        if case.pending is None
        and verdict in (None, case.verdict)
        and (wanted_rules is None or bool(wanted_rules & case.rules))
        and (wanted_bases is None or case.base in wanted_bases)
        and level in (None, case.level)
        and edition in (None, case.edition)
        and not (tables and case.base in _WITHOUT_ROWS)
    ]


def _names(names: Iterable[str] | None) -> frozenset[str] | None:
    if names is None:
        return None
    return frozenset([names] if isinstance(names, str) else names)


@pytest.fixture
def hats_case(request: Any, tmp_path: Path) -> Materialized:
    """Return a case of the corpus as a real tree in the test's own directory.

    Of the value, ``path`` is the root of the catalog or collection, ``verdict`` is sound, remarks or invalid,
    ``findings`` is what a validator must find (rule, severity, path, column, row group) and nothing else, and
    ``case`` is the recipe. The marker ``hats_cases`` chooses among the cases.
    """
    from hatsformat.conformance.materialize import materialize_case

    return materialize_case(request.param, tmp_path / "hats")


@pytest.fixture(scope="session")
def hats_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with every case as a real tree and ``manifest.json``, written once a session."""
    from hatsformat.conformance.materialize import materialize_cases

    root = tmp_path_factory.mktemp("hats-corpus")
    materialize_cases(choose_cases(), root)
    return root
