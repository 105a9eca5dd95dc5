"""Generate the pages of the rules: ``docs/rules/`` and the lists in ``spec/hats.md``.

``python -m hatsformat.validation.rule_pages`` updates them in a checkout, and adds new ids to the list
``spec/requirements/ids.txt``, from which ids are never removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hatsformat._spec import spec_path
from hatsformat.errors import UsageError
from hatsformat.properties import KEYWORDS, TABLE_TYPES, Keyword
from hatsformat.validation.requirements import Requirement, areas, requirements
from hatsformat.validation.rules import (
    checks_of,
    count_sections,
    editions_text,
    types_text,
)

_LEVELS = ("MUST", "SHOULD", "MAY", "PRACTICE")
_BLOCK = re.compile(
    r"(<!-- (requirements|keywords|required)(?: ([^>]*?))? -->\n).*?(<!-- end -->)", re.DOTALL
)
_COMMAND = "python -m hatsformat.validation.rule_pages"
_MADE = f"<!-- Generated from spec/requirements by {_COMMAND}; do not edit. -->\n"


def anchor(rule: str) -> str:
    """Return the anchor of a rule on its page."""
    return rule.lower()


def area_of(rule: str) -> str:
    """Return the area of a rule: ``LEAF`` of ``HATS-LEAF-004``."""
    return rule.split("-")[1]


# A page of an area


def area_page(area: str) -> str:
    """Return the page with all rules of an area."""
    rules = [rule for rule in requirements().values() if area_of(rule.id) == area]
    parts = [_MADE, f"# {areas()[area].title} (`HATS-{area}`)\n", *map(_rule, rules)]
    return "\n".join(parts)


def _rule(rule: Requirement) -> str:
    facts = [
        f"- **{rule.level}**, severity {rule.severity}",
        f"- Note, section {rule.section}; editions {editions_text(rule)}",
        f"- applies to: {types_text(rule)}",
        f"- stage: {rule.stage}",
    ]
    if rule.keyword is not None:
        facts.append(f"- keyword: `{rule.keyword}`")
    facts += [f"- check: `{check.name}`" for check in checks_of(rule.id)]
    if rule.unchecked is not None:
        facts.append(f"- not checked: {rule.unchecked}")
    quote = f"> {_plain(rule.quote)}\n\n" if rule.quote else ""
    return (
        f"## {rule.id}\n\n{_plain(rule.summary)}\n\n{quote}"
        f"Why: {_plain(rule.why or '')}\n\nHow to fix it: {_plain(rule.fix)}\n\n" + "\n".join(facts) + "\n"
    )


def _plain(text: str) -> str:
    """Escape text for Markdown, except code in backticks."""
    parts = text.split("`")
    return "`".join(
        part if number % 2 else re.sub(r"([\\*_\[\]<>|])", r"\\\1", part) for number, part in enumerate(parts)
    )


# The first page: lists and tables


def index_page() -> str:
    """Return the page with the areas, the table of sections and the unchecked rules."""
    rules = list(requirements().values())
    unchecked = [rule for rule in rules if rule.unchecked is not None]
    names = [area.page for area in areas().values()]
    areas_table = _table(
        ("area", "title", "rules", "checked"),
        [
            (f"[`HATS-{name}`]({area.page}.md)", area.title, len(inside), _count_checked(inside))
            for name, area in areas().items()
            for inside in [[rule for rule in rules if area_of(rule.id) == name]]
        ],
    )
    toctree = "\n".join(["```{toctree}", ":hidden:", "", "specification", *names, "```"])
    return "\n".join(
        [
            _MADE,
            "# The rules\n",
            f"HATS has {len(rules)} rules, of which `hatsformat validate` checks "
            f"{len(rules) - len(unchecked)}. `hatsformat rules` lists them, `hatsformat rules HATS-LEAF-004` "
            "explains one. The id of a rule never changes its meaning and is never reused.\n",
            "The levels MUST, SHOULD and MAY are the words of the note (REQUIRED means MUST, RECOMMENDED "
            "means SHOULD). PRACTICE rules are not in the note, but readers rely on them. By default, a MUST "
            "has severity error, a SHOULD warning, and the others info.\n",
            areas_table,
            "The specification in prose, section by section, is {doc}`specification`.\n",
            toctree,
            "\n## By section of the note\n",
            _sections(rules),
            "\n## Rules that are not checked\n",
            _table(
                ("rule", "level", "reason"),
                [(_link(rule.id), rule.level, _plain(str(rule.unchecked))) for rule in unchecked],
            ),
        ]
    )


def _count_checked(rules: Iterable[Requirement]) -> int:
    return sum(rule.unchecked is None for rule in rules)


def _link(rule: str) -> str:
    return f"[{rule}]({areas()[area_of(rule)].page}.md#{anchor(rule)})"


def _sections(rules: Sequence[Requirement]) -> str:
    counts = list(count_sections(rules))
    rows: list[Sequence[object]] = [
        (
            count.section,
            *(count.by_level.get(level, "") for level in _LEVELS),
            sum(count.by_level.values()),
            count.checked,
            count.unchecked or "",
        )
        for count in counts
    ]
    totals = [sum(count.by_level.get(level, 0) for count in counts) for level in _LEVELS]
    rows.append(
        ("all", *totals, sum(totals), sum(c.checked for c in counts), sum(c.unchecked for c in counts))
    )
    return _table(("section", *_LEVELS, "all", "checked", "not checked"), rows)


def _table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


# The specification

_INCLUDED = "```{include} ../../spec/hats.md\n```\n"


def fill_specification(text: str) -> str:
    """Return the specification with its lists updated.

    The requirements of a section of the note are inserted between ``<!-- requirements SECTION -->`` and
    ``<!-- end -->``; ``SECTION: HATS-PROP-2`` only inserts those whose ids have this prefix. The tables of
    keywords are inserted between ``<!-- keywords -->`` or ``<!-- required -->`` and the end.

    Raises
    ------
    UsageError
        If a requirement would be there twice or not at all.
    """
    placed: list[str] = []

    def fill(found: re.Match[str]) -> str:
        kind, argument = found[2], found[3] or ""
        if kind == "keywords":
            content = _keywords()
        elif kind == "required":
            content = _required()
        else:
            section, _, beginning = argument.partition(": ")
            rules = [
                r for r in requirements().values() if r.section == section and r.id.startswith(beginning)
            ]
            placed.extend(rule.id for rule in rules)
            content = "".join(map(_item, sorted(rules, key=lambda rule: rule.id)))
        return f"{found[1]}{content}{found[4]}"

    filled = _BLOCK.sub(fill, text)
    missing = sorted(set(requirements()) - set(placed))
    if missing or len(placed) != len(set(placed)):
        twice = sorted({rule for rule in placed if placed.count(rule) > 1})
        raise UsageError(
            "spec/hats.md must contain every requirement once",
            found=f"missing {', '.join(missing) or 'none'}; duplicate {', '.join(twice) or 'none'}",
            hint="every section needs its <!-- requirements SECTION -->",
        )
    return filled


def _item(rule: Requirement) -> str:
    notes = [types_text(rule)]
    if len(rule.editions) == 1:
        notes.append(f"edition {editions_text(rule)} only")
    head = f'- <a id="{anchor(rule.id)}"></a>`{rule.id}` **{rule.level}**'
    return f"{head} ({'; '.join(notes)}): {_plain(rule.summary)}\n"


def _keywords() -> str:
    rows = [
        (f"`{keyword.name}`", _plain(keyword.description), _plain(_value(keyword)), keyword.edition)
        for keyword in sorted(KEYWORDS.values(), key=lambda keyword: keyword.name)
    ]
    return _table(("keyword", "meaning", "value", "since"), rows)


def _value(keyword: Keyword) -> str:
    text = keyword.value_type.expected
    if keyword.choices:
        text = f"{'words' if keyword.value_type.is_list else 'one'} of {', '.join(keyword.choices)}"
    return text if keyword.unit is None else f"{text}; {keyword.unit}"


def _required() -> str:
    types = (*TABLE_TYPES, "collection")
    rows = [
        (f"`{keyword.name}`", *(_use(keyword, table_type) for table_type in types))
        for keyword in KEYWORDS.values()
        if keyword.required & set(types)
    ]
    return _table(("keyword", *types), rows)


def _use(keyword: Keyword, table_type: str) -> str:
    if table_type in keyword.required:
        return "R"
    return "o" if table_type in keyword.optional else ""


# The list of ids


def read_ids(text: str) -> dict[str, str]:
    """Return the meaning of each id in the list; ``retired`` for ids that are no longer used.

    Raises
    ------
    UsageError
        If an id is listed more than once.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        rule, _, meaning = line.partition(" ")
        if rule in found:
            raise UsageError("duplicate id", path="ids.txt", found=rule)
        found[rule] = meaning.strip()
    return found


def add_ids(text: str, rules: Mapping[str, Requirement]) -> str:
    """Return the list with new ids appended; existing lines do not change."""
    known = read_ids(text)
    new = [f"{rule.id} {rule.summary}\n" for rule in rules.values() if rule.id not in known]
    return text + "".join(new)


# All of it


def make_pages(root: Path) -> dict[Path, str]:
    """Return the content of every page by its path.

    Parameters
    ----------
    root : Path
        The folder of ``spec/`` and ``docs/``.
    """
    rules = root / "docs" / "rules"
    pages = {rules / f"{area.page}.md": area_page(name) for name, area in areas().items()}
    pages[rules / "index.md"] = index_page()
    pages[rules / "specification.md"] = _INCLUDED
    specification = root / "spec" / "hats.md"
    pages[specification] = fill_specification(specification.read_text("utf-8"))
    ids = root / "spec" / "requirements" / "ids.txt"
    pages[ids] = add_ids(ids.read_text("utf-8"), requirements())
    return pages


def main() -> None:
    """Update every page of this checkout."""
    for path, content in make_pages(spec_path().parent).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


if __name__ == "__main__":
    main()
