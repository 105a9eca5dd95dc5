"""Recompute the expected rows of a margin from its primary table (Note, section 3.1).

The sky is processed in stretches of neighbouring tiles, so that memory does not grow with the catalog. For
each stretch, the primary's rows near the edges are compared with the rows of the margin's leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hatsformat.arrays import as_floats
from hatsformat.healpix import MAX_ORDER, FloatArray, IntArray, pixel_width, radec_to_pixel, uniq
from hatsformat.margins import WIDEST_ARCSEC, margin_rows, surroundings
from hatsformat.partition_info import PartitionInfo
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.footers import Footer
from hatsformat.validation.evidence.key_hashing import KeyArray
from hatsformat.validation.evidence.positions import Coordinates, coordinates_of, position_keys, with_tile
from hatsformat.validation.evidence.streaming import need_batches, threads_for

MOST_ROWS = 2_000_000
MOST_TILES = 5_000
"""The most margin rows, and tiles, that are checked together."""

SURELY = 1 - 1e-6
"""Rows must be present within this fraction of the threshold, because programs round differently."""

_FILTER_BITS = 22


@dataclass
class MarginScan:
    """The missing, duplicate and wrong rows of a margin.

    Attributes
    ----------
    absent : dict of int to (int, str)
        By the index of the tile: the number of missing rows, and a description of one.
    again : dict of str to (int, int)
        By the path of a leaf: the number of duplicate rows compared to the primary, and one of them.
    strange : dict of str to (int, int)
        By the path of a leaf: how many rows are not in the primary table, and the first of them.
    """

    absent: dict[int, tuple[int, str]] = field(default_factory=dict)
    again: dict[str, tuple[int, int]] = field(default_factory=dict)
    strange: dict[str, tuple[int, int]] = field(default_factory=dict)


def scan_margin(margin: CatalogEvidence, primary: CatalogEvidence, threshold: float) -> MarginScan:
    """Compare a margin with its primary table.

    Parameters
    ----------
    margin, primary : CatalogEvidence
    threshold : float
        In arcseconds.

    Raises
    ------
    NoEvidenceError
        If files, or the columns of the positions, cannot be read.
    """
    margin.footers.leaves.check_complete()
    primary.footers.leaves.check_complete(primary.folder.prefix)
    where = coordinates_of(margin, primary)
    tiles = primary.files.tiles
    scan = MarginScan()
    if threshold > WIDEST_ARCSEC:
        raise NoEvidenceError("the threshold is larger than any tile")
    for chosen in _stretches(margin, primary, tiles, float(np.radians(threshold / 3600))):
        _Stretch(margin, primary, tiles, chosen, where, threshold).judge(scan)
    return scan


def _stretches(
    margin: CatalogEvidence, primary: CatalogEvidence, tiles: PartitionInfo, radius: float
) -> Iterator[IntArray]:
    """Yield the indices of tiles of the primary, in stretches along the sky."""
    orders = tiles.orders.astype(np.int64)
    numbers = uniq(orders, tiles.pixels)
    # Rows within the threshold of a tile's edges belong to its neighbours' margins.
    part = np.minimum(1, 4 * radius / pixel_width(orders))
    rows = _rows_by_tile(margin, numbers) + part * _rows_by_tile(primary, numbers)
    stretch = np.maximum(np.cumsum(rows) // MOST_ROWS, np.arange(len(tiles)) // MOST_TILES)
    for number in np.unique(stretch):
        yield np.flatnonzero(stretch == number)


def _rows_by_tile(catalog: CatalogEvidence, numbers: IntArray) -> FloatArray:
    """Return the rows that a catalog has in tiles, by the numbers of `uniq`."""
    by_number = np.argsort(numbers)
    counts = np.zeros(len(numbers))
    own = catalog.files.leaves.uniq
    at = by_number[np.searchsorted(numbers, own, sorter=by_number).clip(0, len(numbers) - 1)]
    rows = np.array([footer.rows for footer in catalog.footers.leaves.readable], dtype=np.float64)
    known = numbers[at] == own
    np.add.at(counts, at[known], rows[known])
    return counts


@dataclass
class _Found:
    """The primary's rows that the margin should have, and the margin's rows that the primary has."""

    tiles: IntArray
    keys: KeyArray
    leaves: IntArray
    rows: IntArray
    known: KeyArray

    @classmethod
    def joined(cls, parts: list[_Found]) -> _Found:
        """Concatenate several."""
        number, key = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64)
        none = cls(number, key, number, number, key)
        everything = [none, *parts]
        return cls(
            np.concatenate([part.tiles for part in everything]),
            np.concatenate([part.keys for part in everything]),
            np.concatenate([part.leaves for part in everything]),
            np.concatenate([part.rows for part in everything]),
            np.concatenate([part.known for part in everything]),
        )


@dataclass(frozen=True)
class _MarginLeaf:
    """A file of the margin: its tile, the keys of its rows, and the primary tiles that contain them."""

    path: str
    tile: int
    keys: KeyArray
    from_tiles: IntArray


class _Stretch:
    """Some tiles of the primary, with their surroundings."""

    def __init__(
        self,
        margin: CatalogEvidence,
        primary: CatalogEvidence,
        tiles: PartitionInfo,
        chosen: IntArray,
        where: Coordinates,
        threshold: float,
    ) -> None:
        self.margin, self.primary = margin, primary
        self.tiles, self.chosen = tiles, chosen
        self.where, self.threshold = where, threshold

    def judge(self, scan: MarginScan) -> None:
        """Add the wrong rows of this stretch to a scan."""
        actual = self._margin_leaves()
        none = np.zeros(0, dtype=np.uint64)
        mine = np.unique(np.concatenate([none, *(leaf.keys for leaf in actual)]))
        from_tiles = np.unique(np.concatenate([self.chosen[:0], *(leaf.from_tiles for leaf in actual)]))
        found = self._primary_rows(mine, from_tiles)
        had = np.concatenate(
            [none, *(with_tile(leaf.keys, np.full(len(leaf.keys), leaf.tile)) for leaf in actual)]
        )
        self._find_absent(scan, found, had)
        known, times = np.unique(found.known, return_counts=True)
        for leaf in actual:
            self._find_again(scan, leaf, known, times)
            strange = ~np.isin(leaf.keys, found.known)
            if strange.any():
                scan.strange[leaf.path] = int(strange.sum()), int(np.argmax(strange))

    def _find_again(self, scan: MarginScan, leaf: _MarginLeaf, known: KeyArray, times: IntArray) -> None:
        """Add the rows that a leaf has more often than the primary at the same position."""
        keys, last, have = np.unique(leaf.keys[::-1], return_index=True, return_counts=True)
        at = np.flatnonzero(np.isin(keys, known))
        surplus = have[at] - times[np.searchsorted(known, keys[at])]
        if (surplus > 0).any():
            first = len(leaf.keys) - 1 - int(last[at[surplus > 0]].max())
            scan.again[leaf.path] = int(surplus[surplus > 0].sum()), first

    def _find_absent(self, scan: MarginScan, found: _Found, had: KeyArray) -> None:
        """Add the rows that are missing from the margin, as often as they are in the primary."""
        wanted, first, times = np.unique(
            with_tile(found.keys, found.tiles), return_index=True, return_counts=True
        )
        known, have = np.unique(had, return_counts=True)
        known, have = np.append(known, 0), np.append(have, 0)
        at = np.searchsorted(known[:-1], wanted)
        short = np.maximum(times - np.where(known[at] == wanted, have[at], 0), 0)
        lacking = np.flatnonzero(short)
        tiles = found.tiles[first[lacking]]
        for tile in np.unique(tiles).tolist():
            own = lacking[tiles == tile]
            row = int(np.min(first[own]))
            leaf = self.primary.footers.leaves.readable[int(found.leaves[row])].path
            scan.absent[tile] = (
                int(short[own].sum()),
                f"row {found.rows[row]} of {self.primary.folder.prefix}{leaf}",
            )

    def _margin_leaves(self) -> list[_MarginLeaf]:
        """Return the rows of the margin's leaves."""
        numbers = uniq(self.tiles.orders[self.chosen].astype(np.int64), self.tiles.pixels[self.chosen])
        tile_of = dict(zip(numbers.tolist(), self.chosen.tolist(), strict=True))
        leaves = [
            (footer, tile_of[number])
            for number, footer in zip(
                self.margin.files.leaves.uniq.tolist(), self.margin.footers.leaves.readable, strict=True
            )
            if number in tile_of
        ]

        def read(leaf: tuple[Footer, int]) -> _MarginLeaf:
            keys, tiles = [np.zeros(0, dtype=np.uint64)], [self.chosen[:0]]
            for _, ra, dec in self._positions(self.margin, leaf[0]):
                keys.append(position_keys(ra, dec, self.where))
                on_sky = np.isfinite(ra) & (np.abs(dec) <= 90)
                tiles.append(np.unique(self.tiles.find(radec_to_pixel(ra[on_sky], dec[on_sky], MAX_ORDER))))
            found = np.unique(np.concatenate(tiles))
            return _MarginLeaf(leaf[0].path, leaf[1], np.concatenate(keys), found[found >= 0])

        with threads_for(self.margin.folder) as threads:
            return list(threads.map(read, leaves))

    def _positions(
        self, catalog: CatalogEvidence, footer: Footer
    ) -> Iterator[tuple[int, FloatArray, FloatArray]]:
        """Yield the positions of a file's rows, in degrees, with the index of the first row."""
        names = [self.where.ra, self.where.dec]
        for batch in need_batches(catalog.folder, footer, names):
            ra, dec = map(as_floats, batch.table.columns)
            yield batch.first_row, ra, dec

    def _primary_rows(self, mine: KeyArray, from_tiles: IntArray) -> _Found:
        """Return the primary's rows near the tiles, and the margin's rows that are among them."""
        concerned = self.tiles.overlapping(surroundings(self.tiles.select(self.chosen), self.threshold))
        concerned[from_tiles] = True  # a margin may have more rows than required
        numbers = set(uniq(self.tiles.orders.astype(np.int64), self.tiles.pixels)[concerned].tolist())
        leaves = [
            (index, footer)
            for index, (number, footer) in enumerate(
                zip(
                    self.primary.files.leaves.uniq.tolist(), self.primary.footers.leaves.readable, strict=True
                )
            )
            if number in numbers
        ]
        sieve = np.zeros(1 << _FILTER_BITS, dtype=bool)
        sieve[(mine & np.uint64((1 << _FILTER_BITS) - 1)).astype(np.int64)] = True

        def read(leaf: tuple[int, Footer]) -> list[_Found]:
            return [
                self._near(ra, dec, leaf[0], first, mine, sieve)
                for first, ra, dec in self._positions(self.primary, leaf[1])
            ]

        with threads_for(self.primary.folder) as threads:
            parts = [part for parts in threads.map(read, leaves) for part in parts]
        return _Found.joined(parts)

    def _near(
        self,
        ra: FloatArray,
        dec: FloatArray,
        leaf: int,
        first: int,
        mine: KeyArray,
        sieve: npt.NDArray[np.bool_],
    ) -> _Found:
        """Return the rows of a batch of the primary that are near the tiles."""
        at = np.flatnonzero(np.isfinite(ra) & (np.abs(dec) <= 90))
        keys = position_keys(ra, dec, self.where)
        known = keys[sieve[(keys & np.uint64((1 << _FILTER_BITS) - 1)).astype(np.int64)]]
        known = known[np.isin(known, mine)]
        row, tile = self._wanted(ra[at], dec[at])
        row = at[row]
        return _Found(tile, keys[row], np.full(len(row), leaf), row + first, known)

    def _wanted(self, ra: FloatArray, dec: FloatArray) -> tuple[IntArray, IntArray]:
        """Return the rows that the margins of this stretch must have, and the tiles of these margins."""
        surely = self.threshold * SURELY - np.degrees(self.where.slack) * 3600
        if surely <= 0:
            return self.chosen[:0], self.chosen[:0]
        row, tile = margin_rows(self.tiles, surely, radec_to_pixel(ra, dec, MAX_ORDER), ra, dec)
        mine = np.isin(tile, self.chosen)
        return row[mine], tile[mine]
