"""The primary catalog that supplements are built from, read a stretch of the sky at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

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
"""The most leaves in a stretch; fewer where there are not enough to keep all workers busy."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns with the positions of rows, and of that with their order-29 pixels if any."""

    ra: str
    dec: str
    pixel: str | None

    @property
    def names(self) -> list[str]:
        """The names, without None."""
        return [name for name in (self.ra, self.dec, self.pixel) if name is not None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some tiles of a catalog that follow one another along the sky; sent to a worker."""

    number: int  # counts the stretches of a catalog along the sky
    root: UPath
    tiles: PartitionInfo
    indices: IntArray  # of the tiles among those of the catalog
    files: tuple[tuple[str, ...], ...]  # of each tile, relative to the root
    columns: Columns

    def leaves(self) -> Iterator[tuple[int, HealpixPixel, UPath]]:
        """Yield the index of the tile, the tile, and the path of every file."""
        for index, tile, files in zip(self.indices.tolist(), self.tiles, self.files, strict=True):
            for path in files:
                yield index, tile, self.root / path


@dataclass(frozen=True, slots=True)
class Primary:
    """A catalog that supplements are built from."""

    files: CatalogFiles
    columns: Columns
    schema: pa.Schema  # without the columns that older writers repeat from the path

    @classmethod
    def of(cls, root: UPath, properties: TableProperties) -> Primary:
        """Return the catalog at `root`; raise `HatsError` if it cannot have supplements."""
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
                    f"the column declared in {keyword} is missing",
                    path=root,
                    found=name,
                    expected=f"one of: {', '.join(schema.names[:20])}",
                )
        pixel = properties.healpix_column
        has_pixels = properties.healpix_order == MAX_ORDER and pixel in schema.names
        return cls(files, Columns(str(names[0]), str(names[1]), pixel if has_pixels else None), schema)

    @property
    def root(self) -> UPath:
        """The catalog's folder."""
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
        """Cut the catalog, or some files of it, into stretches for a number of workers.

        What is built from them does not depend on that number.
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
                self.tiles.select(indices),
                indices,
                tuple(tuple(files_of[index]) for index in indices.tolist()),
                self.columns,
            )
            for number, indices in enumerate(np.split(chosen, range(step, chosen.size, step)))
            if indices.size
        ]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a leaf; `read` may be called several times, for different columns."""

    path: UPath
    footer: pq.FileMetaData
    number: int

    def read(self, schema: pa.Schema, columns: Sequence[str]) -> pa.Table:
        """Return some columns of its rows, in the types of the catalog's schema."""
        table = read_row_groups(self.path, self.footer, [self.number], list(columns))
        return fit(table, pa.schema([schema.field(name) for name in columns]), str(self.path))


def row_groups(path: UPath) -> Iterator[RowGroup]:
    """Yield the row groups of a leaf."""
    footer = read_footer(path)
    for number in range(footer.num_row_groups):
        yield RowGroup(path, footer, number)


def chunked(parts: Iterable[T], size_of: Callable[[T], int], limit: int) -> Iterator[list[T]]:
    """Yield consecutive parts in lists of at least `limit` bytes; the last one may be smaller."""
    chunk: list[T] = []
    size = 0
    for part in parts:
        chunk.append(part)
        size += size_of(part)
        if size >= limit:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def positions(table: pa.Table, columns: Columns) -> tuple[FloatArray, FloatArray]:
    """Return RA and Dec of rows in degrees, NaN for rows without a valid position."""
    ra, dec = as_floats(table.column(columns.ra)), as_floats(table.column(columns.dec))
    on_sky = np.isfinite(ra) & (np.abs(dec) <= 90)
    return np.where(on_sky, ra, np.nan), np.where(on_sky, dec, np.nan)


def pixels_of(table: pa.Table, columns: Columns, tile: HealpixPixel, path: UPath) -> IntArray:
    """Return the order-29 pixels of the rows of a leaf, -1 for rows without a position.

    Raises `LeafError` if the index column puts rows into another tile.
    """
    if columns.pixel is None:
        ra, dec = positions(table, columns)
        on_sky = np.flatnonzero(np.isfinite(ra))
        pixels = np.full(len(ra), -1, dtype=np.int64)
        pixels[on_sky] = radec_to_pixel(ra[on_sky], dec[on_sky], MAX_ORDER)
        return pixels
    pixels = as_integers(table.column(columns.pixel))
    wrong = np.flatnonzero((pixels >> (2 * (MAX_ORDER - tile.order))) != tile.pixel)
    if wrong.size:
        raise LeafError(
            f"the column {columns.pixel} puts {wrong.size} rows into another tile",
            path=path,
            found=int(pixels[wrong[0]]),
            expected=f"pixels in {tile}",
            hint="run hatsformat validate",
        )
    return pixels
