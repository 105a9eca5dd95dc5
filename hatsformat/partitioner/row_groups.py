"""How the sorted rows of a leaf are cut into row groups.

Only the rows and the options decide, not the size of the pieces that are put together at a time, which
depends on memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from hatsformat.healpix import MAX_ORDER, IntArray, change_order
from hatsformat.partitioner.row_sizes import row_sizes

ROW_GROUP_BYTES = 32 * 1024 * 1024
"""The default for the most bytes of a row group in memory."""


@dataclass(frozen=True, slots=True)
class RowGroups:
    """How leaves are cut into row groups.

    Attributes
    ----------
    bytes : int
        The most bytes in memory, as `row_sizes` counts them; a larger row is a row group by itself.
    subtile_order_delta : int or None
        Cut at the borders of sub-tiles this many orders below the leaf's tile.
    """

    bytes: int = ROW_GROUP_BYTES
    subtile_order_delta: int | None = None

    def cutter(self, pixels: IntArray, order: int, schema: pa.Schema, most_rows: int) -> Cutter:
        """Plan the row groups of a leaf.

        Parameters
        ----------
        pixels : ndarray of int64, shape (n,)
            Order-29 pixels of its rows, ascending.
        order : int
            Order of its tile.
        schema : pyarrow.Schema
            Of its rows, without the index column.
        most_rows : int
            The most rows of a row group.
        """
        sample = pa.table([pa.nulls(1, column.type) for column in schema], names=schema.names)
        least = int(row_sizes(sample)[0])
        rows = max(1, min(most_rows, self.bytes // least))
        return Cutter(
            self._ends(pixels, order, rows), None if _is_fixed(schema) else self.bytes, schema.names
        )

    def _ends(self, pixels: IntArray, order: int, rows: int) -> IntArray:
        """Return the end of each row group: whole sub-tiles, or about equal parts of them."""
        edges = np.array([0, pixels.size])
        if self.subtile_order_delta is not None:
            subtiles = change_order(pixels, MAX_ORDER, min(MAX_ORDER, order + self.subtile_order_delta))
            edges = np.concatenate(([0], np.flatnonzero(np.diff(subtiles)) + 1, [pixels.size]))
        lengths = np.diff(edges)
        parts = np.maximum(1, -(-lengths // rows))
        sizes = np.maximum(1, -(-lengths // parts))
        parts = -(-lengths // sizes)  # rounding up may leave none for the last
        number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        within = np.minimum((number + 1) * np.repeat(sizes, parts), np.repeat(lengths, parts))
        ends: IntArray = np.repeat(edges[:-1], parts) + within
        return ends


class Cutter:
    """Cuts the rows of one leaf, which arrive table by table.

    Parameters
    ----------
    ends : ndarray of int64, shape (k,)
        The latest ends of row groups, ascending; the last is the number of rows.
    limit : int or None
        The most bytes of a row group, if rows differ in size.
    columns : sequence of str
        Columns whose sizes count; the index column has the same size in every row.

    Attributes
    ----------
    done : int
        Rows that have arrived.
    """

    def __init__(self, ends: IntArray, limit: int | None, columns: Sequence[str]) -> None:
        self._ends = ends
        self._limit = limit
        self._columns = list(columns)
        self._waiting: list[pa.Table] = []
        self._held = 0
        self.done = 0

    def next_stop(self, rows: int) -> int:
        """Return the end of the next table to pass: about `rows` rows, whole row groups if possible."""
        most = self.done + rows
        whole = int(np.searchsorted(self._ends, most, side="right")) - 1
        if whole >= 0 and self._ends[whole] > self.done:
            return int(self._ends[whole])
        return min(most, int(self._ends[-1]))

    def cut(self, table: pa.Table) -> Iterator[pa.Table]:
        """Take the next rows, and yield the row groups that they complete."""
        sizes = None if self._limit is None else np.cumsum(row_sizes(table.select(self._columns)))
        at, start = 0, self.done
        self.done += table.num_rows
        while at < table.num_rows:
            end = int(self._ends[np.searchsorted(self._ends, start + at, side="right")]) - start
            stop = min(end, table.num_rows)
            if self._limit is not None and sizes is not None:
                before = int(sizes[at - 1]) if at else 0
                room = before + self._limit - self._held
                fit = int(np.searchsorted(sizes, room, side="right"))
                if fit == at and self._waiting:
                    yield self._group()
                    continue
                if fit < stop:
                    end = stop = max(fit, at + 1)
                self._held += int(sizes[stop - 1]) - before
            self._waiting.append(table.slice(at, stop - at))
            at = stop
            if stop == end:
                yield self._group()

    def _group(self) -> pa.Table:
        # One chunk per column: the borders of chunks would show in the pages of the file.
        rows = pa.concat_tables(self._waiting).unify_dictionaries().combine_chunks()
        self._waiting, self._held = [], 0
        return rows


def _is_fixed(schema: pa.Schema) -> bool:
    """Return whether all rows have the same size."""
    return all(_has_width(column.type) for column in schema)


def _has_width(kind: pa.DataType) -> bool:
    if pt.is_struct(kind):
        return all(_has_width(child.type) for child in kind)
    if pt.is_fixed_size_list(kind):
        return _has_width(kind.value_type)
    try:
        return bool(pt.is_null(kind) or kind.bit_width > 0)
    except ValueError:  # text, bytes and lists
        return False
