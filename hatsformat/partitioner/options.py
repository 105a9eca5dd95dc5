"""The choices that an import leaves to its caller, and what is derived from them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from hatsformat import storage
from hatsformat.artefacts.leaf import ROW_GROUP_ROWS, LeafFormat
from hatsformat.errors import UsageError
from hatsformat.healpix import check_order
from hatsformat.inputs import InputOptions
from hatsformat.layout import DIRECTORY_SUFFIX, LEAF_SUFFIX
from hatsformat.margins import as_arcsec
from hatsformat.partitioner.coordinates import CoordinateColumns
from hatsformat.partitioner.reducing import PIECE_BYTES
from hatsformat.partitioner.row_groups import ROW_GROUP_BYTES, RowGroups
from hatsformat.properties.table import HEALPIX_COLUMN

MIB = 1024 * 1024
BASE_BYTES = 320 * MIB
"""Memory of the interpreter and its libraries, before any row is read."""

CHUNK_COPIES = 8
"""How often a chunk is in memory while it is mapped: as read, decoded, joined, sorted and written, with its
pixels and with what allocators keep."""

PIECE_COPIES = 4
"""How often a piece of a leaf is in memory while it is written: as read, sorted, cut and encoded."""

GROUP_COPIES = 3
"""How often a row group is in memory while it is written: as it was brought together, joined and encoded."""

WORKER_BYTES, PROCESS_BYTES = 32 * MIB, 160 * MIB
"""Memory without which a worker is not started: what it reads, decodes and writes with, and, where it is a
process, its own libraries."""

WAITING_THREADS = 4
"""Threads a core where rows come from a server, or leaves go to one."""

BAD_COORDINATES = ("error", "drop", "quarantine")
LEAVES = {"file": LEAF_SUFFIX, "directory": DIRECTORY_SUFFIX}
CATALOG_TYPES = ("object", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a catalog is made.

    Attributes
    ----------
    name : str or None
        ``obs_collection``; None takes the output directory's name.
    catalog_type : str
        ``object``, or ``source`` for detections.
    ra, dec : str
        The columns with the coordinates: right ascension and declination, or longitude and latitude in
        another frame.
    ra_unit, dec_unit : str or None
        ``deg``, ``hour``, ``rad``, ``arcmin``, ``arcsec``, ``mas``, or another unit of angle that Astropy
        knows; None goes by the column's own unit, else degrees. Sexagesimal text is understood, and its right
        ascensions are in hours.
    frame : str
        What the coordinates refer to: ``icrs``, ``fk5``, ``galactic`` or ``ecliptic``. Of all but the first,
        positions in ICRS are added as columns ``ra_deg`` and ``dec_deg``, and the catalog is made from those.
    format, delimiter, comment, table : str or None
        Of the inputs; see `InputOptions`.
    max_rows : int
        The threshold: most rows in a tile.
    max_bytes : int or None
        A threshold of bytes in memory, instead of `max_rows`.
    lowest_order, highest_order : int
        No tile is larger than one of the lowest order, or smaller than one of the highest.
    keep_empty_siblings : bool
        Whether a tile may grow over neighbours without rows.
    sort_by : tuple of str
        Columns to sort rows of the same order-29 pixel by.
    row_group_rows : int
        Most rows in a row group.
    row_group_bytes : int
        Most bytes of rows in memory in a row group, which bounds what it takes to read and to write one.
    subtile_order_delta : int or None
        Also cut row groups at the borders of sub-tiles that are so many orders below the leaf's tile.
    leaf : str
        ``file`` or ``directory``.
    thumbnail : bool
        Whether to write ``data_thumbnail.parquet``.
    margins_arcsec : tuple of float
        Thresholds of margin caches to build, in arcseconds or as Astropy quantities; with any, the result is
        a collection.
    indexes : tuple of str
        Columns to build index tables of; with any, the result is a collection.
    statistics : bool
        Whether to write ``per_partition_statistics.parquet``.
    bad_coordinates : str
        What to do with rows without a position: ``error``, ``drop`` or ``quarantine``.
    workers : int or None
        Threads or processes to work with; None for one a core, and several threads a core where inputs or
        output are remote. Fewer work where `memory` has no room for all of them.
    processes : bool
        Whether to work in processes of their own instead of threads.
    scheduler : str or None
        Address of a Dask scheduler to work on; inputs, output and scratch must be on storage that all
        workers see.
    memory : int or None
        Bytes to stay within; None for half of the machine's.
    scratch : str or None
        Directory for what does not fit in memory; None for one beside the output.
    log : str or None
        JSON file to keep the build log in, best beside the catalog.
    overwrite : bool
        Whether to replace a catalog that is there.
    resume : bool
        Whether to go on with an import that was interrupted.
    """

    name: str | None = None
    catalog_type: str = "object"
    ra: str = "ra"
    dec: str = "dec"
    ra_unit: str | None = None
    dec_unit: str | None = None
    frame: str = "icrs"
    format: str | None = None
    delimiter: str | None = None
    comment: str | None = None
    table: str | None = None
    max_rows: int = 1_000_000
    max_bytes: int | None = None
    lowest_order: int = 0
    highest_order: int = 10
    keep_empty_siblings: bool = False
    sort_by: tuple[str, ...] = ()
    row_group_rows: int = ROW_GROUP_ROWS
    row_group_bytes: int = ROW_GROUP_BYTES
    subtile_order_delta: int | None = None
    leaf: str = "file"
    thumbnail: bool = False
    margins_arcsec: tuple[float, ...] = ()
    indexes: tuple[str, ...] = ()
    statistics: bool = False
    bad_coordinates: str = "error"
    workers: int | None = None
    processes: bool = False
    scheduler: str | None = None
    memory: int | None = None
    scratch: str | None = None
    log: str | None = None
    overwrite: bool = False
    resume: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "margins_arcsec", tuple(map(as_arcsec, self.margins_arcsec)))
        for name in ("sort_by", "margins_arcsec", "indexes"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))
        check_order(self.highest_order, "highest_order")
        check_order(self.lowest_order, "lowest_order")
        if self.lowest_order > self.highest_order:
            raise UsageError(
                "the lowest order is above the highest", found=f"{self.lowest_order} and {self.highest_order}"
            )
        check_name(self.name)
        _check_choice("bad_coordinates", self.bad_coordinates, BAD_COORDINATES)
        _check_choice("leaf", self.leaf, tuple(LEAVES))
        _check_choice("catalog_type", self.catalog_type, CATALOG_TYPES)
        if self.subtile_order_delta is not None:
            check_order(self.subtile_order_delta, "subtile_order_delta")
        for name in ("max_rows", "max_bytes", "row_group_rows", "row_group_bytes", "workers", "memory"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1", found=value)
        if self.ra == self.dec:
            raise UsageError("right ascension and declination are the same column", found=self.ra)
        if self.memory is not None and self.memory < BASE_BYTES + 64 * MIB:
            raise UsageError(
                "this is too little memory to work in",
                found=f"{self.memory // MIB} MiB",
                expected=f"at least {BASE_BYTES // MIB + 64} MiB",
            )

    def changed(self, **changes: Any) -> ImportOptions:
        """Return the options with some of them changed.

        Raises
        ------
        UsageError
            If there is no such option.
        """
        known = [field.name for field in fields(self)]
        if unknown := sorted(changes.keys() - set(known)):
            raise UsageError(f"an import has no option {unknown[0]!r}", expected=", ".join(known))
        return replace(self, **changes)

    @property
    def coordinates(self) -> CoordinateColumns:
        """Where the positions are."""
        return CoordinateColumns(self.ra, self.dec, self.ra_unit, self.dec_unit, self.frame)

    @property
    def inputs(self) -> InputOptions:
        """How inputs are read."""
        return InputOptions(self.format, self.delimiter, self.comment, self.table, self.chunk_bytes)

    @property
    def leaf_format(self) -> LeafFormat:
        """How leaves are written."""
        return LeafFormat(self.row_group_rows, (HEALPIX_COLUMN, *self.sort_by))

    @property
    def row_groups(self) -> RowGroups:
        """Where leaves are cut."""
        return RowGroups(self.row_group_bytes, self.subtile_order_delta)

    @property
    def suffix(self) -> str:
        """``hats_npix_suffix``."""
        return LEAVES[self.leaf]

    @property
    def worker_count(self) -> int:
        """Threads or processes to work with: no more than there is memory for."""
        each = WORKER_BYTES + (PROCESS_BYTES if self.processes else 0)
        return max(1, min(self.workers or len(os.sched_getaffinity(0)), (self._memory - BASE_BYTES) // each))

    @property
    def _memory(self) -> int:
        return self.memory or machine_memory() // 2

    def staffed(self, names: Iterable[str]) -> ImportOptions:
        """Return the options with as many workers as the places of these names ask for, if none were named.

        One a core, or `WAITING_THREADS` a core where a place is remote: while some wait for a server, others
        keep the cores busy.
        """
        alone = self.workers is not None or self.processes or self.scheduler is not None
        if alone or all(storage.is_local_name(name) for name in names):
            return self
        return replace(self, workers=self.worker_count * WAITING_THREADS)

    @property
    def usable_bytes(self) -> int:
        """Memory for rows."""
        interpreters = 1 + (self.worker_count if self.processes else 0)
        return max(64 * MIB, self._memory - interpreters * BASE_BYTES)

    @property
    def runs_bytes(self) -> int:
        """Memory for runs that are kept; beyond it they go to scratch."""
        return self.usable_bytes // 2

    @property
    def chunk_bytes(self) -> int:
        """Size of the chunks that are mapped."""
        share = self.usable_bytes // 2 // (self.worker_count * CHUNK_COPIES)
        return max(MIB, min(128 * MIB, share))

    @property
    def piece_bytes(self) -> int:
        """Size of the pieces that leaves are brought together in."""
        share = self.usable_bytes // 2 // (self.worker_count * PIECE_COPIES)
        return max(MIB, min(PIECE_BYTES, share))

    def share_that_reads(self, reading_bytes: int) -> float:
        """Return what part of the workers can read inputs at the same time.

        Parameters
        ----------
        reading_bytes : int
            Memory that reading an input takes beside its rows.
        """
        needed = reading_bytes + CHUNK_COPIES * self.chunk_bytes
        return min(1.0, self.usable_bytes / (self.worker_count * needed))

    def share_that_writes(self, row_bytes: int) -> float:
        """Return what part of the workers can write leaves at the same time, by the size of their row groups.

        Where rows are wide and memory is short this is less than 1, since row groups are the same in any
        memory.
        """
        group = min(self.row_group_bytes, self.row_group_rows * row_bytes)
        needed = GROUP_COPIES * group + PIECE_COPIES * self.piece_bytes
        return min(1.0, self.usable_bytes / (self.worker_count * needed))


def machine_memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or its control group's."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as stream:
                text = stream.read().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def check_name(name: str | None) -> None:
    """Refuse a name that is not one word, as ``obs_collection`` has to be (Note, section 3.6.1).

    Raises
    ------
    UsageError
    """
    if name is not None and len(name.split()) != 1:
        raise UsageError(
            "the name of a catalog has to be one word",
            found=repr(name),
            hint="a longer title can go into obs_title of the properties",
        )


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"no such choice for {name}", found=value, expected=", ".join(choices))
