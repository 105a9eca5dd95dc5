"""``hatsformat info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._options import json_option
from hatsformat.cli._output import human_size, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from hatsformat.catalog import Catalog


@click.command("info", short_help="Show the rows, tiles, size and columns of a catalog.")
@click.argument("path", metavar="PATH")
@json_option("Print the result as JSON, with all properties.")
def info_command(path: str, as_json: bool) -> None:
    """Show the rows, tiles, size and columns of the catalog at PATH.

    Only metadata is read. For a collection, it shows the primary catalog and the names of the margins and
    indexes.

    \b
    Examples:
      hatsformat info stars
      hatsformat info s3://bucket/stars --json
    """
    from hatsformat.catalog import open_catalog

    description = describe(open_catalog(path))
    if as_json:
        print_json(description)
    else:
        _print(description)


def describe(catalog: Catalog) -> dict[str, Any]:
    """Return the description of a catalog, as data for JSON. Leaf files are not read."""
    import numpy as np

    from hatsformat.outputs.descriptions import column_descriptions

    properties, partitions = catalog.properties, catalog.partitions
    details = column_descriptions(catalog.schema)
    orders, tiles = np.unique(partitions.orders, return_counts=True)
    return {
        "path": str(catalog.path),
        "name": catalog.name,
        "type": properties.dataproduct_type,
        "rows": properties.hats_nrows,
        "tiles": len(partitions),
        "tiles_by_order": {
            str(order): count for order, count in zip(orders.tolist(), tiles.tolist(), strict=True)
        },
        "sky_fraction": partitions.sky_fraction,
        "size_bytes": _size(catalog),
        "margins": list(catalog.margins),
        "indexes": list(catalog.indexes),
        "properties": properties.to_dict(),
        "columns": [
            {"name": field.name, "type": str(field.type), **details.get(field.name, {})}
            for field in catalog.schema
        ],
    }


def _size(catalog: Catalog) -> int | None:
    """Return the size of all files of a local catalog, or the size in the properties of a remote one."""
    from hatsformat import storage

    if storage.is_local(catalog.path):
        return sum(entry.size for entry in storage.list_tree(catalog.path))
    kilobytes = catalog.properties.hats_estsize
    return None if kilobytes is None else kilobytes * 1000


def _print(description: dict[str, Any]) -> None:
    by_order = ", ".join(
        f"{count} of order {order}" for order, count in description["tiles_by_order"].items()
    )
    properties = description["properties"]
    size = description["size_bytes"]
    print_pairs(
        [
            ("name", description["name"]),
            ("type", description["type"]),
            ("path", description["path"]),
            ("rows", "unknown" if description["rows"] is None else description["rows"]),
            ("tiles", f"{description['tiles']}: {by_order}" if by_order else description["tiles"]),
            ("sky", f"{description['sky_fraction']:.2%} in tiles" if by_order else None),
            ("size", None if size is None else human_size(size)),
            ("coordinates", _coordinates(properties)),
            ("margins", ", ".join(description["margins"]) or None),
            ("indexes", ", ".join(description["indexes"]) or None),
            ("made by", properties.get("hats_builder")),
            ("made on", properties.get("hats_creation_date")),
        ]
    )
    columns = description["columns"]
    click.echo(f"\n{len(columns)} columns:")
    keys = [
        key for key in ("name", "type", "unit", "ucd", "description") if any(key in one for one in columns)
    ]
    print_table(keys, [[one.get(key) for key in keys] for one in columns])


def _coordinates(properties: dict[str, str]) -> str | None:
    names = [properties[key] for key in ("hats_col_ra", "hats_col_dec") if properties.get(key)]
    return ", ".join(names) or None
