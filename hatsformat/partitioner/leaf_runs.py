"""Leaf files that stand, taken as runs: they are sorted along the sky, as the runs of an import are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from upath import UPath

from hatsformat.arrays import as_integers
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.errors import LeafError
from hatsformat.healpix import IntArray
from hatsformat.partitioner.pixel_counts import PixelCounts
from hatsformat.partitioner.row_sizes import row_sizes
from hatsformat.partitioner.runs import Run


@dataclass(frozen=True, slots=True)
class LeafRows:
    """The rows of a leaf file; only its path travels to a worker.

    Attributes
    ----------
    place : UPath
    index : str
        The index column.
    """

    place: UPath
    index: str

    @property
    def pixels(self) -> IntArray:
        """Order-29 pixels of the rows."""
        table = read_row_groups(self.place, read_footer(self.place), columns=[self.index])
        return as_integers(table.column(0))

    @property
    def row_bytes(self) -> int:
        """About how many bytes a row takes in memory: what it takes decoded, or a little more."""
        footer = read_footer(self.place)
        size = sum(footer.row_group(group).total_byte_size for group in range(footer.num_row_groups))
        return int(1 + size // max(1, footer.num_rows))

    def pixels_between(self, first: int, last: int) -> IntArray:
        """Return the order-29 pixels of the rows ``first`` to ``last``, exclusive."""
        return as_integers(self._read(first, last, [self.index]).column(0))

    def slice(self, first: int, last: int) -> pa.Table:
        """Return the rows ``first`` to ``last``, exclusive; only the row groups that hold them are read."""
        return self._read(first, last, None).drop_columns([self.index])

    def _read(self, first: int, last: int, columns: list[str] | None) -> pa.Table:
        footer = read_footer(self.place)
        counts = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        edges = np.cumsum([0, *counts])
        low = int(np.searchsorted(edges, first, side="right")) - 1
        high = int(np.searchsorted(edges, last, side="left"))
        table = read_row_groups(self.place, footer, range(low, high), columns)
        return table.slice(first - int(edges[low]), last - first)


@dataclass(frozen=True, slots=True)
class CountTask:
    """A leaf file whose rows are to be counted, as it is sent to a worker.

    Attributes
    ----------
    number : int
        The file's place among all.
    rows : LeafRows
    order : int
        The order to count at.
    weigh : bool
        Whether to count bytes beside rows.
    """

    number: int
    rows: LeafRows
    order: int
    weigh: bool

    def run(self) -> tuple[Run, PixelCounts, PixelCounts]:
        """Return the file as a run, and its rows and bytes in the pixels of the order.

        Raises
        ------
        LeafError
            If its rows are not sorted.
        """
        pixels = self.rows.pixels
        if (np.diff(pixels) < 0).any():
            raise LeafError(
                "its rows are not sorted by the index column",
                path=self.rows.place,
                hint="import the catalog again into another directory",
            )
        counts = weights = PixelCounts.of_sorted(pixels, self.order)
        if self.weigh:
            weights = PixelCounts.merged(list(self._weights(pixels)), self.order)
        return Run((0, self.number), str(self.rows.place), self.rows), counts, weights

    def _weights(self, pixels: IntArray) -> list[PixelCounts]:
        footer = read_footer(self.rows.place)
        found, at = [], 0
        for group in range(footer.num_row_groups):
            table = read_row_groups(self.rows.place, footer, [group]).drop_columns([self.rows.index])
            own = pixels[at : at + table.num_rows]
            found.append(PixelCounts.of_sorted(own, self.order, row_sizes(table)))
            at += table.num_rows
        return found


def count_leaf(task: CountTask) -> tuple[Run, PixelCounts, PixelCounts]:
    """Carry out a task; a function, since that is what executors take."""
    return task.run()
