"""Options that several commands have: how inputs are read, how tiles and leaves are cut, how work is done.

All have None where nothing is said, so that the layers below keep their own defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import click

from hatsformat.cli._types import CHARACTER, SIZE

Command: TypeAlias = Callable[..., Any]

_ORDER = click.IntRange(0, 29)
_UNITS = click.Choice(["deg", "hour", "rad", "arcmin", "arcsec", "mas"])


def _together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


reading_options = _together(
    click.option(
        "--ra-unit",
        type=_UNITS,
        help="The unit of RA; sexagesimal text is understood.  [default: its own, or deg]",
    ),
    click.option("--dec-unit", type=_UNITS, help="The unit of Dec.  [default: its own, or deg]"),
    click.option(
        "--frame",
        type=click.Choice(["icrs", "fk5", "galactic", "ecliptic"]),
        help="What --ra and --dec refer to; of others, ICRS positions are added.  [default: icrs]",
    ),
    click.option(
        "--bad-coordinates",
        type=click.Choice(["error", "drop", "quarantine"]),
        help="What to do with rows without a position on the sky.  [default: error]",
    ),
    click.option(
        "--format",
        type=click.Choice(["csv", "parquet", "arrow", "fits", "votable", "ecsv"]),
        help="Of all inputs; else by their names.",
    ),
    click.option(
        "--delimiter",
        type=CHARACTER,
        metavar="CHAR",
        help="Between the fields of CSV files, such as ; or tab.  [default: by the header]",
    ),
    click.option(
        "--comment",
        metavar="TEXT",
        help="Pass over lines of CSV files that begin with this.  [default: # before the header]",
    ),
    click.option(
        "--table", metavar="NAME", help="Which table of FITS files (number or name of the HDU) or VOTables."
    ),
)

tile_options = _together(
    click.option("--lowest-order", type=_ORDER, help="No tile is larger than one of this order."),
    click.option("--highest-order", type=_ORDER, help="No tile is smaller than one of this order."),
    click.option(
        "--keep-empty-siblings",
        is_flag=True,
        default=None,
        help="Let a tile grow over neighbours without rows.",
    ),
)

row_group_options = _together(
    click.option("--row-group-rows", type=click.IntRange(min=1), help="Rows in a row group of a leaf file."),
    click.option(
        "--row-group-bytes",
        type=SIZE,
        metavar="SIZE",
        help="Bytes of rows in memory in a row group at most.  [default: 32MiB]",
    ),
    click.option(
        "--subtile-order-delta",
        type=_ORDER,
        metavar="N",
        help="Cut row groups at sub-tiles, too, N orders below their tile.",
    ),
)

work_options = _together(
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Threads or processes to work with.  [default: one a core]",
    ),
    click.option("--processes", is_flag=True, default=None, help="Work in processes instead of threads."),
    click.option("--scheduler", metavar="ADDRESS", help="Work on the Dask cluster with this scheduler."),
    click.option(
        "--memory",
        type=SIZE,
        metavar="SIZE",
        help="Memory to stay within, such as 4GiB.  [default: half of the machine's]",
    ),
)

scratch_option = click.option(
    "--scratch", metavar="DIR", help="Where files of the work in progress go.  [default: beside the output]"
)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return what was said."""
    return {name: value for name, value in options.items() if value is not None}
