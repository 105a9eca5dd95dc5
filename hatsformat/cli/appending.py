"""``hatsformat append`` and ``hatsformat rebuild``."""

from __future__ import annotations

from typing import Any

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
from hatsformat.cli._types import SIZE


@click.command("append")
@click.argument("path", metavar="PATH")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--ra", metavar="COLUMN", help="The column with right ascensions.  [default: the catalog's]")
@click.option("--dec", metavar="COLUMN", help="The column with declinations.  [default: the catalog's]")
@reading_options
@tile_options
@row_group_options
@work_options
@scratch_option
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def append_command(path: str, inputs: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Add rows to the catalog or collection PATH, whose leaves are directories.

    Margins and indexes of the collection are kept true. On a local disk readers see all of it or nothing.

    \b
    Examples:
      hatsformat append survey night-2025-11-21.parquet
      hatsformat append survey night-*.csv --bad-coordinates quarantine
    """
    from hatsformat.updates.appending import append

    with progress_bars() as progress:
        log = append(path, list(inputs), progress=progress, **given(options))
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
@tile_options
@row_group_options
@work_options
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
    from hatsformat.updates.rebuilding import rebuild

    with progress_bars() as progress:
        log = rebuild(path, progress=progress, **given(options))
    if as_json:
        print_json(log.to_dict())
        return
    click.echo(
        f"{log.path}: {log.rows_written} rows in {log.tiles} tiles, {log.written} of them written anew, "
        f"{human_size(log.size_bytes)}, in {sum(log.seconds.values()):.1f} s"
    )
