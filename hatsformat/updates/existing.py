"""An existing catalog: its tiles, its files with their rows, and how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from upath import UPath

from hatsformat import layout, storage
from hatsformat.artefacts.leaf_reading import read_footer
from hatsformat.artefacts.parquet_metadata import rows_per_leaf
from hatsformat.catalog.locating import if_exists
from hatsformat.catalog.manifest import CatalogFiles
from hatsformat.errors import FormatError, UsageError
from hatsformat.healpix import MAX_ORDER, IntArray
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.reducing import LeafPlan
from hatsformat.properties import TableProperties

TYPES = ("object", "source", "nested")
"""The types of catalogs that rows can be added to."""

HIGHEST_ORDER = 10
"""The highest order of new tiles, unless the catalog has deeper ones or the caller says otherwise."""

MOST_PARTS = 30
"""With more files than this in a leaf directory a rebuild is due: every one costs a reader a request."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far leaves have drifted from what an import would have made.

    Attributes
    ----------
    tiles : int
    threshold : int or None
        The most rows that a leaf should have; None where the catalog does not say.
    most_rows, over : int
        Rows of the fullest leaf, and leaves above the threshold.
    most_parts : int
        Files in the leaf with the most.
    """

    tiles: int
    threshold: int | None
    most_rows: int
    over: int
    most_parts: int

    @property
    def rebuild_due(self) -> bool:
        """Whether a leaf is above the threshold, or of more than `MOST_PARTS` files."""
        return self.over > 0 or self.most_parts > MOST_PARTS

    def __str__(self) -> str:
        text = f"the fullest leaf has {self.most_rows} rows"
        if self.threshold is not None:
            text += f", {self.over} of {self.tiles} leaves are over the threshold of {self.threshold}"
        return f"{text}; at most {self.most_parts} files a leaf"


@dataclass(frozen=True, slots=True)
class ExistingCatalog:
    """A catalog that is about to be updated.

    Attributes
    ----------
    root : UPath
    properties : TableProperties
    schema : pyarrow.Schema
        Of the leaves, the index column first.
    tiles : PartitionInfo
    paths : list of str, length n
        The leaf files, relative to `root`.
    tile_of, rows : ndarray of int64, shape (n,)
        The tile of each file, as its index in `tiles`, and the file's rows.
    """

    root: UPath
    properties: TableProperties
    schema: pa.Schema
    tiles: PartitionInfo
    paths: list[str]
    tile_of: IntArray
    rows: IntArray

    @classmethod
    def read(cls, root: UPath, properties: TableProperties, types: Sequence[str] = TYPES) -> ExistingCatalog:
        """Read a catalog; footers are read only of files that ``_metadata`` does not name.

        Parameters
        ----------
        root : UPath
        properties : TableProperties
        types : sequence of str
            Allowed values of ``dataproduct_type``.

        Raises
        ------
        UsageError
            If it is not a catalog of rows with positions, indexed at order 29.
        """
        _check_kind(root, properties, types)
        files = CatalogFiles(root, properties)
        column, schema = properties.healpix_column, files.schema
        if schema.names[:1] != [column] or schema.field(0).type != pa.int64():
            raise UsageError(
                "only a catalog whose first column is its int64 index can be updated",
                path=root,
                found=f"{schema.names[0]} {schema.field(0).type}",
                expected=f"{column} int64",
                hint="import it into another folder",
            )
        data = files.data_files()
        metadata = if_exists(read_footer, root / layout.METADATA)
        known = {} if metadata is None else rows_per_leaf(metadata)
        names = [file.path.removeprefix(f"{layout.DATASET}/") for file in data]
        rows = [
            known[name] if name in known else read_footer(root / layout.DATASET / name).num_rows
            for name in names
        ]
        tile_of = np.array([file.tile for file in data], dtype=np.int64)
        paths = [file.path for file in data]
        return cls(root, properties, schema, files.partitions, paths, tile_of, np.array(rows, dtype=np.int64))

    def along_sky(self) -> list[int]:
        """Return the indices of the files along the sky; those of one tile keep their order."""
        order: list[int] = np.argsort(self.tile_of, kind="stable").tolist()
        return order

    def check_consistent(self) -> None:
        """Refuse to add to a catalog whose counts are wrong: the new ones would be wrong, too.

        Raises
        ------
        FormatError
        """
        declared, found = self.properties.hats_nrows, int(self.rows.sum())
        if declared is not None and declared != found:
            raise FormatError(
                "hats_nrows differs from the number of rows in the leaves",
                path=self.root,
                found=declared,
                expected=found,
                hint="run hatsformat rebuild",
            )
        metadata = if_exists(read_footer, self.root / layout.METADATA)
        if metadata is not None and metadata.num_rows != found:
            raise FormatError(
                "_metadata does not list exactly the leaf files",
                path=self.root / layout.METADATA,
                found=f"{metadata.num_rows} rows",
                expected=f"{found} rows",
                hint="run hatsformat rebuild",
            )

    def options(self, **changes: Any) -> ImportOptions:
        """Return the options of an import that makes such a catalog, with some of them changed."""
        known = self.properties
        own: dict[str, Any] = {
            "name": known.obs_collection,
            "ra": known.hats_col_ra,
            "dec": known.hats_col_dec,
            "max_rows": known.hats_max_rows,
            "max_bytes": None if known.hats_max_rows or "max_rows" in changes else known.hats_max_bytes,
            "sort_by": known.hats_cols_sort,
            "leaf": "directory" if known.has_leaf_directories else "file",
            "highest_order": max(HIGHEST_ORDER, self.tiles.max_order),
            "thumbnail": storage.exists(self.root / layout.THUMBNAIL),
            "statistics": storage.exists(self.root / layout.STATISTICS),
        }
        given = {name: value for name, value in (own | changes).items() if value is not None}
        return ImportOptions().changed(**given)

    def leaf_plan(self, context: BuildContext) -> LeafPlan:
        """Return how more of its leaves are written."""
        options = context.options
        sorting = (self.schema.names[0], *options.sort_by)
        return LeafPlan(
            self.schema,
            replace(options.leaf_format, sorting=sorting),
            options.thumbnail,
            options.row_groups,
            context.memory.piece_bytes,
        )

    def drift(self) -> Drift:
        """Return how far its leaves have drifted."""
        rows = np.bincount(self.tile_of, weights=self.rows, minlength=len(self.tiles)).astype(np.int64)
        return drift(rows, np.bincount(self.tile_of), self.properties.hats_max_rows or None)


def drift(rows: IntArray, parts: IntArray, threshold: int | None) -> Drift:
    """Return how far leaves have drifted, from the rows and the files of each."""
    over = 0 if threshold is None else int((rows > threshold).sum())
    return Drift(rows.size, threshold, int(rows.max(initial=0)), over, int(parts.max(initial=0)))


def _check_kind(root: UPath, properties: TableProperties, types: Sequence[str]) -> None:
    kind = properties.dataproduct_type
    if kind not in types or not properties.has_coordinates:
        raise UsageError(
            "only a catalog of rows with positions can be updated",
            path=root,
            found=f"dataproduct_type {kind}",
            expected=", ".join(types),
            hint="margins and indexes change with the primary catalog of their collection",
        )
    if properties.healpix_order != MAX_ORDER:
        raise UsageError(
            "only a catalog with an index of order 29 can be updated",
            path=root,
            found=properties.healpix_order,
            hint="import it into another folder",
        )


def next_parts(existing: ExistingCatalog, tiles: PartitionInfo) -> list[str]:
    """Return the path of the next file in the leaf directory of some tiles.

    Its number follows the highest one; new tiles get the first.
    """
    last: dict[int, int] = {}
    for path, tile in zip(existing.paths, existing.tile_of.tolist(), strict=True):
        last[tile] = max(last.get(tile, -1), part_number(path))
    own = existing.tiles.find(tiles.starts).tolist()
    folders = layout.leaf_paths(tiles.orders, tiles.pixels, layout.DIRECTORY_SUFFIX)
    return [
        f"{folder}/part{last.get(tile, -1) + 1}.parquet" for folder, tile in zip(folders, own, strict=True)
    ]


def part_number(path: str) -> int:
    """Return the number in the name of a leaf file such as ``part3.parquet``; -1 where there is none."""
    digits = path.rsplit("/", 1)[-1].removeprefix("part").split(".", 1)[0]
    return int(digits) if digits.isascii() and digits.isdigit() else -1
