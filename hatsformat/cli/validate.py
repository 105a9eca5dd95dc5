"""``hatsformat validate``."""

from __future__ import annotations

import sys

import click


@click.command("validate")
@click.argument("path")
@click.option(
    "--level",
    type=click.Choice(["metadata", "footers", "rows"]),
    default="rows",
    show_default=True,
    help="How deep to look: the small files, also the footers of all leaves, or every row.",
)
@click.option(
    "--edition",
    type=click.Choice(["1.0", "draft-2025-04"]),
    default="1.0",
    show_default=True,
    help="The edition of the note to judge by.",
)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("-o", "--output", metavar="FILE", help="Write the report to FILE, replacing it.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="The least severe finding for which the exit code is 1.",
)
def validate_command(
    path: str, level: str, edition: str, style: str, as_json: bool, output: str | None, fail_on: str
) -> None:
    """Check the catalog or collection at PATH against the note, and say what departs from it.

    Every finding has the id of its requirement, its place, what was found, what was expected, and how to
    mend it. A check that could not be carried out is told from one that passed.

    \b
    Example:
      hatsformat validate stars
      hatsformat validate s3://bucket/stars --level footers --json
    """
    from hatsformat import storage
    from hatsformat.validate import validate

    report = validate(path, level=level, edition=edition)
    if as_json or style == "json":
        text = report.to_json()
    else:
        text = report.to_text(color=output is None and sys.stdout.isatty())
    if output is None:
        click.echo(text.rstrip("\n"))
    else:
        storage.write_bytes(storage.resolve(output), (text.rstrip("\n") + "\n").encode())
    if not report.valid or (fail_on == "warning" and report.summary["warning"]):
        click.get_current_context().exit(1)
