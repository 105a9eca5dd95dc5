"""``hatsformat plot``."""

from __future__ import annotations

import click


@click.command("plot")
@click.argument("path")
@click.option("-o", "--output", required=True, help="The picture: a .png, .pdf, .svg or .jpg file.")
@click.option(
    "--projection",
    type=click.Choice(["mollweide", "aitoff", "hammer"]),
    default="mollweide",
    show_default=True,
)
@click.option("--tiles/--no-tiles", default=True, help="Draw the outlines of the tiles.")
@click.option("--title", help="The catalog's name where it is not given.")
@click.option("--width", type=float, default=10.0, show_default=True, help="Width in inches.")
@click.option("--dpi", type=int, default=120, show_default=True, help="Dots an inch.")
@click.option("--overwrite", is_flag=True, help="Replace the picture if it is there.")
def plot_command(
    path: str,
    output: str,
    projection: str,
    tiles: bool,
    title: str | None,
    width: float,
    dpi: int,
    overwrite: bool,
) -> None:
    """Draw the sky map of the catalog at PATH: rows per square degree, with the tiles over them.

    \b
    Example:
      hatsformat plot stars -o sky.png
      hatsformat plot s3://bucket/stars -o sky.pdf --projection aitoff --no-tiles
    """
    from hatsformat.catalog import open_catalog
    from hatsformat.outputs.files import check_output
    from hatsformat.plot import PlotOptions, save_plot

    options = PlotOptions(projection, tiles, title, width, dpi)
    check_output(output, overwrite)
    save_plot(open_catalog(path), output, options)
    click.echo(output)
