"""The pages are made from the requirements, are up to date, and no id ever vanishes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hatsformat import UsageError
from hatsformat.validation import requirements, rule_pages
from hatsformat.validation.requirements import areas
from hatsformat.validation.rule_pages import add_ids, anchor, fill_specification, make_pages, read_ids
from hatsformat.validation.rules import ENGINE_RULE, checks_of, count_sections, in_section, section_key

ROOT = Path(__file__).resolve().parents[2]
RULES = requirements()
IDS = ROOT / "spec" / "requirements" / "ids.txt"
SPECIFICATION = (ROOT / "spec" / "hats.md").read_text("utf-8")
SECTIONS = (
    "1 Introduction",
    "2 Motivation",
    "3.1 Catalog collections",
    "3.2 Structure of a catalog",
    "3.3 Hierarchical structure",
    "3.4 Adaptive tiling",
    "3.5 Structure of files",
    "3.6 Metadata and auxiliary files",
    "3.6.1 properties",
    "3.6.2 partition_info.csv",
    "3.6.3 ",
    "3.6.4 data_thumbnail.parquet",
    "3.6.5 collection.properties",
    "3.6.6 ",
    "3.6.7 ",
    "3.7 Integration",
    "3.8 Performance",
)


def test_every_page_is_up_to_date():
    stale = [
        str(path.relative_to(ROOT))
        for path, content in make_pages(ROOT).items()
        if not path.is_file() or path.read_text("utf-8") != content
    ]
    assert stale == [], "run: python -m hatsformat.validation.rule_pages"


def test_no_page_is_left_over():
    made = {path for path in make_pages(ROOT) if path.parent.name == "rules"}
    assert set((ROOT / "docs" / "rules").iterdir()) == made


def test_a_page_that_is_not_up_to_date_is_found(tmp_path, monkeypatch):
    for name in ("spec/requirements", "docs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "spec" / "hats.md").write_text(SPECIFICATION.replace("` **MUST** (", "` **MAY** ("), "utf-8")
    (tmp_path / "spec" / "requirements" / "ids.txt").write_text(IDS.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(rule_pages, "spec_path", lambda: tmp_path / "spec")
    assert (tmp_path / "spec" / "hats.md").read_text("utf-8") != SPECIFICATION
    rule_pages.main()
    for path, content in make_pages(ROOT).items():
        assert (tmp_path / path.relative_to(ROOT)).read_text("utf-8") == content


def test_every_requirement_has_its_anchor_in_the_specification():
    anchors = re.findall(r'<a id="([^"]+)"></a>`(HATS-[A-Z]+-\d{3})`', SPECIFICATION)
    assert sorted(rule for _, rule in anchors) == sorted(RULES)
    assert all(name == anchor(rule) for name, rule in anchors)


def test_every_requirement_has_its_place_on_a_page():
    found = []
    for area in areas().values():
        text = (ROOT / "docs" / "rules" / f"{area.page}.md").read_text("utf-8")
        # The anchor of a heading is its text in small letters, as hosts of code and Sphinx make it.
        parts = re.split(r"^## (\S+)$", text, flags=re.MULTILINE)[1:]
        for rule, body in zip(parts[::2], parts[1::2], strict=True):
            found.append(rule)
            assert anchor(rule) == rule.lower()
            assert f"**{RULES[rule].level}**" in body
            assert "How to fix it: " in body
    assert sorted(found) == sorted(RULES)


def test_every_requirement_says_why():
    assert [rule.id for rule in RULES.values() if not (rule.why or "").endswith(".")] == []


def test_a_requirement_stands_in_its_section():
    section, by_section = "", {}
    for line in SPECIFICATION.splitlines():
        if found := re.match(r"#+ (\d[\d.]*|Table \d)", line):
            section = f"3.6.1, {found[1]}" if found[1].startswith("Table") else found[1]
        for rule in re.findall(r'<a id="[^"]+"></a>`(HATS-\S+)`', line):
            by_section[rule] = section
    assert by_section == {rule.id: rule.section for rule in RULES.values()}


def test_the_sections_are_the_notes():
    headings = [
        line.lstrip("#").strip() for line in SPECIFICATION.splitlines() if re.match(r"#{2,4} \d", line)
    ]
    starts = iter(headings)
    for section in SECTIONS:
        assert any(heading.startswith(section) for heading in starts), section


def test_the_specification_leaves_nothing_to_do_and_quotes_little(shared):
    prose = re.sub(r"<!-- (\w+)[^>]*-->\n.*?<!-- end -->", "", SPECIFICATION, flags=re.DOTALL)
    assert "TODO" not in prose.replace("says TODO", "")
    note = " ".join((shared / "reference" / "hats-note-draft-2025-04.txt").read_text("utf-8").split())
    words = re.sub(r"[`*]", "", " ".join(prose.split())).split()
    copied = [" ".join(words[at : at + 12]) for at in range(len(words) - 11)]
    assert [text for text in copied if text in note and '"' not in text and "├" not in text] == []


def test_a_requirement_without_a_place_in_the_specification_is_refused():
    with pytest.raises(
        UsageError, match=r"missing HATS-LEAF-011; duplicate none.*<!-- requirements SECTION -->"
    ):
        fill_specification(SPECIFICATION.replace("<!-- requirements 3.8 -->", "<!-- nothing -->"))
    with pytest.raises(UsageError, match="missing none; duplicate HATS-LEAF-011"):
        fill_specification(SPECIFICATION + "\n<!-- requirements 3.8 -->\n<!-- end -->\n")


def test_no_id_vanishes_and_none_changes_its_meaning():
    """Where this fails: see the first lines of spec/requirements/ids.txt."""
    frozen = read_ids(IDS.read_text("utf-8"))
    kept = {rule: meaning for rule, meaning in frozen.items() if meaning != "retired"}
    assert sorted(set(kept) - set(RULES)) == [], "these ids have vanished: write `retired` after them"
    assert sorted(set(RULES) & (set(frozen) - set(kept))) == [], "these ids are retired: take new ones"
    changed = {rule for rule, meaning in kept.items() if RULES[rule].summary != meaning}
    assert sorted(changed) == [], "these ids say something else than they did"
    assert sorted(set(RULES) - set(frozen)) == [], "run: python -m hatsformat.validation.rule_pages"


def test_the_frozen_list_only_grows():
    text = IDS.read_text("utf-8")
    assert add_ids(text, RULES) == text
    new = replace(RULES["HATS-LEAF-001"], id="HATS-LEAF-099", summary="A new one.")
    changed = replace(RULES["HATS-LEAF-002"], summary="Another meaning.")
    grown = add_ids(text, {new.id: new, changed.id: changed})
    assert grown == text + "HATS-LEAF-099 A new one.\n"
    assert read_ids("# x\n\nHATS-A-001 retired\n") == {"HATS-A-001": "retired"}
    with pytest.raises(UsageError, match="duplicate id"):
        read_ids("HATS-A-001 x\nHATS-A-001 y\n")


def test_the_table_counts_every_requirement():
    counts = list(count_sections(RULES.values()))
    assert sum(count.checked + count.unchecked for count in counts) == len(RULES)
    for count in counts:
        inside = [rule for rule in RULES.values() if rule.section == count.section]
        assert sum(count.by_level.values()) == len(inside) == count.checked + count.unchecked
        assert count.unchecked == sum(rule.unchecked is not None for rule in inside)
    index = (ROOT / "docs" / "rules" / "index.md").read_text("utf-8")
    rows = {line.split("|")[1].strip(): line for line in index.splitlines() if line.startswith("| 3")}
    assert list(rows) == sorted({rule.section for rule in RULES.values()}, key=section_key)
    for rule in RULES.values():
        linked = re.findall(rf"\[{rule.id}\]\((\S+)\.md#(\S+)\)", index)
        page = areas()[rule.id.split("-")[1]].page
        assert linked == ([] if rule.unchecked is None else [(page, anchor(rule.id))])
    assert len([line for line in index.splitlines() if line.startswith("| all |")]) == 1


def test_every_checked_requirement_names_its_check():
    for rule in RULES.values():
        found = checks_of(rule.id)
        assert bool(found) == (rule.unchecked is None), rule.id
        for check in found:
            assert check.summary.endswith("."), check
            assert check.name == "engine" or re.fullmatch(r"[a-z_]+\.[a-z_]+", check.name), check
    assert [check.name for check in checks_of(ENGINE_RULE)] == ["engine"]
    assert [check.name for check in checks_of("HATS-COLL-001")] == ["members.has_properties"]


def test_sections_hold_those_below_them():
    assert in_section("3.6.1, Table 1", "3.6")
    assert in_section("3.6.1, Table 1", "3.6.1")
    assert not in_section("3.6", "3.6.1")
    assert not in_section("3.10", "3.1")
    assert sorted(["3.10", "3.2", "3.6.1, Table 1", "3.6.1", "3.6"], key=section_key) == [
        "3.2", "3.6", "3.6.1", "3.6.1, Table 1", "3.10",
    ]  # fmt: skip
