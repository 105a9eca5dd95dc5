"""``hatsformat query``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._output import print_json, print_table
from hatsformat.cli._types import ANGLE, NAMES, VERTICES, flatten
from hatsformat.errors import RegionError, UsageError
from hatsformat.outputs.files import FORMATS

if TYPE_CHECKING:
    import pyarrow as pa

_SCREEN_ROWS = 50
_SUFFIXES = " or ".join(", ".join(FORMATS).rsplit(", ", 1))
_MOC_FORMATS = {"json": "json", "txt": "ascii"}


@click.command("query")
@click.argument("path")
@click.option(
    "--cone", nargs=3, type=ANGLE, metavar="RA DEC RADIUS", help="Rows within RADIUS of a position."
)
@click.option(
    "--box",
    nargs=4,
    type=ANGLE,
    metavar="RA RA DEC DEC",
    help="Rows from RA to RA (eastwards) and from DEC to DEC.",
)
@click.option(
    "--polygon", type=VERTICES, metavar="'RA DEC, ...'", help="Rows inside a polygon of great circles."
)
@click.option("--moc", metavar="FILE", help="Rows inside a MOC (.fits, .json or .txt).")
@click.option(
    "--columns", type=NAMES, multiple=True, metavar="A,B,C", help="Only these columns, in this order."
)
@click.option(
    "--where", metavar="CONDITION", help="Only rows that meet it, such as 'mag < 15 and flag == 0'."
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="At most N rows.")
@click.option("--plan", is_flag=True, help="Show what would be read, and read no rows.")
@click.option("--json", "as_json", is_flag=True, help="With --plan: as JSON.")
@click.option("-o", "--output", metavar="FILE", help=f"Write {_SUFFIXES}.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def query_command(
    path: str,
    columns: tuple[list[str], ...],
    where: str | None,
    limit: int | None,
    plan: bool,
    as_json: bool,
    output: str | None,
    overwrite: bool,
    **regions: Any,
) -> None:
    """Read rows of the catalog at PATH: in a region, of some columns, that meet a condition.

    Without -o the rows are printed: as CSV, or on a terminal as a table of the first 50.

    Bare numbers are degrees, radii too; 10arcmin, 36arcsec, 0.5deg and 05h34m31.9s are understood.

    \b
    Examples:
      hatsformat query stars --cone 83.63 22.01 10arcmin --columns ra,dec,mag
      hatsformat query stars --box 350 10 -5 5 --where 'mag < 12' -o bright.fits
      hatsformat query https://server/stars --polygon '10 20, 11 20, 11 21' --plan
    """
    from hatsformat.catalog import open_catalog
    from hatsformat.outputs.files import check_format, check_output, write_csv, write_rows

    if as_json and not plan:
        raise UsageError("--json goes with --plan", hint="for rows, write a file with -o")
    if output is not None:
        check_format(output)
        check_output(output, overwrite)
    region = _region(**regions)
    catalog = open_catalog(path)
    scan = catalog.scan(flatten(columns), region, where, limit)
    if plan:
        planned = scan.plan()
        print_json(planned.to_dict()) if as_json else click.echo(str(planned))
    elif output is not None:
        write_rows(scan.to_batches(), output)
        click.echo(output)
    elif sys.stdout.isatty():
        shown = _SCREEN_ROWS + 1 if limit is None else min(limit, _SCREEN_ROWS + 1)
        _print_rows(catalog.scan(flatten(columns), region, where, shown).to_table())
    else:
        write_csv(scan.to_batches(), sys.stdout.buffer)


def _region(
    cone: tuple[float, float, float] | None,
    box: tuple[float, float, float, float] | None,
    polygon: list[tuple[float, float]] | None,
    moc: str | None,
) -> Any:
    given = [
        name for name, value in (("cone", cone), ("box", box), ("polygon", polygon), ("moc", moc)) if value
    ]
    if len(given) > 1:
        raise UsageError("only one region can be asked for", found=", ".join(f"--{name}" for name in given))
    from hatsformat.regions import Box, Cone, Polygon

    if cone:
        return Cone(*cone)
    if box:
        return Box(ra=box[:2], dec=box[2:])
    if polygon:
        return Polygon(polygon)
    return _load_moc(moc) if moc else None


def _load_moc(file: str) -> Any:
    from mocpy import MOC

    style = _MOC_FORMATS.get(file.rpartition(".")[2].lower(), "fits")
    try:
        return MOC.load(file, style)
    except (OSError, ValueError) as error:
        raise RegionError(
            f"this file cannot be read as a MOC in {style}: {error}",
            path=file,
            expected="a MOC in .fits, .json or .txt",
        ) from error


def _print_rows(rows: pa.Table) -> None:
    shown = rows.slice(0, _SCREEN_ROWS)
    print_table(shown.column_names, list(zip(*(column.to_pylist() for column in shown.columns), strict=True)))
    if rows.num_rows > _SCREEN_ROWS:
        click.echo(f"… and more than these {_SCREEN_ROWS} rows: -o FILE writes them all", err=True)
