"""``hatsformat margin``, ``hatsformat index`` and ``hatsformat collection``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._options import (
    Decorator,
    index_option,
    json_option,
    margin_option,
    name_option,
    row_group_rows_option,
    scratch_option,
    without_none,
    worker_options,
)
from hatsformat.cli._output import print_json, progress_bars
from hatsformat.cli._types import ARCSECONDS, NAMES, flatten

if TYPE_CHECKING:
    from hatsformat.catalog import Catalog


def _overwrite_option(what: str) -> Decorator[Any]:
    return click.option("--overwrite", is_flag=True, default=None, help=f"Replace {what}.")


@click.command("margin", short_help="Build a margin cache of a catalog.")
@click.argument("path", metavar="PATH")
@click.option(
    "--threshold",
    type=ARCSECONDS,
    required=True,
    metavar="ANGLE",
    help="How far the margin extends beyond each tile. Bare numbers are arcseconds: 10, 36arcsec, 1arcmin.",
)
@click.option("--out", metavar="DIR", help="Folder of the margin.  [default: PATH_10arcs for --threshold 10]")
@name_option("margin", "its folder")
@row_group_rows_option
@worker_options
@scratch_option
@_overwrite_option("an existing margin")
@json_option()
def margin_command(path: str, threshold: float, out: str | None, as_json: bool, **options: Any) -> None:
    """Build a margin cache of the catalog at PATH.

    For each tile, a margin cache contains the rows of other tiles within a threshold of its border, so that a
    cross-match can work tile by tile. If PATH belongs to a collection, the margin is added to the collection.

    \b
    Examples:
      hatsformat margin stars --threshold 10
      hatsformat margin s3://bucket/survey --threshold 1arcmin --workers 8
    """
    from hatsformat.supplements import build_margin

    with progress_bars() as progress:
        margin = build_margin(path, threshold, out, progress=progress, **without_none(options))
    _print_supplement(margin, as_json)


@click.command("index", short_help="Build an index table of a column.")
@click.argument("path", metavar="PATH")
@click.option("--column", required=True, metavar="COLUMN", help="Column to look rows up by.")
@click.option(
    "--extra",
    type=NAMES,
    multiple=True,
    metavar="A,B",
    help="Columns to store in the index as well. Repeatable.",
)
@click.option("--out", metavar="DIR", help="Folder of the index.  [default: PATH_COLUMN]")
@name_option("index", "its folder")
@row_group_rows_option
@worker_options
@scratch_option
@_overwrite_option("an existing index")
@json_option()
def index_command(
    path: str, column: str, extra: tuple[list[str], ...], out: str | None, as_json: bool, **options: Any
) -> None:
    """Build an index table of a column of the catalog at PATH.

    An index table says which tile contains each value of a column, so that rows can be looked up by
    identifier. If PATH belongs to a collection, the index is added to the collection.

    \b
    Examples:
      hatsformat index stars --column id
      hatsformat index survey --column designation --extra ra,dec
    """
    from hatsformat.supplements import build_index

    with progress_bars() as progress:
        index = build_index(
            path, column, out, extra_columns=flatten(extra) or (), progress=progress, **without_none(options)
        )
    _print_supplement(index, as_json)


@click.command("collection", short_help="Make a collection of a catalog, margins and indexes.")
@click.argument("path", metavar="PATH")
@click.option(
    "--primary", metavar="NAME", help="Subfolder of the primary catalog.  [default: the only catalog in PATH]"
)
@name_option("collection", "PATH")
@margin_option("Build a margin cache with this threshold if it is missing.")
@index_option("Build an index table of this column if it is missing.")
@row_group_rows_option
@worker_options
@scratch_option
@_overwrite_option("existing margins and indexes given with --margin and --index")
@json_option()
def collection_command(
    path: str, primary: str | None, name: str | None, as_json: bool, **options: Any
) -> None:
    """Turn the folder PATH, which contains a catalog in a subfolder, into a collection.

    Existing margins and indexes of the catalog in PATH become members of the collection. Those given with
    --margin and --index are built if they are missing.

    \b
    Examples:
      hatsformat collection survey --primary objects --margin 10 --margin 60 --index id
    """
    from hatsformat.supplements import build_collection

    with progress_bars() as progress:
        collection = build_collection(
            path, primary=primary, name=name, progress=progress, **without_none(options)
        )
    members = collection.properties
    if as_json:
        print_json(
            {
                "path": str(collection.path),
                "name": collection.name,
                "primary": members.hats_primary_table_url,
                "margins": list(members.margins),
                "indexes": dict(members.indexes),
            }
        )
        return
    supplements = ", ".join([*members.margins, *members.indexes.values()])
    click.echo(f"{collection.path}: {members.hats_primary_table_url}, with {supplements or 'no supplements'}")


def _print_supplement(catalog: Catalog, as_json: bool) -> None:
    rows = catalog.properties.hats_nrows
    if as_json:
        tiles = len(catalog.partitions)
        print_json({"path": str(catalog.path), "name": catalog.name, "rows": rows, "tiles": tiles})
    else:
        click.echo(f"{catalog.path}: {rows} rows")
