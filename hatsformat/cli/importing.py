"""``hatsformat import``."""

from __future__ import annotations

from typing import Any

import click

from hatsformat.cli._types import NAMES, SIZE, flatten

_UNITS = click.Choice(["deg", "rad", "hour"])


@click.command("import")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", required=True, metavar="DIR", help="The catalog's folder: new or empty.")
@click.option("--name", help="The catalog's name; that of DIR where it is not given.")
@click.option("--ra", metavar="COLUMN", help="The column with right ascensions.  [default: ra]")
@click.option("--dec", metavar="COLUMN", help="The column with declinations.  [default: dec]")
@click.option(
    "--ra-unit", type=_UNITS, help="The unit of RA; sexagesimal text is understood.  [default: deg]"
)
@click.option("--dec-unit", type=_UNITS, help="The unit of Dec.  [default: deg]")
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet", "fits", "votable"]),
    help="Of all inputs; else by their names.",
)
@click.option("--delimiter", metavar="CHAR", help="What separates the fields of CSV files.  [default: ,]")
@click.option(
    "--max-rows", type=click.IntRange(min=1), help="The most rows a tile may hold.  [default: 1000000]"
)
@click.option("--lowest-order", type=click.IntRange(0, 29), help="No tile is larger than one of this order.")
@click.option(
    "--highest-order", type=click.IntRange(0, 29), help="No tile is smaller than one of this order."
)
@click.option(
    "--keep-empty-siblings", is_flag=True, default=None, help="Let a tile grow over neighbours without rows."
)
@click.option(
    "--sort-by", type=NAMES, multiple=True, metavar="A,B", help="Sort rows of the same place by columns."
)
@click.option("--row-group-rows", type=click.IntRange(min=1), help="Rows in a row group of a leaf file.")
@click.option(
    "--leaf", type=click.Choice(["file", "directory"]), help="A leaf is a file, or a folder of files."
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes to work with.")
@click.option("--memory", type=SIZE, metavar="SIZE", help="Memory to stay within, such as 4GiB.")
@click.option("--scratch", metavar="DIR", help="Where files of the work in progress go; beside DIR else.")
@click.option(
    "--bad-coordinates",
    type=click.Choice(["error", "drop", "quarantine"]),
    help="What to do with rows without a position on the sky.  [default: error]",
)
@click.option("--overwrite", is_flag=True, default=None, help="Replace the catalog that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def import_command(
    inputs: tuple[str, ...], out: str, as_json: bool, sort_by: tuple[list[str], ...], **options: Any
) -> None:
    """Make the catalog DIR from CSV, Parquet, FITS or VOTable files.

    Nothing that looks like a catalog is there before all of it is written.

    \b
    Examples:
      hatsformat import stars-*.csv --out stars --ra RAJ2000 --dec DEJ2000
      hatsformat import part-*.parquet --out survey --max-rows 500000 --workers 8 --memory 16GiB
    """
    from hatsformat.cli._output import progress_bars
    from hatsformat.cli.info import print_catalog
    from hatsformat.partitioner import import_catalog

    # What was not said keeps the default of the partitioner.
    given = {
        name: value for name, value in {**options, "sort_by": flatten(sort_by)}.items() if value is not None
    }
    with progress_bars() as progress:
        catalog = import_catalog(list(inputs), out, progress=progress, **given)
    print_catalog(catalog, as_json)
