"""The parts of row groups in a batch of rows, and the values of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.arrays import as_numbers


class GroupPart(NamedTuple):
    """Consecutive rows of a row group.

    Attributes
    ----------
    start : int
        How many rows of the group come before them.
    rows : int
    metadata : pyarrow.parquet.RowGroupMetaData
        Of the whole group.
    """

    start: int
    rows: int
    metadata: Any

    @property
    def ends(self) -> bool:
        """Whether the last row of the group is among them."""
        return bool(self.start + self.rows == self.metadata.num_rows)


@dataclass(frozen=True)
class Before:
    """The state that a batch inherits from the previous rows of its file.

    Attributes
    ----------
    index : int or None
        The index value of the last row; None at the start of a file.
    missing : mapping of int to int
        How many values of the row group that goes on are missing so far, by the column's number.
    keys : mapping of int to pyarrow.ChunkedArray
        The last row's values in the columns that the row group is sorted by, by the column's number.
    """

    index: int | None = None
    missing: Mapping[int, int] = field(default_factory=dict)
    keys: Mapping[int, pa.ChunkedArray] = field(default_factory=dict)


AT_THE_START = Before()


@dataclass(frozen=True)
class FlatColumn:
    """A column in a batch that is neither a list nor a struct.

    Attributes
    ----------
    name : str
    column : pyarrow.ChunkedArray
    parts : tuple of GroupPart
        The row groups of the batch.
    starts : list of int
        Where each part begins in the batch.
    """

    name: str
    column: pa.ChunkedArray
    parts: tuple[GroupPart, ...]
    starts: list[int]

    @cached_property
    def is_time(self) -> bool:
        """Whether it contains dates, times or durations, which Parquet stores as numbers."""
        return bool(pa.types.is_temporal(self.column.type))

    @cached_property
    def is_number(self) -> bool:
        """Whether it contains numbers, or values that Parquet stores as numbers."""
        kind = self.column.type
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind)) or (
            self.is_time and not pa.types.is_interval(kind)
        )

    @cached_property
    def is_full(self) -> bool:
        """Whether no value is missing."""
        return not self.column.null_count

    def part(self, number: int) -> pa.ChunkedArray:
        """Return the values in one of the parts."""
        return self.column.slice(self.starts[number], self.parts[number].rows)

    @cached_property
    def missing(self) -> list[int]:
        """How many values are missing in each part."""
        if self.is_full:
            return [0] * len(self.parts)
        return [self.part(number).null_count for number in range(len(self.parts))]

    @cached_property
    def bounds(self) -> list[tuple[Any, Any]] | None:
        """The minimum and maximum number in each part; None if a value is missing, NaN or not a number."""
        if not self.is_number or not self.is_full or not len(self.column):
            return None
        values = as_numbers(self.column)
        least = np.minimum.reduceat(values, self.starts)
        if (least != least).any():
            return None
        return list(zip(least.tolist(), np.maximum.reduceat(values, self.starts).tolist(), strict=True))

    @cached_property
    def extremes(self) -> list[tuple[Any, Any]]:
        """The minimum and maximum of the numbers other than NaN; None if there are none."""
        if self.bounds is not None:  # much faster
            return self.bounds
        if not self.is_number:
            return [(None, None)] * len(self.parts)
        found = (pc.min_max(self.numbers(number)).as_py() for number in range(len(self.parts)))
        return [(extremes["min"], extremes["max"]) for extremes in found]

    def numbers(self, number: int) -> pa.ChunkedArray:
        """Return the values in one of the parts as numbers that Arrow compares with others."""
        part = self.part(number)
        if self.is_time:
            return part.cast(pa.int32() if part.type.bit_width == 32 else pa.int64())
        return part.cast(pa.float32()) if pa.types.is_float16(part.type) else part
