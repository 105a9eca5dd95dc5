"""``hatsformat info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._output import human_size, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from hatsformat.catalog import Catalog


@click.command("info")
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def info_command(path: str, as_json: bool) -> None:
    """Show what the catalog or collection at PATH holds: properties, tiles, rows, size and columns.

    \b
    Example:
      hatsformat info stars
      hatsformat info s3://bucket/stars --json
    """
    from hatsformat.catalog import open_catalog

    print_catalog(open_catalog(path), as_json)
