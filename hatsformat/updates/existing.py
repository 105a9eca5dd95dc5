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
from hatsformat.supplements.primary import PRIMARY_TYPES

HIGHEST_ORDER = 10
"""The highest order of new tiles, unless the catalog has higher ones or the caller sets another."""

MOST_PARTS = 30
"""A rebuild is due if a leaf folder has more files than this: each one costs a reader a request."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far leaves have drifted from what an import would have made.

    Attributes
    ----------
    tiles : int
    threshold : int or None
        ``hats_max_rows``: the most rows that a leaf should have.
    most_rows, over : int
        Rows of the fullest leaf, and the number of leaves above the threshold.
    most_parts : int
        Files in the leaf that has most of them.
    """

    tiles: int
    threshold: int | None
    most_rows: int
    over: int
    most_parts: int

    @property
    def rebuild_due(self) -> bool:
        """Whether a leaf is above the threshold or has more than `MOST_PARTS` files."""
        return self.over > 0 or self.most_parts > MOST_PARTS

    def __str__(self) -> str:
        text = f"the fullest leaf has {self.most_rows} rows"
        if self.threshold is not None:
            text += f", {self.over} of {self.tiles} leaves are above the threshold of {self.threshold}"
        return f"{text}; at most {self.most_parts} files per leaf"


@dataclass(frozen=True, slots=True)
class ExistingCatalog:
    """A catalog that is about to be updated; files are counted by n, relative to `root`."""

    root: UPath
    properties: TableProperties
    schema: pa.Schema  # of the leaves, the index column first
    tiles: PartitionInfo
    paths: list[str]  # the leaf files, length n
    tile_of: IntArray  # the index of each file's tile, shape (n,)
    rows: IntArray  # the rows of each file, shape (n,)

    @classmethod
    def read(
        cls, root: UPath, properties: TableProperties, types: Sequence[str] = PRIMARY_TYPES
    ) -> ExistingCatalog:
        """Read a catalog of one of some types; only footers that ``_metadata`` does not have are read.

        Raises `UsageError` if it has another type, no positions, or no index of order 29.
        """
        _check_type(root, properties, types)
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
        paths = [file.path for file in files.data_files()]
        metadata = if_exists(read_footer, root / layout.METADATA)
        known = {} if metadata is None else rows_per_leaf(metadata)
        known = {f"{layout.DATASET}/{name}": rows for name, rows in known.items()}
        rows = [known[path] if path in known else read_footer(root / path).num_rows for path in paths]
        tile_of = np.array([file.tile for file in files.data_files()], dtype=np.int64)
        return cls(root, properties, schema, files.partitions, paths, tile_of, np.array(rows, dtype=np.int64))

    def check_consistent(self) -> None:
        """Raise `FormatError` if the catalog's counts are wrong: the updated ones would be wrong, too."""
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
        """Return the options of an import that makes such a catalog, with some changes."""
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
        """Return how to write more of its leaves."""
        options = context.options
        return LeafPlan(
            self.schema,
            replace(options.leaf_format, sorting=(self.schema.names[0], *options.sort_by)),
            options.thumbnail,
            options.row_groups,
            context.memory.piece_bytes,
        )

    def drift(self) -> Drift:
        """Return how far its leaves have drifted."""
        rows = np.bincount(self.tile_of, weights=self.rows, minlength=len(self.tiles)).astype(np.int64)
        threshold = self.properties.hats_max_rows or None
        over = 0 if threshold is None else int((rows > threshold).sum())
        parts = int(np.bincount(self.tile_of).max(initial=0))
        return Drift(rows.size, threshold, int(rows.max(initial=0)), over, parts)


def _check_type(root: UPath, properties: TableProperties, types: Sequence[str]) -> None:
    found = properties.dataproduct_type
    if found not in types or not properties.has_coordinates:
        raise UsageError(
            "only a catalog of rows with positions can be updated",
            path=root,
            found=f"dataproduct_type {found}",
            expected=", ".join(types),
            hint="update the primary catalog; the margins and indexes of its collection are updated too",
        )
    if properties.healpix_order != MAX_ORDER:
        raise UsageError(
            "only a catalog with an index of order 29 can be updated",
            path=root,
            found=properties.healpix_order,
            hint="import it into another folder",
        )


def next_parts(existing: ExistingCatalog, tiles: PartitionInfo) -> list[str]:
    """Return the path of the next file in the leaf folder of each tile, numbered after the last one."""
    last: dict[int, int] = {}
    for path, tile in zip(existing.paths, existing.tile_of.tolist(), strict=True):
        last[tile] = max(last.get(tile, -1), _part_number(path))
    own = existing.tiles.find(tiles.starts).tolist()
    folders = layout.leaf_paths(tiles.orders, tiles.pixels, layout.DIRECTORY_SUFFIX)
    return [
        f"{folder}/part{last.get(tile, -1) + 1}.parquet" for folder, tile in zip(folders, own, strict=True)
    ]


def _part_number(path: str) -> int:
    """Return the number in the name of a leaf file such as ``part3.parquet``, -1 if it has none."""
    digits = path.rsplit("/", 1)[-1].removeprefix("part").split(".", 1)[0]
    return int(digits) if digits.isascii() and digits.isdigit() else -1
