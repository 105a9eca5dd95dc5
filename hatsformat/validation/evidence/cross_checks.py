"""Compare index and association tables with the tables they refer to (Note, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hatsformat.arrays import as_integers
from hatsformat.healpix import MAX_ORDER, IntArray, uniq
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.footers import Footer
from hatsformat.validation.evidence.key_hashing import (
    KeyArray,
    PairSet,
    common_kind,
    is_among,
    keys_of,
    mixed,
)
from hatsformat.validation.evidence.streaming import Batch, need_batches, threads_for

MOST_SHOWN = 1_000_000
"""The most values whose locations are looked up."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The wrong rows of a file.

    Attributes
    ----------
    path : str
        The file, relative to its catalog.
    rows : int
        How many.
    row : int
        The index of the first row.
    value : object
        The value of the column in that row.
    """

    path: str
    rows: int
    row: int
    value: object


@dataclass
class IndexScan:
    """The missing and the wrong entries of an index.

    Attributes
    ----------
    absent : list of Sighting
        Rows of the primary table whose values the index does not have with their tile.
    wrong : list of Sighting
        Rows of the index that name a tile without the value.
    """

    absent: list[Sighting] = field(default_factory=list)
    wrong: list[Sighting] = field(default_factory=list)


_Pairs: TypeAlias = tuple[KeyArray, IntArray, npt.NDArray[np.bool_]]
"""The keys and numbers of a batch's rows, and which rows have them."""

_Look: TypeAlias = Callable[[Footer, Batch], _Pairs]


def scan_index(index: CatalogEvidence, primary: CatalogEvidence, column: str) -> IndexScan:
    """Compare an index table with its primary table.

    Parameters
    ----------
    index, primary : CatalogEvidence
    column : str
        The indexed column.

    Raises
    ------
    NoEvidenceError
        If a file cannot be read, or a column is missing or cannot be compared.
    """
    kind = _kind([(index, column), (primary, column)])
    tile_of = dict(zip(primary.files.leaves.paths, primary.files.leaves.uniq.tolist(), strict=True))
    tiles = np.unique(primary.files.leaves.uniq)

    def in_primary(footer: Footer, batch: Batch) -> _Pairs:
        keys, there = keys_of(batch.table.column(column), kind)
        return keys, np.full(len(keys), tile_of[footer.path]), there

    def in_index(_: Footer, batch: Batch) -> _Pairs:
        keys, there = keys_of(batch.table.column(column), kind)
        orders, pixels = (_integers(batch, name) for name in ("Norder", "Npix"))
        return keys, uniq(orders.clip(0, MAX_ORDER), pixels), there

    columns = [column, "Norder", "Npix"]
    with PairSet() as held, PairSet() as listed:
        _gather(primary, [column], in_primary, held)
        _gather(index, columns, in_index, listed)
        absent, wrong = _differences(held, listed, tiles)
    return IndexScan(_locate(primary, [column], in_primary, absent), _locate(index, columns, in_index, wrong))


def scan_index_extra(
    index: CatalogEvidence, primary: CatalogEvidence, column: str, extra: str
) -> list[Sighting]:
    """Return the rows of an index whose extra column differs from the primary table.

    Parameters
    ----------
    index, primary : CatalogEvidence
    column, extra : str
        The indexed column and the extra column.

    Raises
    ------
    NoEvidenceError
        If a file cannot be read, or a column is missing or cannot be compared.
    """
    kind = _kind([(index, column), (primary, column)])
    extra_kind = _kind([(index, extra), (primary, extra)])
    tile_of = dict(zip(primary.files.leaves.paths, primary.files.leaves.uniq.tolist(), strict=True))

    def pairs(batch: Batch, tiles: Any) -> _Pairs:
        keys, there = keys_of(batch.table.column(column), kind)
        values, known = keys_of(batch.table.column(extra), extra_kind)
        return _one_number(keys, tiles), np.where(known, values, 0).view(np.int64), there

    def in_primary(footer: Footer, batch: Batch) -> _Pairs:
        return pairs(batch, np.full(batch.table.num_rows, tile_of[footer.path]))

    def in_index(_: Footer, batch: Batch) -> _Pairs:
        orders, pixels = (_integers(batch, name) for name in ("Norder", "Npix"))
        return pairs(batch, uniq(orders.clip(0, MAX_ORDER), pixels))

    columns = [extra, column, "Norder", "Npix"]
    wrong = [np.zeros((0, 2), dtype=np.uint64)]
    with PairSet() as held, PairSet() as listed:
        _gather(primary, [column, extra], in_primary, held)
        _gather(index, columns, in_index, listed)
        for ours, theirs in zip(held.buckets(), listed.buckets(), strict=True):
            odd = theirs[~is_among(theirs, ours)]
            # Values and tiles that are missing from the primary are reported by other checks.
            wrong.append(odd[np.isin(odd[:, 0], ours[:, 0])])
    return _locate(index, columns, in_index, np.concatenate(wrong)[:MOST_SHOWN])


