"""``hatsformat validate``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._options import EDITIONS, json_option
from hatsformat.cli._types import NAMES, flatten
from hatsformat.errors import UnavailableError

if TYPE_CHECKING:
    from hatsformat.validation import Report
    from hatsformat.validation.settings import Settings

_FORMATS = ("text", "json", "sarif", "html")


@dataclass(frozen=True, slots=True)
class ReportOutput:
    """Where the report is written, and in which format."""

    format: str
    file: str | None

    @classmethod
    def of(cls, report_format: str | None, file: str | None, *, as_json: bool) -> ReportOutput:
        """Choose the format: the one given, or the one of the file's suffix, or text."""
        suffix = "" if file is None else file.rpartition(".")[2].lower()
        default = suffix if suffix in _FORMATS else "text"
        return cls("json" if as_json else report_format or default, file)

    def check(self) -> None:
        """Raise if the file cannot be written, before the validation starts."""
        from hatsformat.outputs.files import check_output

        if self.file is not None:
            check_output(self.file, overwrite=True)

    def write(self, report: Report) -> None:
        """Write the report to the file, all of it or nothing, or print it."""
        from hatsformat import storage

        text = self._render(report).rstrip("\n")
        if self.file is None:
            click.echo(text)
        else:
            storage.write_bytes(storage.resolve(self.file), f"{text}\n".encode())

    def _render(self, report: Report) -> str:
        if self.format == "text":
            return report.to_text(color=self.file is None and sys.stdout.isatty())
        return {"json": report.to_json, "sarif": report.to_sarif, "html": report.to_html}[self.format]()


@click.command("validate", short_help="Check a catalog or collection against the HATS note.")
@click.argument("path", metavar="PATH")
@click.option(
    "--level",
    type=click.Choice(["metadata", "footers", "rows"]),
    help="What to read: metadata files only, also the Parquet footers of all leaves, or also every row."
    "  [default: rows]",
)
@click.option(
    "--edition",
    type=EDITIONS,
    help="Edition of the note to check against.  [default: 1.0]",
)
@click.option(
    "--format",
    "report_format",
    type=click.Choice(_FORMATS),
    help="Format of the report.  [default: by the suffix of FILE, or text]",
)
@json_option("Same as --format json.")
@click.option(
    "-o", "--output", metavar="FILE", help="Write the report to FILE. An existing file is replaced."
)
@click.option(
    "--disable",
    type=NAMES,
    multiple=True,
    metavar="RULE",
    help="Skip a rule, or all rules whose ids begin with RULE, such as HATS-AUX. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    help="Lowest severity for which the exit code is 1.  [default: error]",
)
@click.option(
    "--config", metavar="FILE", help="Read settings from FILE.  [default: ./hatsformat.toml if it exists]"
)
@click.option("--no-config", is_flag=True, help="Ignore ./hatsformat.toml.")
def validate_command(
    path: str, report_format: str | None, as_json: bool, output: str | None, **options: Any
) -> None:
    """Check the catalog or collection at PATH against the IVOA note that defines HATS.

    Each finding names the rule, the location, what was found, what was expected and how to fix it. Checks
    that could not run are listed separately.

    Settings are read from hatsformat.toml in the current directory, unless that file is inside the catalog: a
    catalog cannot change its own validation.

    \b
    Examples:
      hatsformat validate stars
      hatsformat validate s3://bucket/stars --level footers --json
      hatsformat validate stars --disable HATS-AUX --fail-on warning -o report.html

    \b
    Exit codes:
      0  the catalog is valid
      1  the catalog is not valid, or has warnings with --fail-on warning
      2  the catalog could not be read, or not completely
    """
    from hatsformat.validation import validate

    target = ReportOutput.of(report_format, output, as_json=as_json)
    target.check()
    settings = _settings(path, options)
    report = validate(path, config=settings)
    target.write(report)
    if report.fails(settings.fail_on):
        click.get_current_context().exit(1)
    if report.outages:
        count = len(report.outages)
        raise UnavailableError(
            f"{count} {'check' if count == 1 else 'checks'} could not run because the storage failed",
            path=path,
            hint="run the validation again",
        )


def _settings(path: str, options: dict[str, Any]) -> Settings:
    """Return the settings of the file, overridden by the options."""
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
    """Return the settings file to read; print which one, if it was not given as an option."""
    from hatsformat.validation.settings import settings_nearby

    if file is not None or none:
        return file
    nearby = settings_nearby(path)
    if nearby is None:
        return None
    if nearby.trusted:
        click.echo(f"hatsformat: using settings from ./{nearby.path}", err=True)
        return nearby.path
    click.echo(
        f"hatsformat: warning: ./{nearby.path} belongs to the catalog and is ignored; "
        f"to use it: --config {nearby.path}",
        err=True,
    )
    return None
