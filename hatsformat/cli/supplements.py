"""``hatsformat margin``, ``hatsformat index`` and ``hatsformat collection``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._options import given, scratch_option, work_options
from hatsformat.cli._output import print_json, progress_bars
from hatsformat.cli._types import ARCSECONDS, NAMES, flatten

if TYPE_CHECKING:
    from hatsformat.catalog import Catalog

_row_group_rows = click.option(
    "--row-group-rows", type=click.IntRange(min=1), help="Rows in a row group of a file."
)
_overwrite = click.option("--overwrite", is_flag=True, default=None, help="Replace what is there.")
_json = click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")


@click.command("margin")
@click.argument("path")
@click.option(
    "--threshold",
    type=ARCSECONDS,
    required=True,
    metavar="ANGLE",
    help="How far from the border of a tile its margin reaches, such as 10 (arcseconds) or 1arcmin.",
)
@click.option("--out", metavar="DIR", help="The margin's folder.  [default: PATH_10arcs and the like]")
@click.option("--name", help="The margin's name; that of its folder where it is not given.")
@_row_group_rows
@work_options
@scratch_option
@_overwrite
@_json
def margin_command(path: str, threshold: float, out: str | None, as_json: bool, **options: Any) -> None:
    """Build a margin cache of the catalog PATH: for each tile, the rows of others near its border.

    In the folder of a collection it becomes one of its margins.

    \b
    Examples:
      hatsformat margin stars --threshold 10
      hatsformat margin s3://bucket/survey --threshold 1arcmin --workers 8
    """
    from hatsformat.supplements import build_margin

    with progress_bars() as progress:
        made = build_margin(path, threshold, out, progress=progress, **given(options))
    _tell(made, as_json)


@click.command("index")
@click.argument("path")
@click.option("--column", required=True, metavar="COLUMN", help="The column to find rows by.")
@click.option(
    "--extra", type=NAMES, multiple=True, metavar="A,B", help="Further columns to keep in the index."
)
@click.option("--out", metavar="DIR", help="The index's folder.  [default: PATH_COLUMN]")
@click.option("--name", help="The index's name; that of its folder where it is not given.")
@_row_group_rows
@work_options
@scratch_option
@_overwrite
@_json
def index_command(
    path: str, column: str, extra: tuple[list[str], ...], out: str | None, as_json: bool, **options: Any
) -> None:
    """Build an index table of the catalog PATH: which tiles have which values of a column.

    In the folder of a collection it becomes one of its indexes.

    \b
    Examples:
      hatsformat index stars --column id
      hatsformat index survey --column designation --extra ra,dec
    """
    from hatsformat.supplements import build_index

    with progress_bars() as progress:
        made = build_index(
            path, column, out, extra_columns=flatten(extra) or (), progress=progress, **given(options)
        )
    _tell(made, as_json)


@click.command("collection")
@click.argument("path")
@click.option("--primary", metavar="NAME", help="The subfolder of the primary catalog, if there are several.")
@click.option("--name", help="The collection's name; that of its folder where it is not given.")
@click.option(
    "--margin",
    "margins_arcsec",
    type=ARCSECONDS,
    multiple=True,
    metavar="ANGLE",
    help="Have a margin cache with this threshold, such as 10 (arcseconds) or 1arcmin; repeat for more.",
)
@click.option(
    "--index",
    "indexes",
    multiple=True,
    metavar="COLUMN",
    help="Have an index table of this column; repeat for more.",
)
@_row_group_rows
@work_options
@scratch_option
@_overwrite
@_json
def collection_command(
    path: str, primary: str | None, name: str | None, as_json: bool, **options: Any
) -> None:
    """Make the folder PATH, which holds a catalog in a subfolder, a collection.

    Margins and indexes of the catalog that are there become members; others that are asked for are built.

    \b
    Examples:
      hatsformat collection survey --primary objects --margin 10 --margin 60 --index id
    """
    from hatsformat.supplements import build_collection

    with progress_bars() as progress:
        made = build_collection(path, primary=primary, name=name, progress=progress, **given(options))
    members = made.properties
    told = {
        "path": str(made.path),
        "name": made.name,
        "primary": members.hats_primary_table_url,
        "margins": list(members.margins),
        "indexes": dict(members.indexes),
    }
    if as_json:
        print_json(told)
    else:
        supplements = [*members.margins, *members.indexes.values()]
        click.echo(f"{made.path}: {told['primary']}, with {', '.join(supplements) or 'no supplements'}")


def _tell(made: Catalog, as_json: bool) -> None:
    if as_json:
        rows, tiles = made.properties.hats_nrows, len(made.partitions)
        print_json({"path": str(made.path), "name": made.name, "rows": rows, "tiles": tiles})
    else:
        click.echo(f"{made.path}: {made.properties.hats_nrows} rows")
