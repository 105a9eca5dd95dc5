"""The rows of data files in batches of bounded size, whatever the sizes of the row groups."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf import read_footer, read_row_groups
from hatsformat.errors import HatsError, LeafError, UnavailableError
from hatsformat.validate.evidence.footers import Footer
from hatsformat.validate.evidence.tree import BROKEN_DATA, Tree
from hatsformat.validate.faults import NoEvidenceError, outage

BATCH_CELLS = 1 << 21
"""Values that a batch should have, rows times columns: 16 MB in doubles, which the caches still help with."""

HUGE_CELLS = 1 << 26
"""Values of a row group that is not read in one piece."""

ROWS_PER_BYTE = 10_000
ROWS_FOR_NOTHING = 10_000_000
"""A row group with more rows than these allow for its size is not read: it would take forever."""

BYTES_PER_BYTE = 1_000
BYTES_FOR_NOTHING = 256 << 20
"""Row groups that grow to more bytes than both of these allow are not read: they would take all memory."""

LOCAL_THREADS = len(os.sched_getaffinity(0))
REMOTE_THREADS = 8


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of a file.

    Attributes
    ----------
    first_row : int
        The number of its first row in the file.
    parts : tuple of (int, int)
        The row groups that it is of, and how many rows of each.
    table : pyarrow.Table
    metadata : pyarrow.parquet.FileMetaData
        Of the file.
    """

    first_row: int
    parts: tuple[tuple[int, int], ...]
    table: pa.Table
    metadata: Any

    def group_of(self, row: int) -> int:
        """Return the row group of a row of the batch."""
        for group, count in self.parts:
            if row < count:
                return group
            row -= count
        return self.parts[-1][0]


def threads_for(tree: Tree) -> ThreadPoolExecutor:
    """Return threads to read several files with."""
    return ThreadPoolExecutor(LOCAL_THREADS if storage.is_local(tree.root) else REMOTE_THREADS)


def read_batches(
    tree: Tree, prefix: str, footer: Footer, columns: Sequence[str] | None = None
) -> Iterator[Batch]:
    """Yield the rows of a file.

    Parameters
    ----------
    tree : Tree
    prefix : str
        What comes before the file's path in the tree.
    footer : Footer
    columns : sequence of str, optional
        The columns to read; all by default.

    Raises
    ------
    HatsError, pyarrow.ArrowException and others of `tree.BROKEN_DATA`
        If the file is not what its footer says.
    """
    try:
        yield from _read(tree.place(prefix + footer.path), footer, columns)
    except UnavailableError:
        tree.outages += 1
        raise


def _read(place: UPath, footer: Footer, columns: Sequence[str] | None) -> Iterator[Batch]:
    metadata = read_footer(place)
    if metadata.num_row_groups != len(footer.group_rows):
        raise LeafError("the file has changed since its footer was read")
    width = max(1, len(footer.schema) if columns is None else len(columns))
    first_row = 0
    for run in _runs(footer, width):
        rows = [footer.group_rows[group] for group in run]
        _check_claims(footer, metadata, run)
        if rows[0] * width > HUGE_CELLS:
            yield from _pieces(place, metadata, run[0], first_row, rows[0], columns, width)
        else:
            table = read_row_groups(place, metadata, run, columns)
            _check_rows(table.num_rows, sum(rows))
            yield Batch(first_row, tuple(zip(run, rows, strict=True)), table, metadata)
        first_row += sum(rows)


def need_batches(
    tree: Tree, prefix: str, footer: Footer, columns: Sequence[str] | None = None
) -> Iterator[Batch]:
    """Yield what `read_batches` does, or raise `NoEvidenceError` where the rows cannot be read."""
    try:
        yield from read_batches(tree, prefix, footer, columns)
    except UnavailableError as error:
        raise outage(error) from error
    except BROKEN_DATA as error:
        told = error.message if isinstance(error, HatsError) else str(error)
        raise NoEvidenceError(f"the data of {prefix}{footer.path} cannot be read: {told}") from error


def _check_claims(footer: Footer, metadata: Any, run: list[int]) -> None:
    """Raise where the first row group has too many rows, or all grow too much, for their sizes."""
    rows, size = footer.group_rows[run[0]], footer.group_bytes[run[0]]
    if rows > ROWS_FOR_NOTHING + ROWS_PER_BYTE * size:
        raise LeafError(
            "a row group is not read, since it claims more rows than its size allows",
            found=f"{rows} rows in {size} bytes",
        )
    size = sum(footer.group_bytes[group] for group in run)
    grown = sum(metadata.row_group(group).total_byte_size for group in run)
    if grown > max(BYTES_FOR_NOTHING, BYTES_PER_BYTE * size):
        raise LeafError(
            "a row group is not read, since it grows to far more than its size",
            found=f"{grown} bytes from {size}",
        )


def _runs(footer: Footer, width: int) -> Iterator[list[int]]:
    """Yield consecutive row groups that together are no more than a batch, or single ones that are more."""
    run: list[int] = []
    cells = 0
    for group, rows in enumerate(footer.group_rows):
        if run and cells + rows * width > BATCH_CELLS:
            yield run
            run, cells = [], 0
        run.append(group)
        cells += rows * width
    if run:
        yield run


def _pieces(
    place: UPath,
    metadata: Any,
    group: int,
    first_row: int,
    rows: int,
    columns: Sequence[str] | None,
    width: int,
) -> Iterator[Batch]:
    local = storage.is_local(place)
    found = 0
    with open(place.path, "rb") if local else place.fs.open(place.path, "rb") as stream:
        reader = pq.ParquetFile(stream, metadata=metadata, pre_buffer=False)
        size = max(1_024, BATCH_CELLS // width)
        wanted = None if columns is None else list(columns)
        for piece in reader.iter_batches(size, row_groups=[group], columns=wanted, use_threads=False):
            table = pa.Table.from_batches([piece])
            if wanted is not None:
                table = table.select(wanted)
            yield Batch(first_row + found, ((group, table.num_rows),), table, metadata)
            found += table.num_rows
    _check_rows(found, rows)


def _check_rows(found: int, expected: int) -> None:
    if found != expected:
        raise LeafError("a row group has another number of rows", found=found, expected=expected)
