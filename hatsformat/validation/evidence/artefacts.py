"""What there is of a catalog besides its rows: tiles, footers and sky maps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa

from hatsformat import layout
from hatsformat.partition_info import PartitionInfo
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.declared import CatalogStatements, Scope
from hatsformat.validation.evidence.footers import Footer, Footers, SchemaPool, read_footers, read_one_footer
from hatsformat.validation.evidence.leaves import Dataset, Leaves, sort_out
from hatsformat.validation.evidence.partitions import PartitionLines
from hatsformat.validation.evidence.schemas import fingerprint
from hatsformat.validation.evidence.skymaps import Skymap, read_map
from hatsformat.validation.evidence.tree import Artefact, Tree

T = TypeVar("T")

_ALT_SKYMAP = re.compile(r"skymap\.(0|[1-9][0-9]?)\.fits")

CSV_LIMIT = 1 << 26
"""The most bytes of a CSV file that are read; four million tiles fit."""


class CatalogContents(CatalogStatements):
    """The tiles, the Parquet files and the sky maps of one catalog; see `CatalogEvidence`.

    Parameters
    ----------
    tree : Tree
    prefix : str
        The catalog's directory in the tree, with a slash at its end; empty for the root.
    scope : Scope
    """

    def __init__(self, tree: Tree, prefix: str, scope: Scope) -> None:
        super().__init__(tree, prefix, scope)
        self.schemas = SchemaPool()
        self._maps: dict[bytes, Skymap] = {}
        self._alt_maps: dict[int, Artefact[Skymap]] = {}

    # Tiles

    @cached_property
    def dataset(self) -> Dataset:
        """The files below ``dataset/``, sorted out."""
        try:
            suffix = self.properties.npix_suffix
        except NoEvidenceError:
            suffix = layout.LEAF_SUFFIX
        return sort_out(self.files, self.table_type, suffix)

    @cached_property
    def leaves(self) -> Leaves:
        """The data files; by ``partition_info.csv`` where the storage cannot list."""
        if self.tree.can_list:
            return self.dataset.leaves
        if self.is_soft:
            return Leaves.of_index(())
        if self.table_type == "index" or self.properties.has_leaf_directories:
            self.tree.files()
        tiles = self.partition_lines.need().tiles
        return Leaves.of_tiles(tiles.orders, tiles.pixels, self.properties.npix_suffix)

    @cached_property
    def partition_lines(self) -> Artefact[PartitionLines]:
        """The lines of ``partition_info.csv``."""
        return self._csv(layout.PARTITION_INFO, PartitionLines.from_csv)

    @cached_property
    def join_lines(self) -> Artefact[tuple[PartitionLines, PartitionLines]]:
        """The lines of ``partition_join_info.csv``: the association's tiles, and the joined table's."""
        return self._csv(
            layout.PARTITION_JOIN_INFO,
            lambda content: (PartitionLines.from_csv(content), PartitionLines.from_csv(content, "join_")),
        )

    def _csv(self, name: str, parse: Callable[[bytes], T]) -> Artefact[T]:
        file = self.read(name, CSV_LIMIT)
        if file.value is None:
            return Artefact(name, error=file.error)
        content = file.value
        return self.tree.attempt(self.prefix + name, lambda _: parse(content), name)

    @cached_property
    def tiles(self) -> PartitionInfo:
        """The tiles that have leaves; by ``partition_info.csv`` where leaves cannot be listed."""
        if self.is_soft or not self.tree.can_list:
            return self.partition_lines.need().tiles
        _, first = np.unique(self.leaves.uniq, return_index=True)
        return PartitionInfo(self.leaves.orders[first], self.leaves.pixels[first])

    # Parquet

    @cached_property
    def footers(self) -> Footers:
        """The footers of the data files."""
        self.scope.need("footers")
        leaves = self.leaves
        return read_footers(self.tree, self.prefix, leaves.paths, self.schemas, self.index_column)

    @cached_property
    def stray_footers(self) -> Footers:
        """The footers of Parquet files that lie between the leaves and have another suffix."""
        self.scope.need("footers")
        if not self.tree.can_list:
            return Footers([], [])
        strays = self.dataset.strays
        return read_footers(self.tree, self.prefix, strays.paths, self.schemas, None)

    def each_footer(self) -> Iterator[Footer]:
        """Yield the footers of data files and strays; see `Footers.each`."""
        yield from self.stray_footers.readable
        yield from self.footers.each()

    @cached_property
    def common_metadata(self) -> Artefact[Footer]:
        """The footer of ``dataset/_common_metadata``."""
        return self._parquet(layout.COMMON_METADATA)

    @cached_property
    def metadata(self) -> Artefact[Footer]:
        """The footer of ``dataset/_metadata``."""
        self.scope.need("footers")
        return self._parquet(layout.METADATA, self.index_column)

    @cached_property
    def thumbnail(self) -> Artefact[Footer]:
        """The footer of ``data_thumbnail.parquet``."""
        return self._parquet(layout.THUMBNAIL)

    @cached_property
    def statistics_file(self) -> Artefact[Footer]:
        """The footer of ``per_partition_statistics.parquet``."""
        return self._parquet(layout.STATISTICS)

    def _parquet(self, path: str, column: str | None = None) -> Artefact[Footer]:
        return read_one_footer(self.tree, self.prefix, path, self.schemas, column)

    @cached_property
    def schema(self) -> pa.Schema:
        """The catalog's schema: that of most of its Parquet files, or ``_common_metadata`` where they tie.

        So that the file that is wrong is told from those that are right, every data file has a vote, and
        ``_common_metadata`` and ``_metadata`` have one each.
        """
        voters = [] if self.common_metadata.value is None else [self.common_metadata.value]
        if self.scope.reaches("footers"):
            voters += [*self.footers.readable, *self.stray_footers.readable]
            voters += [] if self.metadata.value is None else [self.metadata.value]
        if not voters:
            raise NoEvidenceError("no file was read that tells the columns")
        # One object a schema, so that few are looked at.
        schemas = {id(voter.schema): voter.schema for voter in voters}
        names = {number: fingerprint(schema) for number, schema in schemas.items()}
        votes = Counter(names[id(voter.schema)] for voter in voters)
        most = votes.most_common(1)[0][1]
        return next(voter.schema for voter in voters if votes[names[id(voter.schema)]] == most)

    @property
    def index_column(self) -> str:
        """The name of the index column, whether there is one or not."""
        try:
            return self.properties.healpix_column
        except NoEvidenceError:
            return "_healpix_29"

    @property
    def index_order(self) -> int:
        """The order of the index column's values."""
        try:
            return self.properties.healpix_order
        except NoEvidenceError:
            return 29

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
        """The orders of the down-sampled maps that are there."""
        self.tree.files()
        found = map(_ALT_SKYMAP.fullmatch, self.files)
        return sorted(int(name[1]) for name in found if name is not None)

    def alt_skymap(self, order: int) -> Artefact[Skymap]:
        """Return the down-sampled ``skymap.K.fits``."""
        if order not in self._alt_maps:
            self._alt_maps[order] = self._map(layout.skymap_path(order))
        return self._alt_maps[order]

    def _map(self, path: str) -> Artefact[Skymap]:
        return self.tree.attempt(self.prefix + path, lambda place: read_map(place, self._maps), path)

    @property
    def main_map(self) -> Artefact[Skymap]:
        """The sky map: ``skymap.fits``, or ``point_map.fits`` of older writers where there is no other."""
        return self.skymap if self.skymap.is_there else self.point_map
