"""Stage 5, finishing: what makes a directory of leaves a catalog (Note, section 3.6).

Every number is taken from what was written. The properties file comes last: until it is there, nothing
calls this a catalog.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from upath import UPath

from hatsformat import layout, storage
from hatsformat._version import __version__
from hatsformat.artefacts.parquet_metadata import write_common_metadata, write_metadata
from hatsformat.artefacts.skymap import encode_skymap, skymap_order
from hatsformat.artefacts.thumbnail import write_thumbnail
from hatsformat.healpix import MAX_ORDER
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.binning import PixelCounts
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.properties.table import TableProperties

HATS_VERSION = "1.0"
FRAME = "equatorial"
"""The frame of the index and of the coordinate columns, ICRS in the note's word, whatever the input had."""

METADATA_LIMIT_BYTES = 512 * 1024 * 1024
"""Footers that are gathered into ``_metadata``; a larger file would be a burden, and no reader needs it."""


@dataclass(frozen=True, slots=True)
class CatalogInfo:
    """What the properties say that cannot be counted.

    Attributes
    ----------
    name, catalog_type, ra, dec, suffix : str
    max_rows, max_bytes : int or None
        The threshold.
    sort_by : tuple of str
    thumbnail : bool
        Whether to write a thumbnail.
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


@dataclass(frozen=True, slots=True)
class Finished:
    """What was written in all: rows, tiles, and bytes of every file of the catalog."""

    rows: int
    tiles: int
    size: int


def finish(
    root: UPath, leaves: Iterable[Leaf], counts: PixelCounts, plan: LeafPlan, info: CatalogInfo, now: datetime
) -> Finished:
    """Write everything of a catalog but its leaves.

    Parameters
    ----------
    root : UPath
        The catalog's directory.
    leaves : iterable of Leaf
        In the order of the sky; taken one after the other, so they may be written while this runs.
    counts : PixelCounts
        Rows at a high order, for the sky map.
    plan : LeafPlan
    info : CatalogInfo
    now : datetime
        The date of the catalog.

    Returns
    -------
    Finished
    """
    data = write_dataset(root, leaves, plan)
    written = []
    if info.thumbnail:
        most = info.max_rows or len(data.tiles)
        write_thumbnail(root / layout.THUMBNAIL, plan.schema, data.first_rows, most, plan.format)
        written.append(layout.THUMBNAIL)
    order = skymap_order(data.rows, data.tiles.max_order, counts.order)
    written += write_skymaps(root, counts, order)
    size = data.size + sum(storage.size(root / name) for name in written)
    properties = describe(info, plan.schema, data.tiles, data.rows, order, size, now)
    size += write_properties(root, properties)
    return Finished(data.rows, len(data.tiles), size)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The leaves of a catalog, with the files that tell of them: tiles, rows, bytes in all, first rows."""

    tiles: PartitionInfo
    rows: int
    size: int
    first_rows: list[pa.Table]


def write_dataset(root: UPath, leaves: Iterable[Leaf], plan: LeafPlan) -> Dataset:
    """Write ``partition_info.csv``, ``_common_metadata`` and ``_metadata``: see `finish`."""
    tiles, footers, first_rows = [], [], []
    rows = size = footer_bytes = 0
    for leaf in leaves:
        tiles.append(leaf.tile)
        rows += leaf.footer.num_rows
        size += leaf.size
        footer_bytes += leaf.footer.serialized_size
        if footer_bytes <= METADATA_LIMIT_BYTES:
            footers.append((leaf.path.removeprefix(f"{layout.DATASET}/"), leaf.footer))
        if leaf.first_row is not None:
            first_rows.append(leaf.first_row)
    partitions = PartitionInfo.of_tiles(tiles)
    written = [layout.PARTITION_INFO, layout.COMMON_METADATA]
    storage.write_bytes(root / layout.PARTITION_INFO, partitions.to_csv())
    write_common_metadata(root / layout.COMMON_METADATA, plan.schema)
    if footer_bytes <= METADATA_LIMIT_BYTES:
        write_metadata(root / layout.METADATA, plan.schema, footers)
        written.append(layout.METADATA)
    size += sum(storage.size(root / name) for name in written)
    return Dataset(partitions, rows, size, first_rows)


def write_skymaps(root: UPath, counts: PixelCounts, order: int) -> list[str]:
    """Write the sky map, and again under its older name, which hats still reads coverage from."""
    content = encode_skymap(counts.degraded(order).dense())
    for name in (layout.SKYMAP, layout.POINT_MAP):
        storage.write_bytes(root / name, content)
    return [layout.SKYMAP, layout.POINT_MAP]


def describe(
    info: CatalogInfo,
    schema: pa.Schema,
    partitions: PartitionInfo,
    rows: int,
    skymap_at: int,
    size: int,
    now: datetime,
) -> TableProperties:
    """Return the properties of a catalog, from what was written."""
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
    """Return the keywords that say by what, when and how large a table was made."""
    return {
        "hats_builder": f"hatsformat v{__version__}",
        "hats_creation_date": now,
        "hats_release_date": now,
        "hats_estsize": max(1, round(size / 1000)),
        "hats_version": HATS_VERSION,
    }


def write_properties(root: UPath, properties: TableProperties) -> int:
    """Write the properties under both of their names, the one that readers look for first last."""
    content = properties.format().encode()
    for name in reversed(layout.CATALOG_PROPERTIES):
        storage.write_bytes(root / name, content)
    return len(content) * len(layout.CATALOG_PROPERTIES)
