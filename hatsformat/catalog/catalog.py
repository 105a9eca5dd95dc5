"""A catalog as one opens it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from functools import cached_property
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from upath import UPath

from hatsformat import layout
from hatsformat.arguments import AppendOptions, Progress, RebuildOptions
from hatsformat.catalog import locating
from hatsformat.catalog.lookup import IndexedTiles, as_values, one_of
from hatsformat.catalog.manifest import CatalogFiles
from hatsformat.catalog.members import Members
from hatsformat.catalog.scan import Scan, make_scan
from hatsformat.catalog.where import unknown_column
from hatsformat.errors import UsageError
from hatsformat.healpix import IntArray, merge_ranges
from hatsformat.partition_info import PartitionInfo
from hatsformat.properties import TableProperties


class Catalog:
    """A catalog: the tiles of a table on the sky, or a table that supplements one.

    Open one with `open_catalog`. Its files are read when they are first needed, and once.

    Parameters
    ----------
    path : UPath
        Its directory.
    properties : TableProperties
        Its properties.
    members : Members, optional
        The collection it was opened from.

    Attributes
    ----------
    path : UPath
    properties : TableProperties
    """

    def __init__(self, path: UPath, properties: TableProperties, members: Members | None = None) -> None:
        self.path = path
        self.properties = properties
        self._given_members = members
        self._files = CatalogFiles(path, properties)

    def __reduce__(self) -> tuple[Any, ...]:
        return Catalog, (self.path, self.properties, self._given_members)

    def __repr__(self) -> str:
        rows = self.properties.hats_nrows
        told = "" if rows is None else f", {rows} rows"
        return f"<Catalog {self.name!r} ({self.properties.dataproduct_type}{told}) at {self.path}>"

    @property
    def name(self) -> str:
        """Its name: ``obs_collection``, or else that of its directory."""
        return self.properties.obs_collection or self.path.name

    @property
    def partitions(self) -> PartitionInfo:
        """Its tiles: from ``partition_info.csv``, or else ``_metadata``, or else a listing. Indexes have
        none.
        """
        return self._files.partitions

    @property
    def schema(self) -> pa.Schema:
        """Its columns: from ``_common_metadata``, or else ``_metadata``, or else a leaf."""
        return self._files.schema

    @cached_property
    def _members(self) -> Members | None:
        """The collection it was opened from, or one here or above of which it is the primary."""
        if self._given_members is not None:
            return self._given_members
        for root in (self.path, self.path.parent):
            properties = locating.collection_properties(root)
            if properties is not None:
                members = Members(root, properties)
                return members if members.primary()[0] == self.path else None
        return None

    @property
    def collection_path(self) -> UPath | None:
        """The directory of its collection; None where it belongs to none."""
        return None if self._members is None else self._members.path

    @property
    def margins(self) -> tuple[str, ...]:
        """The names of the margin caches of its collection, as `margin` takes them."""
        return () if self._members is None else self._members.properties.margins

    @property
    def indexes(self) -> tuple[str, ...]:
        """The columns that its collection has index tables for, as `lookup` takes them."""
        return () if self._members is None else tuple(self._members.properties.indexes)

    def margin(self, name: str | None = None) -> Catalog:
        """Return a margin cache of its collection, the default one unless told: see `Collection.margin`."""
        members = self._in_collection()
        return open_checked(*members.margin(name), members)

    def index(self, column: str | None = None) -> Catalog:
        """Return an index table of its collection, the default one unless told: see `Collection.index`."""
        members = self._in_collection()
        return open_checked(*members.index(column), members)

    def primary(self) -> Catalog:
        """Return the catalog that this one supplements (``hats_primary_table_url``).

        Raises
        ------
        UsageError
            If it supplements none.
        NotFoundError
            If that catalog is not there.
        """
        return self._referred("hats_primary_table_url")

    def join_table(self) -> Catalog:
        """Return the other table of an association (``hats_assn_join_table_url``): see `primary`."""
        return self._referred("hats_assn_join_table_url")

    def moc(self) -> Any:
        """Return the part of the sky that its tiles cover, as a `mocpy.MOC`."""
        from mocpy import MOC

        ranges = merge_ranges(self.partitions.starts, self.partitions.stops).astype(np.uint64)
        depth = np.uint8(self.partitions.max_order)
        return (
            MOC.from_depth29_ranges(max_depth=depth, ranges=ranges) if len(ranges) else MOC.new_empty(depth)
        )

    def skymap(self, order: int | None = None) -> npt.NDArray[np.int64] | None:
        """Return how many rows lie in each HEALPix pixel.

        Parameters
        ----------
        order : int, optional
            The order of the map; that of ``skymap.fits`` by default. The smallest map among the files that is
            deep enough is read, and summed.

        Returns
        -------
        ndarray of int64, shape (12 * 4**order,), or None
            NESTED. None where the catalog has no sky map.

        Raises
        ------
        UsageError
            If the catalog's map is coarser than `order`.
        """
        from hatsformat.artefacts.skymap import degrade

        kept = sorted(self.properties.hats_skymap_alt_orders or ())
        deep_enough = [alternative for alternative in kept if order is not None and alternative >= order]
        for name in (*map(layout.skymap_path, deep_enough[:1]), layout.SKYMAP, layout.POINT_MAP):
            counts = self._map(name)
            if counts is not None:
                return counts if order is None else degrade(counts, order)
        return None

    def scan(
        self,
        columns: Iterable[str] | str | None = None,
        region: Any = None,
        where: Any = None,
        limit: int | None = None,
    ) -> Scan:
        """Say which rows and columns to read; nothing but the schema is read before the scan is asked for
        rows.

        Parameters
        ----------
        columns : iterable of str, optional
            The columns of the result, in order; ``"all"`` for all. By default those of ``hats_cols_default``,
            or all where the catalog does not say.
        region : Cone, Box, Polygon or mocpy.MOC, optional
            Where the rows have to be, edges included. Rows of a table without coordinates are where the
            centre of their HEALPix index is.
        where : pyarrow.compute.Expression or str, optional
            What the rows have to meet: an expression, or a text such as ``'mag < 15 and band == "g"'``.
        limit : int, optional
            How many rows are enough.

        Returns
        -------
        Scan

        Raises
        ------
        ColumnError
            If there is no such column.
        UsageError
            If the catalog has no rows or no positions, or `where` or `limit` is none.
        RegionError
            If `region` is no region.
        """
        return make_scan(self._files, columns, region, where, limit)

    def lookup(self, column: str, values: Any, columns: Iterable[str] | str | None = None) -> Scan:
        """Scan the rows with some values in an indexed column.

        The index says which tiles to read; it is read when the scan is asked for rows or for its plan.

        Parameters
        ----------
        column : str
            A column that the collection has an index table for.
        values : array_like or a single value
            What to look for.
        columns : iterable of str, optional
            As in `scan`.

        Returns
        -------
        Scan
            Its rows come along the sky, not in the order of `values`. Values that no row has are ignored. The
            scan raises `FormatError` if the index does not fit the catalog.

        Raises
        ------
        ColumnError
            If there is no such column.
        UsageError
            If there is no index for the column, or `values` cannot be values of it.

        Examples
        --------
        >>> import pyarrow as pa, hatsformat
        >>> stars = pa.table({"id": [7, 3], "ra": [10.0, 200.0], "dec": [0.0, 0.0]})
        >>> survey = hatsformat.import_catalog(stars, "memory://docs/looked-up", indexes=["id"])
        >>> survey.primary.lookup("id", [3, 4], columns=["id", "ra"]).to_table().to_pylist()
        [{'id': 3, 'ra': 200.0}]
        """
        if column not in self.schema.names:
            raise unknown_column(column, self.schema.names)
        index = self.index(column)
        wanted = as_values(values, self.schema.field(column).type, column)
        if len(wanted) == 0:
            return make_scan(self._files, columns, limit=0)
        tiles = IndexedTiles(index._files, column, wanted)
        return make_scan(self._files, columns, where=one_of(column, wanted), choose_tiles=tiles)

    def append(
        self,
        inputs: Any,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        **options: Unpack[AppendOptions],
    ) -> Catalog:
        """Add rows.

        Rows in a tile become one more file of its leaf directory, rows between tiles get new tiles. Counts,
        metadata, sky maps, the thumbnail, and the margins and indexes of the collection are updated. On a
        local disk all of it is seen at once or not at all.

        The catalog itself is updated, too. Others that were opened from the same path, and scans made before,
        go on reading what was there: open them again.

        Parameters
        ----------
        inputs : path, table, or iterable of them
            As in `import_catalog`; their columns are those of the catalog.
        executor : concurrent.futures.Executor, optional
            Where to work; threads of this process otherwise.
        progress : callable, optional
            Called with a stage's name, the steps done and the steps in all.
        **options
            As in `ImportOptions`: ``ra``, ``dec``, their units and ``frame``, ``format``, ``delimiter``,
            ``comment``, ``table``, ``bad_coordinates``, ``lowest_order``, ``highest_order``,
            ``keep_empty_siblings``, ``row_group_rows``, ``row_group_bytes``, ``subtile_order_delta``,
            ``workers``, ``processes``, ``scheduler``, ``memory`` and ``scratch``.

        Returns
        -------
        Catalog
            The same object.

        Raises
        ------
        UsageError
            If the leaves are single files: see `rebuild`.
        SchemaError
            If a column is missing, is one too many, or does not fit.
        HatsError
            As `import_catalog` does; nothing has changed then.

        Examples
        --------
        >>> import pyarrow as pa, hatsformat
        >>> night = pa.table({"id": [1, 2], "ra": [10.0, 200.0], "dec": [-5.0, 60.0]})
        >>> catalog = hatsformat.import_catalog(night, "memory://docs/nights", leaf="directory")
        >>> _ = catalog.append(night)
        >>> catalog.properties.hats_nrows
        4
        """
        from hatsformat.updates.appending import append

        append(self.path, inputs, executor=executor, progress=progress, **options)
        return self._refreshed()

    def rebuild(
        self,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        **options: Unpack[RebuildOptions],
    ) -> Catalog:
        """Bring leaves that have drifted back to what an import makes.

        Leaves of several files become one file, leaves above the threshold are split; leaves that are as they
        should be are kept. The rows stay the same. Margins and indexes are built again. It needs a local
        disk, where all of it is seen at once or not at all.

        The catalog itself is updated, too. Others that were opened from the same path, and scans made before,
        raise `ChangedError` where they need files that are gone.

        Parameters
        ----------
        executor, progress
            As in `append`.
        **options
            As in `ImportOptions`: ``max_rows``, ``max_bytes``, ``leaf``, ``lowest_order``, ``highest_order``,
            ``keep_empty_siblings``, ``row_group_rows``, ``row_group_bytes``, ``subtile_order_delta``,
            ``workers``, ``processes``, ``scheduler`` and ``memory``.
            The threshold and the kind of leaves are the catalog's own unless given.

        Returns
        -------
        Catalog
            The same object.

        Raises
        ------
        HatsError
            As `import_catalog` does; nothing has changed then.
        """
        from hatsformat.updates.rebuilding import rebuild

        rebuild(self.path, executor=executor, progress=progress, **options)
        return self._refreshed()

    def _refreshed(self) -> Catalog:
        """Return this catalog, as if it were opened again."""
        members = self._given_members
        properties = locating.catalog_properties(self.path) or self.properties
        for name in ("_members", "_maps"):
            self.__dict__.pop(name, None)
        Catalog.__init__(self, self.path, properties, None if members is None else members.refreshed())
        return self

    def _in_collection(self) -> Members:
        if self._members is None:
            raise UsageError(
                "the catalog is not in a collection, so it has no margins or indexes",
                path=self.path,
                hint="build a collection with hatsformat.build_collection",
            )
        return self._members

    def _map(self, name: str) -> IntArray | None:
        from hatsformat.artefacts.skymap import read_skymap

        if name not in self._maps:
            found = locating.if_exists(read_skymap, self.path / name)
            self._maps[name] = None if found is None else found[1]
        return self._maps[name]

    @cached_property
    def _maps(self) -> dict[str, IntArray | None]:
        return {}

    def _referred(self, keyword: str) -> Catalog:
        reference = getattr(self.properties, keyword)
        if reference is None:
            raise UsageError(f"{keyword} is missing from the properties", path=self.path)
        collection = self.path.parent if self._given_members is None else self._given_members.path
        bases = [collection, self.path.parent, self.path, collection.parent]
        return open_checked(*locating.find_table(reference, bases), self._given_members)


def open_checked(path: UPath, properties: TableProperties, members: Members | None = None) -> Catalog:
    """Return a catalog, or raise `NotFoundError` if it can be seen to have properties and nothing else."""
    catalog = Catalog(path, properties, members)
    catalog._files.check_present()
    return catalog
