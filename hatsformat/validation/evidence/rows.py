"""Read every row of the data files once, batch by batch, for all row checks.

Files are read on a few threads, one batch of each at a time, so memory does not grow with the catalog. Only
one batch is checked at a time: checks hold the GIL most of the time, so two threads would be no faster and
would delay the decoding of the next batches.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hatsformat.errors import HatsError, UnavailableError
from hatsformat.healpix import HealpixPixel
from hatsformat.validation.check_api import NoEvidenceError, RowCheck, RowVerdict, outage
from hatsformat.validation.evidence.accumulators import Tally
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.footers import Footer, FooterSet
from hatsformat.validation.evidence.memory import kept_memory
from hatsformat.validation.evidence.row_batch import RowBatch, RowPlan
from hatsformat.validation.evidence.row_groups import AT_THE_START, Before, GroupPart
from hatsformat.validation.evidence.streaming import Batch, read_batches, threads_for
from hatsformat.validation.evidence.tree import BROKEN_DATA
from hatsformat.validation.findings import Departure
from hatsformat.validation.sanitizing import error_text

DATA_RULE = "HATS-LEAF-009"
"""The requirement that the data of every column can be read."""


@dataclass
class FileScan:
    """The results for one file: the first departure and the number of wrong rows of each rule.

    Attributes
    ----------
    before : Before
        The state for the next rows.
    """

    path: str
    wrong: dict[str, int] = field(default_factory=dict)
    first: dict[str, Departure] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    before: Before = AT_THE_START


@dataclass
class Watched:
    """A tally, and why it failed."""

    tally: Tally
    failure: Exception | None = None

    def see(self, batch: RowBatch) -> None:
        """Add a batch to the tally, unless it has failed."""
        if self.failure is not None or batch.table.num_rows == 0:
            return
        try:
            self.tally.see(batch)
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            self.failure = error


@dataclass(frozen=True)
class RowScan:
    """The results for all rows."""

    files: list[FileScan]
    watched: list[Watched] = field(default_factory=list)

    def check_tally(self, tally: Tally) -> None:
        """Raise if a tally did not see all rows: `NoEvidenceError`, or the error it failed with."""
        if not self.files:
            raise NoEvidenceError("the catalog has no data files")
        for watched in self.watched:
            if watched.tally is tally and watched.failure is not None:
                raise watched.failure
        if any(DATA_RULE in file.first or DATA_RULE in file.missing for file in self.files):
            raise NoEvidenceError("the data of a file cannot be read")

    def departures(self, rule: str) -> Iterator[Departure]:
        """Yield the departure of each file, then raise `NoEvidenceError` if a file could not be checked."""
        if not self.files:
            raise NoEvidenceError("the catalog has no data files")
        reasons: dict[str, int] = {}
        for file in self.files:
            if rule in file.failed:
                raise file.failed[rule]
            if rule in file.first:
                yield _counted(file.first[rule], file.wrong.get(rule, 0))
            if rule in file.missing:
                reasons[file.missing[rule]] = reasons.get(file.missing[rule], 0) + 1
        for reason, count in reasons.items():
            some = "" if count == len(self.files) else f" (in {count} of {len(self.files)} data files)"
            raise NoEvidenceError(reason + some)


def _counted(departure: Departure, count: int) -> Departure:
    if not count:
        return departure
    rows = "1 row" if count == 1 else f"{count} rows"
    found = departure.actual
    return replace(departure, actual=rows if found is None else f"{found} ({rows})")


def scan_rows(
    folder: CatalogFolder,
    footers: FooterSet,
    tiles: Mapping[str, HealpixPixel | None],
    plan: RowPlan,
    checks: Mapping[str, RowCheck],
    tallies: Sequence[Tally] = (),
) -> RowScan:
    """Read every row of the data files and run all row checks.

    Parameters
    ----------
    folder : CatalogFolder
    footers : FooterSet
    tiles : mapping of str to HealpixPixel or None
        The tile of each file; None for the files of an index.
    plan : RowPlan
    checks : mapping of str to RowCheck
        By the requirement's id.
    tallies : sequence of Tally
        Accumulators that also see every batch.
    """
    judge = RowJudge(plan, checks, [Watched(tally) for tally in tallies])

    def scan(footer: Footer) -> FileScan:
        return _scan_file(folder, footer, tiles[footer.path], judge)

    with kept_memory(), threads_for(folder) as threads:
        found = RowScan(list(threads.map(scan, footers.readable)), judge.watched)
    missing = dict.fromkeys((*checks, DATA_RULE), "a data file cannot be read")
    found.files.extend(FileScan(broken.path, missing=missing) for broken in footers.broken)
    return found


@dataclass
class RowJudge:
    """The row checks and tallies, for one thread at a time."""

    plan: RowPlan
    checks: Mapping[str, RowCheck]
    watched: list[Watched]
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def see(self, read: Batch, footer: Footer, tile: HealpixPixel | None, scan: FileScan) -> None:
        """Run all row checks and tallies on a batch, and record the results."""
        footer_statistics = footer.statistics
        statistics = (
            tuple((part.rows, footer_statistics[part.group]) for part in read.parts)
            if footer_statistics
            else ()
        )
        groups = tuple(
            GroupPart(part.start, part.rows, read.metadata.row_group(part.group)) for part in read.parts
        )
        batch = RowBatch(self.plan, tile, read.table, statistics, scan.before, groups)
        with self._turn:
            for rule, check in self.checks.items():
                _judge(scan, rule, check, batch, read)
            for tally in self.watched:
                tally.see(batch)
            scan.before = batch.leaves


def _scan_file(folder: CatalogFolder, footer: Footer, tile: HealpixPixel | None, judge: RowJudge) -> FileScan:
    scan = FileScan(footer.path)
    try:
        for read in read_batches(folder, footer):
            judge.see(read, footer, tile, scan)
    except UnavailableError as error:
        reason = outage(error).reason
        for rule in (*judge.checks, DATA_RULE):
            scan.missing.setdefault(rule, reason)
    except BROKEN_DATA as error:
        text = error_text(error)
        if isinstance(error, HatsError) and error.found is not None:
            text += f" ({error.found})"
        scan.first[DATA_RULE] = Departure.of("the data of a file cannot be read", footer.path, actual=text)
        for rule in judge.checks:
            scan.missing.setdefault(rule, "the data of a file cannot be read")
    return scan


def _judge(scan: FileScan, rule: str, check: RowCheck, batch: RowBatch, read: Batch) -> None:
    if rule in scan.missing or rule in scan.failed or batch.table.num_rows == 0:
        return
    try:
        verdict = check.judge(batch)
    except NoEvidenceError as missing:
        scan.missing[rule] = missing.reason
        return
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        scan.failed[rule] = error
        return
    count = int(np.count_nonzero(verdict.wrong))
    if not count:
        return
    scan.wrong[rule] = scan.wrong.get(rule, 0) + count
    if rule not in scan.first:
        scan.first[rule] = _first_departure(check.message, verdict, scan.path, read)


def _first_departure(message: str, verdict: RowVerdict, path: str, read: Batch) -> Departure:
    """Return the departure of the first wrong row of a batch."""
    at = int(np.argmax(verdict.wrong))
    return Departure.of(
        message,
        path,
        verdict.column,
        read.group_of(at),
        read.first_row + at,
        actual=_item(verdict.actual, at),
        expected=_item(verdict.expected, at),
    )


def _item(values: Any, at: int) -> Any:
    return values[at] if isinstance(values, np.ndarray | list) else values
