"""The chain from requirement to check, and the files of requirements themselves."""

from __future__ import annotations

import json
import re
from collections import Counter

import jsonschema
import pytest
import yaml

from hatsformat._spec import spec_path
from hatsformat.properties import KEYWORDS, parse_properties_text, validate_collection, validate_table
from hatsformat.validation import requirements
from hatsformat.validation.checks import load
from hatsformat.validation.checks.properties import collection_rule_of, rule_of
from hatsformat.validation.registry import CATALOG_CHECKS, COLLECTION_CHECKS, ROW_CHECKS, _claim
from hatsformat.validation.requirements import STAGES

load()
FILES = sorted(spec_path("requirements").glob("*.yaml"))
CHECKED = {*CATALOG_CHECKS, *COLLECTION_CHECKS}


def test_every_check_is_of_a_requirement():
    assert set(requirements()) >= CHECKED
    assert set(ROW_CHECKS) <= set(CATALOG_CHECKS)


def test_every_requirement_has_a_check_or_says_why_not():
    unchecked = {rule.id for rule in requirements().values() if rule.unchecked is not None}
    assert set(requirements()) - CHECKED - unchecked == {"HATS-EVID-001"}  # what the engine itself reports
    assert unchecked & CHECKED == set()


def test_checks_see_what_their_requirement_applies_to():
    for rule in requirements().values():
        if rule.unchecked is None and rule.id != "HATS-EVID-001":
            assert ("collection" in rule.applies_to) == (rule.id in COLLECTION_CHECKS), rule.id
            assert bool(rule.applies_to - {"collection"}) == (rule.id in CATALOG_CHECKS), rule.id


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_follows_its_schema(file):
    schema = json.loads(spec_path("schemas", "requirement.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    content = yaml.safe_load(file.read_text("utf-8"))
    jsonschema.validate(content, schema)
    assert all(entry["id"].split("-")[1] == content["area"] for entry in content["requirements"])


def test_ids_are_there_once():
    ids = [entry["id"] for file in FILES for entry in yaml.safe_load(file.read_text("utf-8"))["requirements"]]
    assert [rule for rule, count in Counter(ids).items() if count > 1] == []
    assert all(re.fullmatch(r"HATS-[A-Z]+-[0-9]{3}", rule) for rule in ids)


def test_keywords_and_stages_are_known():
    for rule in requirements().values():
        assert rule.keyword is None or rule.keyword in KEYWORDS, rule.id
        assert rule.stage in STAGES


def test_severity_follows_the_level_unless_said_otherwise():
    by_level = {"MUST": "error", "SHOULD": "warning", "MAY": "info", "PRACTICE": "info"}
    for file in FILES:
        for entry in yaml.safe_load(file.read_text("utf-8"))["requirements"]:
            expected = entry.get("severity", by_level[entry["level"]])
            assert requirements()[entry["id"]].severity == expected


def test_a_requirement_has_one_check():
    with pytest.raises(ValueError, match="HATS-PROP-001 has two checks"):
        _claim("HATS-PROP-001", CATALOG_CHECKS)


def test_quotes_are_the_notes_words(shared):
    """Up to blanks, punctuation and the marks of the file's formatting."""

    def plain(text):
        return re.sub(r"[^a-z0-9]", "", text.lower())

    note = plain((shared / "reference" / "hats-note-draft-2025-04.txt").read_text("utf-8"))
    for rule in requirements().values():
        if rule.quote is not None:
            assert plain(rule.quote) in note, rule.id


BROKEN = """\
obs_collection = two words
dataproduct_type = {type}
hats_nrows = many
hats_nrows = 7
hats_order = 31
hats_col_ra = ra
hats_col_dec = ra
hats_cols_default = a, b
hats_cols_sort=a;b
npix_suffix = .pq
hats_npix_suffix = .parquet
hats_skymap_order = 3.0
hats_skymap_alt_orders = 5
hats_col_healpix = h
hats_creation_date = yesterday
hats_release_date = 2025-01-01
hats_frame = ICRS
hats_status = secret
hats_version = newest
hats_data_semver = 1 0
obs_regime = X
creator_did = x
publisher_id = y
t_min = 5
t_max = 4
moc_sky_fraction = 2
hats_estsize = -1
hats_max_rows = x
hats_max_bytes = x
hats_margin_threshold = -1
hats_assn_leaf_files = perhaps
hats_assn_max_separation = x
hats_col_healpix_order = x
hats_copyright_url = x
obs_copyright_url = x
bib_reference_url = x
hats_service_url = x
hats_progenitor_url = x
hats_successor_url = x
all_margins = a, b
default_margin = c
all_indexes = a b c
default_index = d e
hats_primary_table_urk = x
all_extensions = a b a c
hats_index_column = a b
= nothing
word
bad = \\u12
"""


@pytest.mark.parametrize("table_type", ["object", "margin", "index", "association", "map", "nonsense", ""])
def test_every_problem_of_a_properties_file_has_its_requirement(table_type):
    """Whatever the properties package finds, the validator has a rule for."""
    for text in (BROKEN.format(type=table_type), f"dataproduct_type={table_type}\n", ""):
        document, _ = parse_properties_text(b"\xef\xbb\xbf" + text.encode() + b"x=\xff\n")
        for problem in validate_table(document):
            rule = rule_of(problem)
            assert rule in CATALOG_CHECKS, problem
        for problem in validate_collection(document):
            assert collection_rule_of(problem) in COLLECTION_CHECKS, problem
