"""``hatsformat import``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._options import (
    given,
    reading_options,
    row_group_options,
    scratch_option,
    tile_options,
    work_options,
)
from hatsformat.cli._output import human_size, print_json, progress_bars
from hatsformat.cli._types import ARCSECONDS, NAMES, SIZE, flatten

if TYPE_CHECKING:
    from hatsformat.partitioner.build_log import BuildLog


@click.command("import")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", required=True, metavar="DIR", help="The catalog's folder: new or empty.")
@click.option("--name", help="The catalog's name; that of DIR where it is not given.")
@click.option(
    "--catalog-type", type=click.Choice(["object", "source"]), help="Objects, or single detections of them."
)
@click.option("--ra", metavar="COLUMN", help="The column with right ascensions.  [default: ra]")
@click.option("--dec", metavar="COLUMN", help="The column with declinations.  [default: dec]")
@reading_options
@click.option(
    "--max-rows", type=click.IntRange(min=1), help="The most rows a tile may hold.  [default: 1000000]"
)
@click.option(
    "--max-bytes",
    type=SIZE,
    metavar="SIZE",
    help="The most bytes of rows in memory a tile may hold, such as 300MB; instead of --max-rows.",
)
@tile_options
@click.option(
    "--sort-by", type=NAMES, multiple=True, metavar="A,B", help="Sort rows of the same place by columns."
)
@row_group_options
@click.option(
    "--leaf", type=click.Choice(["file", "directory"]), help="A leaf is a file, or a folder of files."
)
@click.option("--thumbnail", is_flag=True, default=None, help="Also write data_thumbnail.parquet.")
@click.option("--statistics", is_flag=True, default=None, help="Also write per_partition_statistics.parquet.")
@click.option(
    "--margin",
    "margins_arcsec",
    type=ARCSECONDS,
    multiple=True,
    metavar="ANGLE",
    help="Also build a margin cache with this threshold: 10 (arcseconds), 1arcmin; repeat for more.",
)
@click.option(
    "--index",
    "indexes",
    multiple=True,
    metavar="COLUMN",
    help="Also build an index table of this column; repeat for more.",
)
@work_options
@scratch_option
@click.option("--log", metavar="FILE", help="Keep an account of the import in a JSON file.")
@click.option("--overwrite", is_flag=True, default=None, help="Replace the catalog that is there.")
@click.option("--resume", is_flag=True, default=None, help="Go on with an import that was interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def import_command(
    inputs: tuple[str, ...], out: str, as_json: bool, sort_by: tuple[list[str], ...], **options: Any
) -> None:
    """Make the catalog DIR from CSV, Parquet, Arrow, FITS, VOTable or ECSV files.

    An INPUT is a file, a folder, a pattern or a URL; @LIST is a text file that names such inputs, one a line.

    Nothing that looks like a catalog is there before all of it is written. With --margin or --index, DIR is a
    collection: of the catalog, its margin caches and its index tables.

    \b
    Examples:
      hatsformat import stars-*.csv --out stars --ra RAJ2000 --dec DEJ2000
      hatsformat import @files.txt --out survey
      hatsformat import stars-*.csv --out stars --margin 10 --index id
      hatsformat import gas.fits --out gas --ra GLON --dec GLAT --frame galactic
      hatsformat import part-*.parquet --out survey --max-rows 500000 --workers 8 --memory 16GiB
    """
    from hatsformat.importing import run_import

    # What was not said keeps the default of the partitioner.
    options["sort_by"] = flatten(sort_by)
    with progress_bars() as progress:
        log = run_import(list(inputs), out, progress=progress, **given(options))
    if as_json:
        print_json(log.to_dict())
    else:
        _print_log(log)


def _print_log(log: BuildLog) -> None:
    click.echo(
        f"{log.path}: {log.rows_written} rows in {log.tiles} tiles, {human_size(log.size_bytes)}, "
        f"in {sum(log.seconds.values()):.1f} s"
    )
    for note in log.notes:
        click.echo(f"note: {note}")
    for name, rows in log.supplements.items():
        click.echo(f"{log.path}/{name}: {rows} rows")
    if log.rows_rejected:
        where = f"; they are in {log.quarantine}" if log.quarantine else ""
        click.echo(f"{log.rows_rejected} of {log.rows_read} rows have no position and were left out{where}")
