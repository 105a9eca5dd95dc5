"""The files of one catalog besides Parquet footers: its leaves, tile lists and sky maps."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np

from hatsformat import layout
from hatsformat.partition_info import PartitionInfo
from hatsformat.validation.evidence.declared import Declared
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.leaves import Dataset, Leaves, sort_out
from hatsformat.validation.evidence.partitions import PartitionLines
from hatsformat.validation.evidence.skymaps import Skymap, read_map
from hatsformat.validation.evidence.tree import Artefact

T = TypeVar("T")

_ALT_SKYMAP = re.compile(r"skymap\.(0|[1-9][0-9]?)\.fits")

CSV_LIMIT = 1 << 26
"""The most bytes of a CSV file that are read; four million tiles fit."""


class CatalogFiles:
    """The leaves, tile lists and sky maps of one catalog; each is gathered once, when it is first needed.

    Parameters
    ----------
    folder : CatalogFolder
    declared : Declared
    """

    def __init__(self, folder: CatalogFolder, declared: Declared) -> None:
        self._folder = folder
        self._declared = declared
        self._maps: dict[bytes, Skymap] = {}
        self._alt_maps: dict[int, Artefact[Skymap]] = {}

    # Tiles

    @cached_property
    def dataset(self) -> Dataset:
        """The files below ``dataset/``, classified."""
        return sort_out(self._folder.paths, self._declared.table_type, self._declared.leaf_suffix)

    @cached_property
    def leaves(self) -> Leaves:
        """The data files; from ``partition_info.csv`` if the storage cannot list."""
        if self._folder.can_list:
            return self.dataset.leaves
        if self._declared.no_leaf_files:
            return Leaves.of_index(())
        properties = self._declared.properties
        if self._declared.table_type == "index" or properties.has_leaf_directories:
            self._folder.require_listing()
        tiles = self.partition_info.need().tiles
        return Leaves.of_tiles(tiles.orders, tiles.pixels, properties.npix_suffix)

    @cached_property
    def partition_info(self) -> Artefact[PartitionLines]:
        """The lines of ``partition_info.csv``."""
        return self._csv(layout.PARTITION_INFO, PartitionLines.from_csv)

    @cached_property
    def join_info(self) -> Artefact[tuple[PartitionLines, PartitionLines]]:
        """The lines of ``partition_join_info.csv``: the association's tiles, and the joined table's."""
        return self._csv(
            layout.PARTITION_JOIN_INFO,
            lambda content: (PartitionLines.from_csv(content), PartitionLines.from_csv(content, "join_")),
        )

    def _csv(self, name: str, parse: Callable[[bytes], T]) -> Artefact[T]:
        file = self._folder.read_bytes(name, CSV_LIMIT)
        if file.value is None:
            return Artefact(name, error=file.error)
        content = file.value
        return self._folder.read(name, lambda _: parse(content))

    @cached_property
    def tiles(self) -> PartitionInfo:
        """The tiles with leaves; from ``partition_info.csv`` if the leaves cannot be listed."""
        if self._declared.no_leaf_files or not self._folder.can_list:
            return self.partition_info.need().tiles
        _, first = np.unique(self.leaves.uniq, return_index=True)
        return PartitionInfo(self.leaves.orders[first], self.leaves.pixels[first])

    # Sky maps

    @cached_property
    def skymap(self) -> Artefact[Skymap]:
        """``skymap.fits``."""
        return self._map(layout.SKYMAP)

    @cached_property
    def point_map(self) -> Artefact[Skymap]:
        """``point_map.fits``."""
        return self._map(layout.POINT_MAP)

    @property
    def alt_orders(self) -> list[int]:
        """The orders of the existing down-sampled maps."""
        found = map(_ALT_SKYMAP.fullmatch, self._folder.paths)
        return sorted(int(name[1]) for name in found if name is not None)

    def alt_skymap(self, order: int) -> Artefact[Skymap]:
        """Return the down-sampled ``skymap.K.fits``."""
        if order not in self._alt_maps:
            self._alt_maps[order] = self._map(layout.skymap_path(order))
        return self._alt_maps[order]

    def _map(self, path: str) -> Artefact[Skymap]:
        return self._folder.read(path, lambda file: read_map(file, self._maps))

    @property
    def main_map(self) -> Artefact[Skymap]:
        """The sky map: ``skymap.fits``, or ``point_map.fits`` of older writers if it is missing."""
        return self.skymap if self.skymap.is_there else self.point_map
