"""The rows of a data file for the row checks: a batch at a time, with derived values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.arrays import as_floats, as_integers, from_numbers
from hatsformat.healpix import (
    MAX_ORDER,
    FloatArray,
    HealpixPixel,
    IntArray,
    change_order,
    known_radec_to_pixel,
    pixel_width,
    radec_to_pixel,
)
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.footer_worker import Statistics
from hatsformat.validation.evidence.row_groups import AT_THE_START, Before, FlatColumn, GroupPart

_FLOAT64_SLACK = 1e-12
"""Degrees within which two programs may compute different pixels for the same float64 position."""


@dataclass(frozen=True)
class RowPlan:
    """The names of the relevant columns of a catalog."""

    ra: str | None
    dec: str | None
    index: str
    index_order: int
    margin_threshold: float | None = None
    primary_tiles: IntArray | None = None
    indexed: str | None = None
    keys: tuple[str, ...] = ()


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
    before : Before
        The state after the previous rows.
    groups : tuple of GroupPart
        The row groups that they are of.
    """

    plan: RowPlan
    tile: HealpixPixel | None
    table: pa.Table
    statistics: tuple[tuple[int, Statistics], ...] = ()
    before: Before = AT_THE_START
    groups: tuple[GroupPart, ...] = ()

    @cached_property
    def ra(self) -> FloatArray:
        """Right ascensions in degrees, NaN if missing."""
        return self._degrees(self.plan.ra, "hats_col_ra")

    @cached_property
    def dec(self) -> FloatArray:
        """Declinations in degrees, NaN if missing."""
        return self._degrees(self.plan.dec, "hats_col_dec")

    def _degrees(self, name: str | None, keyword: str) -> FloatArray:
        if name is None:
            raise NoEvidenceError(f"the properties have no {keyword}")
        column = self.column(name)
        kind = column.type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
            raise NoEvidenceError(f"the column {name} is not numeric")
        return as_floats(column)

    def column(self, name: str) -> Any:
        """Return a column, or raise `NoEvidenceError`."""
        if name not in self._single_columns:
            raise NoEvidenceError(f"the column {name} is missing from some data files")
        return self.table.column(self._single_columns[name])

    @cached_property
    def _single_columns(self) -> dict[str, int]:
        """The indices of the columns by name, without duplicate names."""
        names = self.table.column_names
        often = Counter(names)
        return {name: place for place, name in enumerate(names) if often[name] == 1}

    def integers(self, name: str) -> IntArray:
        """Return a column of integers, with -1 for missing values and values that do not fit into int64."""
        column = self.column(name)
        if not pa.types.is_integer(column.type):
            raise NoEvidenceError(f"the column {name} does not hold integers")
        numbers = as_integers(column)
        return numbers if numbers.min(initial=0) >= -1 else np.maximum(numbers, -1)

    @cached_property
    def index(self) -> IntArray:
        """The index values, -1 if missing."""
        return self.integers(self.plan.index)

    @property
    def has_index(self) -> bool:
        """Whether there is an index column of integers."""
        place = self._single_columns.get(self.plan.index)
        return place is not None and bool(pa.types.is_integer(self.table.column(place).type))

    @cached_property
    def flat(self) -> Mapping[int, FlatColumn]:
        """The flat columns, by their number in the footer."""
        found: dict[int, FlatColumn] = {}
        if not self.groups:
            return found
        group = self.groups[0].metadata
        starts = [0, *accumulate(part.rows for part in self.groups[:-1])]
        for index in range(group.num_columns):
            name = group.column(index).path_in_schema
            if name in self._single_columns:
                column = self.table.column(self._single_columns[name])
                if not pa.types.is_nested(column.type):
                    found[index] = FlatColumn(name, column, self.groups, starts)
        return found

    @property
    def leaves(self) -> Before:
        """The state for the next rows of the file."""
        index = self.before.index
        if self.has_index and len(self.index):
            index = int(self.index[-1])
        if not self.groups or self.groups[-1].ends:
            return Before(index)
        part = self.groups[-1]
        earlier = self.before.missing if part.start else {}
        missing = {
            number: earlier.get(number, 0) + column.missing[-1]
            for number, column in self.flat.items()
            if number in earlier or not column.is_full
        }
        last = from_numbers(np.array([self.table.num_rows - 1]))
        keys = {
            key.column_index: self.flat[key.column_index].column.take(last)
            for key in part.metadata.sorting_columns
            if key.column_index in self.flat
        }
        return Before(index, missing, keys)

    @cached_property
    def ascends(self) -> bool:
        """Whether the index values are sorted; then the first and last value are the range."""
        return not (self.index[1:] < self.index[:-1]).any()

    @cached_property
    def index_range(self) -> tuple[int, int]:
        """The minimum and maximum index value."""
        if self.ascends:
            return int(self.index[0]), int(self.index[-1])
        return int(self.index.min()), int(self.index.max())

    @cached_property
    def ra_range(self) -> tuple[float, float]:
        """The minimum and maximum right ascension; NaN if any is missing."""
        return self._range(self.plan.ra, self.ra)

    @cached_property
    def dec_range(self) -> tuple[float, float]:
        """The minimum and maximum declination; NaN if any is missing."""
        return self._range(self.plan.dec, self.dec)

    def _range(self, name: str | None, values: FloatArray) -> tuple[float, float]:
        """Return the minimum and maximum of a column, computed once for all checks."""
        for column in self.flat.values():
            if column.name == name and column.bounds is not None:
                least, most = zip(*column.bounds, strict=True)
                return float(min(least)), float(max(most))
        return float(values.min()), float(values.max())

    @cached_property
    def pixel_range(self) -> tuple[int, int]:
        """The minimum and maximum of `pixels29`."""
        if self.plan.index_order == MAX_ORDER and self.index_agrees:
            return self.index_range
        return int(self.pixels29.min()), int(self.pixels29.max())

    @cached_property
    def nothing(self) -> npt.NDArray[np.bool_]:
        """A mask without any row."""
        return np.zeros(self.table.num_rows, dtype=bool)

    @cached_property
    def is_on_sky(self) -> bool:
        """Whether every row has a position on the sky."""
        low, high = self.dec_range
        return all(map(isfinite, self.ra_range)) and low >= -90 and high <= 90

    @cached_property
    def index_agrees(self) -> bool:
        """Whether every row has exactly the index value of its position."""
        if not self.is_on_sky or not self.has_index:
            return False
        order = self.plan.index_order
        own = self.pixels29 if order == MAX_ORDER else change_order(self.pixels29, MAX_ORDER, order)
        return np.array_equal(self.index, own)

    @cached_property
    def on_sky(self) -> npt.NDArray[np.bool_]:
        """Which rows have a position on the sky."""
        if self.is_on_sky:
            return np.ones(self.table.num_rows, dtype=bool)
        found: npt.NDArray[np.bool_] = np.isfinite(self.ra) & (np.abs(self.dec) <= 90)
        return found

    @cached_property
    def pixels29(self) -> IntArray:
        """The order-29 pixel of each row's position; -1 without a position."""
        if self.is_on_sky:
            low, high = self.ra_range
            is_usual = low >= 0 and high < 360
            to_pixel = known_radec_to_pixel if is_usual else radec_to_pixel
            return to_pixel(self.ra, self.dec, MAX_ORDER)
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
        # Near the poles, a small angle is a large difference in right ascension.
        stretch = np.minimum(1 / np.maximum(np.cos(np.radians(dec)), 1e-9), 180 / self.slack)
        return np.stack(
            [
                radec_to_pixel(
                    ra + east * self.slack * stretch, np.clip(dec + north * self.slack, -90, 90), order
                )
                for east, north in steps
            ]
        )

    def may_be_in(self, rows: IntArray, pixels: IntArray, order: int) -> npt.NDArray[np.bool_]:
        """Return which rows could be in a pixel, as near as their positions are known.

        At full precision only rounding may put a row into the next pixel. Positions in 32 bits are coarser
        than the pixels of high orders: the index was computed before they were rounded, so the pixel has to
        be near.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)
            Indices of rows with a position.
        pixels : ndarray of int64, shape (m,)
            A pixel for each.
        order : int
            Of the pixels.
        """
        depth = order
        while depth > 0 and np.degrees(pixel_width(depth)) < 2 * self.slack:
            depth -= 1
        near = self.nearby_pixels(rows, depth)
        own = change_order(self.pixels29[rows], MAX_ORDER, depth)
        given = change_order(pixels, order, depth)
        found: npt.NDArray[np.bool_] = (near == given).any(axis=0) | (own == given)
        return found
