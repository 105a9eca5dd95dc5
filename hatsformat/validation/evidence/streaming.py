"""The rows of data files in batches of bounded size, whatever the sizes of the row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts import leaf_reading
from hatsformat.artefacts.leaf_reading import read_footer
from hatsformat.errors import LeafError, UnavailableError
from hatsformat.machine import available_cores
from hatsformat.validation.check_api import NoEvidenceError, outage
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.footers import Footer
from hatsformat.validation.evidence.tree import BROKEN_DATA
from hatsformat.validation.sanitizing import error_text

BATCH_CELLS = 1 << 20
"""The target number of values per batch, rows times columns: 8 MB of doubles, which fits into caches."""

FETCHED_CELLS = 1 << 21
"""Values that are fetched from a remote file at once, unless a row group has more."""

ROWS_PER_BYTE = 10_000
ROWS_FOR_NOTHING = 10_000_000
"""Limits on the rows of a row group for its size; a row group with more is not read."""

BYTES_PER_BYTE = 1_000
BYTES_FOR_NOTHING = 256 << 20
"""Limits on the decompressed size; a row group that exceeds both is not read."""

LOCAL_THREADS = available_cores()
REMOTE_THREADS = 8


class Part(NamedTuple):
    """Consecutive rows of a row group: how many, and how many of the group come before them."""

    group: int
    start: int
    rows: int


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of a file.

    Attributes
    ----------
    first_row : int
        The number of its first row in the file.
    parts : tuple of Part
        The row groups that it is of; the first and the last may be there in part.
    table : pyarrow.Table
    metadata : pyarrow.parquet.FileMetaData
        Of the file.
    """

    first_row: int
    parts: tuple[Part, ...]
    table: pa.Table
    metadata: Any

    def group_of(self, row: int) -> int:
        """Return the row group of a row of the batch."""
        for part in self.parts:
            if row < part.rows:
                return part.group
            row -= part.rows
        return self.parts[-1].group


def threads_for(folder: CatalogFolder) -> ThreadPoolExecutor:
    """Return threads to read several files with."""
    return ThreadPoolExecutor(LOCAL_THREADS if storage.is_local(folder.tree.root) else REMOTE_THREADS)


def read_batches(
    folder: CatalogFolder, footer: Footer, columns: Sequence[str] | None = None
) -> Iterator[Batch]:
    """Yield the rows of a file.

    Parameters
    ----------
    folder : CatalogFolder
    footer : Footer
    columns : sequence of str, optional
        The columns to read; all by default.

    Raises
    ------
    HatsError, pyarrow.ArrowException and others of `tree.BROKEN_DATA`
        If the file does not match its footer.
    """
    try:
        yield from _read(folder.tree.resolve(folder.prefix + footer.path), footer, columns)
    except UnavailableError:
        folder.tree.outages += 1
        raise


def _read(path: UPath, footer: Footer, columns: Sequence[str] | None) -> Iterator[Batch]:
    metadata = read_footer(path)
    if metadata.num_row_groups != len(footer.group_rows):
        raise LeafError("the file has changed since its footer was read")
    width = max(1, len(footer.schema) if columns is None else len(columns))
    rows = max(1_024, BATCH_CELLS // width)
    most = None if storage.is_local(path) else FETCHED_CELLS // width
    first_row = 0
    for run in _runs(footer, metadata, most):
        cursor = _Cursor([Part(group, 0, footer.group_rows[group]) for group in run])
        for table in leaf_reading.read_batches(path, metadata, run, columns, rows):
            yield Batch(first_row, cursor.take(table.num_rows), table, metadata)
            first_row += table.num_rows
        cursor.check_end()


@dataclass
class _Cursor:
    """The progress of reading some row groups."""

    groups: list[Part]
    _at: int = 0
    _start: int = 0

    def take(self, rows: int) -> tuple[Part, ...]:
        """Advance by some rows, and return their parts."""
        taken = []
        while rows:
            if self._at == len(self.groups):
                raise self._error("more")
            group = self.groups[self._at]
            part = Part(group.group, self._start, min(rows, group.rows - self._start))
            if part.rows:
                taken.append(part)
            rows -= part.rows
            self._start += part.rows
            if self._start == group.rows:
                self._at, self._start = self._at + 1, 0
        return tuple(taken)

    def check_end(self) -> None:
        """Raise if rows are missing."""
        if any(group.rows for group in self.groups[self._at :]):
            raise self._error("fewer")

    def _error(self, found: str) -> LeafError:
        expected = sum(group.rows for group in self.groups)
        return LeafError("the number of rows differs from the footer", found=found, expected=expected)


def need_batches(
    folder: CatalogFolder, footer: Footer, columns: Sequence[str] | None = None
) -> Iterator[Batch]:
    """Yield the batches of `read_batches`, or raise `NoEvidenceError` if the rows cannot be read."""
    try:
        yield from read_batches(folder, footer, columns)
    except UnavailableError as error:
        raise outage(error) from error
    except BROKEN_DATA as error:
        reason = error_text(error)
        raise NoEvidenceError(f"the data of {folder.prefix}{footer.path} cannot be read: {reason}") from error


def _runs(footer: Footer, metadata: Any, most: int | None) -> Iterator[list[int]]:
    """Yield consecutive row groups to be read together, of `most` rows if possible, None for all.

    Raises
    ------
    LeafError
        At the first row group that has too many rows, or grows too much, for its size.
    """
    run: list[int] = []
    found = 0
    for group, rows in enumerate(footer.group_rows):
        problem = _claim(rows, footer.group_bytes[group], metadata.row_group(group).total_byte_size)
        if run and (problem or (most is not None and found + rows > most)):
            yield run
            run, found = [], 0
        if problem:
            raise problem
        run.append(group)
        found += rows
    if run:
        yield run


def _claim(rows: int, size: int, grown: int) -> LeafError | None:
    """Return why a row group of `size` bytes is not read."""
    if rows > ROWS_FOR_NOTHING + ROWS_PER_BYTE * size:
        return LeafError(
            "a row group was not read because it declares more rows than its size allows",
            found=f"{rows} rows in {size} bytes",
        )
    if grown > max(BYTES_FOR_NOTHING, BYTES_PER_BYTE * size):
        return LeafError(
            "a row group was not read because it expands far beyond its size",
            found=f"{grown} bytes from {size}",
        )
    return None
