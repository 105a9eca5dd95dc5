"""``hatsformat rules``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hatsformat.cli._options import EDITIONS, SEVERITIES, json_option
from hatsformat.cli._output import print_json, print_pairs, print_table

if TYPE_CHECKING:
    from hatsformat.validation import Requirement


@click.command("rules", short_help="List the validation rules, or explain one.")
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@click.option(
    "--level",
    type=click.Choice(["MUST", "SHOULD", "MAY", "PRACTICE"], case_sensitive=False),
    help="Rules of this level. PRACTICE rules are not in the note, but readers rely on them.",
)
@click.option("--severity", type=SEVERITIES, help="Rules whose findings have this severity.")
@click.option(
    "--stage",
    type=click.Choice(["tree", "properties", "partition-info", "auxiliary", "footers", "rows", "members"]),
    help="Rules that are checked at this stage of a validation.",
)
@click.option(
    "--section", metavar="NUMBER", help="Rules of this section of the note, such as 3.6, and those below it."
)
@click.option(
    "--applies-to",
    type=click.Choice(["object", "source", "nested", "margin", "index", "association", "map", "collection"]),
    help="Rules for this type of catalog, or for collections.",
)
@click.option("--edition", type=EDITIONS, help="Rules of this edition of the note.")
@click.option(
    "--checked/--unchecked", default=None, help="Only rules that are checked, or only those that are not."
)
@json_option("Print the rules as JSON, in full.")
def rules_command(rules: tuple[str, ...], as_json: bool, **filters: Any) -> None:
    """List the rules that `hatsformat validate` checks, or explain one.

    RULE is the id of a rule to explain, such as HATS-LEAF-004, or the beginning of the ids to list, such as
    HATS-TREE. The options narrow the list. "The note" is the IVOA note that defines HATS.

    \b
    Examples:
      hatsformat rules HATS-TREE
      hatsformat rules --applies-to margin --severity error
      hatsformat rules HATS-LEAF-004
    """
    from hatsformat.validation.rules import Choice, rule_to_dict, types_text

    selected = Choice(rules, **filters).select()
    if as_json:
        print_json([{**rule_to_dict(rule), "cases": _cases(rule.id)} for rule in selected])
    elif rules and all(rule.upper() in {item.id for item in selected} for rule in rules):
        for index, rule in enumerate(selected):
            if index:
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
                types_text(rule),
                rule.summary.replace("`", ""),
            )
            for rule in selected
        ]
        print_table(header, rows)


def _explain(rule: Requirement) -> None:
    from hatsformat.validation.rules import checks_of, editions_text, types_text

    click.echo(f"{rule.id}: {rule.summary}")
    if rule.quote:
        click.echo(f"\n  “{rule.quote}”")
    click.echo()
    checks = [f"{check.name}: {check.summary}" for check in checks_of(rule.id)]
    pairs = [
        ("why", rule.why),
        ("fix", rule.fix),
        ("level", f"{rule.level}; findings have severity {rule.severity}"),
        ("section", f"{rule.section} of the note"),
        ("editions", editions_text(rule)),
        ("applies to", types_text(rule)),
        ("stage", rule.stage),
        ("keyword", rule.keyword),
        ("not checked", rule.unchecked),
        *(("check", check) for check in checks),
        ("cases", ", ".join(_cases(rule.id)) or None),
    ]
    print_pairs(pairs, indent="  ")


def _cases(rule: str) -> list[str]:
    """Return the ids of the conformance cases that break a rule."""
    from hatsformat.conformance.corpus import load_cases

    return [case.id for case in load_cases().values() if rule in case.rules]
