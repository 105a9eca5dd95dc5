"""Options that several commands share.

An option that is not given is None and is not passed on, so that defaults are only defined in the functions
that the commands call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import click

from hatsformat.cli._types import ARCSECONDS, CHARACTER, SIZE

_Command = TypeVar("_Command", bound=Callable[..., Any])
Decorator: TypeAlias = Callable[[_Command], _Command]

_ORDER = click.IntRange(0, 29)
_UNITS = click.Choice(["deg", "hour", "rad", "arcmin", "arcsec", "mas"])
EDITIONS = click.Choice(["1.0", "draft-2025-04"])
SEVERITIES = click.Choice(["error", "warning", "info"])


def combine(*options: Decorator[Any]) -> Decorator[_Command]:
    """Return one decorator that adds several options, in this order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def without_none(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def json_option(help_text: str = "Print the result as JSON.") -> Decorator[Any]:
    """Return the option ``--json``; the command gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def name_option(kind: str, folder: str) -> Decorator[Any]:
    """Return the option ``--name`` of a catalog, margin, index or collection that a command makes."""
    return click.option(
        "--name", metavar="NAME", help=f"Name of the {kind}, one word.  [default: the name of {folder}]"
    )


def coordinate_options(*, ra: str, dec: str) -> Decorator[Any]:
    """Return the options ``--ra`` and ``--dec``, with what the help says of their defaults."""
    return combine(
        click.option("--ra", metavar="COLUMN", help=f"Right ascension column.  [default: {ra}]"),
        click.option("--dec", metavar="COLUMN", help=f"Declination column.  [default: {dec}]"),
    )


input_options: Decorator[Any] = combine(
    click.option(
        "--ra-unit",
        type=_UNITS,
        help="Unit of RA.  [default: the column's own, or deg; hour for text such as 05:34:31.9]",
    ),
    click.option("--dec-unit", type=_UNITS, help="Unit of Dec.  [default: the column's own, or deg]"),
    click.option(
        "--frame",
        type=click.Choice(["icrs", "fk5", "galactic", "ecliptic"]),
        help="Frame of the coordinates. If it is not icrs, the columns ra_deg and dec_deg are added, in ICRS."
        "  [default: icrs]",
    ),
    click.option(
        "--bad-coordinates",
        type=click.Choice(["error", "drop", "quarantine"]),
        help="For rows without a valid position: stop, drop them, or move them to a Parquet file beside the "
        "catalog.  [default: error]",
    ),
    click.option(
        "--format",
        type=click.Choice(["csv", "parquet", "arrow", "fits", "votable", "ecsv"]),
        help="Format of all inputs.  [default: by file name]",
    ),
    click.option(
        "--delimiter",
        type=CHARACTER,
        metavar="CHAR",
        help="Delimiter of CSV files, such as ; or tab.  [default: detected in the header]",
    ),
    click.option(
        "--comment",
        metavar="TEXT",
        help="Skip lines of CSV files that begin with TEXT.  [default: #, only before the header]",
    ),
    click.option(
        "--table",
        metavar="NAME",
        help="Table to read from FITS files (HDU name or number) and VOTables (name, ID or number)."
        "  [default: the first in FITS, the only one in a VOTable]",
    ),
)


def threshold_options(rows: str = "the catalog's") -> Decorator[Any]:
    """Return the options that set how large a tile may be, with the default of ``--max-rows``."""
    return combine(
        click.option(
            "--max-rows",
            type=click.IntRange(min=1),
            metavar="N",
            help=f"Split tiles with more than N rows.  [default: {rows}]",
        ),
        click.option(
            "--max-bytes",
            type=SIZE,
            metavar="SIZE",
            help="Split tiles with more than SIZE of rows in memory, such as 300MB. Replaces --max-rows.",
        ),
    )


def order_options(highest: str = "10, or higher if the catalog has such tiles") -> Decorator[Any]:
    """Return the options that bound the orders of tiles, with the default of ``--highest-order``."""
    return combine(
        click.option(
            "--lowest-order",
            type=_ORDER,
            metavar="N",
            help="Lowest HEALPix order of a tile: no tile is larger.  [default: 0]",
        ),
        click.option(
            "--highest-order",
            type=_ORDER,
            metavar="N",
            help=f"Highest HEALPix order of a tile: no tile is smaller.  [default: {highest}]",
        ),
        click.option(
            "--keep-empty-siblings",
            is_flag=True,
            default=None,
            help="Allow large tiles whose rows all lie in one of their four children.",
        ),
    )


def leaf_option(default: str) -> Decorator[Any]:
    """Return the option ``--leaf``, with its default."""
    return click.option(
        "--leaf",
        type=click.Choice(["file", "directory"]),
        help="Write each tile as one file, or as a folder of files that `hatsformat append` can add to."
        f"  [default: {default}]",
    )


row_group_rows_option: Decorator[Any] = click.option(
    "--row-group-rows",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most rows in a Parquet row group.  [default: 20000]",
)

row_group_options: Decorator[Any] = combine(
    row_group_rows_option,
    click.option(
        "--row-group-bytes",
        type=SIZE,
        metavar="SIZE",
        help="Largest size of a Parquet row group in memory.  [default: 32MiB]",
    ),
    click.option(
        "--subtile-order-delta",
        type=_ORDER,
        metavar="N",
        help="Also start a row group at each HEALPix pixel N orders below the tile.",
    ),
)

worker_options: Decorator[Any] = combine(
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Number of threads or processes.  [default: one per core, or four per core for remote data]",
    ),
    click.option("--processes", is_flag=True, default=None, help="Use processes instead of threads."),
    click.option(
        "--scheduler", metavar="ADDRESS", help="Run on the Dask cluster with the scheduler at ADDRESS."
    ),
    click.option(
        "--memory",
        type=SIZE,
        metavar="SIZE",
        help="Memory limit, such as 4GiB.  [default: half of the machine's memory]",
    ),
)

scratch_option: Decorator[Any] = click.option(
    "--scratch",
    metavar="DIR",
    help="Folder for temporary files, on a local disk.  [default: beside the output]",
)


def margin_option(help_text: str) -> Decorator[Any]:
    """Return the option ``--margin``, which may be given more than once."""
    return click.option(
        "--margin",
        "margins_arcsec",
        type=ARCSECONDS,
        multiple=True,
        metavar="ANGLE",
        help=f"{help_text} Bare numbers are arcseconds: 10, 36arcsec, 1arcmin. Repeatable.",
    )


def index_option(help_text: str) -> Decorator[Any]:
    """Return the option ``--index``, which may be given more than once."""
    return click.option(
        "--index", "indexes", multiple=True, metavar="COLUMN", help=f"{help_text} Repeatable."
    )
