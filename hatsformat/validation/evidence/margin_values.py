"""Compare the values of a margin's rows with the primary table (Note, section 3.1).

This reads every column of both tables once more, so only some leaves of large margins are checked, spread
over the sky. A margin that was not rebuilt after its primary changed differs everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.arrays import as_floats, from_numbers
from hatsformat.healpix import MAX_ORDER, radec_to_pixel, uniq
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.footers import Footer
from hatsformat.validation.evidence.key_hashing import KeyArray, common_kind, keys_of, mixed
from hatsformat.validation.evidence.positions import Coordinates, coordinates_of, position_keys
from hatsformat.validation.evidence.schemas import plain, single_fields
from hatsformat.validation.evidence.streaming import Batch, need_batches

MOST_CELLS = 50_000_000
"""The most values of the primary that are read, rows times columns."""

_NOTHING = np.uint64(0)
_OF_THE_TILE = ("Norder", "Dir", "Npix", "margin_Norder", "margin_Dir", "margin_Npix")
"""Columns of older writers that depend on the leaf, and so differ."""


@dataclass(frozen=True, slots=True)
class OtherValues:
    """The rows of a margin's file whose values in a column differ from the primary.

    Attributes
    ----------
    path, column : str
    rows : int
        How many.
    row : int
        The index of the first row.
    value : object
        The value of the column in that row.
    """

    path: str
    column: str
    rows: int
    row: int
    value: Any


@dataclass
class _MarginRows:
    """Rows of a margin's file: their positions, and which of their values match the primary."""

    batch: Batch
    keys: KeyArray
    pairs: dict[str, KeyArray]
    seen: npt.NDArray[np.bool_]
    right: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)


def scan_margin_values(margin: CatalogEvidence, primary: CatalogEvidence) -> list[OtherValues]:
    """Return the rows of a margin whose values differ from the primary.

    Raises
    ------
    NoEvidenceError
        If files, or the columns of the positions, cannot be read.
    """
    margin.footers.leaves.check_complete()
    primary.footers.leaves.check_complete(primary.folder.prefix)
    where = coordinates_of(margin, primary)
    kinds = _shared_columns(margin, primary, where)
    columns = [where.ra, where.dec, *kinds]
    files: dict[int, list[Footer]] = {}
    for number, footer in zip(
        primary.files.leaves.uniq.tolist(), primary.footers.leaves.readable, strict=True
    ):
        files.setdefault(number, []).append(footer)
    own = margin.footers.leaves.readable
    left = MOST_CELLS
    found: list[OtherValues] = []
    for index in np.argsort(mixed(np.arange(len(own), dtype=np.int64))).tolist():
        for batch in need_batches(margin.folder, own[index], columns):
            rows, tiles = _margin_rows(batch, where, kinds, primary)
            sources = [footer for number in tiles for footer in files.get(number, [])]
            left -= len(columns) * sum(footer.rows for footer in sources)
            if left < 0:
                return found
            for footer in sources:
                for theirs in need_batches(primary.folder, footer, columns):
                    _compare(rows, theirs, where, kinds)
            found += _wrong(own[index].path, rows)
    return found


def _shared_columns(margin: CatalogEvidence, primary: CatalogEvidence, where: Coordinates) -> dict[str, str]:
    """Return how the values of each column of both tables are compared; see `keys.common_kind`."""
    kinds = {}
    theirs = single_fields(primary.footers.schema)
    passed_over = {
        where.ra,
        where.dec,
        margin.declared.index_column,
        primary.declared.index_column,
        *_OF_THE_TILE,
    }
    for name, column in single_fields(margin.footers.schema).items():
        if name in theirs and name not in passed_over and plain(column.type).equals(plain(theirs[name].type)):
            try:
                kinds[name] = common_kind([column.type, theirs[name].type])
            except NoEvidenceError:
                continue
    return kinds


def _positions(table: pa.Table, where: Coordinates) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    ra, dec = (as_floats(table.column(name)) for name in (where.ra, where.dec))
    return ra, dec


def _pairs(table: pa.Table, positions: KeyArray, name: str, kind: str) -> KeyArray:
    """Return a key for each row's position and value; missing values are equal."""
    keys, there = keys_of(table.column(name), kind)
    return mixed(positions + mixed(np.where(there, keys, _NOTHING)))


def _margin_rows(
    batch: Batch, where: Coordinates, kinds: dict[str, str], primary: CatalogEvidence
) -> tuple[_MarginRows, list[int]]:
    """Return a batch of a margin's rows, and the numbers of the tiles that they come from."""
    ra, dec = _positions(batch.table, where)
    keys = position_keys(ra, dec, where)
    pairs = {name: _pairs(batch.table, keys, name, kind) for name, kind in kinds.items()}
    none = np.zeros(len(keys), dtype=bool)
    on_sky = np.isfinite(ra) & (np.abs(dec) <= 90)
    tiles = np.unique(primary.files.tiles.find(radec_to_pixel(ra[on_sky], dec[on_sky], MAX_ORDER)))
    known = primary.files.tiles.select(tiles[tiles >= 0])
    numbers = uniq(known.orders, known.pixels).tolist()
    return _MarginRows(batch, keys, pairs, none, {name: none.copy() for name in kinds}), numbers


def _compare(rows: _MarginRows, theirs: Batch, where: Coordinates, kinds: dict[str, str]) -> None:
    """Mark the rows of a margin that match a batch of the primary's rows."""
    keys = position_keys(*_positions(theirs.table, where), where)
    at = np.flatnonzero(np.isin(keys, rows.keys))
    if not at.size:
        return
    same = theirs.table.take(from_numbers(at))
    rows.seen |= np.isin(rows.keys, keys[at])
    for name, kind in kinds.items():
        rows.right[name] |= np.isin(rows.pairs[name], _pairs(same, keys[at], name, kind))


def _wrong(path: str, rows: _MarginRows) -> list[OtherValues]:
    found = []
    for name, right in rows.right.items():
        wrong = np.flatnonzero(rows.seen & ~right)
        if wrong.size:
            first = int(wrong[0])
            value = rows.batch.table.column(name)[first].as_py()
            found.append(OtherValues(path, name, wrong.size, rows.batch.first_row + first, value))
    return found
