"""Values accumulated over all rows while the row checks read them, so rows are only read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.arrays import as_floats, as_integers, from_numbers
from hatsformat.errors import LeafError
from hatsformat.healpix import MAX_ORDER, IntArray, change_order, npix
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.footers import Footer
from hatsformat.validation.evidence.key_hashing import (
    KeyArray,
    common_kind,
    comparable_columns,
    keys_of,
    mixed,
)
from hatsformat.validation.evidence.row_batch import RowBatch
from hatsformat.validation.evidence.schemas import plain
from hatsformat.validation.evidence.streaming import read_batches

MOST_THUMBNAIL_ROWS = 1_000_000
"""A thumbnail with more rows is not compared with the leaves."""

_SMALL_COUNTS = 8
"""The deepest order at which the rows of a pixel may exceed 32 bits."""


class Tally(Protocol):
    """An accumulator that sees every batch of rows."""

    def see(self, batch: RowBatch) -> None:
        """Add a batch, or raise `NoEvidenceError` if the result is no longer known."""


class PixelTally:
    """The number of rows in each pixel.

    Parameters
    ----------
    order : int
        The order of the pixels.

    Attributes
    ----------
    counts : ndarray of int, shape (12 * 4**order,)
    """

    def __init__(self, order: int) -> None:
        self.order = order
        dtype = np.dtype(np.int64 if order <= _SMALL_COUNTS else np.int32)
        self.counts: npt.NDArray[np.signedinteger[Any]] = np.zeros(npix(order), dtype=dtype)

    def see(self, batch: RowBatch) -> None:
        """Count the rows of a batch."""
        pixels, is_sorted = self._pixels(batch)
        if not is_sorted and (pixels[1:] < pixels[:-1]).any():
            pixels = np.sort(pixels)
        if pixels[0] < 0:
            raise NoEvidenceError("some rows have no valid position")
        starts = np.append(0, np.flatnonzero(pixels[1:] != pixels[:-1]) + 1)
        rows = np.diff(np.append(starts, len(pixels)))
        # The pixels are unique, so this adds to each of them.
        self.counts[pixels[starts]] += rows.astype(self.counts.dtype)

    def _pixels(self, batch: RowBatch) -> tuple[IntArray, bool]:
        """Return the pixel of each row, and whether they are known to ascend.

        It is computed from the position, or from the index value if that is consistent with it.
        """
        deep = batch.plan.index_order
        index = batch.index if deep >= self.order and batch.has_index else None
        if batch.plan.ra is None or batch.plan.dec is None:
            if index is None:
                raise NoEvidenceError(
                    "the rows have neither positions nor an index of at least the map's order"
                )
            return np.where(index < npix(deep), change_order(index, deep, self.order), -1), False
        if index is not None and batch.index_agrees:
            return change_order(index, deep, self.order), batch.ascends
        pixels = change_order(batch.pixels29, MAX_ORDER, self.order)
        if index is not None:
            other = change_order(index, deep, self.order)
            rows = np.flatnonzero((other != pixels) & batch.on_sky & (index >= 0))
            if rows.size:
                rows = rows[batch.may_be_in(rows, index[rows], deep)]
                pixels[rows] = other[rows]
        return pixels, False


@dataclass(frozen=True)
class ThumbnailRows:
    """The rows of a thumbnail, shape (n,) each, sorted for the search.

    Attributes
    ----------
    probes : ndarray of int64 or float64
        The index values, or the right ascensions if there are none; ascending.
    keys : ndarray of uint64
        A key for each row, of all its values that are compared.
    rows : ndarray of int64
        Its number in the thumbnail.
    """

    probes: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    keys: KeyArray
    rows: IntArray


class ThumbnailTally:
    """Finds which rows of a thumbnail are rows of the leaves.

    A batch is searched by its index values, or its right ascensions: only rows that have one of those in the
    thumbnail are compared as a whole.

    Parameters
    ----------
    rows : ThumbnailRows
    columns : sequence of str
        The columns that are compared.
    schema : pyarrow.Schema
        Of the leaves.
    by_index : bool
        Whether rows are searched by the index column.

    """

    def __init__(
        self, rows: ThumbnailRows, columns: Sequence[str], schema: pa.Schema, by_index: bool
    ) -> None:
        self.rows = rows
        self.columns = list(columns)
        self._distinct, self._which = np.unique(rows.keys, return_inverse=True)
        self._seen = np.zeros(len(self._distinct), dtype=np.int64)
        self._by_index = by_index
        self._kinds = {name: plain(schema.field(name).type) for name in columns}

    @property
    def strange(self) -> IntArray:
        """The indices of thumbnail rows that are not in the leaves, or more often than there."""
        order = np.lexsort((self.rows.rows, self._which))
        which = self._which[order]
        earlier = np.arange(len(which)) - np.searchsorted(which, which)  # rows before that are the same
        numbers: IntArray = np.sort(self.rows.rows[order[earlier >= self._seen[which]]])
        return numbers

    def see(self, batch: RowBatch) -> None:
        """Look for the thumbnail's rows in a batch."""
        values = batch.index if self._by_index else batch.ra
        least, most = batch.index_range if self._by_index else (np.nanmin(values), np.nanmax(values))
        low = np.searchsorted(self.rows.probes, least, "left")
        high = np.searchsorted(self.rows.probes, most, "right")
        if low == high:
            return
        probes = self.rows.probes[low:high]
        if self._by_index and batch.ascends:
            rows = _equal_rows(values, probes)
        else:
            rows = np.flatnonzero(np.isin(values, probes))
        if rows.size:
            for name in self.columns:
                if not plain(batch.column(name).type).equals(self._kinds[name]):
                    raise NoEvidenceError(f"the type of the column {name} differs between data files")
            keys = row_keys(batch.table.take(from_numbers(rows)), self.columns)
            at = np.searchsorted(self._distinct, keys).clip(max=len(self._distinct) - 1)
            np.add.at(self._seen, at[self._distinct[at] == keys], 1)


