"""The catalog class: metadata, members of its collection, scans and updates."""

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
    """A catalog: a table of rows in tiles on the sky, or a supplement of such a table.

    Open one with `open_catalog`. Each metadata file is read once, when it is first needed.

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
        rows_text = "" if rows is None else f", {rows} rows"
        return f"<Catalog {self.name!r} ({self.properties.dataproduct_type}{rows_text}) at {self.path}>"

    @property
    def name(self) -> str:
        """The name: ``obs_collection``, or else the name of the directory."""
        return self.properties.obs_collection or self.path.name

    @property
    def partitions(self) -> PartitionInfo:
        """The tiles, from ``partition_info.csv``, ``_metadata`` or a listing; empty for an index."""
        return self._files.partitions

    @property
    def schema(self) -> pa.Schema:
        """The columns, from ``_common_metadata``, ``_metadata`` or a leaf."""
        return self._files.schema

    @cached_property
    def _members(self) -> Members | None:
        """The collection it was opened from, or the one around it whose primary catalog it is."""
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
        """The directory of its collection, or None."""
        return None if self._members is None else self._members.path

    @property
    def margins(self) -> tuple[str, ...]:
        """The names of the margin caches in its collection; see `margin`."""
        return () if self._members is None else self._members.properties.margins

    @property
    def indexes(self) -> tuple[str, ...]:
        """The columns with an index table in its collection; see `lookup`."""
        return () if self._members is None else tuple(self._members.properties.indexes)

    def margin(self, name: str | None = None) -> Catalog:
        """Return a margin cache of its collection, by default the default one: see `Collection.margin`."""
        members = self._in_collection()
        return open_checked(*members.margin(name), members)

    def index(self, column: str | None = None) -> Catalog:
        """Return an index table of its collection, by default the default one: see `Collection.index`."""
        members = self._in_collection()
        return open_checked(*members.index(column), members)

    def primary(self) -> Catalog:
        """Return the catalog that this one supplements (``hats_primary_table_url``).

        Raises
        ------
        UsageError
            If ``hats_primary_table_url`` is missing.
        NotFoundError
            If that catalog is missing.
        """
        return self._linked("hats_primary_table_url")

    def join_table(self) -> Catalog:
        """Return the other table of an association (``hats_assn_join_table_url``): see `primary`."""
        return self._linked("hats_assn_join_table_url")

    def moc(self) -> Any:
        """Return the area of the tiles as a `mocpy.MOC`."""
        from mocpy import MOC

        ranges = merge_ranges(self.partitions.starts, self.partitions.stops).astype(np.uint64)
        depth = np.uint8(self.partitions.max_order)
        return (
            MOC.from_depth29_ranges(max_depth=depth, ranges=ranges) if len(ranges) else MOC.new_empty(depth)
        )

    def skymap(self, order: int | None = None) -> npt.NDArray[np.int64] | None:
        """Return the number of rows in each HEALPix pixel.

        Parameters
        ----------
        order : int, optional
            The order of the map; by default that of ``skymap.fits``. The smallest file of at least this order
            is read and summed up.

        Returns
        -------
        ndarray of int64, shape (12 * 4**order,), or None
            NESTED. None if the catalog has no sky map.

        Raises
        ------
        UsageError
            If `order` is higher than that of the catalog's map.
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
        """Select rows and columns. Only the schema is read until the scan is asked for rows.

        Parameters
        ----------
        columns : iterable of str, optional
            The columns of the result, in order, or ``"all"``. By default those in ``hats_cols_default``, or
            all if it is missing.
        region : Cone, Box, Polygon or mocpy.MOC, optional
            Only rows inside or on the edge. In a table without coordinates, the position of a row is the
            centre of its HEALPix pixel.
        where : pyarrow.compute.Expression or str, optional
            Only rows that meet this condition: an expression, or a string such as
            ``'mag < 15 and band == "g"'``.
        limit : int, optional
            The maximum number of rows.

        Returns
        -------
        Scan

        Raises
        ------
        ColumnError
            If a column is missing.
        UsageError
            If the catalog has no rows or no positions, or `where` or `limit` is invalid.
        RegionError
            If `region` is invalid.
        """
        return make_scan(self._files, columns, region, where, limit)

    def lookup(self, column: str, values: Any, columns: Iterable[str] | str | None = None) -> Scan:
        """Select the rows with certain values in an indexed column.

        The index, which says which tiles to read, is read when the scan is asked for rows or its plan.

        Parameters
        ----------
        column : str
            One of `indexes`.
        values : array_like or a single value
            The values to look up.
        columns : iterable of str, optional
            As in `scan`.

        Returns
        -------
        Scan
            Rows are in the order of the tiles, not of `values`. Values without rows are ignored. The scan
            raises `FormatError` if the index does not fit the catalog.

        Raises
        ------
        ColumnError
            If a column is missing.
        UsageError
            If the column has no index, or `values` do not fit its type.

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

        Rows in an existing tile are written as a new file of its leaf directory; other rows get new tiles.
        Counts, metadata, sky maps, the thumbnail, and the margins and indexes of the collection are updated.
        On a local disk, readers see either none or all of the new rows.

        This object is updated too. Other objects opened from the same path, and scans created before, keep
        reading the old state: open them again.

        Parameters
        ----------
        inputs : path, table, or iterable of them
            As in `import_catalog`, with the columns of the catalog.
        executor : concurrent.futures.Executor, optional
            Runs the work; threads of this process by default.
        progress : callable, optional
            Called with the name of a stage, the steps done and the total number of steps.
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
            If the columns differ from those of the catalog.
        HatsError
            As in `import_catalog`. The catalog is unchanged then.

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
        """Rewrite leaves that have grown too large or have many files, as an import would write them.

        Leaves of several files become one file, and leaves above the threshold are split; other leaves are
        kept. The rows stay the same. Margins and indexes are built again. The catalog must be on a local
        disk, where readers see either the old or the new state.

        This object is updated too. Other objects opened from the same path, and scans created before, raise
        `ChangedError` if they need files that were removed.

        Parameters
        ----------
        executor, progress
            As in `append`.
        **options
            As in `ImportOptions`: ``max_rows``, ``max_bytes``, ``leaf``, ``lowest_order``, ``highest_order``,
            ``keep_empty_siblings``, ``row_group_rows``, ``row_group_bytes``, ``subtile_order_delta``,
            ``workers``, ``processes``, ``scheduler`` and ``memory``.
            The threshold and the kind of leaves are those of the catalog by default.

        Returns
        -------
        Catalog
            The same object.

        Raises
        ------
        HatsError
            As in `import_catalog`. The catalog is unchanged then.
        """
        from hatsformat.updates.rebuilding import rebuild

        rebuild(self.path, executor=executor, progress=progress, **options)
        return self._refreshed()

    def _refreshed(self) -> Catalog:
        """Read the properties again and drop everything that was cached; return this object."""
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

    def _linked(self, keyword: str) -> Catalog:
        reference = getattr(self.properties, keyword)
        if reference is None:
            raise UsageError(f"{keyword} is missing from the properties", path=self.path)
        collection = self.path.parent if self._given_members is None else self._given_members.path
        bases = [collection, self.path.parent, self.path, collection.parent]
        return open_checked(*locating.find_table(reference, bases), self._given_members)


def open_checked(path: UPath, properties: TableProperties, members: Members | None = None) -> Catalog:
    """Return a catalog; raise `NotFoundError` if it is local and has properties but no data."""
    catalog = Catalog(path, properties, members)
    catalog._files.check_present()
    return catalog
