"""Stage 5, finishing: write the metadata that makes a folder of leaves a catalog (Note, section 3.6).

Every number comes from the files that were written. The properties come last: without them the folder is not
a catalog.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
from upath import UPath

from hatsformat import layout, storage
from hatsformat._version import __version__
from hatsformat.artefacts.parquet_metadata import MetadataWriter, write_common_metadata
from hatsformat.artefacts.skymap import encode_skymap, skymap_order
from hatsformat.artefacts.statistics import statistics_writer
from hatsformat.artefacts.thumbnail import FirstRows, write_thumbnail
from hatsformat.healpix import MAX_ORDER
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.pixel_counts import Counts
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.properties.table import TableProperties

R = TypeVar("R")

HATS_VERSION = "1.0"
FRAME = "equatorial"
"""The frame of the index and the coordinate columns, whatever the input had: the note's word for ICRS."""

METADATA_LIMIT_BYTES = 512 * 1024 * 1024
"""The most bytes of footers that go into ``_metadata``; a larger file would be a burden, and is optional."""


@dataclass(frozen=True, slots=True)
class CatalogInfo:
    """The properties of a catalog that cannot be counted.

    Attributes
    ----------
    name, catalog_type, ra, dec, suffix : str
    max_rows, max_bytes : int or None
        The threshold.
    sort_by : tuple of str
    thumbnail, statistics : bool
        Whether to write these files.
    """

    name: str
    catalog_type: str
    ra: str
    dec: str
    suffix: str
    max_rows: int | None
    max_bytes: int | None = None
    sort_by: tuple[str, ...] = ()
    thumbnail: bool = False
    statistics: bool = False

    @classmethod
    def of(cls, options: ImportOptions, name: str, **changes: Any) -> CatalogInfo:
        """Return the properties that follow from the options of an import, with some of them changed."""
        info = cls(
            name,
            options.catalog_type,
            options.ra,
            options.dec,
            options.suffix,
            None if options.by_bytes else options.max_rows,
            options.max_bytes,
            options.sort_by,
            options.thumbnail,
            options.statistics,
        )
        return replace(info, **changes)


@dataclass(frozen=True, slots=True)
class Finished:
    """The rows, tiles and bytes of all files of a catalog."""

    rows: int
    tiles: int
    size: int