def _equal_rows(values: npt.NDArray[Any], probes: npt.NDArray[Any]) -> IntArray:
    """Return where ascending values equal one of the probes."""
    edges = np.zeros(len(values) + 1, dtype=np.int64)
    np.add.at(edges, np.searchsorted(values, probes, "left"), 1)
    np.add.at(edges, np.searchsorted(values, probes, "right"), -1)
    return np.flatnonzero(np.cumsum(edges[:-1]))


def row_keys(table: pa.Table, columns: Sequence[str]) -> KeyArray:
    """Return a key for each row, of its values in some columns."""
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for name in columns:
        column = table.column(name)
        keys, there = keys_of(column, common_kind([column.type]))
        total = mixed(total + np.where(there, keys, np.uint64(0)))
    return total


def thumbnail_tally(
    folder: CatalogFolder, footer: Footer, schema: pa.Schema, index: str, ra: str | None
) -> ThumbnailTally:
    """Read a thumbnail, to look for its rows.

    Parameters
    ----------
    folder : CatalogFolder
    footer : Footer
        Of the thumbnail.
    schema : pyarrow.Schema
        Of the leaves.
    index : str
        The index column.
    ra : str or None
        The column of the right ascension.

    Raises
    ------
    NoEvidenceError
        If it has too many rows, or no column to search by.
    HatsError, pyarrow.ArrowException and others of `tree.BROKEN_DATA`
        If its data cannot be read.
    """
    columns = comparable_columns(footer.schema, schema)
    by_index = index in columns and pa.types.is_integer(schema.field(index).type)
    probe = index if by_index else ra
    if probe is None or probe not in columns:
        raise NoEvidenceError(
            "the thumbnail has neither the index column nor the right ascension of the leaves"
        )
    if footer.rows > MOST_THUMBNAIL_ROWS:
        raise NoEvidenceError(f"the thumbnail has more than {MOST_THUMBNAIL_ROWS} rows")
    keys: list[KeyArray] = []
    probes: list[Any] = []
    for batch in read_batches(folder, footer):
        values = batch.table.column(probe)
        if values.null_count:
            raise LeafError(f"the thumbnail has rows with no value in {probe}")
        probes.append(as_integers(values) if by_index else as_floats(values))
        keys.append(row_keys(batch.table, columns))
    if not probes:
        raise NoEvidenceError("the thumbnail has no rows")
    everything = np.concatenate(probes)
    order = np.argsort(everything, kind="stable")
    return ThumbnailTally(
        ThumbnailRows(everything[order], np.concatenate(keys)[order], order), columns, schema, by_index
    )
