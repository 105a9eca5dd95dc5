"""What a check is, and the table of all checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hatsformat.validate.requirements import Requirement

if TYPE_CHECKING:
    from hatsformat.validate.evidence.catalog import CatalogEvidence
    from hatsformat.validate.evidence.collection import CollectionEvidence
    from hatsformat.validate.evidence.rows import RowBatch


class NoEvidenceError(Exception):
    """Raised by evidence that is asked for and is not there; the check is then not run.

    Parameters
    ----------
    reason : str
        What is missing, as a clause.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Fault:
    """One departure at one place, as a check reports it.

    Faults of a check with the same message and column become one finding, so what differs from place to place
    belongs into `actual` and `expected`.

    Attributes
    ----------
    message : str
        What is wrong.
    path : str or None
        The file, relative to the catalog.
    column, row_group, row
        See `hatsformat.validate.report.Location`.
    actual, expected : object
        What is there and what should be; turned into text.
    """

    message: str
    path: str | None = None
    column: str | None = None
    row_group: int | None = None
    row: int | None = None
    actual: object = None
    expected: object = None


CatalogCheck: TypeAlias = "Callable[[CatalogEvidence, Requirement], Iterable[Fault]]"
CollectionCheck: TypeAlias = "Callable[[CollectionEvidence, Requirement], Iterable[Fault]]"
_OfCatalog: TypeAlias = "Callable[[CatalogEvidence], Iterable[Fault]]"
_OfCollection: TypeAlias = "Callable[[CollectionEvidence], Iterable[Fault]]"

CATALOG_CHECKS: dict[str, CatalogCheck] = {}
"""The check of each requirement on a catalog, by the requirement's id."""

COLLECTION_CHECKS: dict[str, CollectionCheck] = {}
"""The check of each requirement on a collection, by the requirement's id."""


def catalog_check(rule: str) -> Callable[[_OfCatalog], _OfCatalog]:
    """Register a function as the check of a requirement on catalogs.

    The function takes the evidence, and yields a `Fault` for every departure. It raises `NoEvidenceError`,
    usually through the evidence it asks for, where it cannot say.
    """

    def register(function: _OfCatalog) -> _OfCatalog:
        catalog_checks(rule)(lambda catalog, _: function(catalog))
        return function

    return register


def catalog_checks(*rules: str) -> Callable[[CatalogCheck], CatalogCheck]:
    """Register a function as the check of several requirements on catalogs; it takes the requirement, too."""

    def register(function: CatalogCheck) -> CatalogCheck:
        for rule in rules:
            _claim(rule, CATALOG_CHECKS)
            CATALOG_CHECKS[rule] = function
        return function

    return register


def collection_check(rule: str) -> Callable[[_OfCollection], _OfCollection]:
    """Register a function as the check of a requirement on collections; see `catalog_check`."""

    def register(function: _OfCollection) -> _OfCollection:
        collection_checks(rule)(lambda collection, _: function(collection))
        return function

    return register


def collection_checks(*rules: str) -> Callable[[CollectionCheck], CollectionCheck]:
    """Register a function as the check of several requirements on collections; see `catalog_checks`."""

    def register(function: CollectionCheck) -> CollectionCheck:
        for rule in rules:
            _claim(rule, COLLECTION_CHECKS)
            COLLECTION_CHECKS[rule] = function
        return function

    return register


def _claim(rule: str, table: Mapping[str, object]) -> None:
    if rule in table:
        raise ValueError(f"{rule} has two checks")


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What a row check says of a batch of rows.

    Attributes
    ----------
    wrong : ndarray of bool, shape (n,)
        The rows that depart from the requirement.
    column : str or None
        The column concerned.
    actual : sequence, optional
        Values to show, shape (n,).
    expected : object
        What should be there, or a sequence of shape (n,).
    """

    wrong: npt.NDArray[np.bool_]
    column: str | None = None
    actual: Any = None
    expected: Any = None


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check of rows: its message, and the function that judges a batch."""

    message: str
    judge: Callable[[RowBatch], RowVerdict]


ROW_CHECKS: dict[str, RowCheck] = {}
"""The checks that see every row, by the requirement's id; the rows are read once for all of them."""

_Judge: TypeAlias = "Callable[[RowBatch], RowVerdict]"


def row_check(rule: str, message: str) -> Callable[[_Judge], _Judge]:
    """Register a function as the check of a requirement on rows.

    The function takes a batch of rows of one file and says which are wrong. It raises `NoEvidenceError`,
    usually through the columns it asks for, where it cannot say.
    """

    def register(function: _Judge) -> _Judge:
        _claim(rule, ROW_CHECKS)
        ROW_CHECKS[rule] = RowCheck(message, function)
        return function

    return register
