"""``hatsformat demo``."""

from __future__ import annotations

import click


@click.command("demo", short_help="Import, validate, query and plot a mock sky.")
@click.argument("folder", default="hatsformat-demo", type=click.Path(file_okay=True))
@click.option(
    "--rows", default=200_000, show_default=True, metavar="N", help="Number of stars in the mock sky."
)
@click.option(
    "--plot/--no-plot",
    default=True,
    show_default=True,
    help="Whether to draw the sky map. This needs matplotlib.",
)
def demo_command(folder: str, rows: int, plot: bool) -> None:
    """Make a mock sky and import, validate, query and plot it.

    Everything is written to FOLDER (hatsformat-demo by default), which must be new, empty, or made by an
    earlier demo. Each step is shown with the command that does the same.

    \b
    Examples:
      hatsformat demo
      hatsformat demo /tmp/sky --rows 1000000
    """
    from hatsformat.demo import DemoOptions, run_demo

    valid = run_demo(DemoOptions(folder, rows, plot=plot), print_line=click.echo)
    if not valid:
        click.get_current_context().exit(1)
