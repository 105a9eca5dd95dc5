"""The options of an import, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from hatsformat.artefacts.leaf import ROW_GROUP_ROWS, LeafFormat
from hatsformat.errors import UsageError
from hatsformat.healpix import check_order
from hatsformat.inputs import InputOptions
from hatsformat.layout import DIRECTORY_SUFFIX, LEAF_SUFFIX
from hatsformat.margins import as_arcsec
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
        ``obs_collection``; the name of the output folder by default.
    catalog_type : str
        ``object``, or ``source`` for detections.
    ra, dec : str
        The columns with the coordinates: right ascension and declination, or longitude and latitude in
        another frame.
    ra_unit, dec_unit : str or None
        ``deg``, ``hour``, ``rad``, ``arcmin``, ``arcsec``, ``mas``, or another unit of angle that Astropy
        knows. By default the unit that the column declares, or degrees. Sexagesimal text is understood; its
        right ascensions are in hours.
    frame : str
        ``icrs``, ``fk5``, ``galactic`` or ``ecliptic``. For all but the first, ICRS positions are added as
        columns ``ra_deg`` and ``dec_deg``, and the catalog is made from those.
    format, delimiter, comment, table : str or None
        How inputs are read; see `InputOptions`.
    max_rows : int
        The threshold: the most rows of a tile.
    max_bytes : int or None
        A threshold in bytes of memory, instead of `max_rows`.
    lowest_order, highest_order : int
        The orders that tiles may have.
    keep_empty_siblings : bool
        Whether a tile may grow over siblings without rows.
    sort_by : tuple of str
        Columns by which rows of the same order-29 pixel are sorted.
    row_group_rows : int
        The most rows of a row group.
    row_group_bytes : int
        The most bytes of a row group in memory, which limits the memory to read and write one.
    subtile_order_delta : int or None
        Also cut row groups at the borders of sub-tiles this many orders below the leaf's tile.
    leaf : str
        Whether a leaf is a ``file`` or a ``directory`` of files.
    thumbnail : bool
        Whether to write ``data_thumbnail.parquet``.
    margins_arcsec : tuple of float
        Thresholds of margin caches to build, or Astropy quantities. With any, the result is a collection.
    indexes : tuple of str
        Columns to build index tables of. With any, the result is a collection.
    statistics : bool
        Whether to write ``per_partition_statistics.parquet``.
    bad_coordinates : str
        What to do with rows without a position: ``error``, ``drop`` or ``quarantine``.
    workers : int or None
        Threads or processes. By default one per core, or several threads per core if inputs or output are
        remote; fewer if `memory` does not suffice for all of them.
    processes : bool
        Whether workers are processes instead of threads.
    scheduler : str or None
        Address of a Dask scheduler; all its workers must see the inputs, the output and scratch.
    memory : int or None
        Bytes of memory to stay within; half of the machine's by default.
    scratch : str or None
        Folder for rows that do not fit in memory; next to the output by default.
    log : str or None
        JSON file for the build log, outside of the output folder.
    overwrite : bool
        Whether to replace an existing catalog.
    resume : bool
        Whether to resume an interrupted import.
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
                "lowest_order must not be above highest_order",
                found=f"{self.lowest_order} and {self.highest_order}",
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
            raise UsageError("ra and dec must be different columns", found=self.ra)
        check_memory(self.memory)

    def changed(self, **changes: Any) -> ImportOptions:
        """Return the options with some of them changed; `UsageError` if one is unknown."""
        known = [field.name for field in fields(self)]
        if unknown := sorted(changes.keys() - set(known)):
            raise UsageError(f"unknown option {unknown[0]!r} for import", expected=", ".join(known))
        return replace(self, **changes)

    @property
    def coordinates(self) -> CoordinateColumns:
        """The coordinate columns."""
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
        """How leaves are cut into row groups."""
        return RowGroups(self.row_group_bytes, self.subtile_order_delta)

    @property
    def suffix(self) -> str:
        """``hats_npix_suffix``."""
        return LEAVES[self.leaf]

    @property
    def threshold(self) -> int:
        """The most rows of a tile, or the most bytes if `by_bytes`."""
        return self.max_bytes or self.max_rows

    @property
    def by_bytes(self) -> bool:
        """Whether the threshold is in bytes."""
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
    """Raise `UsageError` if a name, ``obs_collection``, is not one word (Note, section 3.6.1)."""
    if name is not None and len(name.split()) != 1:
        raise UsageError(
            "the name of a catalog must be one word",
            found=repr(name),
            hint="use obs_title for a longer title",
        )


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"invalid {name}", found=value, expected=", ".join(choices))
