"""Bases of other types: margin, index, association, map, and collections."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from hatsformat import layout
from hatsformat.conformance.artefacts import properties_text, with_derived_files
from hatsformat.conformance.catalogs import (
    BOTH_METADATA,
    SHARED,
    catalog_keywords,
    catalog_of,
    object_catalog,
)
from hatsformat.conformance.parquet import encode
from hatsformat.conformance.sky import (
    MARGIN_ARCSEC,
    in_tile,
    near_tile,
    positions29,
    stars,
    with_index,
)
from hatsformat.conformance.tree import Content, below
from hatsformat.healpix import npix

MAP_PIXEL_ORDER = 4
"""Order of the pixels of the map."""

MAP_TILES = 6
"""Number of tiles of the map, at order 1."""

EXTENSION = "fluxes.properties"
"""The properties file of the extension."""


def _with_properties(tree: dict[str, Content], keywords: dict[str, str]) -> dict[str, Content]:
    text = properties_text({**keywords, **SHARED})
    return {layout.PROPERTIES: text, layout.LEGACY_PROPERTIES: text, **tree}


def margin() -> dict[str, Content]:
    """Return a margin cache of the stars: for each tile, those within ten arcseconds of its border."""
    table = with_index(stars().table)
    tree: dict[str, Content] = {}
    rows = 0
    for order, pixel in stars().tiles:
        near = near_tile(table, order, pixel, MARGIN_ARCSEC)
        if near.size:
            tree[layout.leaf_path(order, pixel)] = encode(table.take(near))
            rows += near.size
    keywords = {
        "obs_collection": "demo_10arcs",
        "dataproduct_type": "margin",
        "hats_nrows": str(rows),
        "hats_col_ra": "ra",
        "hats_col_dec": "dec",
        "hats_col_healpix": "_healpix_29",
        "hats_col_healpix_order": "29",
        "hats_npix_suffix": ".parquet",
        "hats_primary_table_url": "demo",
        "hats_margin_threshold": str(MARGIN_ARCSEC),
        "hats_order": "5",
    }
    tree = _with_properties(tree, keywords)
    return with_derived_files(tree, "", [*BOTH_METADATA, layout.PARTITION_INFO])


def index() -> dict[str, Content]:
    """Return an index of the stars by ``id``, in two files."""
    table = stars().table
    positions = positions29(table)
    orders, pixels = np.zeros(table.num_rows, np.uint8), np.zeros(table.num_rows, np.uint64)
    for order, pixel in stars().tiles:
        rows = in_tile(positions, order, pixel)
        orders[rows], pixels[rows] = order, pixel
    entries = pa.table({"id": table["id"], "mag": table["mag"], "Norder": orders, "Npix": pixels})
    half = table.num_rows // 2
    tree: dict[str, Content] = {
        layout.index_part_path(number): encode(part)
        for number, part in enumerate((entries.slice(0, half), entries.slice(half)))
    }
    keywords = {
        "obs_collection": "demo_id",
        "dataproduct_type": "index",
        "hats_nrows": str(table.num_rows),
        "hats_primary_table_url": "demo",
        "hats_index_column": "id",
        "hats_index_extra_column": "mag",
    }
    return with_derived_files(_with_properties(tree, keywords), "", BOTH_METADATA)


def _association_keywords(rows: int, leaf_files: str) -> dict[str, str]:
    return {
        "obs_collection": "demo_x_other",
        "dataproduct_type": "association",
        "hats_nrows": str(rows),
        "hats_primary_table_url": "demo",
        "hats_col_assn_primary": "id",
        "hats_assn_join_table_url": "other",
        "hats_col_assn_join": "object_id",
        "hats_assn_leaf_files": leaf_files,
    }


def _join_info() -> bytes:
    lines = [f"{order},{pixel},{order},{pixel}\n" for order, pixel in stars().tiles]
    return "".join(["Norder,Npix,join_Norder,join_Npix\n", *lines]).encode()


def association() -> dict[str, Content]:
    """Return an association of the stars with a catalog of another survey, with the tiles of the stars."""
    table = with_index(stars().table).select(["_healpix_29", "ra", "dec", "id"])
    links = table.append_column("object_id", pa.array(table["id"].to_numpy() * 10 + 7))
    links = links.append_column("separation", pa.array((table["id"].to_numpy() % 5 / 10).astype(np.float32)))
    links = links.rename_columns(["_healpix_29", "ra", "dec", "primary_id", "join_id", "separation"])
    positions = positions29(links)
    tree: dict[str, Content] = {
        layout.leaf_path(order, pixel): encode(links.take(in_tile(positions, order, pixel)))
        for order, pixel in stars().tiles
    }
    tree[layout.PARTITION_JOIN_INFO] = _join_info()
    keywords = _association_keywords(links.num_rows, "true") | {
        "hats_col_assn_primary_assn": "primary_id",
        "hats_col_assn_join_assn": "join_id",
        "hats_assn_max_separation": "0.5",
        "hats_npix_suffix": ".parquet",
    }
    return with_derived_files(_with_properties(tree, keywords), "", [*BOTH_METADATA, layout.PARTITION_INFO])


def association_soft() -> dict[str, Content]:
    """Return a soft association, which links tiles to tiles and has no leaf files."""
    lines = [f"{order},{pixel}\n" for order, pixel in stars().tiles]
    tree: dict[str, Content] = {
        layout.PARTITION_INFO: "".join(["Norder,Npix\n", *lines]).encode(),
        layout.PARTITION_JOIN_INFO: _join_info(),
    }
    return _with_properties(tree, _association_keywords(0, "false"))


def map_catalog() -> dict[str, Content]:
    """Return a map: a value for each pixel of order 4 in an eighth of the sky, in tiles of order 1."""
    tree: dict[str, Content] = {}
    inner = npix(MAP_PIXEL_ORDER) // npix(1)
    for tile in range(MAP_TILES):
        pixels = np.arange(tile * inner, (tile + 1) * inner)
        values = np.round(pixels % 17 / 16, 4)
        tree[layout.leaf_path(1, tile)] = encode(pa.table({"healpix_4": pixels, "extinction": values}))
    keywords = {
        "obs_collection": "dust",
        "dataproduct_type": "map",
        "hats_nrows": str(MAP_TILES * inner),
        "hats_cols_default": "extinction",
        "hats_col_healpix": "healpix_4",
        "hats_col_healpix_order": str(MAP_PIXEL_ORDER),
        "hats_npix_suffix": ".parquet",
        "hats_order": "1",
        "moc_sky_fraction": str(MAP_TILES / npix(1)),
        "hats_max_rows": str(inner),
    }
    return with_derived_files(_with_properties(tree, keywords), "", [*BOTH_METADATA, layout.PARTITION_INFO])


def collection() -> dict[str, Content]:
    """Return a collection of the object catalog, its margin cache and its index."""
    keywords = {
        "obs_collection": "demo_collection",
        "hats_primary_table_url": "demo",
        "all_margins": "demo_10arcs",
        "default_margin": "demo_10arcs",
        "all_indexes": "id demo_id",
        "default_index": "id",
    }
    tree: dict[str, Content] = {layout.COLLECTION_PROPERTIES: properties_text(keywords, "HATS collection")}
    members = {"demo/": object_catalog, "demo_10arcs/": margin, "demo_id/": index}
    for prefix, make in members.items():
        tree |= below(prefix, make())
    return tree


def _other() -> dict[str, Content]:
    """Return the catalog of another survey, with the id of each star in the object catalog."""
    table = stars().table
    ids = table["id"].to_numpy()
    columns = {"object_id": ids * 10 + 7, "star": ids, "ra": table["ra"], "dec": table["dec"]}
    other = with_index(pa.table({**columns, "flux": (ids % 17 / 4).astype(np.float32)}))
    keywords = catalog_keywords(other.num_rows) | {
        "obs_collection": "other",
        "hats_cols_default": "object_id flux",
        "hats_cols_survey_id": "object_id",
    }
    return catalog_of(other, keywords, [layout.POINT_MAP])


def linked() -> dict[str, Content]:
    """Return a collection with a second survey, an association with it, and an extension with its columns."""
    keywords = {"obs_collection": "linked", "hats_primary_table_url": "demo"}
    keywords["all_extensions"] = f"fluxes {EXTENSION}"
    extension = {
        "obs_collection": "demo_fluxes",
        "dataproduct_type": "extension",
        "hats_primary_table_url": "demo",
        "hats_col_assn_primary": "id",
        "hats_assn_join_table_url": "other",
        "hats_col_assn_join": "star",
        "hats_ext_cols": "flux",
        "hats_ext_join_style": "left",
        "hats_ext_shares_primary_coords": "True",
        "hats_product_type_served": "catalog",
    }
    tree: dict[str, Content] = {
        layout.COLLECTION_PROPERTIES: properties_text(keywords, "HATS collection"),
        EXTENSION: properties_text(extension, "HATS extension"),
    }
    members = {"demo/": object_catalog, "other/": _other, "demo_x_other/": association}
    for prefix, make in members.items():
        tree |= below(prefix, make())
    return tree
