"""``hatsformat import``."""

from __future__ import annotations

from typing import Any

import click

from hatsformat.cli._options import (
    coordinate_options,
    index_option,
    input_options,
    json_option,
    leaf_option,
    margin_option,
    name_option,
    order_options,
    row_group_options,
    scratch_option,
    threshold_options,
    without_none,
    worker_options,
)
from hatsformat.cli._output import print_build, print_json, progress_bars
from hatsformat.cli._types import NAMES, flatten


@click.command("import", short_help="Make a catalog from CSV, Parquet, FITS or VOTable files.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", required=True, metavar="DIR", help="Folder or URL of the catalog, new or empty.")
@name_option("catalog", "DIR")
@click.option(
    "--catalog-type",
    type=click.Choice(["object", "source"]),
    help="Whether a row is an object or a single detection (source).  [default: object]",
)
@coordinate_options(ra="ra", dec="dec")
@input_options
@threshold_options("1000000")
@order_options("10")
@click.option(
    "--sort-by",
    type=NAMES,
    multiple=True,
    metavar="A,B",
    help="Sort rows at the same position by these columns. Repeatable.",
)
@row_group_options
@leaf_option(default="file")
@click.option("--thumbnail", is_flag=True, default=None, help="Also write data_thumbnail.parquet.")
@click.option("--statistics", is_flag=True, default=None, help="Also write per_partition_statistics.parquet.")
@margin_option("Also build a margin cache with this threshold.")
@index_option("Also build an index table of this column.")
@worker_options
@scratch_option
@click.option("--log", metavar="FILE", help="Write a log of the import to FILE, as JSON.")
@click.option("--overwrite", is_flag=True, default=None, help="Replace an existing catalog at DIR.")
@click.option(
    "--resume",
    is_flag=True,
    default=None,
    help="Continue an interrupted import. The inputs and options must be the same.",
)
@json_option()
def import_command(
    inputs: tuple[str, ...], out: str, as_json: bool, sort_by: tuple[list[str], ...], **options: Any
) -> None:
    """Make the catalog DIR from CSV, Parquet, Arrow, FITS, VOTable or ECSV files.

    INPUT is a file, a folder, a pattern or a URL. @LIST is a text file with one such input per line. All
    inputs must have the same columns.

    The catalog appears in DIR only when all of it is written. With --margin or --index, DIR is a collection:
    a folder with the catalog, its margin caches and its index tables.

    \b
    Examples:
      hatsformat import stars-*.csv --out stars --ra RAJ2000 --dec DEJ2000
      hatsformat import @files.txt --out survey
      hatsformat import stars-*.csv --out stars --margin 10 --index id
      hatsformat import gas.fits --out gas --ra GLON --dec GLAT --frame galactic
      hatsformat import part-*.parquet --out survey --max-rows 500000 --workers 8 --memory 16GiB
    """
    from hatsformat.importing import run_import

    options["sort_by"] = flatten(sort_by)
    with progress_bars() as progress:
        log = run_import(list(inputs), out, progress=progress, **without_none(options))
    if as_json:
        print_json(log.to_dict())
        return
    print_build(log, f"{log.tiles} tiles")
    for name, rows in log.supplements.items():
        click.echo(f"{log.path}/{name}: {rows} rows")
