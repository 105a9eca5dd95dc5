"""Checks of what the footers say of their row groups, held against the rows (Note, sections 3.5 and 3.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.validate.checks.schemas import is_list, is_nested
from hatsformat.validate.evidence.catalog import CatalogEvidence
from hatsformat.validate.evidence.row_batch import Numbers, RowBatch
from hatsformat.validate.faults import Fault, RowVerdict
from hatsformat.validate.registry import catalog_checks, row_check
from hatsformat.validate.requirements import Requirement


@row_check("HATS-LEAF-016", "rows are not sorted as the footer says")
def sorted_as_told(batch: RowBatch) -> RowVerdict:
    """Check that the rows of a row group are sorted by its ``sorting_columns``."""
    wrong = batch.nothing
    column = None
    numbers = batch.numbers
    for start, rows, group in _groups(batch):
        keys = [numbers.get(key.column_index) for key in group.sorting_columns]
        known = [key for key in keys if key is not None]
        if not known or len(known) < len(keys) or _is_known_sorted(batch, group, known):
            continue
        found = _unsorted(group, [key.part(start, rows) for key in known])
        if found.any():
            wrong = wrong.copy() if column is None else wrong
            wrong[start + 1 : start + rows] |= found
            column = known[0].name if column is None else column
    actual = None if column is None else batch.table.column(column).to_numpy()
    return RowVerdict(wrong, column, actual, "the order that sorting_columns tells")


def _is_known_sorted(batch: RowBatch, group: Any, keys: Sequence[Numbers]) -> bool:
    """Return whether the only key is the index column, whose values are compared for all checks together."""
    is_index = len(keys) == 1 and keys[0].name == batch.plan.index
    return is_index and not group.sorting_columns[0].descending and keys[0].is_full and batch.ascends


def _unsorted(group: Any, keys: Sequence[pa.ChunkedArray]) -> npt.NDArray[np.bool_]:
    """Return for the rows after the first which are less than the row before; ties go to the next key."""
    wrong = np.zeros(max(0, len(keys[0]) - 1), dtype=bool)
    tied = ~wrong
    for number, (key, values) in enumerate(zip(group.sorting_columns, keys, strict=True)):
        if values.null_count:
            break  # where they stand is another matter
        numbers = values.to_numpy()
        before, after = (numbers[1:], numbers[:-1]) if key.descending else (numbers[:-1], numbers[1:])
        wrong |= tied & (after < before)
        if number + 1 < len(keys):
            tied &= after == before
    return wrong


@row_check("HATS-LEAF-013", "the statistics of a row group do not enclose its values")
def within_statistics(batch: RowBatch) -> RowVerdict:
    """Check that the statistics of a row group enclose its numbers, and count what is missing."""
    numbers = {index: found for index, found in batch.numbers.items() if found.name != batch.plan.index}
    for start, rows, group in _groups(batch):
        for index, found in numbers.items():
            told = group.column(index).statistics
            if told is not None and _differs(told, found, start, rows, rows == group.num_rows):
                values = found.part(start, rows)
                wrong = batch.nothing.copy()
                wrong[start : start + rows] = _outside(told, values)
                return RowVerdict(wrong, found.name, found.column.to_pylist(), _told(told, values.type))
    return RowVerdict(batch.nothing)


def _groups(batch: RowBatch) -> Iterator[tuple[int, int, Any]]:
    """Yield for each row group: where its rows begin in the batch, how many they are, and its metadata."""
    start = 0
    for rows, group in batch.groups:
        yield start, rows, group
        start += rows


def _bounds(told: Any, kind: pa.DataType) -> tuple[Any, Any]:
    """Return the least and the greatest value that statistics tell, None where they tell no numbers."""
    if not told.has_min_max:
        return None, None
    low, high = told.min, told.max
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None, None
    if pa.types.is_unsigned_integer(kind):
        mask = (1 << kind.bit_width) - 1  # Arrow gives the bits with a sign
        return low & mask, high & mask
    return low, high


def _differs(told: Any, found: Numbers, start: int, rows: int, is_whole: bool) -> bool:
    if is_whole and told.has_null_count:
        nulls = 0 if found.is_full else found.part(start, rows).null_count
        if told.null_count != nulls:
            return True
    low, high = _bounds(told, found.column.type)
    if low is None:
        return False
    least, most = _extremes(found, start, rows)
    # NaN, and None where there is no value, are neither less nor more.
    return least is not None and bool(least < low or most > high)


def _extremes(found: Numbers, start: int, rows: int) -> tuple[Any, Any]:
    """Return the least and the greatest of numbers; numpy is far faster where none is missing or NaN."""
    if found.values is not None and rows:
        numbers = found.values[start : start + rows]
        least, most = np.minimum.reduce(numbers), np.maximum.reduce(numbers)
        if least == least:
            return least.item(), most.item()
    extremes = pc.min_max(found.part(start, rows)).as_py()
    return extremes["min"], extremes["max"]


def _outside(told: Any, values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return the rows outside the bounds; all of them where only the count of what is missing is wrong."""
    low, high = _bounds(told, values.type)
    if low is not None:
        outside = pc.or_(pc.less(values, low), pc.greater(values, high)).fill_null(False).to_numpy()
        if outside.any():
            found: npt.NDArray[np.bool_] = outside
            return found
    return np.ones(len(values), dtype=bool)


def _told(told: Any, kind: pa.DataType) -> str:
    low, high = _bounds(told, kind)
    nulls = f", {told.null_count} missing" if told.has_null_count else ""
    return f"{low} to {high}{nulls}"


@row_check("HATS-LEAF-014", "the lists of a nested row differ in length")
def equal_lists(batch: RowBatch) -> RowVerdict:
    """Check that the lists in a column that is a structure of lists are equally long in every row."""
    wrong = np.zeros(batch.table.num_rows, dtype=bool)
    column = None
    for name, kind in zip(batch.table.column_names, batch.table.schema.types, strict=True):
        if not is_nested(kind) or not pa.types.is_struct(kind):
            continue
        inner = [field.name for field in kind if is_list(field.type)]
        values = batch.table.column(batch.table.column_names.index(name))
        lengths = [
            pc.list_value_length(pc.struct_field(values, field)).fill_null(0).to_numpy() for field in inner
        ]
        for other in lengths[1:]:
            wrong |= other != lengths[0]
        if column is None and wrong.any():
            column = name
    return RowVerdict(wrong, column, None, "lists of one length in each row")


@catalog_checks("HATS-LEAF-013", "HATS-LEAF-014", "HATS-LEAF-016")
def row_group_faults(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Fault]:
    """Report what the row checks have found."""
    yield from catalog.rows.faults(rule.id)
