"""The errors: one line each, in one tree, and able to travel between processes."""

from __future__ import annotations

import copy
import errno
import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat import errors
from hatsformat.errors import (
    ColumnError,
    HatsError,
    MissingExtraError,
    NotFoundError,
    PropertiesError,
    UsageError,
)

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, HatsError)
]  # fmt: skip
PLAIN = [kind for kind in KINDS if kind is not MissingExtraError]


def test_the_tree_of_the_module_docstring_is_the_real_one() -> None:
    drawn = [
        line.strip("│├└─ ").split()[0] for line in (errors.__doc__ or "").splitlines() if "Error  " in line
    ]
    drawn += [line.strip("│├└─ ") for line in (errors.__doc__ or "").splitlines() if line.endswith("Error")]
    assert {kind.__name__ for kind in KINDS} == set(drawn) | {"HatsError"}


@pytest.mark.parametrize("kind", PLAIN)
def test_message_names_file_found_expected_and_hint(kind: type[HatsError]) -> None:
    error = kind("is wrong", path="a/b.csv", found=3, expected="4", hint="fix it")
    assert str(error) == "a/b.csv: is wrong (found 3, expected 4); fix it"
    assert (error.message, error.path, error.found, error.expected) == ("is wrong", "a/b.csv", 3, "4")


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ({}, "is wrong"),
        ({"found": 0}, "is wrong (found 0)"),
        ({"expected": 0}, "is wrong (expected 0)"),
        ({"hint": "fix it"}, "is wrong; fix it"),
        ({"path": "x"}, "x: is wrong"),
    ],
)
def test_only_what_is_known_is_said(context: dict[str, object], text: str) -> None:
    assert str(HatsError("is wrong", **context)) == text  # type: ignore[arg-type]


@given(st.text(), st.text(), st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text())), st.text())
def test_a_message_is_always_one_line(message: str, path: str, found: object, hint: str) -> None:
    text = str(HatsError(message, path=path, found=found, hint=hint))
    assert len(text.splitlines()) <= 1


def test_long_values_are_cut() -> None:
    assert len(str(HatsError("is wrong", found="x" * 100_000, expected=list(range(10_000))))) < 500


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("clone", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_errors_survive_the_way_to_another_process(kind: type[HatsError], clone) -> None:
    error = kind("is wrong", path="a", found=3, expected=4, hint="fix it")
    twin = clone(error)
    assert type(twin) is kind
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_some_are_builtin_errors_too() -> None:
    assert issubclass(UsageError, ValueError)
    assert issubclass(ColumnError, KeyError)
    assert issubclass(NotFoundError, FileNotFoundError)
    others = {kind for kind in KINDS if not issubclass(kind, UsageError | NotFoundError)}
    assert not any(issubclass(kind, ValueError | LookupError | OSError) for kind in others)


def test_a_missing_column_is_not_quoted_as_keys_are() -> None:
    error = ColumnError("there is no column 'a'", hint="did you mean b?")
    assert str(error) == f"{error}" == "there is no column 'a'; did you mean b?"
    assert error.args == (str(error),)


def test_a_missing_file_has_what_an_os_error_has() -> None:
    for error in (twin := NotFoundError("is missing", path="a/b"), pickle.loads(pickle.dumps(twin))):
        assert (error.errno, error.filename, str(error)) == (errno.ENOENT, "a/b", "a/b: is missing")
    assert NotFoundError("is missing").filename is None


def test_the_errors_with_more_to_carry_survive_too() -> None:
    error = pickle.loads(pickle.dumps(PropertiesError("is wrong", problems=["a", "b"], path="x")))
    assert (error.problems, str(error)) == (("a", "b"), "x: is wrong")
    extra = pickle.loads(pickle.dumps(MissingExtraError("plotting", "plot")))
    assert extra.extra == "plot"
    assert "pip install 'hatsformat[plot]'" in str(extra)


def test_a_path_given_later_is_said() -> None:
    error = HatsError("is wrong")
    error.path = "x.csv"
    assert str(error) == "x.csv: is wrong"
