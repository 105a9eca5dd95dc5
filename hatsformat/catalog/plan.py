"""The plan of a scan: the leaves and row groups to read, and their size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hatsformat.arrays import schema_without_views
from hatsformat.artefacts.leaf_reading import chunk_ranges
from hatsformat.catalog.manifest import CatalogFiles, DataFile
from hatsformat.healpix import IntArray, npix, range29
from hatsformat.regions import Region


@dataclass(frozen=True, slots=True)
class Request:
    """The checked arguments of a scan.

    Attributes
    ----------
    columns : tuple of str
        The columns of the result, in order.
    region : Region or None
        Only rows in this region.
    where : pyarrow.compute.Expression or None
        Only rows that meet this condition.
    limit : int or None
        The maximum number of rows.
    tests : tuple of str
        The columns that `region` and `where` need.
    """

    columns: tuple[str, ...]
    region: Region | None = None
    where: Any = None
    limit: int | None = None
    tests: tuple[str, ...] = ()

    @property
    def reads_every_row(self) -> bool:
        """Whether all rows are wanted, so that none has to be tested."""
        return self.region is None and self.where is None


@dataclass(frozen=True, slots=True)
class Piece:
    """Row groups of one data file, read together."""

    file: DataFile
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LeafPlan:
    """What to read from one data file: path (relative to the catalog), row groups, rows, and bytes."""

    path: str
    row_groups: tuple[int, ...]
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What a scan reads at most, without headers and footers.

    Attributes
    ----------
    leaves : tuple of LeafPlan
        The data files to read, in the order of the tiles.
    columns : tuple of str
        The columns to read: those of the result, and those that the region and condition need.
    total_leaves : int
        The number of leaves in the catalog.
    """

    leaves: tuple[LeafPlan, ...]
    columns: tuple[str, ...]
    total_leaves: int

    @property
    def row_groups(self) -> int:
        """The number of row groups."""
        return sum(len(leaf.row_groups) for leaf in self.leaves)

    @property
    def rows(self) -> int:
        """The number of rows in these row groups; the scan may return fewer."""
        return sum(leaf.rows for leaf in self.leaves)

    @property
    def bytes(self) -> int:
        """The compressed size of the column chunks."""
        return sum(leaf.bytes for leaf in self.leaves)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready data."""
        return {
            "leaves": len(self.leaves),
            "total_leaves": self.total_leaves,
            "row_groups": self.row_groups,
            "rows": self.rows,
            "bytes": self.bytes,
            "columns": list(self.columns),
            "files": [
                {
                    "path": leaf.path,
                    "row_groups": list(leaf.row_groups),
                    "rows": leaf.rows,
                    "bytes": leaf.bytes,
                }
                for leaf in self.leaves
            ],
        }

    def __str__(self) -> str:
        lines = [
            f"{len(self.leaves)} of {self.total_leaves} leaves, {self.row_groups} row groups, "
            f"{self.rows} rows, {self.bytes} bytes",
            f"columns: {', '.join(self.columns) or 'none'}",
        ]
        lines += [
            f"  {leaf.path}: row groups {', '.join(map(str, leaf.row_groups))}; "
            f"{leaf.rows} rows, {leaf.bytes} bytes"
            for leaf in self.leaves
        ]
        return "\n".join(lines)


def select_files(files: CatalogFiles, ranges: IntArray | None, tiles: IntArray | None) -> list[DataFile]:
    """Return the data files that may contain rows of a scan, in the order of the tiles.

    Parameters
    ----------
    files : CatalogFiles
    ranges : ndarray of int64, shape (k, 2), or None
        The order-29 ranges that cover the region; None for the whole sky.
    tiles : ndarray of int64, shape (n,), or None
        Ascending indices of the tiles to search; None for all.
    """
    # The rows of a margin cache are outside its tiles, so only the statistics of row groups can be used.
    if ranges is not None and files.properties.dataproduct_type != "margin":
        inside = np.flatnonzero(files.partitions.overlapping(ranges))
        tiles = inside if tiles is None else np.intersect1d(tiles, inside)
    return files.data_files(tiles)


class GroupFilter:
    """Select the row groups that may contain rows of a request, by the statistics in the footers."""

    def __init__(self, files: CatalogFiles, request: Request, ranges: IntArray | None) -> None:
        self._where = request.where
        self._column = files.properties.healpix_column
        self._order = files.properties.healpix_order
        self._ranges = ranges

    def __call__(self, footer: pq.FileMetaData) -> list[int]:
        """Return the indices of the row groups to read, ascending."""
        groups = [number for number in range(footer.num_row_groups) if footer.row_group(number).num_rows]
        if self._ranges is not None:
            groups = self._on_sky(footer, groups, self._ranges)
        if self._where is not None and groups:
            groups = sorted(set(groups) & set(_by_statistics(footer, self._where)))
        return groups

    def _on_sky(self, footer: pq.FileMetaData, groups: list[int], ranges: IntArray) -> list[int]:
        column = _column_number(footer, self._column)
        if column is None or not groups:
            return groups
        limit = npix(self._order)
        bounds = [_bounds(footer.row_group(group).column(column).statistics, limit) for group in groups]
        # A row group without statistics may be anywhere.
        low = np.array([0 if bound is None else bound[0] for bound in bounds], dtype=np.int64)
        high = np.array([-1 if bound is None else bound[1] for bound in bounds], dtype=np.int64)
        starts, stops = range29(self._order, low)[0], range29(self._order, high)[1]
        touched = np.searchsorted(ranges[:, 1], starts, side="right") < np.searchsorted(
            ranges[:, 0], stops, side="left"
        )
        unknown = [bound is None for bound in bounds]
        return [group for group, keep in zip(groups, touched | unknown, strict=True) if keep]


def _column_number(footer: pq.FileMetaData, name: str) -> int | None:
    for number in range(footer.num_columns):
        if footer.schema.column(number).path == name:
            return number
    return None


def _bounds(statistics: Any, limit: int) -> tuple[int, int] | None:
    if statistics is None or not statistics.has_min_max:
        return None
    low, high = statistics.min, statistics.max
    # Statistics that are not valid pixels of this order say nothing about positions.
    if not (isinstance(low, int) and isinstance(high, int)) or not 0 <= low <= high < limit:
        return None
    return low, high


def _by_statistics(footer: pq.FileMetaData, where: Any) -> list[int]:
    # Arrow applies expressions to statistics only for files that it opens, so pass the footer as a file.
    import pyarrow.dataset as ds

    sink = pa.BufferOutputStream()
    footer.write_metadata_file(sink)
    fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(sink.getvalue()))
    try:
        kept = fragment.subset(filter=where, schema=schema_without_views(footer.schema.to_arrow_schema()))
    except pa.ArrowException:
        # The column is missing from this leaf or has another type, so its statistics cannot be used.
        return list(range(footer.num_row_groups))
    return [group.id for group in kept.row_groups]


def pieces_of(file: DataFile, footer: pq.FileMetaData, groups: list[int], rows: int) -> Iterator[Piece]:
    """Split the row groups of a file into pieces of about `rows` rows, at least one row group each."""
    taken: list[int] = []
    count = 0
    for group in groups:
        size = footer.row_group(group).num_rows
        if taken and count + size > rows:
            yield Piece(file, tuple(taken))
            taken, count = [], 0
        taken.append(group)
        count += size
    if taken:
        yield Piece(file, tuple(taken))


def leaf_plan(file: DataFile, footer: pq.FileMetaData, groups: list[int], columns: list[str]) -> LeafPlan:
    """Return the plan for reading columns of some row groups of a file."""
    rows = sum(footer.row_group(group).num_rows for group in groups)
    chunks = chunk_ranges(footer, groups, columns)
    return LeafPlan(file.path, tuple(groups), rows, sum(stop - start for start, stop in chunks))
