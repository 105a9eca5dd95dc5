"""The files of a catalog and their metadata, each read once, when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import layout, storage
from hatsformat.arrays import schema_without_views
from hatsformat.artefacts.leaf_reading import read_footer
from hatsformat.artefacts.parquet_metadata import metadata_leaves
from hatsformat.catalog.locating import catalog_properties, if_exists
from hatsformat.errors import ChangedError, FormatError, HatsError, LayoutError, LeafError, NotFoundError
from hatsformat.healpix import IntArray
from hatsformat.partition_info import PartitionInfo
from hatsformat.properties import TableProperties

_FOOTERS_KEPT = 256
_FEW_LEAVES = 8
"""Up to this many leaf directories are listed one by one; for more, the whole tree is listed."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file with rows.

    Attributes
    ----------
    path : str
        Relative to the catalog's root.
    tile : int
        The index of its tile in the catalog's `PartitionInfo`; -1 for a file of an index table.
    """

    path: str
    tile: int = -1


class CatalogFiles:
    """The files of the catalog at `root`.

    Parameters
    ----------
    root : UPath
    properties : TableProperties
    """

    def __init__(self, root: UPath, properties: TableProperties) -> None:
        self.root = root
        self.properties = properties
        # Planning and reading use the same footers. The limit saves memory for catalogs of a million leaves.
        self._footer = lru_cache(maxsize=_FOOTERS_KEPT)(self._read_footer)
        self._opened = self._version()

    def __reduce__(self) -> tuple[Any, ...]:
        return CatalogFiles, (self.root, self.properties)

    def full_path(self, path: str) -> UPath:
        """Return the full path of a file of this catalog."""
        return self.root / path

    def footer(self, path: str) -> pq.FileMetaData:
        """Return the footer of a data file; a local file that was replaced is read again."""
        full_path = self.full_path(path)
        version = storage.fingerprint(full_path) if storage.is_local(full_path) else None
        return self._footer(path, version)

    def _read_footer(self, path: str, _version: str | None) -> pq.FileMetaData:
        return read_footer(self.full_path(path))

    @contextmanager
    def detecting_changes(self) -> Iterator[None]:
        """Raise `ChangedError` instead of another error if the catalog changed after it was opened.

        Changes are checked only after an error, so success costs nothing.
        """
        try:
            yield
        except (HatsError, LookupError) as error:
            if not isinstance(error, ChangedError) and self._has_changed():
                raise ChangedError(
                    "the catalog changed after it was opened",
                    path=self.root,
                    found=str(error),
                    hint="open it again",
                ) from error
            raise

    def _has_changed(self) -> bool:
        if storage.is_local(self.root):
            return self._version() != self._opened
        try:
            return catalog_properties(self.root) != self.properties
        except HatsError:  # the first error says more
            return False

    def _version(self) -> list[str | None]:
        """Return the fingerprints of the properties files of a local catalog."""
        if not storage.is_local(self.root):
            return []
        return [if_exists(storage.fingerprint, self.full_path(name)) for name in layout.CATALOG_PROPERTIES]

    @property
    def is_index(self) -> bool:
        """Whether this is an index table, whose rows are not in tiles."""
        return self.properties.dataproduct_type == "index"

    @property
    def only_links_tiles(self) -> bool:
        """Whether this is an association without leaf files, which links whole tiles and has no rows."""
        return (
            self.properties.dataproduct_type == "association"
            and self.properties.hats_assn_leaf_files is False
        )

    def check_present(self) -> None:
        """Raise `NotFoundError` if a local catalog has nothing but properties."""
        if storage.is_local(self.root):
            parts = (layout.PARTITION_INFO, layout.DATASET)
            if not any((self.root / part).exists() for part in parts):
                raise self._no_data()

    def _no_data(self) -> NotFoundError:
        return NotFoundError(
            "the catalog has properties but no data",
            path=self.root,
            expected=f"{layout.PARTITION_INFO}, {layout.METADATA} or data files",
        )

    @cached_property
    def partitions(self) -> PartitionInfo:
        """The tiles, from ``partition_info.csv``, ``_metadata`` or a listing."""
        if self.is_index:
            return PartitionInfo([], [])
        path = self.full_path(layout.PARTITION_INFO)
        content = if_exists(storage.read_bytes, path)
        if content is not None:
            return PartitionInfo.from_csv(content, path=path)
        leaves = [layout.parse_leaf_path(path) for path in self._known]
        return PartitionInfo.of_tiles(sorted({leaf.tile for leaf in leaves if leaf is not None}))

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns, from ``_common_metadata``, ``_metadata`` or a leaf."""
        common = if_exists(read_footer, self.full_path(layout.COMMON_METADATA))
        if common is not None:
            return arrow_schema(common, self.full_path(layout.COMMON_METADATA))
        if self._metadata is not None and self._metadata.num_columns:
            return arrow_schema(self._metadata, self.full_path(layout.METADATA))
        first = np.arange(min(1, len(self.partitions)))
        for file in self.data_files(None if self.is_index else first)[:1]:
            return arrow_schema(self.footer(file.path), self.full_path(file.path))
        raise FormatError(
            "the columns of the catalog are unknown",
            path=self.root,
            expected=f"{layout.COMMON_METADATA}, {layout.METADATA} or a leaf file",
        )

    @cached_property
    def _metadata(self) -> pq.FileMetaData | None:
        return if_exists(read_footer, self.full_path(layout.METADATA))

    @cached_property
    def _known(self) -> tuple[str, ...]:
        """The paths of all data files, from ``_metadata`` or a listing."""
        if self._metadata is None:
            return self._listed
        paths = [f"{layout.DATASET}/{path}" for path in metadata_leaves(self._metadata)]
        for path in paths:
            if not layout.is_inside(path):
                metadata = self.full_path(layout.METADATA)
                raise LayoutError(
                    "a row group points to a file outside the catalog", path=metadata, found=path
                )
        # Row groups without file names do not help.
        return tuple(paths) if paths or self._metadata.num_row_groups == 0 else self._listed

    @cached_property
    def _listed(self) -> tuple[str, ...]:
        found = if_exists(storage.list_tree, self.full_path(layout.DATASET)) or []
        # Web servers list names percent-encoded.
        decode = str if _can_list(self.root) else unquote
        paths = [f"{layout.DATASET}/{decode(entry.path)}" for entry in found if _may_hold_rows(entry.path)]
        if paths:
            return tuple(paths)
        # A server that does not list looks like an empty folder.
        if not _can_list(self.root):
            raise NotFoundError(
                "the files of the catalog are unknown and cannot be listed",
                path=self.root,
                expected=f"{layout.PARTITION_INFO} or {layout.METADATA}",
            )
        raise self._no_data()

    def data_files(self, tiles: IntArray | None = None) -> list[DataFile]:
        """Return the data files of tiles, in the order of the tiles; the files of a leaf are sorted by name.

        Parameters
        ----------
        tiles : ndarray of int, shape (k,), optional
            Ascending indices into `partitions`; all by default. Ignored for an index table, which has no
            tiles.

        Raises
        ------
        NotFoundError
            If a leaf directory is missing or empty.
        """
        if self.is_index:
            return [DataFile(path) for path in sorted(self._known, key=_by_number)]
        chosen = np.arange(len(self.partitions)) if tiles is None else np.asarray(tiles)
        orders, pixels = self.partitions.orders[chosen], self.partitions.pixels[chosen]
        paths = layout.leaf_paths(orders, pixels, self.properties.npix_suffix)
        if not self.properties.has_leaf_directories:
            return [DataFile(path, tile) for path, tile in zip(paths, chosen.tolist(), strict=True)]
        parts = self._directory_parts(paths)
        return [
            DataFile(part, tile)
            for path, tile in zip(paths, chosen.tolist(), strict=True)
            for part in parts[path]
        ]

    def _directory_parts(self, folders: Sequence[str]) -> dict[str, list[str]]:
        """Return the files in each leaf directory, sorted by name."""
        parts: dict[str, list[str]] = {folder: [] for folder in folders}
        # A listing is newer than `_metadata` where files were added later; web servers cannot list.
        if _can_list(self.root) and len(folders) <= _FEW_LEAVES:
            for folder in folders:
                names = if_exists(storage.list_tree, self.full_path(folder)) or []
                parts[folder] = [f"{folder}/{entry.path}" for entry in names if _may_hold_rows(entry.path)]
        else:
            for path in self._listed if _can_list(self.root) else self._known:
                leaf = layout.parse_leaf_path(path)
                if leaf is not None and leaf.part is not None:
                    parts.get(layout.leaf_path(leaf.order, leaf.pixel, leaf.suffix), []).append(path)
        for folder, files in parts.items():
            if not files:
                raise NotFoundError("the leaf directory is empty or missing", path=self.full_path(folder))
            files.sort()
        return parts


def arrow_schema(footer: pq.FileMetaData, path: UPath) -> pa.Schema:
    """Return the Arrow schema in a footer, or raise `LeafError`."""
    try:
        return schema_without_views(footer.schema.to_arrow_schema())
    except (pa.ArrowException, OSError) as error:
        raise LeafError("cannot read the Arrow schema", path=path, found=str(error)) from error


def _may_hold_rows(path: str) -> bool:
    return not path.rsplit("/", 1)[-1].startswith(("_", "."))


def _can_list(root: UPath) -> bool:
    return root.protocol not in ("http", "https")


def _by_number(path: str) -> tuple[int, str]:
    number = layout.parse_index_part(path)
    return (-1 if number is None else number), path
