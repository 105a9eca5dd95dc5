"""Updating the metadata of a catalog after leaves were added (Note, section 3.6).

The counts of the added rows are added to those in the old files. Only the footers of new files are read. As
in an import, the properties come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, compress

import numpy as np
import numpy.typing as npt
from upath import UPath

from hatsformat import layout, storage
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.artefacts.parquet_metadata import extend_metadata, write_metadata
from hatsformat.artefacts.skymap import encode_skymap, read_skymap
from hatsformat.artefacts.statistics import extend_statistics, write_statistics
from hatsformat.artefacts.thumbnail import write_thumbnail
from hatsformat.catalog import locating
from hatsformat.catalog.members import Members
from hatsformat.healpix import order_of_npix
from hatsformat.partition_info import ROWS_COLUMN, PartitionInfo
from hatsformat.partitioner.pixel_counts import Counts
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.properties import TableProperties
from hatsformat.updates.existing import ExistingCatalog
from hatsformat.updates.target import Target


def map_orders(existing: ExistingCatalog) -> dict[str, int]:
    """Return the order of each sky map of a catalog, by path."""
    others = existing.properties.hats_skymap_alt_orders or ()
    names = (layout.SKYMAP, layout.POINT_MAP, *map(layout.skymap_path, others))
    found = {name: locating.if_exists(read_skymap, existing.root / name) for name in names}
    return {name: known[0] for name, known in found.items() if known is not None}


def metadata_files(existing: ExistingCatalog) -> list[str]:
    """Return the metadata files that change when leaves are added, in the order of writing.

    The list of tiles comes near the end because it makes new tiles visible to readers.
    """
    maybe = (layout.METADATA, layout.STATISTICS, layout.THUMBNAIL)
    names = [name for name in maybe if storage.exists(existing.root / name)]
    return [*names, *map_orders(existing), layout.PARTITION_INFO, *property_files(existing.root)]


def property_files(root: UPath) -> list[str]:
    """Return the properties files of a catalog; the one that readers prefer comes last."""
    return [name for name in reversed(layout.CATALOG_PROPERTIES) if storage.exists(root / name)]


def update_metadata(
    existing: ExistingCatalog,
    root: UPath,
    leaves: Sequence[Leaf],
    counts: Counts,
    plan: LeafPlan,
    now: datetime,
) -> ExistingCatalog:
    """Update the metadata of a catalog, and return its new state.

    `leaves` are the new leaf files in the folder `root`, along the sky; they may replace existing ones.
    `counts` are of the added rows, at the order of the sky maps or above. `now` is the release date.
    """
    after = _with(existing, leaves)
    for name in metadata_files(existing):
        if name == layout.METADATA:
            _extend_metadata(existing, root / name, leaves, plan)
        elif name == layout.STATISTICS:
            _extend_statistics(existing, after, root / name, leaves, plan)
        elif name == layout.THUMBNAIL:
            _extend_thumbnail(existing, after, root / name, leaves, plan)
        elif name == layout.PARTITION_INFO:
            storage.write_bytes(root / name, after.tiles.to_csv())
        elif name.endswith(".fits"):
            _, dense = read_skymap(existing.root / name)
            added = counts.degraded(order_of_npix(dense.size))
            dense[added.pixels] += added.rows
            storage.write_bytes(root / name, encode_skymap(dense))
    properties = existing.properties.replace(
        hats_nrows=int(after.rows.sum()),
        hats_order=after.tiles.max_order,
        moc_sky_fraction=round(after.tiles.sky_fraction, 10),
        hats_release_date=now,
    )
    return replace(after, root=root, properties=write_properties(root, properties))


def update_collection(target: Target, primary: TableProperties, now: datetime) -> None:
    """Update what the properties of a collection say about its primary catalog, and its size."""
    root, staging = target.change.root, target.change.staging
    properties = locating.collection_properties(root)
    if properties is None:
        return
    members = Members(staging, properties)
    tables = [members.primary(), *map(members.margin, properties.margins)]
    tables += map(members.index, properties.indexes)
    known = {
        "hats_order": primary.hats_order,
        "moc_sky_fraction": primary.moc_sky_fraction,
        "hats_release_date": now,
        "hats_estsize": sum(table.hats_estsize or 0 for _, table in tables),
    }
    changes = {name: value for name, value in known.items() if getattr(properties, name) is not None}
    target.begin(root, [], [layout.COLLECTION_PROPERTIES])
    content = properties.replace(**changes).format().encode()
    storage.write_bytes(staging / layout.COLLECTION_PROPERTIES, content)


def write_properties(root: UPath, properties: TableProperties) -> TableProperties:
    """Write the properties to all files that have them, with the size of the whole catalog."""
    names = property_files(root)
    size = sum(
        entry.size
        for entry in storage.list_tree(root)
        if entry.path not in names and not entry.path.startswith(".")
    )
    length = len(properties.format().encode())
    properties = properties.replace(hats_estsize=max(1, round((size + length * len(names)) / 1000)))
    for name in names:
        storage.write_bytes(root / name, properties.format().encode())
    return properties


def _extend_metadata(existing: ExistingCatalog, path: UPath, leaves: Sequence[Leaf], plan: LeafPlan) -> None:
    """Add the footers of new files to ``_metadata``, or collect all footers if files were replaced."""
    footers = [(_in_dataset(leaf.path), leaf.footer) for leaf in leaves]
    kept = _kept(existing, leaves)
    if kept.all():
        extend_metadata(existing.root / layout.METADATA, path, footers)
    else:
        paths = compress(existing.paths, kept)
        old = ((_in_dataset(own), read_footer(existing.root / own)) for own in paths)
        write_metadata(path, plan.schema, chain(old, footers))


def _extend_statistics(
    existing: ExistingCatalog, after: ExistingCatalog, path: UPath, leaves: Sequence[Leaf], plan: LeafPlan
) -> None:
    """Add the row groups of new files, or collect all footers, along the sky, if files were replaced."""
    if _kept(existing, leaves).all():
        added = [(leaf.tile, leaf.footer) for leaf in leaves]
        extend_statistics(existing.root / layout.STATISTICS, path, plan.schema, added)
        return
    known = {leaf.path: leaf.footer for leaf in leaves}
    along_sky = np.argsort(after.tile_of, kind="stable").tolist()
    files = ((after.paths[file], after.tiles[int(after.tile_of[file])]) for file in along_sky)
    footers = ((tile, known.get(own) or read_footer(existing.root / own)) for own, tile in files)
    write_statistics(path, plan.schema, footers)


def _in_dataset(path: str) -> str:
    return path.removeprefix(f"{layout.DATASET}/")


def _kept(existing: ExistingCatalog, leaves: Sequence[Leaf]) -> npt.NDArray[np.bool_]:
    """Return which of the existing files are not replaced by new ones."""
    new = {leaf.path for leaf in leaves}
    return np.array([path not in new for path in existing.paths], dtype=np.bool_)


def _with(existing: ExistingCatalog, leaves: Sequence[Leaf]) -> ExistingCatalog:
    """Return the catalog with new leaf files."""
    old = existing.tiles
    new = PartitionInfo.of_tiles([leaf.tile for leaf in leaves if leaf.tile not in old])
    tiles = PartitionInfo(np.concatenate((old.orders, new.orders)), np.concatenate((old.pixels, new.pixels)))
    kept = _kept(existing, leaves)
    own = tiles.find(old.starts)[existing.tile_of[kept]] if len(old) else existing.tile_of
    added = tiles.find(PartitionInfo.of_tiles([leaf.tile for leaf in leaves]).starts)
    tile_of = np.concatenate((own, added))
    rows = np.concatenate((existing.rows[kept], [leaf.footer.num_rows for leaf in leaves])).astype(np.int64)
    if ROWS_COLUMN in old.extra:
        in_tile = np.bincount(tile_of, weights=rows, minlength=len(tiles)).astype(np.int64)
        tiles = PartitionInfo(tiles.orders, tiles.pixels, {ROWS_COLUMN: in_tile})
    paths = [*compress(existing.paths, kept), *(leaf.path for leaf in leaves)]
    return replace(existing, tiles=tiles, paths=paths, tile_of=tile_of, rows=rows)


def _extend_thumbnail(
    existing: ExistingCatalog, after: ExistingCatalog, path: UPath, leaves: Sequence[Leaf], plan: LeafPlan
) -> None:
    """Add the first rows of new tiles; those of existing tiles stay."""
    source = existing.root / layout.THUMBNAIL
    old = read_row_groups(source, read_footer(source))
    first_rows = [old.slice(row, 1) for row in range(old.num_rows)]
    first_rows += [leaf.first_row for leaf in leaves if leaf.tile not in existing.tiles]
    most = existing.properties.hats_max_rows or len(after.tiles)
    write_thumbnail(path, plan.schema, first_rows, most, plan.format)
