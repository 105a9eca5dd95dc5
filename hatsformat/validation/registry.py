"""The registry of all checks, and the decorators that add to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TypeAlias

from hatsformat.validation.check_api import RowCheck, RowVerdict
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.collection import CollectionEvidence
from hatsformat.validation.evidence.row_batch import RowBatch
from hatsformat.validation.findings import Departure
from hatsformat.validation.requirements import Requirement

CatalogCheck: TypeAlias = Callable[[CatalogEvidence, Requirement], Iterable[Departure]]
CollectionCheck: TypeAlias = Callable[[CollectionEvidence, Requirement], Iterable[Departure]]
_OfCatalog: TypeAlias = Callable[[CatalogEvidence], Iterable[Departure]]
_OfCollection: TypeAlias = Callable[[CollectionEvidence], Iterable[Departure]]

CATALOG_CHECKS: dict[str, CatalogCheck] = {}
"""The check of each requirement on a catalog, by the requirement's id."""

COLLECTION_CHECKS: dict[str, CollectionCheck] = {}
"""The check of each requirement on a collection, by the requirement's id."""


def catalog_check(rule: str) -> Callable[[_OfCatalog], _OfCatalog]:
    """Register a function as the check of a requirement on catalogs.

    The function takes the evidence and yields departures. It raises `NoEvidenceError`, usually from the
    evidence it needs, if it cannot decide.
    """

    def register(function: _OfCatalog) -> _OfCatalog:
        catalog_checks(rule)(wraps(function)(lambda catalog, _: function(catalog)))
        return function

    return register


def catalog_checks(*rules: str) -> Callable[[CatalogCheck], CatalogCheck]:
    """Register a function as the check of several requirements on catalogs; it also takes the requirement."""

    def register(function: CatalogCheck) -> CatalogCheck:
        for rule in rules:
            _claim(rule, CATALOG_CHECKS)
            CATALOG_CHECKS[rule] = function
        return function

    return register


def collection_check(rule: str) -> Callable[[_OfCollection], _OfCollection]:
    """Register a function as the check of a requirement on collections; see `catalog_check`."""

    def register(function: _OfCollection) -> _OfCollection:
        collection_checks(rule)(wraps(function)(lambda collection, _: function(collection)))
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


ROW_CHECKS: dict[str, RowCheck] = {}
"""The checks that see every row, by the requirement's id; the rows are read once for all of them."""

_Judge: TypeAlias = Callable[[RowBatch], RowVerdict]


def row_check(rule: str, message: str, *, reported: bool = True) -> Callable[[_Judge], _Judge]:
    """Register a function as the check of a requirement on rows.

    The function takes a batch of rows of one file and returns which are wrong. It raises `NoEvidenceError`,
    usually from its columns, if it cannot decide.

    Parameters
    ----------
    rule : str
    message : str
        The message of the departures.
    reported : bool
        Whether to report its departures; False if a check on catalogs for the same requirement
        does that.
    """

    def register(function: _Judge) -> _Judge:
        _claim(rule, ROW_CHECKS)
        ROW_CHECKS[rule] = RowCheck(message, function)
        if reported:
            catalog_checks(rule)(_row_departures)
        return function

    return register


def _row_departures(catalog: CatalogEvidence, rule: Requirement) -> Iterable[Departure]:
    """Report the departures found by the row check of a requirement."""
    return catalog.rows.departures(rule.id)
