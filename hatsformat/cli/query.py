"""``hatsformat query``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._options import json_option
from hatsformat.cli._output import print_json, print_table
from hatsformat.cli._types import ANGLE, NAMES, VERTICES, flatten
from hatsformat.errors import RegionError, UsageError
from hatsformat.outputs.files import FORMATS

if TYPE_CHECKING:
    import pyarrow as pa

_SCREEN_ROWS = 50
_SUFFIXES = " or ".join(", ".join(FORMATS).rsplit(", ", 1))
_MOC_FORMATS = {"json": "json", "txt": "ascii"}


@click.command("query", short_help="Read rows by region, columns and condition.")
@click.argument("path", metavar="PATH")
@click.option(
    "--cone", nargs=3, type=ANGLE, metavar="RA DEC RADIUS", help="Rows within RADIUS of the position RA, DEC."
)
@click.option(
    "--box",
    nargs=4,
    type=ANGLE,
    metavar="RA RA DEC DEC",
    help="Rows between two RAs, from the first eastwards to the second, and two Decs.",
)
@click.option(
    "--polygon",
    type=VERTICES,
    metavar="'RA DEC, ...'",
    help="Rows inside a polygon, with great circles as edges.",
)
@click.option("--moc", metavar="FILE", help="Rows inside the MOC in FILE (.fits, .json or .txt).")
@click.option(
    "--columns",
    type=NAMES,
    multiple=True,
    metavar="A,B,C",
    help="Columns to read, in this order. Repeatable.  [default: all]",
)
@click.option(
    "--where", metavar="CONDITION", help="Rows that meet a condition, such as 'mag < 15 and flag == 0'."
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Stop after N rows.")
@click.option("--plan", is_flag=True, help="Show the files and bytes that would be read, and read no rows.")
@json_option("Print the plan as JSON. Needs --plan.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the rows to FILE: .parquet, .csv, .fits, .vot or .ecsv.  [default: standard output]",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
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
    """Read rows of the catalog at PATH, by region, columns and condition.

    At most one region can be given. Bare numbers are degrees, for radii too; 10arcmin, 36arcsec, 0.5deg and
    05h34m31.9s work as well.

    Without -o the rows are printed as CSV, or as a table of the first 50 rows on a terminal.

    \b
    Examples:
      hatsformat query stars --cone 83.63 22.01 10arcmin --columns ra,dec,mag
      hatsformat query stars --box 350 10 -5 5 --where 'mag < 12' -o bright.fits
      hatsformat query https://server/stars --polygon '10 20, 11 20, 11 21' --plan
    """
    from hatsformat.catalog import open_catalog
    from hatsformat.outputs.files import check_format, check_output, write_csv, write_rows

    if as_json and not plan:
        raise UsageError("--json needs --plan", hint="to write rows to a file, use -o")
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
    regions = {"--cone": cone, "--box": box, "--polygon": polygon, "--moc": moc}
    names = [name for name, value in regions.items() if value]
    if len(names) > 1:
        raise UsageError("more than one region", found=", ".join(names))
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
            f"cannot read the file as a MOC in {style}: {error}",
            path=file,
            expected="a MOC in .fits, .json or .txt",
        ) from error


def _print_rows(rows: pa.Table) -> None:
    shown = rows.slice(0, _SCREEN_ROWS)
    print_table(shown.column_names, list(zip(*(column.to_pylist() for column in shown.columns), strict=True)))
    if rows.num_rows > _SCREEN_ROWS:
        click.echo(f"… only the first {_SCREEN_ROWS} rows are shown; use -o FILE to write all", err=True)
