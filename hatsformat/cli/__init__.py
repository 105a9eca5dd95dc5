"""The command line: ``hatsformat import``, ``query``, ``validate`` and the others.

The commands parse arguments, call the package and print results; they contain no other logic.
Exit codes: 0 success or valid, 1 not valid, 2 could not run.
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
    """Read, write and validate HATS catalogs: all-sky tables in Parquet, one file per HEALPix tile.

    PATH is a folder, or a URL such as s3://bucket/catalog or https://server/catalog. Use `hatsformat COMMAND
    --help` for the options and examples of a command.

    \b
    Examples:
      hatsformat demo
      hatsformat import stars-*.csv --out stars --ra RAJ2000 --dec DEJ2000
      hatsformat query stars --cone 56.75 24.12 30arcmin -o pleiades.parquet
      hatsformat validate stars

    \b
    Exit codes:
      0  success; for validate, the catalog is valid
      1  the catalog is not valid
      2  error; one line on standard error says why
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
    conformance_group,
):
    main.add_command(_command)

__all__ = ["main"]
