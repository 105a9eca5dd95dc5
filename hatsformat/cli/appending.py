"""``hatsformat append`` and ``hatsformat rebuild``."""

from __future__ import annotations

from typing import Any

import click

from hatsformat.cli._options import (
    coordinate_options,
    input_options,
    json_option,
    leaf_option,
    order_options,
    row_group_options,
    scratch_option,
    threshold_options,
    without_none,
    worker_options,
)
from hatsformat.cli._output import print_build, print_json, progress_bars


@click.command("append", short_help="Add rows to a catalog.")
@click.argument("path", metavar="PATH")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@coordinate_options(ra="the catalog's", dec="the catalog's")
@input_options
@order_options()
@row_group_options
@worker_options
@scratch_option
@json_option()
def append_command(path: str, inputs: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Add rows to the catalog or collection at PATH.

    The leaves of the catalog must be folders of files (import or rebuild it with --leaf directory). The
    inputs must have the columns of the catalog; INPUT is a file, a folder, a pattern or a URL, as for
    `hatsformat import`.

    The margins and indexes of a collection are updated too. On a local disk, readers see either none or all
    of the new rows.

    \b
    Examples:
      hatsformat append survey night-2025-11-21.parquet
      hatsformat append survey night-*.csv --bad-coordinates quarantine
    """
    from hatsformat.updates.appending import append

    with progress_bars() as progress:
        log = append(path, list(inputs), progress=progress, **without_none(options))
    if as_json:
        print_json(log.to_dict())
        return
    print_build(log, f"{log.parts} new files, {log.new_tiles} new tiles")
    if log.rebuild_due:
        click.echo(f"{log.drift}; run: hatsformat rebuild {path}")


@click.command("rebuild", short_help="Rewrite tiles that have grown too large or have many files.")
@click.argument("path", metavar="PATH")
@threshold_options()
@leaf_option(default="as in the catalog")
@order_options()
@row_group_options
@worker_options
@json_option()
def rebuild_command(path: str, as_json: bool, **options: Any) -> None:
    """Rewrite the tiles of the catalog or collection at PATH that have grown too large or have many files.

    Tiles above the threshold are split, and tiles of several files get one file. Other tiles are kept as they
    are, and the rows stay the same. The margins and indexes of a collection are built again.

    PATH must be on a local disk. Readers see either the old or the new catalog.

    \b
    Examples:
      hatsformat rebuild survey
      hatsformat rebuild survey --max-rows 500000
      hatsformat rebuild survey --leaf directory
    """
    from hatsformat.updates.rebuilding import rebuild

    with progress_bars() as progress:
        log = rebuild(path, progress=progress, **without_none(options))
    if as_json:
        print_json(log.to_dict())
    else:
        print_build(log, f"{log.tiles} tiles, {log.written} of them rewritten")
