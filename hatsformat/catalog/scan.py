"""A scan: a lazy selection of rows and columns of a catalog."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from hatsformat import storage
from hatsformat.catalog.manifest import CatalogFiles, DataFile
from hatsformat.catalog.plan import (
    GroupFilter,
    LeafPlan,
    Piece,
    Request,
    ScanPlan,
    leaf_plan,
    pieces_of,
    select_files,
)
from hatsformat.catalog.reading import Reader, map_ahead
from hatsformat.catalog.where import as_condition, columns_of, unknown_column
from hatsformat.errors import UsageError
from hatsformat.healpix import IntArray
from hatsformat.outputs import conversion
from hatsformat.partition_info import PartitionInfo
from hatsformat.regions import as_region

if TYPE_CHECKING:
    import duckdb
    import polars as pl

PIECE_ROWS = 262_144
"""Rows to read at a time: enough for efficient requests, few enough to hold several pieces in memory."""

TileChooser: TypeAlias = "Callable[[PartitionInfo], IntArray]"
"""Takes the tiles of a catalog and returns the ascending indices of those to read."""

_REMOTE_WORKERS = 16
_LOCAL_WORKERS = 4


class Scan:
    """A lazy selection of rows, from `Catalog.scan` or `Catalog.lookup`.

    Rows are in the order of the tiles, and within a leaf in the order of its files; a scan always returns the
    same order. Every call reads the rows again.

    A scan is an Arrow C stream, so other libraries can read it: ``pyarrow.table(scan)``,
    ``polars.DataFrame(scan)``, or the variable's name in a DuckDB query. Errors are then raised as errors of
    that library, with our message in them.

    Attributes
    ----------
    schema : pyarrow.Schema
        The columns of the result.
    """

    def __init__(
        self, files: CatalogFiles, request: Request, choose_tiles: TileChooser | None = None
    ) -> None:
        self._files = files
        self._request = request
        self._choose_tiles = choose_tiles
        fields = [files.schema.field(name) for name in request.columns]
        self.schema: pa.Schema = pa.schema(fields, metadata=files.schema.metadata)

    def __repr__(self) -> str:
        request = self._request
        parts = [f"{len(request.columns)} columns"]
        for name in ("region", "where", "limit"):
            value = getattr(request, name)
            if value is not None:
                parts.append(f"{name}={value}")
        return f"<Scan of {self._files.root}: {', '.join(parts)}>"

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows as an Arrow C stream, a PyCapsule."""
        return self.to_batches().__arrow_c_stream__(requested_schema)

    def to_batches(self) -> pa.RecordBatchReader:
        """Return a reader of the rows that keeps only a few leaves in memory.

        Returns
        -------
        pyarrow.RecordBatchReader
            It yields record batches, none of them empty, and can be read once.
        """
        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    def to_table(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        return pa.concat_tables([pa.Table.from_batches([], schema=self.schema), *self._tables()])

    def to_pandas(self, **options: Any) -> Any:
        """Return the rows as a `pandas.DataFrame`.

        Parameters
        ----------
        **options
            Passed to `pyarrow.Table.to_pandas`, such as ``types_mapper``.
        """
        return conversion.to_pandas(self.to_table(), **options)

    def to_astropy(self) -> Any:
        """Return the rows as an `astropy.table.Table`, with units if the files contain them."""
        return conversion.to_astropy(self.to_table())

    def to_polars(self) -> pl.DataFrame:
        """Return the rows as a `polars.DataFrame`."""
        return conversion.to_polars(self.to_table())

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """Return the rows as a DuckDB relation.

        The relation reads the catalog every time it is executed, a few leaves at a time. It reads all columns
        of the scan, even if a query needs only some. For many queries on rows that fit in memory, pass
        ``scan.to_table()`` to DuckDB instead.

        Parameters
        ----------
        connection : duckdb.DuckDBPyConnection, optional
            By default, DuckDB's default connection.
        """
        return conversion.to_duckdb(self, connection)

    def count_rows(self) -> int:
        """Return the number of rows. Only footers and the columns that the tests need are read."""
        limit = self._request.limit
        count = 0
        with self._files.detecting_changes():
            for found in map_ahead(self._reader().count, self._pieces(), self._workers):
                count += found
                if limit is not None and count >= limit:
                    return limit
        return count

    def plan(self) -> ScanPlan:
        """Return the plan of what would be read. Only footers are read for it."""
        request = self._request
        columns = [*request.columns, *(name for name in request.tests if name not in request.columns)]
        pick = GroupFilter(self._files, request, self._ranges)

        def look(file: DataFile) -> LeafPlan:
            footer = self._files.footer(file.path)
            return leaf_plan(file, footer, pick(footer), columns)

        with self._files.detecting_changes():
            leaves = [leaf for leaf in map_ahead(look, self._data_files(), self._workers) if leaf.row_groups]
            total = len(self._files.data_files()) if self._files.is_index else len(self._files.partitions)
        return ScanPlan(tuple(leaves), tuple(columns), total)

    @cached_property
    def _ranges(self) -> IntArray | None:
        return None if self._request.region is None else self._request.region.ranges()

    @cached_property
    def _tiles(self) -> IntArray | None:
        return None if self._choose_tiles is None else self._choose_tiles(self._files.partitions)

    @property
    def _workers(self) -> int:
        # With a limit and no tests, the first pieces are enough, so nothing is read ahead.
        if self._request.limit is not None and self._request.reads_every_row:
            return 1
        if storage.is_local(self._files.root):
            return min(_LOCAL_WORKERS, os.cpu_count() or 1)
        return _REMOTE_WORKERS

    def _reader(self) -> Reader:
        return Reader(self._files, self._request)

    def _data_files(self) -> list[DataFile]:
        if self._request.limit == 0:
            return []
        return select_files(self._files, self._ranges, self._tiles)

    def _pieces(self) -> Iterable[Piece]:
        """Return the pieces to read, in order; a few footers are fetched ahead."""
        pick = GroupFilter(self._files, self._request, self._ranges)
        limit = self._request.limit
        rows = PIECE_ROWS if limit is None else min(limit, PIECE_ROWS)

        def cut(file: DataFile) -> list[Piece]:
            footer = self._files.footer(file.path)
            return list(pieces_of(file, footer, pick(footer), rows))

        files = self._data_files()
        if len(files) == 1:
            return cut(files[0])
        return (piece for pieces in map_ahead(cut, files, self._workers) for piece in pieces)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for table in self._tables():
            for batch in table.to_batches():
                if batch.num_rows:
                    yield batch

    def _tables(self) -> Iterator[pa.Table]:
        missing = self._request.limit
        with self._files.detecting_changes():
            for table in map_ahead(self._reader().read, self._pieces(), self._workers):
                if missing is not None:
                    table = table.slice(0, missing)
                    missing -= table.num_rows
                yield table
                if missing == 0:
                    return


def make_scan(
    files: CatalogFiles,
    columns: Iterable[str] | str | None,
    region: Any = None,
    where: Any = None,
    limit: int | None = None,
    choose_tiles: TileChooser | None = None,
) -> Scan:
    """Check the arguments against the catalog and return the scan: see `Catalog.scan`."""
    if files.only_links_tiles:
        raise UsageError(
            "this association links whole tiles and has no rows to scan",
            path=files.root,
            found="hats_assn_leaf_files=False",
            hint="its tiles are in Catalog.partitions",
        )
    if limit is not None and limit < 0:
        raise UsageError("limit must not be negative", found=limit, expected="0 or more")
    chosen = _choose_columns(files, columns)
    tests: list[str] = []
    if region is not None:
        region = as_region(region)
        tests += _position_columns(files)
    if where is not None:
        where = as_condition(where, files.schema)
        tests += columns_of(where, files.schema)
    request = Request(chosen, region, where, limit, tuple(dict.fromkeys(tests)))
    return Scan(files, request, choose_tiles)


def _choose_columns(files: CatalogFiles, columns: Iterable[str] | str | None) -> tuple[str, ...]:
    names = files.schema.names
    if columns is None:
        default = [name for name in files.properties.hats_cols_default or () if name in names]
        return tuple(default or names)
    if isinstance(columns, str):
        if columns != "all":
            raise UsageError("columns must be a list", found=columns, expected='a list of names, or "all"')
        return tuple(names)
    if not isinstance(columns, Iterable):
        raise UsageError(
            "columns must be a list",
            found=type(columns).__name__,
            expected='a list of names, or "all"',
            hint="pass a region as region=...",
        )
    chosen = tuple(dict.fromkeys(columns))
    for name in chosen:
        if name not in names:
            raise unknown_column(name, names)
    return chosen


def _position_columns(files: CatalogFiles) -> list[str]:
    properties, names = files.properties, files.schema.names
    if properties.has_coordinates:
        wanted = [str(properties.hats_col_ra), str(properties.hats_col_dec)]
    else:
        wanted = [properties.healpix_column]
    if files.is_index or not set(wanted) <= set(names):
        raise UsageError(
            "the table has no positions, so it cannot be filtered by region",
            path=files.root,
            expected=f"the columns {' and '.join(wanted)}",
        )
    return wanted