def finish(
    root: UPath,
    leaves: Iterable[Leaf],
    counts: Counts,
    plan: LeafPlan,
    info: CatalogInfo,
    now: datetime,
    after_leaves: Callable[[], None] | None = None,
) -> Finished:
    """Write all of a catalog except its leaves.

    Parameters
    ----------
    root : UPath
        The folder of the catalog.
    leaves : iterable of Leaf
        Along the sky. They are taken one by one, so they may be written while this runs.
    counts : PixelCounts or SkyCounts
        Rows at a high order, for the sky map.
    plan, info, now
        How leaves are written, the catalog's properties, and its date.
    after_leaves : callable, optional
        Called once the leaves are written, before the properties make them a catalog.
    """
    data = write_dataset(root, leaves, plan, statistics=info.statistics)
    if after_leaves is not None:
        after_leaves()
    written = []
    if info.thumbnail:
        most = info.max_rows or len(data.tiles)
        write_thumbnail(root / layout.THUMBNAIL, plan.schema, data.first_rows, most, plan.format)
        written.append(layout.THUMBNAIL)
    order = skymap_order(data.rows, data.tiles.max_order, counts.order)
    written += write_skymaps(root, counts, order)
    size = data.size + _size_of(root, written)
    properties = describe(info, plan.schema, data.tiles, data.rows, order, size, now)
    size += write_properties(root, properties)
    return Finished(data.rows, len(data.tiles), size)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The tiles, rows, bytes and first rows of the leaves of a catalog and their metadata files."""

    tiles: PartitionInfo
    rows: int
    size: int
    first_rows: FirstRows


def write_dataset(
    root: UPath, leaves: Iterable[Leaf], plan: LeafPlan, *, statistics: bool = False
) -> Dataset:
    """Write ``partition_info.csv``, ``_common_metadata`` and ``_metadata``: see `finish`."""
    orders, pixels = array("b"), array("q")
    rows = size = 0
    first_rows = FirstRows(root / layout.THUMBNAIL, plan.schema)
    with _Footers(root, plan.schema, statistics) as footers:
        for leaf in leaves:
            orders.append(leaf.tile.order)
            pixels.append(leaf.tile.pixel)
            rows += leaf.footer.num_rows
            size += leaf.size
            footers.add(leaf)
            if leaf.first_row is not None:
                first_rows.add(leaf.first_row)
        partitions = PartitionInfo(np.array(orders), np.array(pixels))
        _concurrently(
            root,
            partial(storage.write_bytes, root / layout.PARTITION_INFO, partitions.to_csv()),
            partial(write_common_metadata, root / layout.COMMON_METADATA, plan.schema),
            footers.write,
        )
        written = [layout.PARTITION_INFO, layout.COMMON_METADATA, *footers.written]
    return Dataset(partitions, rows, size + _size_of(root, written), first_rows)


def _concurrently(root: UPath, *calls: Callable[[], R]) -> list[R]:
    """Run calls at the same time if the catalog is on a server, where each of them waits."""
    return storage.map_concurrently(lambda call: call(), calls, waits=not storage.is_local(root))


def _size_of(root: UPath, names: Iterable[str]) -> int:
    """Return the total size of files."""
    return sum(_concurrently(root, *(partial(storage.size, root / name) for name in names)))


class _Footers:
    """Gathers the footers of leaves one by one, with as little as possible in memory."""

    def __init__(self, root: UPath, schema: pa.Schema, statistics: bool) -> None:
        self._size = 0
        with ExitStack() as stack:
            self._metadata = stack.enter_context(MetadataWriter(root / layout.METADATA, schema))
            self._statistics = None
            if statistics:
                self._statistics = stack.enter_context(statistics_writer(root / layout.STATISTICS, schema))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, leaf: Leaf) -> None:
        """Add a leaf."""
        if self._statistics is not None:
            self._statistics.add(leaf.tile, leaf.footer)
        self._size += leaf.footer.serialized_size
        if self._has_metadata:
            self._metadata.add(leaf.path.removeprefix(f"{layout.DATASET}/"), leaf.footer)

    def write(self) -> None:
        """Write the files."""
        if self._has_metadata:
            self._metadata.write()
        self._stack.close()

    @property
    def written(self) -> list[str]:
        """The files that `write` writes."""
        written = {layout.METADATA: self._has_metadata, layout.STATISTICS: self._statistics is not None}
        return [path for path, is_there in written.items() if is_there]

    @property
    def _has_metadata(self) -> bool:
        return self._size <= METADATA_LIMIT_BYTES


def write_skymaps(root: UPath, counts: Counts, order: int) -> list[str]:
    """Write the sky map, and a copy under its older name, from which hats still reads coverage."""
    content = encode_skymap(counts.degraded(order).dense())
    names = [layout.SKYMAP, layout.POINT_MAP]
    _concurrently(root, *(partial(storage.write_bytes, root / name, content) for name in names))
    return names


def describe(
    info: CatalogInfo,
    schema: pa.Schema,
    partitions: PartitionInfo,
    rows: int,
    skymap_at: int,
    size: int,
    now: datetime,
) -> TableProperties:
    """Return the properties of a catalog."""
    return TableProperties(
        obs_collection=info.name,
        dataproduct_type=info.catalog_type,
        hats_nrows=rows,
        hats_frame=FRAME,
        hats_col_ra=info.ra,
        hats_col_dec=info.dec,
        hats_col_healpix=schema.names[0],
        hats_col_healpix_order=MAX_ORDER,
        hats_cols_sort=info.sort_by or None,
        hats_npix_suffix=info.suffix,
        hats_skymap_order=skymap_at,
        hats_max_rows=info.max_rows,
        hats_max_bytes=info.max_bytes,
        hats_order=partitions.max_order,
        moc_sky_fraction=round(partitions.sky_fraction, 10),
        **making(size, now),
    )


def making(size: int, now: datetime) -> dict[str, Any]:
    """Return the keywords for the builder, the dates and the size of a table."""
    return {
        "hats_builder": f"hatsformat v{__version__}",
        "hats_creation_date": now,
        "hats_release_date": now,
        "hats_estsize": max(1, round(size / 1000)),
        "hats_version": HATS_VERSION,
    }


def write_properties(root: UPath, properties: TableProperties) -> int:
    """Write the properties under both names; the one that readers look for first comes last."""
    content = properties.format().encode()
    for name in reversed(layout.CATALOG_PROPERTIES):
        storage.write_bytes(root / name, content)
    return len(content) * len(layout.CATALOG_PROPERTIES)
