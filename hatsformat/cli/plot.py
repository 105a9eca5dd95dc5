"""``hatsformat plot``."""

from __future__ import annotations

import click


@click.command("plot", short_help="Draw the sky map of a catalog.")
@click.argument("path", metavar="PATH")
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="Write the image to FILE: .png, .pdf, .svg or .jpg."
)
@click.option(
    "--projection",
    type=click.Choice(["mollweide", "aitoff", "hammer"]),
    default="mollweide",
    show_default=True,
    help="Map projection.",
)
@click.option(
    "--tiles/--no-tiles", default=True, show_default=True, help="Whether to draw the outlines of the tiles."
)
@click.option(
    "--title", metavar="TEXT", help="Title of the image.  [default: the catalog's name and number of tiles]"
)
@click.option(
    "--width", type=float, default=10.0, show_default=True, metavar="INCHES", help="Width in inches."
)
@click.option("--dpi", type=int, default=120, show_default=True, metavar="N", help="Dots per inch.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
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
    """Draw the sky map of the catalog at PATH: rows per square degree, with the outlines of the tiles.

    Only the sky map and the list of tiles are read. A catalog without a sky map gets the outlines alone. This
    needs matplotlib: pip install 'hatsformat[plot]'.

    \b
    Examples:
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
