"""``hatsformat demo``."""

from __future__ import annotations

import click


@click.command("demo")
@click.argument("folder", default="hatsformat-demo", type=click.Path(file_okay=True))
@click.option("--rows", default=200_000, show_default=True, help="Stars of the mock sky.")
@click.option("--plot/--no-plot", default=True, help="Draw the sky map, if matplotlib is installed.")
def demo_command(folder: str, rows: int, plot: bool) -> None:
    """Make a mock sky in FOLDER, import it, validate it, query it and plot it.

    Everything is made in FOLDER (hatsformat-demo where none is given), which must be new, empty, or made by
    an earlier demo. Each step is shown as the command that would do the same.

    \b
    Example:
      hatsformat demo
      hatsformat demo /tmp/sky --rows 1000000
    """
    from hatsformat.demo import DemoOptions, run_demo

    valid = run_demo(DemoOptions(folder, rows, plot=plot), say=click.echo)
    if not valid:
        click.get_current_context().exit(1)
