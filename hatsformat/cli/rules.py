"""``hatsformat rules``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._output import print_json, print_pairs, print_table

if TYPE_CHECKING:
    from hatsformat.validation import Requirement


@click.command("rules")
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@click.option("--level", type=click.Choice(["MUST", "SHOULD", "MAY", "PRACTICE"], case_sensitive=False))
@click.option("--severity", type=click.Choice(["error", "warning", "info"]))
@click.option(
    "--stage",
    type=click.Choice(["tree", "properties", "partition-info", "auxiliary", "footers", "rows", "members"]),
    help="Only rules that this kind of evidence decides.",
)
@click.option("--section", metavar="NUMBER", help="Only rules of a section of the note, such as 3.6.")
@click.option(
    "--applies-to",
    type=click.Choice(["object", "source", "nested", "margin", "index", "association", "map", "collection"]),
    help="Only rules for this type of table, or for collections.",
)
@click.option("--edition", type=click.Choice(["1.0", "draft-2025-04"]))
@click.option(
    "--checked/--unchecked", default=None, help="Only rules that a program checks, or that none does."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all that is known of each.")
def rules_command(rules: tuple[str, ...], as_json: bool, **filters: Any) -> None:
    """List the rules that catalogs are judged by, or explain one.

    A RULE is an id such as HATS-LEAF-004, which is explained, or the beginning of ids such as HATS-LEAF.

    \b
    Example:
      hatsformat rules --applies-to margin --severity error
      hatsformat rules HATS-LEAF-004
    """
    from hatsformat.validation.rules import Choice, described, told_types

    chosen = Choice(rules, **filters).select()
    if as_json:
        print_json([{**described(rule), "cases": _cases(rule.id)} for rule in chosen])
    elif rules and all(rule.upper() in {item.id for item in chosen} for rule in rules):
        for number, rule in enumerate(chosen):
            if number:
                click.echo()
            _explain(rule)
    else:
        header = ("id", "level", "severity", "stage", "section", "applies to", "summary")
        rows = [
            (
                rule.id,
                rule.level,
                rule.severity if rule.unchecked is None else "unchecked",
                rule.stage,
                rule.section,
                told_types(rule),
                rule.summary.replace("`", ""),
            )
            for rule in chosen
        ]
        print_table(header, rows)


def _explain(rule: Requirement) -> None:
    from hatsformat.validation.rules import checks_of, told_editions, told_types

    click.echo(f"{rule.id}: {rule.summary}")
    if rule.quote:
        click.echo(f"\n  “{rule.quote}”")
    click.echo()
    checks = [f"{check.name}: {check.summary}" for check in checks_of(rule.id)]
    pairs = [
        ("why", rule.why),
        ("mend", rule.fix),
        ("level", f"{rule.level}; a departure is of severity {rule.severity}"),
        ("section", f"{rule.section} of the note"),
        ("editions", told_editions(rule)),
        ("applies to", told_types(rule)),
        ("evidence", rule.stage),
        ("keyword", rule.keyword),
        ("not checked", rule.unchecked),
        *(("check", check) for check in checks),
        ("cases", ", ".join(_cases(rule.id)) or None),
    ]
    print_pairs([(name, value) for name, value in pairs], indent="  ")


def _cases(rule: str) -> list[str]:
    """Return the ids of the conformance cases that depart from a rule."""
    from hatsformat.conformance.corpus import load_cases

    return [case.id for case in load_cases().values() if rule in case.rules]