def _differences(held: PairSet, listed: PairSet, tiles: IntArray) -> tuple[KeyArray, KeyArray]:
    """Return the pairs that are missing from the index, and its wrong pairs; shape (n, 2) each.

    A value whose entry names another tile is wrong, and not absent as well. Entries that name tiles without
    a leaf are left out: another check reports them.
    """
    absent, wrong = [np.zeros((0, 2), dtype=np.uint64)], [np.zeros((0, 2), dtype=np.uint64)]
    count = 0
    for ours, theirs in zip(held.buckets(), listed.buckets(), strict=True):
        lost, odd = ours[~is_among(ours, theirs)], theirs[~is_among(theirs, ours)]
        if count < MOST_SHOWN:
            absent.append(lost[~np.isin(lost[:, 0], odd[:, 0])])
            wrong.append(odd[np.isin(odd[:, 1].view(np.int64), tiles)])
            count += len(absent[-1]) + len(wrong[-1])
    return np.concatenate(absent), np.concatenate(wrong)


def scan_keys(
    linked: CatalogEvidence, column: str, table: CatalogEvidence, table_column: str
) -> list[Sighting]:
    """Return the rows of an association whose keys are missing from a table.

    Parameters
    ----------
    linked : CatalogEvidence
        The association.
    column : str
        Its column.
    table : CatalogEvidence
        One of the two tables that it links.
    table_column : str
        The column there.

    Raises
    ------
    NoEvidenceError
        If a file cannot be read, or a column is missing or cannot be compared.
    """
    kind = _kind([(linked, column), (table, table_column)])

    def look_up(name: str) -> _Look:
        def found(_: Footer, batch: Batch) -> _Pairs:
            keys, there = keys_of(batch.table.column(name), kind)
            return keys, np.zeros(len(keys), dtype=np.int64), there

        return found

    lost = [np.zeros((0, 2), dtype=np.uint64)]
    with PairSet() as known, PairSet() as keys:
        _gather(table, [table_column], look_up(table_column), known)
        _gather(linked, [column], look_up(column), keys)
        for ours, theirs in zip(keys.buckets(), known.buckets(), strict=True):
            lost.append(ours[~is_among(ours, theirs)])
    return _locate(linked, [column], look_up(column), np.concatenate(lost)[:MOST_SHOWN])


def _kind(columns: list[tuple[CatalogEvidence, str]]) -> str:
    kinds = []
    for catalog, name in columns:
        catalog.footers.leaves.check_complete(catalog.folder.prefix)
        if catalog.footers.schema.names.count(name) != 1:
            raise NoEvidenceError(f"the column {name} is missing from {catalog.folder.prefix or 'the table'}")
        kinds.append(catalog.footers.schema.field(name).type)
    return common_kind(kinds)


def _integers(batch: Batch, name: str) -> IntArray:
    return as_integers(batch.table.column(name), missing=0)


def _gather(catalog: CatalogEvidence, columns: list[str], look: _Look, into: PairSet) -> None:
    def read(footer: Footer) -> list[tuple[KeyArray, IntArray]]:
        found = []
        for batch in need_batches(catalog.folder, footer, columns):
            keys, numbers, there = look(footer, batch)
            found.append((keys[there], numbers[there]))
        return found

    with threads_for(catalog.folder) as threads:
        # Not all at once: read files that are not consumed yet would pile up in memory.
        files, step = catalog.footers.leaves.readable, 4
        for start in range(0, len(files), step):
            for found in threads.map(read, files[start : start + step]):
                for keys, numbers in found:
                    into.add(keys, numbers)


def _locate(catalog: CatalogEvidence, columns: list[str], look: _Look, pairs: KeyArray) -> list[Sighting]:
    """Return the locations of pairs: one sighting per file."""
    if not len(pairs):
        return []
    wanted = np.sort(_one_number(pairs[:, 0], pairs[:, 1].view(np.int64)))

    def read(footer: Footer) -> Sighting | None:
        count, first, value = 0, -1, None
        for batch in need_batches(catalog.folder, footer, columns):
            keys, numbers, there = look(footer, batch)
            hit = np.flatnonzero(there & np.isin(_one_number(keys, numbers), wanted))
            if hit.size and not count:
                first = batch.first_row + int(hit[0])
                value = batch.table.column(columns[0])[int(hit[0])].as_py()
            count += hit.size
        return Sighting(footer.path, count, first, value) if count else None

    with threads_for(catalog.folder) as threads:
        return [found for found in threads.map(read, catalog.footers.leaves.readable) if found is not None]


def _one_number(keys: KeyArray, numbers: Any) -> KeyArray:
    return mixed(keys + mixed(numbers))
