"""Every row of the data files, read once, batch by batch, for all row checks together.

Files are read on a few threads, one batch of each at a time, so memory does not grow with the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.errors import HatsError
from hatsformat.healpix import MAX_ORDER, FloatArray, HealpixPixel, IntArray, radec_to_pixel
from hatsformat.validate.evidence.footers import Footer, Footers, Statistics
from hatsformat.validate.evidence.streaming import Batch, read_batches, threads_for
from hatsformat.validate.evidence.tree import BROKEN_DATA, Tree
from hatsformat.validate.faults import Fault, NoEvidenceError, RowCheck

DATA_RULE = "HATS-LEAF-009"
"""The requirement that the data of every column can be read."""

_FLOAT64_SLACK = 1e-12
"""Degrees within which two programs may compute another pixel for the same float64 position."""


@dataclass(frozen=True)
class RowPlan:
    """What is the same for all rows of a catalog: the names of the columns that matter."""

    ra: str | None
    dec: str | None
    index: str
    index_order: int
    margin_threshold: float | None = None
    primary_tiles: IntArray | None = None


@dataclass(frozen=True)
class RowFile:
    """What is the same for all rows of a file; see `RowBatch`."""

    plan: RowPlan
    tile: HealpixPixel | None


@dataclass(frozen=True)
class RowBatch:
    """Consecutive rows of one file.

    Attributes
    ----------
    plan : RowPlan
    tile : HealpixPixel or None
        The tile of the file; None for the files of an index.
    table : pyarrow.Table
        All columns.
    statistics : tuple of (int, Statistics)
        For each row group: how many rows are of it, and the statistics of its index column.
    before : int or None
        The index value of the row before the first; None at the start of a file.
    """

    plan: RowPlan
    tile: HealpixPixel | None
    table: pa.Table
    statistics: tuple[tuple[int, Statistics], ...] = ()
    before: int | None = None

    @cached_property
    def ra(self) -> FloatArray:
        """Right ascensions in degrees, NaN where there is none."""
        return self._degrees(self.plan.ra, "hats_col_ra")

    @cached_property
    def dec(self) -> FloatArray:
        """Declinations in degrees, NaN where there is none."""
        return self._degrees(self.plan.dec, "hats_col_dec")

    def _degrees(self, name: str | None, keyword: str) -> FloatArray:
        if name is None:
            raise NoEvidenceError(f"the properties have no {keyword}")
        column = self.column(name)
        kind = column.type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
            raise NoEvidenceError(f"the column {name} holds no numbers")
        values: FloatArray = column.cast(pa.float64(), safe=False).to_numpy()
        return values

    def column(self, name: str) -> Any:
        """Return a column, or raise `NoEvidenceError`."""
        if self.table.column_names.count(name) != 1:
            raise NoEvidenceError(f"not every data file has the column {name}")
        return self.table.column(name)

    def integers(self, name: str) -> IntArray:
        """Return a column of integers, -1 where there is none and for what is beyond 64 bits with a sign."""
        column = self.column(name)
        if not pa.types.is_integer(column.type):
            raise NoEvidenceError(f"the column {name} does not hold integers")
        filled = column.fill_null(0).to_numpy().astype(np.int64)
        if column.null_count:
            filled[column.is_null().to_numpy()] = -1
        numbers: IntArray = np.maximum(filled, -1)
        return numbers

    @cached_property
    def index(self) -> IntArray:
        """The index values, -1 where there is none."""
        return self.integers(self.plan.index)

    @cached_property
    def on_sky(self) -> npt.NDArray[np.bool_]:
        """Which rows have a position on the sky."""
        found: npt.NDArray[np.bool_] = np.isfinite(self.ra) & (np.abs(self.dec) <= 90)
        return found

    @cached_property
    def pixels29(self) -> IntArray:
        """The order-29 pixel of each row's position; -1 where there is none."""
        if self.on_sky.all():
            return radec_to_pixel(self.ra, self.dec, MAX_ORDER)
        pixels = np.full(len(self.ra), -1, dtype=np.int64)
        pixels[self.on_sky] = radec_to_pixel(self.ra[self.on_sky], self.dec[self.on_sky], MAX_ORDER)
        return pixels

    @cached_property
    def slack(self) -> float:
        """Degrees by which a position may be off, by the precision that its columns have."""
        slack = _FLOAT64_SLACK
        for name in (self.plan.ra, self.plan.dec):
            kind = self.column(str(name)).type
            if pa.types.is_float32(kind):
                slack = max(slack, float(np.spacing(np.float32(360))))
            elif pa.types.is_float16(kind):
                slack = max(slack, float(np.spacing(np.float16(360))))
        return slack

    def nearby_pixels(self, rows: IntArray, order: int) -> IntArray:
        """Return the pixels at `order` that rows could be in if their positions were a little off.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)
            Indices of rows with a position.
        order : int

        Returns
        -------
        ndarray of int64, shape (8, m)
        """
        steps = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
        ra, dec = self.ra[rows], self.dec[rows]
        # Towards the poles a small angle is a large difference in right ascension.
        stretch = np.minimum(1 / np.maximum(np.cos(np.radians(dec)), 1e-9), 180 / self.slack)
        return np.stack(
            [
                radec_to_pixel(
                    ra + east * self.slack * stretch, np.clip(dec + north * self.slack, -90, 90), order
                )
                for east, north in steps
            ]
        )


