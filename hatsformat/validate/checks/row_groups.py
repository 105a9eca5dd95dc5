"""Checks of what the footers say of their row groups, held against the rows (Note, sections 3.5 and 3.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.validate.checks.schemas import is_list, is_nested
from hatsformat.validate.evidence.catalog import CatalogEvidence
from hatsformat.validate.evidence.row_batch import RowBatch
from hatsformat.validate.faults import Fault, RowVerdict
from hatsformat.validate.registry import catalog_checks, row_check
from hatsformat.validate.requirements import Requirement


@row_check("HATS-LEAF-016", "rows are not sorted as the footer says")
def sorted_as_told(batch: RowBatch) -> RowVerdict:
    """Check that the rows of a row group are sorted by its ``sorting_columns``."""
    wrong = np.zeros(batch.table.num_rows, dtype=bool)
    column = None
    for start, rows, group in _groups(batch):
        names = [key.column_index for key in group.sorting_columns]
        keys = [_path(group, index) for index in names]
        if not keys or not all(_is_number(batch, name) for name in keys):
            continue
        tied = np.ones(max(0, rows - 1), dtype=bool)
        for number, (key, name) in enumerate(zip(group.sorting_columns, keys, strict=True)):
            values = batch.table.column(name).slice(start, rows)
            if values.null_count:
                break  # where they stand is another matter
            numbers = values.to_numpy()
            before, after = (numbers[1:], numbers[:-1]) if key.descending else (numbers[:-1], numbers[1:])
            less = after < before
            wrong[start + 1 : start + rows] |= less if number == 0 else tied & less
            if number + 1 < len(keys):
                tied &= after == before
        if column is None and wrong.any():
            column = keys[0]
    actual = None if column is None else batch.table.column(column).to_numpy()
    return RowVerdict(wrong, column, actual, "the order that sorting_columns tells")


@row_check("HATS-LEAF-013", "the statistics of a row group do not enclose its values")
def within_statistics(batch: RowBatch) -> RowVerdict:
    """Check that the statistics of a row group enclose its numbers, and count what is missing."""
    for start, rows, group in _groups(batch):
        for index in range(group.num_columns):
            name = _path(group, index)
            if name == batch.plan.index or not _is_number(batch, name):
                continue
            told = group.column(index).statistics
            values = batch.table.column(name).slice(start, rows)
            if told is not None and _differs(told, values, rows == group.num_rows):
                wrong = np.zeros(batch.table.num_rows, dtype=bool)
                wrong[start : start + rows] = _outside(told, values)
                return RowVerdict(wrong, name, batch.table.column(name).to_pylist(), _told(told, values.type))
    return RowVerdict(np.zeros(batch.table.num_rows, dtype=bool))


def _groups(batch: RowBatch) -> Iterator[tuple[int, int, Any]]:
    """Yield for each row group: where its rows begin in the batch, how many they are, and its metadata."""
    start = 0
    for rows, group in batch.groups:
        yield start, rows, group
        start += rows


def _path(group: Any, index: int) -> str:
    path: str = group.column(index).path_in_schema
    return path


def _is_number(batch: RowBatch, name: str) -> bool:
    if batch.table.column_names.count(name) != 1:
        return False
    kind = batch.table.schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _bounds(told: Any, kind: pa.DataType) -> tuple[Any, Any]:
    """Return the least and the greatest value that statistics tell, None where they tell no numbers."""
    if not told.has_min_max or not isinstance(told.min, int | float) or not isinstance(told.max, int | float):
        return None, None
    if pa.types.is_unsigned_integer(kind):
        mask = (1 << kind.bit_width) - 1  # Arrow gives the bits with a sign
        return told.min & mask, told.max & mask
    return told.min, told.max


def _differs(told: Any, values: pa.ChunkedArray, is_whole: bool) -> bool:
    if is_whole and told.has_null_count and told.null_count != values.null_count:
        return True
    low, high = _bounds(told, values.type)
    if low is None:
        return False
    least, most = _extremes(values)
    # NaN, and None where there is no value, are neither less nor more.
    return least is not None and bool(least < low or most > high)


def _extremes(values: pa.ChunkedArray) -> tuple[Any, Any]:
    """Return the least and the greatest of numbers; numpy is far faster where none is missing or NaN."""
    if len(values) and not values.null_count:
        arrays = [chunk.to_numpy() for chunk in values.chunks if len(chunk)]
        least, most = np.array([array.min() for array in arrays]), np.array([array.max() for array in arrays])
        if not np.isnan(least).any():
            return least.min().item(), most.max().item()
    found = pc.min_max(values).as_py()
    return found["min"], found["max"]


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
