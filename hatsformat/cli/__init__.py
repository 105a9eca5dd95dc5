"""The command line: ``hatsformat import``, ``query``, ``validate`` and the others.

Each command is a thin face over the package: it turns words into arguments, and results into text.
Exit codes: 0 done or valid, 1 invalid, 2 could not run.
"""

from __future__ import annotations

import click

from hatsformat._version import __version__
from hatsformat.cli._program import Program
from hatsformat.cli.appending import append_command, rebuild_command
from hatsformat.cli.conformance import conformance_group
from hatsformat.cli.demo import demo_command
from hatsformat.cli.importing import import_command
from hatsformat.cli.info import info_command
from hatsformat.cli.plot import plot_command
from hatsformat.cli.query import query_command
from hatsformat.cli.rules import rules_command
from hatsformat.cli.supplements import collection_command, index_command, margin_command
from hatsformat.cli.validate import validate_command


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hatsformat")
def main() -> None:
    """Read, write and validate HATS catalogs: all-sky tables as trees of Parquet files, one a HEALPix tile.

    A PATH is a folder, or a URL such as s3://bucket/catalog or https://server/catalog.

    \b
    Exit codes:
      0  done, or the catalog is valid
      1  the catalog is not valid
      2  could not run; standard error says why, in one line

    \b
    Examples:
      hatsformat demo
      hatsformat import stars-*.csv --out stars --ra ra --dec dec
      hatsformat query stars --cone 56.75 24.12 30arcmin -o pleiades.parquet
      hatsformat validate stars
    """


for _command in (
    import_command,
    append_command,
    rebuild_command,
    info_command,
    query_command,
    margin_command,
    index_command,
    collection_command,
    validate_command,
    rules_command,
    plot_command,
    demo_command,
):
    main.add_command(_command)
main.add_command(conformance_group)

__all__ = ["main"]
