"""``hatsformat append`` and ``hatsformat rebuild``."""

from __future__ import annotations

from typing import Any

import click

from hatsformat.cli._output import human_size, print_json, progress_bars
from hatsformat.cli._types import CHARACTER, SIZE

_UNITS = click.Choice(["deg", "hour", "rad", "arcmin", "arcsec", "mas"])


@click.command("append")
@click.argument("path", metavar="PATH")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--ra", metavar="COLUMN", help="The column with right ascensions.  [default: the catalog's]")
@click.option("--dec", metavar="COLUMN", help="The column with declinations.  [default: the catalog's]")
@click.option("--ra-unit", type=_UNITS, help="The unit of RA.  [default: deg]")
@click.option("--dec-unit", type=_UNITS, help="The unit of Dec.  [default: deg]")
@click.option(
    "--frame",
    type=click.Choice(["icrs", "fk5", "galactic", "ecliptic"]),
    help="What the coordinates refer to.  [default: icrs]",
)
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet", "arrow", "fits", "votable", "ecsv"]),
    help="Of all inputs; else by their names.",
)
@click.option("--delimiter", type=CHARACTER, metavar="CHAR", help="Between the fields of CSV files.")
@click.option("--lowest-order", type=click.IntRange(0, 29), help="No new tile is larger than this order's.")
@click.option("--highest-order", type=click.IntRange(0, 29), help="No new tile is smaller than this order's.")
@click.option(
    "--keep-empty-siblings",
    is_flag=True,
    default=None,
    help="Let a new tile grow over neighbours without rows.",
)
@click.option("--row-group-rows", type=click.IntRange(min=1), help="Rows in a row group of a leaf file.")
@click.option("--row-group-bytes", type=SIZE, metavar="SIZE", help="The most bytes of rows in a row group.")
@click.option(
    "--subtile-order-delta",
    type=click.IntRange(0, 29),
    metavar="N",
    help="Also cut row groups at sub-tiles of N orders below.",
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Threads or processes to work with.")
@click.option("--processes", is_flag=True, default=None, help="Work in processes instead of threads.")
@click.option("--scheduler", metavar="ADDRESS", help="Work on the Dask cluster with this scheduler.")
@click.option("--memory", type=SIZE, metavar="SIZE", help="Memory to stay within, such as 4GiB.")
@click.option("--scratch", metavar="DIR", help="Where files of the work in progress go; beside PATH else.")
@click.option(
    "--bad-coordinates",
    type=click.Choice(["error", "drop", "quarantine"]),
    help="What to do with rows without a position on the sky.  [default: error]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def append_command(path: str, inputs: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Add rows to the catalog or collection PATH, whose leaves are directories.

    Margins and indexes of the collection are kept true. On a local disk readers see all of it or nothing.

    \b
    Examples:
      hatsformat append survey night-2025-11-21.parquet
      hatsformat append survey night-*.csv --bad-coordinates quarantine
    """
    from hatsformat.partitioner.growing.appending import append

    given = {name: value for name, value in options.items() if value is not None}
    with progress_bars() as progress:
        log = append(path, list(inputs), progress=progress, **given)
    if as_json:
        print_json(log.to_dict())
        return
    click.echo(
        f"{log.path}: {log.rows_written} rows in {log.parts} new files, {log.new_tiles} new tiles, "
        f"{human_size(log.size_bytes)}, in {sum(log.seconds.values()):.1f} s"
    )
    if log.rows_rejected:
        where = f"; they are in {log.quarantine}" if log.quarantine else ""
        click.echo(f"{log.rows_rejected} of {log.rows_read} rows have no position and were left out{where}")
    if log.rebuild_due:
        click.echo(f"{log.drift}; put the leaves in order with: hatsformat rebuild {path}")


@click.command("rebuild")
@click.argument("path", metavar="PATH")
@click.option(
    "--max-rows", type=click.IntRange(min=1), help="The most rows a tile may hold.  [default: the catalog's]"
)
@click.option("--max-bytes", type=SIZE, metavar="SIZE", help="The most bytes, instead of --max-rows.")
@click.option(
    "--leaf",
    type=click.Choice(["file", "directory"]),
    help="A leaf is a file, or a folder of files.  [default: as it is]",
)
@click.option("--lowest-order", type=click.IntRange(0, 29), help="No tile is larger than one of this order.")
@click.option(
    "--highest-order", type=click.IntRange(0, 29), help="No tile is smaller than one of this order."
)
@click.option(
    "--keep-empty-siblings", is_flag=True, default=None, help="Let a tile grow over neighbours without rows."
)
@click.option(
    "--row-group-rows",
    type=click.IntRange(min=1),
    help="Rows in a row group; all leaves are written then.",
)
@click.option("--row-group-bytes", type=SIZE, metavar="SIZE", help="The most bytes of rows in a row group.")
@click.option(
    "--subtile-order-delta",
    type=click.IntRange(0, 29),
    metavar="N",
    help="Also cut row groups at sub-tiles of N orders below.",
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Threads or processes to work with.")
@click.option("--processes", is_flag=True, default=None, help="Work in processes instead of threads.")
@click.option("--scheduler", metavar="ADDRESS", help="Work on the Dask cluster with this scheduler.")
@click.option("--memory", type=SIZE, metavar="SIZE", help="Memory to stay within, such as 4GiB.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def rebuild_command(path: str, as_json: bool, **options: Any) -> None:
    """Bring leaves of the catalog or collection PATH that have drifted in order again.

    Leaves of several files become one file, leaves above the threshold are split; the rows stay the same.
    Readers see all of it or nothing. PATH is on a local disk.

    \b
    Examples:
      hatsformat rebuild survey
      hatsformat rebuild survey --leaf directory
    """
    from hatsformat.partitioner.growing.rebuilding import rebuild

    given = {name: value for name, value in options.items() if value is not None}
    with progress_bars() as progress:
        log = rebuild(path, progress=progress, **given)
    if as_json:
        print_json(log.to_dict())
        return
    click.echo(
        f"{log.path}: {log.rows_written} rows in {log.tiles} tiles, {log.written} of them written anew, "
        f"{human_size(log.size_bytes)}, in {sum(log.seconds.values()):.1f} s"
    )
