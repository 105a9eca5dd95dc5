"""``hatsformat validate``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._types import NAMES, flatten
from hatsformat.errors import UnavailableError

if TYPE_CHECKING:
    from hatsformat.validation import Report
    from hatsformat.validation.settings import Settings

_STYLES = ("text", "json", "sarif", "html")


@dataclass(frozen=True, slots=True)
class Output:
    """Where the report goes, and as what."""

    style: str
    file: str | None

    @classmethod
    def of(cls, style: str | None, file: str | None, *, as_json: bool) -> Output:
        """Choose the style: what is asked for, or what the file's name ends in."""
        suffix = "" if file is None else file.rpartition(".")[2].lower()
        told = suffix if suffix in _STYLES else "text"
        return cls("json" if as_json else style or told, file)

    def check(self) -> None:
        """Raise before the work is done if the file could not be written after it."""
        from hatsformat.outputs.files import check_output

        if self.file is not None:
            check_output(self.file, overwrite=True)

    def write(self, report: Report) -> None:
        """Write the report, whole or not at all, or print it."""
        from hatsformat import storage

        text = self._render(report).rstrip("\n")
        if self.file is None:
            click.echo(text)
        else:
            storage.write_bytes(storage.resolve(self.file), f"{text}\n".encode())

    def _render(self, report: Report) -> str:
        if self.style == "text":
            return report.to_text(color=self.file is None and sys.stdout.isatty())
        return {"json": report.to_json, "sarif": report.to_sarif, "html": report.to_html}[self.style]()


@click.command("validate")
@click.argument("path")
@click.option(
    "--level",
    type=click.Choice(["metadata", "footers", "rows"]),
    help="How deep to look: the small files, also the footers of all leaves, or every row.  [default: rows]",
)
@click.option(
    "--edition",
    type=click.Choice(["1.0", "draft-2025-04"]),
    help="The edition of the note to judge by.  [default: 1.0]",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(_STYLES),
    help="What the report is written as.  [default: what FILE ends in, or text]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("-o", "--output", metavar="FILE", help="Write the report to FILE, replacing it.")
@click.option(
    "--disable",
    type=NAMES,
    multiple=True,
    metavar="RULE",
    help="Do not run a rule, or all whose ids begin so, such as HATS-AUX; repeats.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    help="The least severe finding for which the exit code is 1.  [default: error]",
)
@click.option("--config", metavar="FILE", help="Take settings from FILE.  [default: ./hatsformat.toml]")
@click.option("--no-config", is_flag=True, help="Take no settings from ./hatsformat.toml.")
def validate_command(path: str, style: str | None, as_json: bool, output: str | None, **options: Any) -> None:
    """Check the catalog or collection at PATH against the note, and say what departs from it.

    Every finding has the id of its requirement, its place, what was found, what was expected, and how to
    mend it. A check that could not be carried out is told from one that passed.

    Settings in a file hatsformat.toml in the current directory are followed, unless it belongs to what is
    checked: a catalog does not say how it is judged.

    \b
    Example:
      hatsformat validate stars
      hatsformat validate s3://bucket/stars --level footers --json
      hatsformat validate stars --disable HATS-AUX --fail-on warning -o report.html
    """
    from hatsformat.validation import validate

    target = Output.of(style, output, as_json=as_json)
    target.check()
    settings = _settings(path, options)
    report = validate(path, config=settings)
    target.write(report)
    if report.fails(settings.fail_on):
        click.get_current_context().exit(1)
    if report.outages:
        raise UnavailableError(
            f"{len(report.outages)} checks were not run, since the storage failed",
            path=path,
            hint="validate it again",
        )


def _settings(path: str, options: dict[str, Any]) -> Settings:
    """Return what the settings file says, with the command line's words over it."""
    from hatsformat.validation.settings import Settings

    file = _config_file(path, options["config"], none=options["no_config"])
    base = Settings() if file is None else Settings.read(file)
    return base.changed(
        level=options["level"],
        edition=options["edition"],
        disable=flatten(options["disable"]) or (),
        fail_on=options["fail_on"],
    )


def _config_file(path: str, file: str | None, *, none: bool) -> str | None:
    """Return the settings file to read, and tell of one that was not asked for."""
    from hatsformat.validation.settings import settings_nearby

    if file is not None or none:
        return file
    nearby = settings_nearby(path)
    if nearby is None:
        return None
    if nearby.trusted:
        click.echo(f"hatsformat: settings from ./{nearby.path}", err=True)
        return nearby.path
    click.echo(
        f"hatsformat: warning: ./{nearby.path} belongs to what is checked and is not followed; "
        f"--config {nearby.path} follows it",
        err=True,
    )
    return None
