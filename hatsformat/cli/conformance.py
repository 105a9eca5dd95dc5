"""``hatsformat conformance list``, ``materialize`` and ``run``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hatsformat.cli._output import print_json, print_table, progress_bars

if TYPE_CHECKING:
    from hatsformat.conformance.corpus import Case
    from hatsformat.conformance.runner import Result

_Command = TypeVar("_Command", bound=Callable[..., object])


def _selection(function: _Command) -> _Command:
    """Add the options that choose cases."""
    for option in (
        click.option(
            "--edition", type=click.Choice(["1.0", "draft-2025-04"]), help="Only cases of this edition."
        ),
        click.option(
            "--rule", "rules", multiple=True, metavar="RULE", help="Only cases that depart from it; repeats."
        ),
        click.option(
            "--case", "ids", multiple=True, metavar="ID", help="Only cases whose id begins so; repeats."
        ),
    ):
        function = option(function)
    return function


@click.group("conformance", no_args_is_help=True)
def conformance_group() -> None:
    """List, write and run the conformance corpus: small catalogs, sound and faulty, to try any tool on.

    \b
    Examples:
      hatsformat conformance list --rule HATS-PINF
      hatsformat conformance materialize cases
      hatsformat conformance run --command 'my-validator --json {path}'
    """


@conformance_group.command("list")
@_selection
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool, **options: Any) -> None:
    """List the cases: what each is, and what a validator has to say of it."""
    from hatsformat.conformance.corpus import select_cases

    cases = select_cases(**options)
    if as_json:
        print_json([_described(case) for case in cases])
    else:
        rows = [(case.id, case.verdict, case.title) for case in cases]
        print_table(("case", "verdict", "what"), rows)


def _described(case: Case) -> dict[str, object]:
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


@conformance_group.command("materialize")
@click.argument("folder", metavar="DIR")
@_selection
def materialize_command(folder: str, **options: Any) -> None:
    """Write the cases as real catalogs below DIR, which must be new or empty, with a manifest.json.

    The manifest has for every case its path, the verdict (sound, remarks or invalid), and every finding
    that a validator must have: rule, severity, path, column and row group.
    """
    from pathlib import Path

    from hatsformat.conformance.corpus import select_cases
    from hatsformat.conformance.materialize import MANIFEST, materialize_cases

    cases = [case for case in select_cases(**options) if not case.pending]
    with progress_bars() as progress:
        materialize_cases(cases, Path(folder), progress)
    click.echo(f"{len(cases)} cases; see {Path(folder) / MANIFEST}")


@conformance_group.command("run")
@click.option(
    "--command",
    "text",
    required=True,
    metavar="COMMAND",
    help="The validator; {path} in it stands for a catalog, {level} and {edition} for how to judge it.",
)
@_selection
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For one case; then it is killed.",
)
@click.option("--jobs", default=min(4, os.cpu_count() or 1), show_default=True, help="Cases at a time.")
@click.option(
    "--least",
    type=click.Choice(["error", "warning", "info"]),
    default="info",
    show_default=True,
    help="The least severe findings that count.",
)
@click.option("--all", "show_all", is_flag=True, help="Show the cases that it was right about, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run_command(text: str, show_all: bool, as_json: bool, **options: Any) -> None:
    """Run any validator on the cases and tell what it caught, missed, and crashed on.

    A validator that prints JSON in the form of `hatsformat validate --json` (only the findings, with their
    rule and place, are needed) is judged by its findings; any other by its exit code, which has to be 0 for
    a sound catalog and another for an invalid one. COMMAND is not given to a shell. Cases of another edition
    than 1.0, or of another level than rows, run only if COMMAND has {edition} or {level}.

    \b
    Exit codes:
      0  it was wrong about no case
      1  it missed a fault, crashed, or found one where there is none
      2  could not run

    \b
    Example:
      hatsformat conformance run --command 'hatsformat validate {path} --json'
    """
    from hatsformat.conformance.corpus import select_cases
    from hatsformat.conformance.runner import Command, run_cases

    jobs = options.pop("jobs")
    command = Command.parse(text, options.pop("timeout"), options.pop("least"))
    chosen = select_cases(**options)
    cases = [case for case in chosen if not case.pending and command.suits(case)]
    with progress_bars(quiet=as_json) as progress:
        results = list(run_cases(command, cases, jobs=jobs, progress=progress))
    if as_json:
        print_json(_summary(text, results, len(chosen) - len(cases)))
    else:
        _print_results(results, len(chosen) - len(cases), show_all)
    if not all(result.right for result in results):
        click.get_current_context().exit(1)


def _summary(command: str, results: Sequence[Result], left_out: int) -> dict[str, object]:
    from hatsformat.conformance.runner import count_outcomes

    return {
        "command": command,
        "summary": {**count_outcomes(results), "not_run": left_out},
        "cases": [result.to_dict() for result in results],
    }


def _print_results(results: Sequence[Result], left_out: int, show_all: bool) -> None:
    from hatsformat.conformance.runner import OUTCOMES, count_outcomes

    shown = [result for result in results if show_all or not result.right]
    if shown:
        rows = [(item.case.id, item.outcome, item.case.title, item.detail[:100]) for item in shown]
        print_table(("case", "outcome", "what", "detail"), rows)
        click.echo()
    areas = sorted({_area(result) for result in results})
    table = []
    for area in [*areas, "all"]:
        counts = count_outcomes([result for result in results if area in ("all", _area(result))])
        table.append((area, *(counts[outcome] for outcome in OUTCOMES)))
    print_table(("cases", *OUTCOMES), table)
    if left_out:
        click.echo(f"\n{left_out} cases were not run: they are of another edition or level, or pending.")


def _area(result: Result) -> str:
    return result.case.id.split("-", 1)[0]
