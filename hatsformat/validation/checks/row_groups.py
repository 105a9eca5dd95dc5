"""Checks of the row group metadata against the rows (Note, sections 3.5 and 3.8)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.arrays import as_integers, as_mask, as_numbers, valid_mask
from hatsformat.validation.check_api import RowVerdict
from hatsformat.validation.checks.schemas import is_list, is_nested
from hatsformat.validation.evidence.row_batch import RowBatch
from hatsformat.validation.evidence.row_groups import FlatColumn, GroupPart
from hatsformat.validation.registry import row_check


@row_check("HATS-LEAF-016", "rows are not sorted by the declared sorting_columns")
def sorted_as_declared(batch: RowBatch) -> RowVerdict:
    """Check that the rows of a row group are sorted by its ``sorting_columns``."""
    wrong = batch.nothing
    column = None
    flat = batch.flat
    for number, part in enumerate(batch.groups):
        keys = [flat.get(key.column_index) for key in part.metadata.sorting_columns]
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
    return RowVerdict(wrong, column, actual, "the order declared in sorting_columns")


def _is_known_sorted(batch: RowBatch, part: GroupPart, keys: Sequence[FlatColumn]) -> bool:
    """Return whether the index column is the only key; its sorting is computed once for all checks."""
    is_index = len(keys) == 1 and keys[0].name == batch.plan.index
    if not is_index or part.metadata.sorting_columns[0].descending or not keys[0].is_full:
        return False
    before = batch.before.index
    return batch.ascends and (not part.start or before is None or before <= batch.index[0])


def _unsorted(
    batch: RowBatch, part: GroupPart, number: int, keys: Sequence[FlatColumn]
) -> npt.NDArray[np.bool_]:
    """Return which rows sort before the previous row of their row group; ties are decided by the next key."""
    wrong = np.zeros(part.rows, dtype=bool)
    tied = np.ones(part.rows, dtype=bool)
    first = 0 if part.start else 1  # row that has one before it
    for key, column in zip(part.metadata.sorting_columns, keys, strict=True):
        values = column.part(number)
        if part.start:
            values = pa.chunked_array([*batch.before.keys[key.column_index].chunks, *values.chunks])
        try:
            ranks = _ranks(values, key)
        except pa.ArrowNotImplementedError:
            break  # Arrow cannot sort some types
        wrong[first:] |= tied[first:] & (ranks[1:] < ranks[:-1])
        tied[first:] &= ranks[1:] == ranks[:-1]
    return wrong


def _ranks(values: pa.ChunkedArray, key: Any) -> npt.NDArray[Any]:
    """Return numbers that ascend if the values are sorted by a key; plain numbers are returned unchanged."""
    is_plain = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if is_plain and not values.null_count and not key.descending:
        return as_numbers(values)
    order = "descending" if key.descending else "ascending"
    ranks = as_integers(pc.rank(values.combine_chunks(), order, tiebreaker="dense")) + 1
    return np.where(valid_mask(values), ranks, 0 if key.nulls_first else len(ranks) + 2)


@row_check("HATS-LEAF-013", "the statistics of a row group do not match its values")
def within_statistics(batch: RowBatch) -> RowVerdict:
    """Check that the statistics of a row group match its numbers, dates and missing values."""
    columns = [(index, found) for index, found in batch.flat.items() if found.name != batch.plan.index]
    for number, part in enumerate(batch.groups):
        for index, found in columns:
            statistics = part.metadata.column(index).statistics
            if statistics is None:
                continue
            missing = found.missing[number] + (batch.before.missing.get(index, 0) if part.start else 0)
            if _exceeds(statistics, found, number) or (
                part.ends and statistics.has_null_count and statistics.null_count != missing
            ):
                wrong, start = batch.nothing.copy(), found.starts[number]
                wrong[start : start + part.rows] = _outside(statistics, found, number)
                actual = _readable(found.column) if found.is_time else found.column
                return RowVerdict(wrong, found.name, actual.to_pylist(), _range_text(statistics, found))
    return RowVerdict(batch.nothing)


_UNITS = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}


def _bounds(statistics: Any, found: FlatColumn) -> tuple[Any, Any]:
    """Return the minimum and maximum of the statistics; None if they have no numbers."""
    kind = found.column.type
    if not statistics.has_min_max or not found.is_number:
        return None, None
    if found.is_time:
        unit = json.loads(statistics.logical_type.to_json()).get("timeUnit")
        same = unit is None or getattr(kind, "unit", None) == _UNITS.get(unit)
        return (
            (statistics.min_raw, statistics.max_raw)
            if same and isinstance(statistics.min_raw, int)
            else (None, None)
        )
    low, high = statistics.min, statistics.max
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None, None
    if pa.types.is_unsigned_integer(kind):
        mask = (1 << kind.bit_width) - 1  # Arrow returns the bits as a signed integer
        return low & mask, high & mask
    return low, high


def _exceeds(statistics: Any, found: FlatColumn, number: int) -> bool:
    """Return whether a part of a row group has a value outside the bounds that statistics declare."""
    least, most = found.extremes[number]
    if least is None:
        return False
    if (
        not found.is_time
        and type(least) is type(statistics.min)
        and statistics.min <= least
        and most <= statistics.max
    ):
        return False  # the usual case
    low, high = _bounds(statistics, found)
    # NaN is neither less nor greater.
    return low is not None and bool(least < low or most > high)


def _outside(statistics: Any, found: FlatColumn, number: int) -> npt.NDArray[np.bool_]:
    """Return the rows outside the bounds; all rows if only the number of missing values is wrong."""
    low, high = _bounds(statistics, found)
    rows = found.parts[number].rows
    if low is not None:
        values = found.numbers(number)
        outside = as_mask(pc.or_(pc.less(values, low), pc.greater(values, high)))
        if outside.any():
            return outside
    return np.ones(rows, dtype=bool)


def _readable(times: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return dates and times as text, in UTC, because the time zone of a file may not exist."""
    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.timestamp(times.type.unit))
    return times.cast(pa.string())


def _range_text(statistics: Any, found: FlatColumn) -> str:
    low, high = _bounds(statistics, found)
    if found.is_time and low is not None:
        bounds = pa.array([low, high], f"int{found.column.type.bit_width}").cast(found.column.type)
        low, high = _readable(bounds).to_pylist()
    nulls = f", {statistics.null_count} missing" if statistics.has_null_count else ""
    return f"{low} to {high}{nulls}" if low is not None else nulls.removeprefix(", ")


@row_check("HATS-LEAF-014", "the lists of a nested row differ in length")
def equal_lists(batch: RowBatch) -> RowVerdict:
    """Check that the lists of a struct of lists have equal length in every row."""
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
    return RowVerdict(wrong, column, None, "lists of equal length in each row")
