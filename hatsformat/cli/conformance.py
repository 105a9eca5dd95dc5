"""``hatsformat conformance list``, ``materialize`` and ``run``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._options import EDITIONS, SEVERITIES, combine, json_option
from hatsformat.cli._output import print_json, print_table, progress_bars

if TYPE_CHECKING:
    from hatsformat.conformance.corpus import Case
    from hatsformat.conformance.runner import Result

_case_options = combine(
    click.option(
        "--case", "ids", multiple=True, metavar="ID", help="Cases whose ids begin with ID. Repeatable."
    ),
    click.option(
        "--rule",
        "rules",
        multiple=True,
        metavar="RULE",
        help="Cases that break a rule, given by its id or the beginning of it. Repeatable.",
    ),
    click.option("--edition", type=EDITIONS, help="Cases of this edition of the note."),
)


@click.group(
    "conformance", no_args_is_help=True, short_help="Test HATS tools on small valid and invalid catalogs."
)
def conformance_group() -> None:
    """Test HATS tools on small catalogs, valid and invalid, with known findings.

    Each case of the conformance corpus is a catalog and the findings that a validator must report for it. The
    cases can be listed, written to disk for any program, or run against any validator.

    \b
    Examples:
      hatsformat conformance list --rule HATS-PINF
      hatsformat conformance materialize cases
      hatsformat conformance run --command 'my-validator --json {path}'
    """


@conformance_group.command("list", short_help="List the cases.")
@_case_options
@json_option("Print the cases as JSON.")
def list_command(as_json: bool, **options: Any) -> None:
    """List the cases, with the verdict that a validator must give on each.

    The verdict is sound (no findings), remarks (only warnings or infos) or invalid (at least one error).

    \b
    Examples:
      hatsformat conformance list
      hatsformat conformance list --rule HATS-PINF --json
    """
    from hatsformat.conformance.corpus import select_cases

    cases = select_cases(**options)
    if as_json:
        print_json([_describe(case) for case in cases])
    else:
        rows = [(case.id, case.verdict, case.title) for case in cases]
        print_table(("case", "verdict", "description"), rows)


def _describe(case: Case) -> dict[str, object]:
    return {
        "id": case.id,
        "title": case.title,
        "base": case.base,
        "edition": case.edition,
        "level": case.level,
        "verdict": case.verdict,
        "rules": sorted(case.rules),
        "pending": case.pending,
    }


@conformance_group.command("materialize", short_help="Write the cases to disk as catalogs.")
@click.argument("folder", metavar="DIR")
@_case_options
def materialize_command(folder: str, **options: Any) -> None:
    """Write the cases as catalogs in the folder DIR, which must be new or empty.

    DIR/manifest.json lists the cases: path, verdict (sound, remarks or invalid), and the findings that a
    validator must report, each with rule, severity, path, column and row group.

    \b
    Examples:
      hatsformat conformance materialize cases
      hatsformat conformance materialize cases --case pinf
    """
    from pathlib import Path

    from hatsformat.conformance.corpus import select_cases
    from hatsformat.conformance.materialize import MANIFEST, materialize_cases

    cases = [case for case in select_cases(**options) if not case.pending]
    with progress_bars() as progress:
        materialize_cases(cases, Path(folder), progress)
    click.echo(f"{len(cases)} cases; see {Path(folder) / MANIFEST}")


@conformance_group.command("run", short_help="Run a validator on the cases and compare its findings.")
@click.option(
    "--command",
    "text",
    required=True,
    metavar="COMMAND",
    help="Command line of the validator. {path}, {level} and {edition} are replaced by those of each case.",
)
@_case_options
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Time limit per case, after which the validator is killed.",
)
@click.option(
    "--jobs",
    default=min(4, os.cpu_count() or 1),
    show_default=True,
    metavar="N",
    help="Number of cases to run in parallel.",
)
@click.option(
    "--least",
    type=SEVERITIES,
    default="info",
    show_default=True,
    help="Lowest severity of the findings to compare.",
)
@click.option("--all", "show_all", is_flag=True, help="Also show the cases that the validator got right.")
@json_option("Print the results as JSON.")
def run_command(text: str, show_all: bool, as_json: bool, **options: Any) -> None:
    """Run a validator on the cases, and show what it missed, reported wrongly or crashed on.

    A validator that prints JSON like `hatsformat validate --json` is compared by its findings: their rules
    and locations are enough. Any other is compared by its exit code, which must be 0 for a valid catalog and
    not 0 for an invalid one.

    COMMAND is run without a shell. Without {level} or {edition} in it, the cases for a level other than rows
    or an edition other than 1.0 are skipped.

    \b
    Examples:
      hatsformat conformance run --command 'my-validator {path}'
      hatsformat conformance run --command 'hatsformat validate {path} --json' --rule HATS-PINF --all

    \b
    Exit codes:
      0  the validator is right about every case
      1  it is wrong about a case, or crashed
      2  it could not be run
    """
    from hatsformat.conformance.corpus import select_cases
    from hatsformat.conformance.runner import Command, run_cases

    jobs = options.pop("jobs")
    command = Command.parse(text, options.pop("timeout"), options.pop("least"))
    selected = select_cases(**options)
    cases = [case for case in selected if not case.pending and command.can_run(case)]
    skipped = len(selected) - len(cases)
    with progress_bars(quiet=as_json) as progress:
        results = list(run_cases(command, cases, jobs=jobs, progress=progress))
    if as_json:
        print_json(_summary(text, results, skipped))
    else:
        _print_results(results, skipped, show_all)
    if not all(result.right for result in results):
        click.get_current_context().exit(1)


def _summary(command: str, results: Sequence[Result], skipped: int) -> dict[str, object]:
    from hatsformat.conformance.runner import count_outcomes

    return {
        "command": command,
        "summary": {**count_outcomes(results), "not_run": skipped},
        "cases": [result.to_dict() for result in results],
    }


def _print_results(results: Sequence[Result], skipped: int, show_all: bool) -> None:
    from hatsformat.conformance.runner import OUTCOMES, count_outcomes

    shown = [result for result in results if show_all or not result.right]
    if shown:
        rows = [(item.case.id, item.outcome, item.case.title, item.detail[:100]) for item in shown]
        print_table(("case", "outcome", "description", "detail"), rows)
        click.echo()
    areas = sorted({_area(result) for result in results})
    table = []
    for area in [*areas, "all"]:
        counts = count_outcomes([result for result in results if area in ("all", _area(result))])
        table.append((area, *(counts[outcome] for outcome in OUTCOMES)))
    print_table(("cases", *OUTCOMES), table)
    if skipped:
        click.echo(f"\n{skipped} cases were skipped: pending, or for another edition or level.")


def _area(result: Result) -> str:
    return result.case.id.split("-", 1)[0]
