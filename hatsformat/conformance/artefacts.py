"""The files of a catalog that depend on its leaves, for the bases and the mutation ``make_again``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from hatsformat import layout
from hatsformat.conformance import fits
from hatsformat.conformance.parquet import decode, encode, footer_of, joined_footers, schema_only
from hatsformat.conformance.sky import positions29
from hatsformat.conformance.tree import Content, Tree, content, leaves
from hatsformat.errors import UsageError
from hatsformat.healpix import change_order, npix
from hatsformat.properties import PropertiesDocument, format_properties_text, parse_properties_text

MAP_ORDER = 5
ALT_ORDER = 2


def leaf_tables(tree: Tree, prefix: str) -> dict[str, pa.Table]:
    """Return the rows of each leaf file of a member, by path."""
    return {path: decode(content(tree, path)) for path in leaves(tree, prefix)}


def _first_schema(tree: Tree, prefix: str) -> pa.Schema:
    return decode(content(tree, leaves(tree, prefix)[0])).schema


def metadata(tree: Tree, prefix: str) -> bytes:
    """Return ``_metadata``, from the footers of the leaves."""
    return joined_footers(tree, _first_schema(tree, prefix), prefix)


def common_metadata(tree: Tree, prefix: str) -> bytes:
    """Return ``_common_metadata``, from the schema of the first leaf."""
    return schema_only(_first_schema(tree, prefix))


def partition_info(tree: Tree, prefix: str) -> bytes:
    """Return ``partition_info.csv``, from the paths and rows of the leaves."""
    rows: dict[tuple[int, int], int] = {}
    for path, table in leaf_tables(tree, prefix).items():
        name = layout.parse_leaf_path(path)
        if name is not None:
            tile = (name.order, name.pixel)
            rows[tile] = rows.get(tile, 0) + table.num_rows
    lines = [f"{order},{pixel},{count}\n" for (order, pixel), count in sorted(rows.items())]
    return "".join(["Norder,Npix,num_rows\n", *lines]).encode()


def sky_counts(tree: Tree, prefix: str, order: int) -> np.ndarray:
    """Return the number of rows in each pixel, shape (12 * 4**order,)."""
    positions = np.concatenate([positions29(table) for table in leaf_tables(tree, prefix).values()])
    counts: np.ndarray = np.bincount(change_order(positions, 29, order), minlength=npix(order))
    return counts


def skymap(tree: Tree, prefix: str) -> bytes:
    """Return ``skymap.fits`` or ``point_map.fits``, with the pixels that have rows."""
    return fits.encode_map(MAP_ORDER, sky_counts(tree, prefix, MAP_ORDER), sparse=True)


def alt_skymap(tree: Tree, prefix: str) -> bytes:
    """Return ``skymap.2.fits``, the map of a lower order, with all pixels."""
    return fits.encode_map(ALT_ORDER, sky_counts(tree, prefix, ALT_ORDER), sparse=False)


def thumbnail(tree: Tree, prefix: str) -> bytes:
    """Return ``data_thumbnail.parquet``: the first row of each leaf."""
    return encode(pa.concat_tables([table.slice(0, 1) for table in leaf_tables(tree, prefix).values()]))


def statistics(tree: Tree, prefix: str) -> bytes:
    """Return ``per_partition_statistics.parquet``: the range of RA in each row group."""
    rows = []
    for path in leaves(tree, prefix):
        data = content(tree, path)
        footer, name = footer_of(data), layout.parse_leaf_path(path)
        if name is None:
            continue
        column = footer.schema.to_arrow_schema().get_field_index("ra")
        for group in range(footer.num_row_groups):
            chunk = footer.row_group(group).column(column)
            rows.append(
                {
                    "Norder": name.order,
                    "Npix": name.pixel,
                    "row_group_index": group,
                    "ra::min_value": chunk.statistics.min,
                    "ra::max_value": chunk.statistics.max,
                    "ra::null_count": chunk.statistics.null_count,
                    "ra::row_count": chunk.num_values,
                    "ra::disk_bytes": chunk.total_compressed_size,
                    "ra::memory_bytes": chunk.total_uncompressed_size,
                }
            )
    return encode(pa.Table.from_pylist(rows))


MAKERS: Mapping[str, Callable[[Tree, str], bytes]] = {
    layout.METADATA: metadata,
    layout.COMMON_METADATA: common_metadata,
    layout.PARTITION_INFO: partition_info,
    layout.SKYMAP: skymap,
    layout.POINT_MAP: skymap,
    layout.skymap_path(ALT_ORDER): alt_skymap,
    layout.THUMBNAIL: thumbnail,
    layout.STATISTICS: statistics,
}
"""The function that makes each file from the leaves, by path."""


def with_derived_files(tree: Tree, prefix: str, paths: list[str]) -> dict[str, Content]:
    """Return a tree with files of a member, or its ``hats_nrows``, made from its leaves."""
    result = dict(tree)
    for path in paths:
        if path == "hats_nrows":
            rows = sum(table.num_rows for table in leaf_tables(tree, prefix).values())
            result |= with_keywords(result, properties_files(result, prefix), {"hats_nrows": str(rows)})
        elif path in MAKERS:
            result[prefix + path] = MAKERS[path](tree, prefix)
        else:
            raise UsageError("the file does not depend on the leaves", found=path, expected=", ".join(MAKERS))
    return result


def properties_files(tree: Tree, prefix: str = "") -> list[str]:
    """Return the paths of a member's properties files, and of ``collection.properties``."""
    names = (*layout.CATALOG_PROPERTIES, layout.COLLECTION_PROPERTIES)
    return [prefix + name for name in names if prefix + name in tree]


def properties_text(values: Mapping[str, str], title: str = "HATS catalog") -> bytes:
    """Return the content of a properties file."""
    return format_properties_text(PropertiesDocument.of(values, title=title)).encode()


def with_keywords(tree: Tree, paths: list[str], changes: Mapping[str, str | None]) -> dict[str, Content]:
    """Return properties files with changed values; None removes a keyword."""
    changed: dict[str, Content] = {}
    for path in paths:
        document, _ = parse_properties_text(content(tree, path))
        changed[path] = format_properties_text(document.with_values(changes)).encode()
    return changed
