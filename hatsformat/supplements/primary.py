"""The catalog that supplements are built from, read a stretch of the sky at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import layout
from hatsformat.arrays import as_floats, as_integers
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.catalog.manifest import CatalogFiles, DataFile
from hatsformat.errors import ColumnError, LeafError, UsageError
from hatsformat.healpix import MAX_ORDER, FloatArray, HealpixPixel, IntArray, radec_to_pixel
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.schema import fit
from hatsformat.properties.table import TableProperties

PRIMARY_TYPES = ("object", "source", "nested")
"""The types of tables that have supplements."""

TASKS_PER_WORKER = 8
MOST_LEAVES = 64
"""Leaves that are read in one go: fewer where there are not enough to keep all workers busy."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a catalog that tell where its rows are; None for one that it has not.

    Attributes
    ----------
    ra, dec : str
        In degrees.
    pixel : str or None
        The column with the rows' order-29 pixels.
    """

    ra: str
    dec: str
    pixel: str | None

    @property
    def names(self) -> list[str]:
        """The names of those that there are."""
        return [name for name in (self.ra, self.dec, self.pixel) if name is not None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some tiles of a catalog that follow one another, as they are sent to a worker.

    Attributes
    ----------
    number : int
        The stretch's place along the sky.
    root : UPath
        The catalog's directory.
    tiles : ndarray of int64, shape (n,)
        The tiles' indices in the catalog's `PartitionInfo`.
    orders, pixels : ndarray of int64, shape (n,)
    files : tuple of tuple of str
        The files of each tile, relative to the root.
    columns : Columns
    """

    number: int
    root: UPath
    tiles: IntArray
    orders: IntArray
    pixels: IntArray
    files: tuple[tuple[str, ...], ...]
    columns: Columns

    @property
    def partitions(self) -> PartitionInfo:
        """The tiles."""
        return PartitionInfo(self.orders, self.pixels)

    def leaves(self) -> Iterator[tuple[int, HealpixPixel, UPath]]:
        """Yield the index of the tile, the tile, and the place of every file."""
        numbers = zip(self.tiles.tolist(), self.orders.tolist(), self.pixels.tolist(), strict=True)
        for (index, order, pixel), files in zip(numbers, self.files, strict=True):
            for path in files:
                yield index, HealpixPixel(order, pixel), self.root / path


@dataclass(frozen=True, slots=True)
class Primary:
    """A catalog of which supplements are built.

    Attributes
    ----------
    files : CatalogFiles
    columns : Columns
    schema : pyarrow.Schema
        Without the columns that older writers repeat from the path.
    """

    files: CatalogFiles
    columns: Columns
    schema: pa.Schema

    @classmethod
    def of(cls, root: UPath, properties: TableProperties) -> Primary:
        """Look at the catalog at `root`.

        Raises
        ------
        UsageError
            If it is of a type that has no supplements.
        ColumnError
            If it lacks its coordinates.
        """
        if properties.dataproduct_type not in PRIMARY_TYPES:
            raise UsageError(
                "supplements are built from catalogs, not from other supplements",
                path=root,
                found=f"a table of type {properties.dataproduct_type}",
                expected=" or ".join(PRIMARY_TYPES),
            )
        files = CatalogFiles(root, properties)
        schema = files.schema
        own = [column for column in schema if column.name not in layout.HIVE_COLUMNS]
        if len(own) < len(schema):
            kept = {key: value for key, value in (schema.metadata or {}).items() if key != b"pandas"}
            schema = pa.schema(own, metadata=kept or None)
        names = properties.hats_col_ra, properties.hats_col_dec
        for keyword, name in zip(("hats_col_ra", "hats_col_dec"), names, strict=True):
            if name is None or name not in schema.names:
                raise ColumnError(
                    f"the catalog has no column that {keyword} names",
                    path=root,
                    found=name,
                    expected=f"one of: {', '.join(schema.names[:20])}",
                )
        pixel = properties.healpix_column
        has_pixels = properties.healpix_order == MAX_ORDER and pixel in schema.names
        return cls(files, Columns(str(names[0]), str(names[1]), pixel if has_pixels else None), schema)

    @property
    def root(self) -> UPath:
        """The catalog's directory."""
        return self.files.root

    @property
    def properties(self) -> TableProperties:
        """The catalog's properties."""
        return self.files.properties

    @property
    def tiles(self) -> PartitionInfo:
        """The catalog's tiles."""
        return self.files.partitions

    def stretches(self, workers: int, files: Iterable[DataFile] | None = None) -> list[Stretch]:
        """Cut the catalog into stretches for a number of workers; what is made of them does not depend on
        it.

        Parameters
        ----------
        workers : int
        files : iterable of DataFile, optional
            Those to read; all by default.
        """
        files_of: dict[int, list[str]] = {}
        for file in self.files.data_files() if files is None else files:
            files_of.setdefault(file.tile, []).append(file.path)
        chosen = np.array(sorted(files_of), dtype=np.int64)
        step = int(np.clip(chosen.size // (workers * TASKS_PER_WORKER), 1, MOST_LEAVES))
        return [
            Stretch(
                number,
                self.root,
                tiles,
                self.tiles.orders[tiles].astype(np.int64),
                self.tiles.pixels[tiles],
                tuple(tuple(files_of[tile]) for tile in tiles.tolist()),
                self.columns,
            )
            for number, tiles in enumerate(np.split(chosen, range(step, chosen.size, step)))
            if tiles.size
        ]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a leaf, read when it is asked for."""

    place: UPath
    footer: pq.FileMetaData
    number: int

    def read(self, schema: pa.Schema, columns: Sequence[str]) -> pa.Table:
        """Return some columns of its rows, in the types of the catalog's schema."""
        table = read_row_groups(self.place, self.footer, [self.number], list(columns))
        return fit(table, pa.schema([schema.field(name) for name in columns]), str(self.place))


def row_groups(place: UPath) -> Iterator[RowGroup]:
    """Yield the row groups of a leaf."""
    footer = read_footer(place)
    for number in range(footer.num_row_groups):
        yield RowGroup(place, footer, number)


def positions(table: pa.Table, columns: Columns) -> tuple[FloatArray, FloatArray]:
    """Return right ascensions and declinations of rows in degrees, NaN where there is none."""
    ra, dec = as_floats(table.column(columns.ra)), as_floats(table.column(columns.dec))
    on_sky = np.isfinite(ra) & (np.abs(dec) <= 90)
    return np.where(on_sky, ra, np.nan), np.where(on_sky, dec, np.nan)


def pixels_of(table: pa.Table, columns: Columns, tile: HealpixPixel, place: UPath) -> IntArray:
    """Return the order-29 pixels of the rows of a leaf; -1 where a row has no position.

    Raises
    ------
    LeafError
        If the index column puts rows into another tile than the leaf's.
    """
    if columns.pixel is None:
        ra, dec = positions(table, columns)
        there = np.flatnonzero(np.isfinite(ra))
        pixels = np.full(len(ra), -1, dtype=np.int64)
        pixels[there] = radec_to_pixel(ra[there], dec[there], MAX_ORDER)
        return pixels
    pixels = as_integers(table.column(columns.pixel))
    wrong = np.flatnonzero((pixels >> (2 * (MAX_ORDER - tile.order))) != tile.pixel)
    if wrong.size:
        raise LeafError(
            f"the column {columns.pixel} puts {wrong.size} rows into another tile",
            path=place,
            found=int(pixels[wrong[0]]),
            expected=f"pixels in {tile}",
            hint="see what hatsformat validate says of the catalog",
        )
    return pixels
