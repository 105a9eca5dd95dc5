"""Run the checks in the order of their evidence. A check that fails does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from hatsformat import layout, storage
from hatsformat.errors import HatsError, NotFoundError, StorageError, UnavailableError, UsageError
from hatsformat.validation import checks
from hatsformat.validation.check_api import NoEvidenceError, outage
from hatsformat.validation.evidence import footer_sandbox
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.collection import CollectionEvidence
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.scope import Scope
from hatsformat.validation.evidence.tree import Tree
from hatsformat.validation.findings import Departure, Finding, NotRun
from hatsformat.validation.registry import CATALOG_CHECKS, COLLECTION_CHECKS, ROW_CHECKS
from hatsformat.validation.report import Report
from hatsformat.validation.requirements import STAGES, Requirement
from hatsformat.validation.sanitizing import error_text, one_line
from hatsformat.validation.settings import Settings
from hatsformat.validation.sky_drawing import Footprint

E = TypeVar("E", CatalogEvidence, CollectionEvidence)

_EVIDENCE_RULE = "HATS-EVID-001"
MOST_DEPARTURES = 100_000
"""The most departures reported per member and requirement; limits memory."""

_RANK = {"error": 0, "warning": 1, "info": 2}


@dataclass
class Outcome:
    """The results of the checks so far, with the rules as changed by the settings."""

    rules: Mapping[str, Requirement]
    disabled: frozenset[str]
    findings: list[Finding] = field(default_factory=list)
    not_run: list[NotRun] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    switched_off: set[str] = field(default_factory=set)
    skies: list[Footprint] = field(default_factory=list)


def validate(
    path: storage.PathLike,
    level: str | None = None,
    edition: str | None = None,
    *,
    disable: str | Iterable[str] = (),
    severities: Mapping[str, str] | None = None,
    config: storage.PathLike | Settings | None = None,
    **storage_options: Any,
) -> Report:
    """Check a catalog or collection against the HATS note, and against what all readers rely on.

    Broken files never raise; they are reported. Only a path that cannot be read at all raises.

    Parameters
    ----------
    path : str, path or UPath
        The directory of a catalog or collection: local, ``s3://``, ``https://``, ``memory://`` and others.
    level : {"rows", "footers", "metadata"}, optional
        What to read: every row (the default), only the footers of the data files, or only the file tree
        and the metadata files.
    edition : {"1.0", "draft-2025-04"}, optional
        The edition of the note; by default that of the settings, or 1.0.
    disable : str or iterable of str
        Rules to skip, or prefixes of their ids such as ``HATS-AUX``.
    severities : mapping of str to {"error", "warning", "info"}, optional
        Severities that replace the default of a rule or of a prefix; the report is valid if no finding
        is an error.
    config : str, path, UPath or Settings, optional
        A settings file; the other arguments override it. See `Settings.read`.
    **storage_options
        Passed to the file system.

    Returns
    -------
    Report

    Raises
    ------
    UsageError
        If the level, edition, severity or rule is unknown, or `path` is a file.
    NotFoundError
        If `path` does not exist.
    StorageError
        If the storage cannot be read.

    Examples
    --------
    >>> from hatsformat import validate
    >>> validate("no/such/catalog")
    Traceback (most recent call last):
        ...
    hatsformat.errors.NotFoundError: ...no/such/catalog: no such file or directory
    """
    base = config if isinstance(config, Settings) else Settings() if config is None else Settings.read(config)
    settings = base.changed(level=level, edition=edition, disable=disable, severities=severities)
    root = storage.resolve(path, **storage_options)
    checks.load()
    row_checks = {rule: check for rule, check in ROW_CHECKS.items() if rule not in settings.disabled}
    tree, scope = Tree(root), Scope(settings.edition, settings.level, row_checks)
    _check_root(tree)
    footer_sandbox.start()
    _load_libraries(settings.level)
    outcome = Outcome(settings.rules, settings.disabled)
    collection = CollectionEvidence(tree, scope)
    if collection.file.is_there or _looks_like_collection(tree):
        _run_collection(collection, outcome)
    else:
        _run_catalog(CatalogEvidence(CatalogFolder(tree), scope), outcome)
    findings = sorted(outcome.findings, key=lambda finding: _RANK[finding.severity])
    off = [NotRun(rule, "disabled") for rule in sorted(outcome.switched_off)]
    return Report(
        str(root),
        settings.edition,
        settings.level,
        tuple(findings),
        (*outcome.not_run, *off),
        tuple(outcome.passed),
        tuple(outcome.skies),
    )


def _load_libraries(level: str) -> None:
    """Import libraries for sky maps and positions, while the footer process starts."""
    import astropy.io.fits  # noqa: F401

    if level == "rows":
        import cdshealpix.nested  # noqa: F401


def _check_root(tree: Tree) -> None:
    """Raise if the root is not a directory with a catalog."""
    root = tree.root
    if storage.is_local(root):
        if not os.path.exists(root.path):
            raise NotFoundError("no such file or directory", path=root)
        if not os.path.isdir(root.path):
            raise UsageError(
                "this is a file, not a directory",
                path=root,
                expected="the directory of a catalog or collection",
            )
        if isinstance(tree.listing, StorageError):
            raise tree.listing
        return
    if not isinstance(tree.listing, StorageError) and tree.listing:
        return
    names = (*layout.CATALOG_PROPERTIES, layout.COLLECTION_PROPERTIES)
    files = [tree.read(name, 1 << 20) for name in names]
    if not any(file.is_there for file in files):
        raise NotFoundError("there is no catalog at this path", path=root, expected=" or ".join(names))
    if not any(file.value is not None for file in files) and isinstance(tree.listing, StorageError):
        raise next(file.error for file in files if file.error is not None and file.is_there)


def _looks_like_collection(tree: Tree) -> bool:
    """Return whether only the subdirectories contain catalogs."""
    if isinstance(tree.listing, StorageError):
        return False
    names = set(layout.CATALOG_PROPERTIES)
    if names & set(tree.listing) or any(path.startswith(f"{layout.DATASET}/") for path in tree.listing):
        return False
    return any(path.count("/") == 1 and path.rsplit("/", 1)[1] in names for path in tree.listing)


def _in_order(rules: Iterable[str], outcome: Outcome) -> list[Requirement]:
    known = [outcome.rules[rule] for rule in rules]
    return sorted(known, key=lambda rule: (STAGES.index(rule.stage), rule.id))


def _run_collection(collection: CollectionEvidence, outcome: Outcome) -> None:
    for rule in _in_order(COLLECTION_CHECKS, outcome):
        if rule.concerns("collection", collection.scope.edition):
            _run(COLLECTION_CHECKS[rule.id], rule, collection, "", outcome)
    try:
        catalogs = dict(collection.catalogs)
    except NoEvidenceError:
        catalogs = {}
    if "" not in catalogs and not set(layout.CATALOG_PROPERTIES).isdisjoint(_root_files(collection.tree)):
        catalogs[""] = CatalogEvidence(CatalogFolder(collection.tree), collection.scope)
    for catalog in catalogs.values():
        _run_catalog(catalog, outcome)


def _root_files(tree: Tree) -> set[str]:
    return (
        set()
        if isinstance(tree.listing, StorageError)
        else {path for path in tree.listing if "/" not in path}
    )


def _run_catalog(catalog: CatalogEvidence, outcome: Outcome) -> None:
    for rule in _in_order(CATALOG_CHECKS, outcome):
        if rule.concerns(catalog.declared.table_type, catalog.scope.edition):
            _run(CATALOG_CHECKS[rule.id], rule, catalog, catalog.folder.prefix, outcome)
    if catalog.declared.table_type != "index":
        with suppress(NoEvidenceError, HatsError):
            tiles = catalog.files.tiles
            outcome.skies.append(Footprint(catalog.folder.name, tiles.orders, tiles.pixels))


def _run(
    check: Callable[[E, Requirement], Iterable[Departure]],
    rule: Requirement,
    evidence: E,
    prefix: str,
    outcome: Outcome,
) -> None:
    """Run one check, and add its departures or its error to the outcome."""
    if rule.id in outcome.disabled:
        outcome.switched_off.add(rule.id)
        return
    departures: list[Departure] = []
    reason: str | None = None
    member = prefix.rstrip("/") or None
    try:
        # Extend the list step by step, to keep what was found before an exception.
        found = iter(check(evidence, rule))
        departures.extend(islice(found, MOST_DEPARTURES))
        if len(departures) == MOST_DEPARTURES and next(found, None) is not None:
            reason = f"more than {MOST_DEPARTURES} locations; the others are not reported"
    except NoEvidenceError as missing:
        reason = missing.reason
    except UnavailableError as error:
        reason = outage(error).reason
    except BaseException as error:
        # Rust libraries raise BaseException when they panic; only re-raise interrupts and exits.
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        reason = "the check failed on the content of the files"
        problem = Departure.of(
            "a check failed on the content of the files", member, actual=f"{rule.id}: {error_text(error)}"
        )
        if _EVIDENCE_RULE in outcome.disabled:
            outcome.switched_off.add(_EVIDENCE_RULE)
        else:
            outcome.findings.extend(_group(outcome.rules[_EVIDENCE_RULE], [problem]))
    outcome.findings.extend(_group(rule, [departure.within(prefix) for departure in departures]))
    if reason is not None:
        outcome.not_run.append(NotRun(rule.id, one_line(reason, 300), member))
    elif not departures:
        outcome.passed.append(rule.id)


def _group(rule: Requirement, departures: Iterable[Departure]) -> list[Finding]:
    """Group departures with the same message and column into findings."""
    groups: dict[tuple[str, str | None], list[Departure]] = {}
    for departure in departures:
        groups.setdefault((departure.message, departure.location.column), []).append(departure)
    return [
        Finding(rule.id, rule.severity, rule.fix, rule.section, tuple(sorted(group, key=_by_location)))
        for group in groups.values()
    ]


def _by_location(departure: Departure) -> tuple[str, int, int]:
    location = departure.location
    return location.path or "", location.row_group or 0, location.row or 0
