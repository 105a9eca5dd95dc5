"""Checks of what the footers say of their row groups, held against the rows (Note, sections 3.5 and 3.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.arrays import as_mask, as_numbers
from hatsformat.validate.checks.schemas import is_list, is_nested
from hatsformat.validate.evidence.catalog import CatalogEvidence
from hatsformat.validate.evidence.row_batch import RowBatch
from hatsformat.validate.evidence.row_groups import GroupPart, Numbers
from hatsformat.validate.faults import Fault, RowVerdict
from hatsformat.validate.registry import catalog_checks, row_check
from hatsformat.validate.requirements import Requirement


@row_check("HATS-LEAF-016", "rows are not sorted as the footer says")
def sorted_as_told(batch: RowBatch) -> RowVerdict:
    """Check that the rows of a row group are sorted by its ``sorting_columns``."""
    wrong = batch.nothing
    column = None
    numbers = batch.numbers
    for number, part in enumerate(batch.groups):
        keys = [numbers.get(key.column_index) for key in part.metadata.sorting_columns]
        known = [key for key in keys if key is not None]
        if not known or len(known) < len(keys) or _is_known_sorted(batch, part, known):
            continue
        found = _unsorted(batch, part, number, known)
        if found.any():
            wrong = wrong.copy() if column is None else wrong
            start = known[0].starts[number]
            wrong[start : start + part.rows] |= found
            column = known[0].name if column is None else column
    actual = None if column is None else batch.table.column(column).to_numpy()
    return RowVerdict(wrong, column, actual, "the order that sorting_columns tells")


def _is_known_sorted(batch: RowBatch, part: GroupPart, keys: Sequence[Numbers]) -> bool:
    """Return whether the only key is the index column, whose values are compared for all checks together."""
    is_index = len(keys) == 1 and keys[0].name == batch.plan.index
    if not is_index or part.metadata.sorting_columns[0].descending or not keys[0].is_full:
        return False
    before = batch.before.index
    return batch.ascends and (not part.start or before is None or before <= batch.index[0])


def _unsorted(
    batch: RowBatch, part: GroupPart, number: int, keys: Sequence[Numbers]
) -> npt.NDArray[np.bool_]:
    """Return which rows are less than the row before, in their row group; ties go to the next key."""
    wrong = np.zeros(part.rows, dtype=bool)
    tied = np.ones(part.rows, dtype=bool)
    for key, column in zip(part.metadata.sorting_columns, keys, strict=True):
        values = column.part(number)
        earlier = batch.before.keys.get(key.column_index) if part.start else values[0].as_py()
        if values.null_count or earlier is None:
            break  # where they stand is another matter
        numbers = as_numbers(values)
        previous = np.concatenate((np.array([earlier], dtype=numbers.dtype), numbers[:-1]))
        before, after = (numbers, previous) if key.descending else (previous, numbers)
        wrong |= tied & (after < before)
        tied &= after == before
    return wrong


@row_check("HATS-LEAF-013", "the statistics of a row group do not enclose its values")
def within_statistics(batch: RowBatch) -> RowVerdict:
    """Check that the statistics of a row group enclose its numbers, and count what is missing."""
    columns = [(index, found) for index, found in batch.numbers.items() if found.name != batch.plan.index]
    for number, part in enumerate(batch.groups):
        for index, found in columns:
            told = part.metadata.column(index).statistics
            if told is None:
                continue
            missing = found.missing[number] + (batch.before.missing.get(index, 0) if part.start else 0)
            if _exceeds(told, found, number) or (
                part.ends and told.has_null_count and told.null_count != missing
            ):
                values = found.part(number)
                wrong, start = batch.nothing.copy(), found.starts[number]
                wrong[start : start + part.rows] = _outside(told, values)
                return RowVerdict(wrong, found.name, found.column.to_pylist(), _told(told, values.type))
    return RowVerdict(batch.nothing)


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


def _exceeds(told: Any, found: Numbers, number: int) -> bool:
    """Return whether a part of a row group has a value outside the bounds that statistics tell."""
    least, most = found.extremes[number]
    if least is None or (type(least) is type(told.min) and told.min <= least and most <= told.max):
        return False  # nearly always, without more ado
    low, high = _bounds(told, found.column.type)
    # NaN is neither less nor more.
    return low is not None and bool(least < low or most > high)


def _outside(told: Any, values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return the rows outside the bounds; all of them where only the count of what is missing is wrong."""
    low, high = _bounds(told, values.type)
    if low is not None:
        outside = as_mask(pc.or_(pc.less(values, low), pc.greater(values, high)))
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
