"""The pytest plugin ``hatsformat``: fixtures with the cases and their expected findings.

Nothing heavy is imported until a test uses a case.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hatsformat.conformance.corpus import Case
    from hatsformat.conformance.materialize import Materialized

SUITE_CASES = "hats_cases_of_suite"
"""The attribute of a test in a suite that selects its cases, if the test has no marker."""

_FIXTURE = "hats_case"
_MARKER = "hats_cases"
_MARKER_HELP = (
    "hats_cases(verdict=None, rules=None, bases=None, level=None, edition=None, tables=False): select the "
    "cases of the HATS conformance corpus for the fixture hats_case, by verdict (sound, remarks, invalid), "
    "broken rules, bases, level and edition; tables=True: only catalogs with rows"
)
_WITHOUT_ROWS = frozenset({"collection", "linked", "association_soft"})


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER_HELP)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test that uses ``hats_case`` with the cases that its marker selects."""
    if _FIXTURE not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker(_MARKER)
    cases = find_cases(**(marker.kwargs if marker else getattr(metafunc.function, SUITE_CASES, {})))
    metafunc.parametrize(_FIXTURE, cases, ids=[case.id for case in cases], indirect=True)


def find_cases(
    verdict: str | None = None,
    rules: Iterable[str] | None = None,
    bases: Iterable[str] | None = None,
    level: str | None = None,
    edition: str | None = None,
    tables: bool = False,
) -> list[Case]:
    """Return the cases that a marker selects; see the help of the marker."""
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
    """Return a case of the corpus, written to the temporary folder of the test.

    Its ``path`` is the root of the catalog or collection, ``verdict`` is sound, remarks or invalid, and
    ``findings`` are those that a validator must report (rule, severity, path, column, row group). The marker
    ``hats_cases`` selects the cases.
    """
    from hatsformat.conformance.materialize import materialize_case

    return materialize_case(request.param, tmp_path / "hats")


@pytest.fixture(scope="session")
def hats_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all cases and ``manifest.json``, written once per session."""
    from hatsformat.conformance.materialize import materialize_cases

    root = tmp_path_factory.mktemp("hats-corpus")
    materialize_cases(find_cases(), root)
    return root
