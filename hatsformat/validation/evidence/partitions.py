"""``partition_info.csv`` and ``partition_join_info.csv`` as written, so that every line can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from hatsformat.arrays import as_integers
from hatsformat.errors import PartitionInfoError
from hatsformat.healpix import IntArray, are_tiles, uniq
from hatsformat.partition_info import ORDER_COLUMN, PIXEL_COLUMN, PartitionInfo


@dataclass(frozen=True)
class PartitionLines:
    """The lines of a ``partition_info.csv``, shape (n,) each, in the order of the file.

    Attributes
    ----------
    orders, pixels : ndarray of int64
        As written, valid or not.
    extra : mapping of str to ndarray of int64
        Additional integer columns.
    others : tuple of str
        The names of the other columns.
    """

    orders: IntArray
    pixels: IntArray
    extra: Mapping[str, IntArray] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @classmethod
    def from_csv(cls, content: bytes, prefix: str = "") -> PartitionLines:
        """Read the content of the file.

        Parameters
        ----------
        content : bytes
        prefix : str, optional
            What comes before the names of the two columns.

        Raises
        ------
        PartitionInfoError
            If it is not a CSV with integers in the columns ``Norder`` and ``Npix``.
        """
        wanted = (prefix + ORDER_COLUMN, prefix + PIXEL_COLUMN)
        if not content.strip():
            raise PartitionInfoError("the file is empty", expected=f"a CSV with {' and '.join(wanted)}")
        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(content))
            names = [str(name) for name in table.column_names]
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise PartitionInfoError(f"the file is not a CSV table: {error}") from error
        missing = [name for name in wanted if name not in names]
        if missing:
            raise PartitionInfoError(f"the column {' and '.join(missing)} is missing", found=", ".join(names))
        if any(names.count(name) > 1 for name in wanted):
            raise PartitionInfoError("duplicate column", found=", ".join(names))
        orders, pixels = (_whole(table.column(names.index(name))) for name in wanted)
        if orders is None or pixels is None:
            raise PartitionInfoError(f"the column {wanted[orders is not None]} must contain integers")
        extra = {
            name: values
            for index, name in enumerate(names)
            if name not in wanted and (values := _whole(table.column(index))) is not None
        }
        others = tuple(name for name in names if name not in wanted and name not in extra)
        return cls(orders, pixels, extra, others)

    def __len__(self) -> int:
        return len(self.orders)

    @cached_property
    def possible(self) -> npt.NDArray[np.bool_]:
        """Which lines name a tile that exists."""
        return are_tiles(self.orders, self.pixels)

    @cached_property
    def uniq(self) -> IntArray:
        """The uniq number of each tile, 0 for invalid lines."""
        number: IntArray = np.where(
            self.possible, uniq(np.where(self.possible, self.orders, 0), self.pixels), 0
        )
        return number

    @cached_property
    def tiles(self) -> PartitionInfo:
        """The valid tiles, without duplicates."""
        _, first = np.unique(self.uniq, return_index=True)
        keep = first[self.possible[first]]
        return PartitionInfo(self.orders[keep], self.pixels[keep])


def _whole(column: Any) -> IntArray | None:
    """Return a column as integers, or None; floats with whole values are integers to pandas."""
    try:
        if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            return np.empty(0, dtype=np.int64) if len(column) == 0 else None
        return as_integers(column.cast(pa.int64(), safe=True))
    except pa.ArrowException:
        return None
