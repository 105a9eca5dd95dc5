"""Keeping what lies beside the leaves true when leaves are added (Note, section 3.6).

Sums are carried on: the old counts come from the files that tell them, the new ones from the rows that were
added. Only the footers of new files are read. As in an import, the properties come last.
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
from hatsformat.updates.existing import Standing
from hatsformat.updates.site import Site


def map_orders(standing: Standing) -> dict[str, int]:
    """Return the sky maps that a catalog has, and the order of each."""
    others = standing.properties.hats_skymap_alt_orders or ()
    names = (layout.SKYMAP, layout.POINT_MAP, *map(layout.skymap_path, others))
    found = {name: locating.if_there(read_skymap, standing.root / name) for name in names}
    return {name: known[0] for name, known in found.items() if known is not None}


def files_beside(standing: Standing) -> list[str]:
    """Return the files that change when leaves are added, relative to the catalog, in the order of writing.

    The list of tiles stands near the end, since it is what shows new tiles to readers.
    """
    maybe = (layout.METADATA, layout.STATISTICS, layout.THUMBNAIL)
    names = [name for name in maybe if storage.exists(standing.root / name)]
    return [*names, *map_orders(standing), layout.PARTITION_INFO, *property_files(standing.root)]


def property_files(root: UPath) -> list[str]:
    """Return the properties files that a catalog has, the one that readers look for first last."""
    return [name for name in reversed(layout.CATALOG_PROPERTIES) if storage.exists(root / name)]


def keep_true(
    standing: Standing,
    root: UPath,
    leaves: Sequence[Leaf],
    counts: Counts,
    plan: LeafPlan,
    now: datetime,
) -> Standing:
    """Write anew what lies beside the leaves of a catalog after new leaf files were written.

    Parameters
    ----------
    standing : Standing
        The catalog as it was.
    root : UPath
        Where to write; the new leaf files are there.
    leaves : sequence of Leaf
        The new leaf files, along the sky; one may take the place of another.
    counts : PixelCounts or SkyCounts
        The rows that were added, at least as deep as the sky maps.
    plan : LeafPlan
        How the leaves are written.
    now : datetime
        The date of the change (``hats_release_date``).

    Returns
    -------
    Standing
        The catalog as it is now.
    """
    after = _with(standing, leaves)
    for name in files_beside(standing):
        if name == layout.METADATA:
            _gather_footers(standing, root / name, leaves, plan)
        elif name == layout.STATISTICS:
            _extend_statistics(standing, after, root / name, leaves, plan)
        elif name == layout.THUMBNAIL:
            _extend_thumbnail(standing, after, root / name, leaves, plan)
        elif name == layout.PARTITION_INFO:
            storage.write_bytes(root / name, after.tiles.to_csv())
        elif name.endswith(".fits"):
            _, dense = read_skymap(standing.root / name)
            added = counts.degraded(order_of_npix(dense.size))
            dense[added.pixels] += added.rows
            storage.write_bytes(root / name, encode_skymap(dense))
    properties = recounted(standing.properties, after, now)
    return replace(after, root=root, properties=write_properties(root, properties))


def keep_collection_true(site: Site, told: TableProperties, now: datetime) -> None:
    """Write anew what the properties of a collection say of its primary catalog and of its size."""
    place, staging = site.folder / layout.COLLECTION_PROPERTIES, site.change.staging
    properties = locating.collection_properties(site.folder)
    if properties is None:
        return
    members = Members(staging, properties)
    tables = [members.primary(), *map(members.margin, properties.margins)]
    tables += map(members.index, properties.indexes)
    known = {
        "hats_order": told.hats_order,
        "moc_sky_fraction": told.moc_sky_fraction,
        "hats_release_date": now,
        "hats_estsize": sum(table.hats_estsize or 0 for _, table in tables),
    }
    changes = {name: value for name, value in known.items() if getattr(properties, name) is not None}
    site.begin([], [layout.COLLECTION_PROPERTIES])
    content = properties.replace(**changes).format().encode()
    storage.write_bytes(staging / place.name, content)


def recounted(properties: TableProperties, after: Standing, now: datetime) -> TableProperties:
    """Return the properties with what follows from the tiles and their rows."""
    return properties.replace(
        hats_nrows=int(after.rows.sum()),
        hats_order=after.tiles.max_order,
        moc_sky_fraction=round(after.tiles.sky_fraction, 10),
        hats_release_date=now,
    )


def write_properties(root: UPath, properties: TableProperties) -> TableProperties:
    """Write the properties under the names that they have, with the size of the whole catalog."""
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


def _gather_footers(standing: Standing, place: UPath, leaves: Sequence[Leaf], plan: LeafPlan) -> None:
    """Write ``_metadata``: the old one and the new footers, or all of them where files were replaced."""
    footers = [(_in_dataset(leaf.path), leaf.footer) for leaf in leaves]
    kept = _kept(standing, leaves)
    if kept.all():
        extend_metadata(standing.root / layout.METADATA, place, footers)
    else:
        paths = compress(standing.paths, kept)
        old = ((_in_dataset(path), read_footer(standing.root / path)) for path in paths)
        write_metadata(place, plan.schema, chain(old, footers))


def _extend_statistics(
    standing: Standing, after: Standing, place: UPath, leaves: Sequence[Leaf], plan: LeafPlan
) -> None:
    """Add the row groups of new files, or read all footers where files were replaced."""
    known = {leaf.path: leaf.footer for leaf in leaves}
    if _kept(standing, leaves).all():
        told = [(leaf.tile, leaf.footer) for leaf in leaves]
        extend_statistics(standing.root / layout.STATISTICS, place, plan.schema, told)
        return
    files = ((after.paths[file], after.tiles[int(after.tile_of[file])]) for file in after.along_sky())
    footers = ((tile, known.get(path) or read_footer(standing.root / path)) for path, tile in files)
    write_statistics(place, plan.schema, footers)


def _in_dataset(path: str) -> str:
    return path.removeprefix(f"{layout.DATASET}/")


def _kept(standing: Standing, leaves: Sequence[Leaf]) -> npt.NDArray[np.bool_]:
    """Return which of the files there were no new one takes the place of."""
    new = {leaf.path for leaf in leaves}
    return np.array([path not in new for path in standing.paths], dtype=np.bool_)


def _with(standing: Standing, leaves: Sequence[Leaf]) -> Standing:
    """Return the catalog with other leaf files."""
    old = standing.tiles
    new = PartitionInfo.of_tiles([leaf.tile for leaf in leaves if leaf.tile not in old])
    tiles = PartitionInfo(np.concatenate((old.orders, new.orders)), np.concatenate((old.pixels, new.pixels)))
    kept = _kept(standing, leaves)
    own = tiles.find(old.starts)[standing.tile_of[kept]] if len(old) else standing.tile_of
    added = tiles.find(PartitionInfo.of_tiles([leaf.tile for leaf in leaves]).starts)
    tile_of = np.concatenate((own, added))
    rows = np.concatenate((standing.rows[kept], [leaf.footer.num_rows for leaf in leaves])).astype(np.int64)
    if ROWS_COLUMN in old.extra:
        in_tile = np.bincount(tile_of, weights=rows, minlength=len(tiles)).astype(np.int64)
        tiles = PartitionInfo(tiles.orders, tiles.pixels, {ROWS_COLUMN: in_tile})
    paths = [*compress(standing.paths, kept), *(leaf.path for leaf in leaves)]
    return replace(standing, tiles=tiles, paths=paths, tile_of=tile_of, rows=rows)


def _extend_thumbnail(
    standing: Standing, after: Standing, place: UPath, leaves: Sequence[Leaf], plan: LeafPlan
) -> None:
    """Add the first rows of new tiles; those of standing leaves stay what they are."""
    source = standing.root / layout.THUMBNAIL
    old = read_row_groups(source, read_footer(source))
    first_rows = [old.slice(row, 1) for row in range(old.num_rows)]
    first_rows += [leaf.first_row for leaf in leaves if leaf.tile not in standing.tiles]
    most = standing.properties.hats_max_rows or len(after.tiles)
    write_thumbnail(place, plan.schema, first_rows, most, plan.format)
