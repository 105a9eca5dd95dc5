"""Look up rows by identifier, with an index table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.arrays import as_integers
from hatsformat.catalog.manifest import CatalogFiles
from hatsformat.catalog.scan import make_scan
from hatsformat.errors import FormatError, UsageError
from hatsformat.healpix import IntArray, range29
from hatsformat.partition_info import PartitionInfo


def as_values(values: Any, kind: pa.DataType, column: str) -> pa.Array:
    """Return the distinct values to look up, as an Arrow array of the column's type (without dictionary).

    Raises
    ------
    UsageError
        If they do not fit that type.
    """
    if isinstance(values, str | bytes | int | float | np.generic):
        values = [values]
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    try:
        array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        return array.cast(kind).unique().drop_null()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UsageError(
            f"the values do not fit the type of the column {column!r}", found=values, expected=str(kind)
        ) from error


def one_of(column: str, values: pa.Array) -> Any:
    """Return the condition that the value of a column is one of `values`."""
    span = pc.min_max(values)
    field = pc.field(column)
    # With the bounds, Arrow can skip row groups by their statistics, which `isin` alone may not allow.
    return (field >= span["min"]) & (field <= span["max"]) & field.isin(values)


@dataclass(frozen=True)
class IndexedTiles:
    """Find tiles by the values of a column. The index table is read when this is called.

    Attributes
    ----------
    index : CatalogFiles
        The files of the index table.
    column : str
        The indexed column.
    values : pyarrow.Array
        The values to look up.
    """

    index: CatalogFiles
    column: str
    values: pa.Array

    def __call__(self, partitions: PartitionInfo) -> IntArray:
        """Return the tiles that contain the values, according to the index.

        Parameters
        ----------
        partitions : PartitionInfo
            The tiles of the catalog that the index belongs to.

        Returns
        -------
        ndarray of int64
            Ascending indices into `partitions`.

        Raises
        ------
        FormatError
            If the index has no columns for tiles, or names a tile that is missing from the catalog.
        """
        healpix = self.index.properties.healpix_column
        names = self.index.schema.names
        if {"Norder", "Npix"} <= set(names):
            orders, pixels = self._entries("Norder", "Npix")
            found = partitions.find(range29(orders, pixels)[0])
            self._check_known(found, orders, pixels, partitions)
        elif healpix in names:
            (pixels,) = self._entries(healpix)
            found = partitions.find(pixels, self.index.properties.healpix_order)
            found = found[found >= 0]
        else:
            raise FormatError(
                "the index does not say which tiles its rows are in",
                path=self.index.root,
                expected=f"the columns Norder and Npix, or {healpix}",
            )
        tiles: IntArray = np.unique(found)
        return tiles

    def _entries(self, *columns: str) -> list[IntArray]:
        """Return columns of the entries for the values."""
        values = as_values(self.values, self.index.schema.field(self.column).type, self.column)
        table = make_scan(self.index, columns, where=one_of(self.column, values)).to_table()
        return [as_integers(table.column(name)) for name in columns]

    def _check_known(
        self, found: IntArray, orders: IntArray, pixels: IntArray, partitions: PartitionInfo
    ) -> None:
        unknown = (found < 0) | (partitions.orders[found] != orders) if len(partitions) else found < 0
        if unknown.any():
            row = int(np.flatnonzero(unknown)[0])
            raise FormatError(
                "the index names a tile that is missing from the catalog",
                path=self.index.root,
                found=f"Norder {orders[row]}, Npix {pixels[row]}",
                hint="build the index again",
            )
