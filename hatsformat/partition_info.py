"""The tiles of a catalog, and ``partition_info.csv`` (Note, section 3.6.2).

A catalog may have a million tiles, so `PartitionInfo` keeps them as two arrays, sorted by their first
order-29 pixel. Every look-up is a binary search or a merge of two sorted lists.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from hatsformat.arrays import from_numbers
from hatsformat.errors import PartitionInfoError
from hatsformat.healpix import (
    MAX_ORDER,
    HealpixPixel,
    IntArray,
    IntLike,
    are_tiles,
    change_order,
    merge_ranges,
    npix,
    range29,
)

ORDER_COLUMN = "Norder"
PIXEL_COLUMN = "Npix"
ROWS_COLUMN = "num_rows"
_LARGEST_BLOCK = 2**31 - 1


class PartitionInfo:
    """The tiles of a catalog, sorted along the sky; immutable.

    Parameters
    ----------
    orders : array_like of int, shape (n,)
        HEALPix orders, 0 to 29.
    pixels : array_like of int, shape (n,)
        NESTED pixel numbers at those orders.
    extra : mapping of str to array, optional
        More columns of the file, shape (n,) each, in order.

    Attributes
    ----------
    orders : ndarray of uint8, shape (n,)
    pixels : ndarray of int64, shape (n,)
    extra : mapping of str to ndarray

    Raises
    ------
    PartitionInfoError
        If the arrays differ in length, or a tile does not exist.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, orders: IntLike, pixels: IntLike, extra: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> None:
        wide = np.asarray(orders, dtype=np.int64)
        numbers = np.asarray(pixels, dtype=np.int64)
        if wide.ndim != 1 or wide.shape != numbers.shape:
            raise PartitionInfoError("orders and pixels differ in length", found=(wide.shape, numbers.shape))
        _check_tiles(wide, numbers)
        columns = {name: np.asarray(values) for name, values in (extra or {}).items()}
        for name, values in columns.items():
            if values.shape[:1] != wide.shape:
                raise PartitionInfoError(
                    f"the column {name} differs in length from the tiles",
                    found=len(values),
                    expected=len(wide),
                )
        by_sky = np.lexsort((wide, range29(wide, numbers)[0]))
        self.orders: npt.NDArray[np.uint8] = _read_only(wide[by_sky].astype(np.uint8))
        self.pixels: IntArray = _read_only(numbers[by_sky])
        self.extra: Mapping[str, npt.NDArray[Any]] = MappingProxyType(
            {name: _read_only(values[by_sky]) for name, values in columns.items()}
        )

    @classmethod
    def of_tiles(cls, tiles: Iterable[HealpixPixel | tuple[int, int]]) -> PartitionInfo:
        """Create from tiles, or from pairs of order and pixel."""
        pairs = [(t.order, t.pixel) if isinstance(t, HealpixPixel) else t for t in tiles]
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])

    @classmethod
    def from_csv(cls, content: bytes | str, path: object = None) -> PartitionInfo:
        """Read the content of a ``partition_info.csv``.

        Parameters
        ----------
        content : bytes or str
            A CSV with at least the columns ``Norder`` and ``Npix``.
        path : object, optional
            The path of the file, for messages.

        Raises
        ------
        PartitionInfoError
            If it is not such a table, or a tile does not exist.
        """
        raw = content.encode() if isinstance(content, str) else content
        if not raw.strip():
            raise PartitionInfoError(
                "the file is empty", path=path, expected="a CSV file with Norder and Npix"
            )
        # One block, because the first decides the type of a column: "3" there and "3.0" later would clash.
        # Threads gain nothing for one block, and a program that ends as they start may abort (arrow#34314).
        options = pyarrow.csv.ReadOptions(block_size=min(len(raw) + 2, _LARGEST_BLOCK), use_threads=False)
        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(raw + b"\n"), options)
            titles = [name.strip() for name in table.column_names]
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise PartitionInfoError(f"invalid CSV: {error}", path=path) from error
        names = {name: index for index, name in enumerate(titles)}
        if len(names) < len(titles):
            raise PartitionInfoError("duplicate column", path=path, found=", ".join(titles))
        missing = [name for name in (ORDER_COLUMN, PIXEL_COLUMN) if name not in names]
        if missing:
            raise PartitionInfoError(
                f"missing column: {' and '.join(missing)}", path=path, found=", ".join(names)
            )
        try:
            return cls(
                _integers(table.column(names[ORDER_COLUMN]), ORDER_COLUMN),
                _integers(table.column(names[PIXEL_COLUMN]), PIXEL_COLUMN),
                {
                    name: table.column(index).to_numpy()
                    for name, index in names.items()
                    if name not in (ORDER_COLUMN, PIXEL_COLUMN)
                },
            )
        except PartitionInfoError as error:
            error.path = None if path is None else str(path)
            raise

    def to_csv(self) -> bytes:
        """Return the content of a ``partition_info.csv``: ``Norder,Npix`` and the extra columns."""
        columns = {
            ORDER_COLUMN: from_numbers(self.orders.astype(np.int64)),
            PIXEL_COLUMN: from_numbers(self.pixels),
            **{name: pa.array(values) for name, values in self.extra.items()},
        }
        header = io.StringIO()
        # Arrow would quote every name, but simple parsers expect Norder,Npix.
        csv.writer(header, lineterminator="\n").writerow(columns)
        sink = pa.BufferOutputStream()
        table = pa.table(columns)
        pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(include_header=False))
        rows: bytes = sink.getvalue().to_pybytes()
        return header.getvalue().encode() + rows

    def __reduce__(self) -> tuple[Any, ...]:
        # Tiles are sent to worker processes, and a mapping proxy cannot be pickled.
        return type(self), (self.orders, self.pixels, dict(self.extra))

    def __len__(self) -> int:
        return len(self.orders)

    def __iter__(self) -> Iterator[HealpixPixel]:
        for order, pixel in zip(self.orders.tolist(), self.pixels.tolist(), strict=True):
            yield HealpixPixel(order, pixel)

    def __getitem__(self, index: int) -> HealpixPixel:
        return HealpixPixel(int(self.orders[index]), int(self.pixels[index]))

    def __contains__(self, tile: object) -> bool:
        return isinstance(tile, HealpixPixel) and self.position(tile) is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PartitionInfo):
            return NotImplemented
        return np.array_equal(self.orders, other.orders) and np.array_equal(self.pixels, other.pixels)

    def __repr__(self) -> str:
        orders = f"orders {self.orders.min()} to {self.orders.max()}" if len(self) else "no tiles"
        return f"PartitionInfo({len(self)} tiles, {orders})"

    @cached_property
    def starts(self) -> IntArray:
        """First order-29 pixel of every tile, ascending, shape (n,)."""
        return range29(self.orders, self.pixels)[0]

    @cached_property
    def stops(self) -> IntArray:
        """One past the last order-29 pixel of every tile, shape (n,)."""
        return range29(self.orders, self.pixels)[1]

    @cached_property
    def _reach(self) -> IntArray:
        # Where tiles overlap, a coarse tile reaches beyond finer ones that start later.
        reach: IntArray = np.maximum.accumulate(self.stops) if len(self) else self.stops
        return reach

    @property
    def max_order(self) -> int:
        """The deepest order of any tile; 0 without tiles."""
        return int(self.orders.max()) if len(self) else 0

    @property
    def sky_fraction(self) -> float:
        """Fraction of the sky that the tiles cover, overlaps counted once."""
        covered = merge_ranges(self.starts, self.stops)
        return float((covered[:, 1] - covered[:, 0]).sum()) / npix(MAX_ORDER)

    def position(self, tile: HealpixPixel) -> int | None:
        """Return the index of a tile, or None."""
        start, _ = tile.range29
        low, high = np.searchsorted(self.starts, (start, start + 1))
        same = np.flatnonzero(self.orders[low:high] == tile.order)
        return int(low + same[0]) if same.size else None

    def find(self, pixels: IntLike, order: int = MAX_ORDER) -> IntArray:
        """Return the index of the tile that contains each pixel, or -1.

        Parameters
        ----------
        pixels : array_like of int, shape (m,)
            NESTED pixel numbers.
        order : int
            Their order. If it is lower than that of the tiles, the first child of each pixel is looked up.

        Returns
        -------
        ndarray of int64, shape (m,)
            Where tiles overlap, the smallest that contains the pixel.
        """
        deep = change_order(pixels, order, MAX_ORDER)
        last: IntArray = np.searchsorted(self.starts, deep, side="right").astype(np.int64) - 1
        if len(self) == 0:
            return last
        index = np.where(deep < self.stops[last], last, -1)
        # Where tiles overlap, a coarser tile that starts earlier may contain a pixel that is not found yet.
        lost = np.flatnonzero((index < 0) & (last >= 0) & (deep < self._reach[last]))
        for tile_order in np.unique(self.orders) if lost.size else ():
            same = np.flatnonzero(self.orders == tile_order)
            at = np.searchsorted(self.starts[same], deep[lost], side="right") - 1
            held = (at >= 0) & (deep[lost] < self.stops[same[at]])
            index[lost[held]] = same[at[held]]
        return index

    def overlapping(self, ranges: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return which tiles share a pixel with any of the ranges.

        Parameters
        ----------
        ranges : ndarray of int64, shape (k, 2)
            Half-open order-29 ranges, sorted and disjoint.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        first = np.searchsorted(ranges[:, 1], self.starts, side="right")
        last = np.searchsorted(ranges[:, 0], self.stops, side="left")
        shared: npt.NDArray[np.bool_] = first < last
        return shared

    def overlaps(self) -> IntArray:
        """Return index pairs of overlapping tiles, shape (k, 2): the first covers or equals the second.

        There is one pair for every covered tile, with the coarsest tile that covers it.
        """
        inside = np.flatnonzero(self.starts[1:] < self._reach[:-1]) + 1
        coarse = np.searchsorted(self._reach, self.starts[inside], side="right")
        return np.stack((coarse, inside), axis=1)

    def select(self, keep: npt.NDArray[Any]) -> PartitionInfo:
        """Return the tiles that a mask or an array of indices selects."""
        extra = {name: values[keep] for name, values in self.extra.items()}
        return PartitionInfo(self.orders[keep], self.pixels[keep], extra)


def _read_only(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values.setflags(write=False)
    return values


def _check_tiles(orders: IntArray, pixels: IntArray) -> None:
    wrong = ~are_tiles(orders, pixels)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise PartitionInfoError(
            "invalid tiles" if wrong.sum() > 1 else "invalid tile",
            found=f"Norder {orders[row]}, Npix {pixels[row]} in row {row + 1}",
            expected=f"order 0 to {MAX_ORDER}, pixel below 12 * 4**order",
        )


def _integers(column: Any, name: str) -> IntArray:
    """Return a CSV column as integers; floats with integer values, as pandas writes them, are accepted."""
    try:
        if pa.types.is_floating(column.type):
            column = column.cast(pa.int64(), safe=True)
        if column.null_count or not (pa.types.is_integer(column.type) or len(column) == 0):
            raise pa.ArrowInvalid("not integers")
        # `to_numpy` would import pandas, if installed: half a second at the first query.
        numbers = np.from_dlpack(column.cast(pa.int64()).combine_chunks()).astype(np.int64, copy=False)
    except pa.ArrowException as error:
        raise PartitionInfoError(
            f"the column {name} must contain integers", found=str(column.type)
        ) from error
    return numbers