@dataclass
class FileScan:
    """What the rows of one file have shown: the first fault and the number of wrong rows of each rule."""

    path: str
    wrong: dict[str, int] = field(default_factory=dict)
    first: dict[str, Fault] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)


@dataclass(frozen=True)
class RowScan:
    """What all rows have shown."""

    files: list[FileScan]

    def faults(self, rule: str) -> Iterator[Fault]:
        """Yield the fault of each file, then raise `NoEvidenceError` where a file could not be judged."""
        if not self.files:
            raise NoEvidenceError("there are no data files")
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


def _counted(fault: Fault, count: int) -> Fault:
    if not count:
        return fault
    rows = "1 row" if count == 1 else f"{count} rows"
    return replace(fault, actual=rows if fault.actual is None else f"{fault.actual} ({rows})")


def scan_rows(
    tree: Tree,
    prefix: str,
    footers: Footers,
    tiles: Mapping[str, HealpixPixel | None],
    plan: RowPlan,
    checks: Mapping[str, RowCheck],
) -> RowScan:
    """Read every row of data files, and let all checks judge it.

    Parameters
    ----------
    tree : Tree
    prefix : str
        What comes before the paths in the tree.
    footers : Footers
    tiles : mapping of str to HealpixPixel or None
        The tile of each file; None for the files of an index.
    plan : RowPlan
    checks : mapping of str to RowCheck
        By the requirement's id.
    """

    def scan(footer: Footer) -> FileScan:
        return _scan_file(tree, prefix, footer, RowFile(plan, tiles[footer.path]), checks)

    with threads_for(tree) as threads:
        found = RowScan(list(threads.map(scan, footers.readable)))
    missing = dict.fromkeys(checks, "a data file cannot be read")
    found.files.extend(FileScan(broken.path, missing=missing) for broken in footers.broken)
    return found


def _scan_file(
    tree: Tree, prefix: str, footer: Footer, file: RowFile, checks: Mapping[str, RowCheck]
) -> FileScan:
    scan = FileScan(footer.path)
    before = None
    try:
        for read in read_batches(tree, prefix, footer):
            told = footer.statistics
            statistics = tuple((rows, told[group]) for group, rows in read.parts) if told else ()
            batch = RowBatch(file.plan, file.tile, read.table, statistics, before)
            for rule, check in checks.items():
                _judge(scan, rule, check, batch, read)
            before = _last_index(batch, before)
    except BROKEN_DATA as error:
        text = error.message if isinstance(error, HatsError) else f"{type(error).__name__}: {error}"
        if isinstance(error, HatsError) and error.found is not None:
            text += f" ({error.found})"
        scan.first[DATA_RULE] = Fault("the data of a file cannot be read", footer.path, actual=text)
        for rule in checks:
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
        at = int(np.argmax(verdict.wrong))
        shown = None if verdict.actual is None else _item(verdict.actual, at)
        expected = _item(verdict.expected, at)
        scan.first[rule] = Fault(
            check.message,
            scan.path,
            verdict.column,
            read.group_of(at),
            read.first_row + at,
            shown,
            expected,
        )


def _item(values: Any, at: int) -> Any:
    return values[at] if isinstance(values, np.ndarray | list) else values


def _last_index(batch: RowBatch, before: int | None) -> int | None:
    try:
        return int(batch.index[-1]) if len(batch.index) else before
    except NoEvidenceError:
        return None
