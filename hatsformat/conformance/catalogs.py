"""Bases that are catalogs of stars."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from hatsformat import layout
from hatsformat.conformance.artefacts import ALT_ORDER, MAP_ORDER, properties_text, with_derived_files
from hatsformat.conformance.parquet import encode
from hatsformat.conformance.sky import THRESHOLD, in_tile, positions29, stars, with_index
from hatsformat.conformance.tree import Content
from hatsformat.healpix import npix

SHARED = {
    "hats_creation_date": "2025-08-01T00:00Z",
    "hats_release_date": "2025-08-02T12:30Z",
    "hats_builder": "corpus",
    "hats_version": "1.0",
    "hats_estsize": "60",
}
"""Keywords of every table in the corpus."""


def catalog_keywords(rows: int, kind: str = "object") -> dict[str, str]:
    """Return the keywords of a catalog of stars."""
    return {
        "obs_collection": "demo",
        "dataproduct_type": kind,
        "hats_nrows": str(rows),
        "hats_col_ra": "ra",
        "hats_col_dec": "dec",
        "hats_cols_default": "id ra dec mag",
        "hats_col_healpix": "_healpix_29",
        "hats_col_healpix_order": "29",
        "hats_npix_suffix": ".parquet",
        "hats_max_rows": str(THRESHOLD),
        "hats_order": "5",
        "moc_sky_fraction": str(sky_fraction()),
        "hats_cols_survey_id": "id",
        "hats_frame": "equatorial",
        "hats_coordinate_epoch": "J2016",
        **SHARED,
    }


def sky_fraction() -> float:
    """Return the fraction of the sky that the tiles of the stars cover."""
    return round(sum(1 / npix(order) for order, _ in stars().tiles), 8)


def star_leaves(table: pa.Table, suffix: str = ".parquet") -> dict[str, Content]:
    """Return the leaves of a table of stars, with the columns in the same order."""
    positions = positions29(table)
    found: dict[str, Content] = {}
    for order, pixel in stars().tiles:
        leaf = table.take(in_tile(positions, order, pixel))
        if suffix == layout.DIRECTORY_SUFFIX:
            # The last leaf has two files, as after an append.
            parts = 2 if (order, pixel) == stars().tiles[-1] else 1
            for number in range(parts):
                path = layout.leaf_path(order, pixel, suffix, f"part{number}.parquet")
                found[path] = encode(leaf.take(np.arange(number, leaf.num_rows, parts)))
        else:
            found[layout.leaf_path(order, pixel, suffix)] = encode(leaf)
    return found


BOTH_METADATA = [layout.METADATA, layout.COMMON_METADATA]


def catalog_of(
    table: pa.Table, keywords: Mapping[str, str], extra: list[str] | None = None
) -> dict[str, Content]:
    """Return a catalog of stars with the recommended files and those in `extra`."""
    text = properties_text(keywords)
    tree = {layout.PROPERTIES: text, layout.LEGACY_PROPERTIES: text}
    leaves = star_leaves(table, keywords["hats_npix_suffix"])
    return with_derived_files({**tree, **leaves}, "", [*BOTH_METADATA, layout.PARTITION_INFO, *(extra or [])])


def object_catalog() -> dict[str, Content]:
    """Return an object catalog with all files it may have, tiles of orders 0 to 5, and several row groups."""
    table = with_index(stars().table)
    maps = {"hats_skymap_order": str(MAP_ORDER), "hats_skymap_alt_orders": str(ALT_ORDER)}
    extra = [
        layout.SKYMAP, layout.skymap_path(ALT_ORDER), layout.POINT_MAP, layout.THUMBNAIL, layout.STATISTICS,
    ]  # fmt: skip
    return catalog_of(table, {**catalog_keywords(table.num_rows), **maps}, extra)


def source() -> dict[str, Content]:
    """Return a source catalog: three detections of each star at one position, so that index values repeat."""
    once = stars().table
    table = pa.concat_tables([once, once, once]).append_column(
        "mjd", pa.array(np.repeat([60000.25, 60010.5, 60021.75], once.num_rows))
    )
    keywords = catalog_keywords(table.num_rows, "source")
    keywords |= {"hats_max_rows": "60", "hats_cols_sort": "mjd", "hats_cols_survey_id": "id mjd"}
    return catalog_of(with_index(table), keywords)


def nested() -> dict[str, Content]:
    """Return a nested catalog: each star has a light curve, as a struct of lists."""
    table = with_index(stars().table)
    lengths = np.arange(table.num_rows) % 4
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    times = 60000 + np.arange(lengths.sum()) / 4
    curves = pa.StructArray.from_arrays(
        [
            pa.ListArray.from_arrays(offsets, pa.array(times)),
            pa.ListArray.from_arrays(offsets, pa.array((times % 7).astype(np.float32))),
        ],
        ["mjd", "mag"],
    )
    keywords = catalog_keywords(table.num_rows, "nested") | {"hats_cols_default": "id ra dec lightcurve"}
    return catalog_of(table.append_column("lightcurve", curves), keywords)


def leaf_directories() -> dict[str, Content]:
    """Return an object catalog whose leaves are folders; one has two files."""
    table = with_index(stars().table)
    keywords = catalog_keywords(table.num_rows) | {"hats_npix_suffix": "/"}
    return catalog_of(table, keywords, [layout.POINT_MAP])


def other_suffix() -> dict[str, Content]:
    """Return an object catalog whose leaves end in ``.pq``."""
    table = with_index(stars().table)
    keywords = catalog_keywords(table.num_rows) | {"hats_npix_suffix": ".pq"}
    return catalog_of(table, keywords, [layout.POINT_MAP])


def order13() -> dict[str, Content]:
    """Return an object catalog with an index column of order 13."""
    table = with_index(stars().table, "_healpix_13", 13)
    keywords = catalog_keywords(table.num_rows)
    keywords |= {"hats_col_healpix": "_healpix_13", "hats_col_healpix_order": "13"}
    return catalog_of(table, keywords, [layout.POINT_MAP])


def bare() -> dict[str, Content]:
    """Return an object catalog with only the recommended files and the required keywords."""
    table = with_index(stars().table)
    full = catalog_keywords(table.num_rows)
    required = ("obs_collection", "dataproduct_type", "hats_nrows", "hats_col_ra", "hats_col_dec")
    tree = catalog_of(table, full, [layout.POINT_MAP])
    del tree[layout.LEGACY_PROPERTIES]
    tree[layout.PROPERTIES] = properties_text({name: full[name] for name in required})
    tree[layout.PARTITION_INFO] = b"Norder,Npix\n" + b"".join(
        f"{order},{pixel}\n".encode() for order, pixel in stars().tiles
    )
    return tree


def draft() -> dict[str, Content]:
    """Return an object catalog of the draft edition: ``properties``, ``point_map.fits``, a thumbnail."""
    table = with_index(stars().table)
    new = ("hats_col_healpix", "hats_col_healpix_order", "hats_npix_suffix")
    keywords = {k: v for k, v in catalog_keywords(table.num_rows).items() if k not in new}
    keywords |= {"npix_suffix": ".parquet", "hats_version": "0.1"}
    tree = catalog_of(table, catalog_keywords(table.num_rows), [layout.POINT_MAP, layout.THUMBNAIL])
    del tree[layout.PROPERTIES]
    tree[layout.LEGACY_PROPERTIES] = properties_text(keywords)
    return tree
