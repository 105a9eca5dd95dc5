"""The choices that an import leaves to its caller, and what is derived from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from hatsformat.artefacts.leaf import ROW_GROUP_ROWS, LeafFormat
from hatsformat.errors import UsageError
from hatsformat.healpix import check_order
from hatsformat.inputs import InputOptions
from hatsformat.layout import DIRECTORY_SUFFIX, LEAF_SUFFIX
from hatsformat.partitioner.coordinates import CoordinateColumns
from hatsformat.partitioner.memory import MemoryBudget, check_memory
from hatsformat.partitioner.row_groups import ROW_GROUP_BYTES, RowGroups
from hatsformat.properties.table import HEALPIX_COLUMN

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
    margins : tuple of float
        Thresholds of margin caches to build, in arcseconds; with any, the result is a collection.
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
    margins: tuple[float, ...] = ()
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
        for name in ("sort_by", "margins", "indexes"):
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
        check_memory(self.memory)

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

    def input_options(self, part_bytes: int) -> InputOptions:
        """Return how inputs are read, large files in parts of `part_bytes`."""
        return InputOptions(self.format, self.delimiter, self.comment, self.table, part_bytes)

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
    def threshold(self) -> int:
        """The most rows of a tile, or bytes if `by_bytes`."""
        return self.max_bytes or self.max_rows

    @property
    def by_bytes(self) -> bool:
        """Whether the threshold is one of bytes."""
        return self.max_bytes is not None

    def memory_budget(self, paths: Iterable[str] = ()) -> MemoryBudget:
        """Return the memory of a build that reads and writes some paths, and its number of workers."""
        return MemoryBudget.plan(
            self.memory,
            self.workers,
            processes=self.processes,
            scheduler=self.scheduler is not None,
            paths=paths,
        )


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
