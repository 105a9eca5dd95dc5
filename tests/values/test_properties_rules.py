"""What the validation finds, and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat.properties import (
    KEYWORDS,
    REQUIRED,
    TABLE_TYPES,
    Problem,
    parse_properties_text,
    validate_collection,
    validate_extension,
    validate_table,
)
from hatsformat.properties.problems import KINDS

SAMPLES = {
    "obs_collection": "demo",
    "hats_nrows": "10",
    "hats_col_ra": "ra",
    "hats_col_dec": "dec",
    "hats_primary_table_url": "main",
    "hats_margin_threshold": "10.0",
    "hats_index_column": "id",
    "hats_assn_join_table_url": "other",
    "hats_assn_leaf_files": "True",
    "hats_col_assn_primary": "id",
    "hats_col_assn_join": "other_id",
}
VALIDATE = dict.fromkeys(TABLE_TYPES, validate_table) | {
    "collection": validate_collection,
    "extension": validate_extension,
}


def complete(table_type: str) -> dict[str, str]:
    """The keywords a type must have, and no more."""
    return {name: SAMPLES.get(name, table_type) for name in REQUIRED[table_type]}


def problems_of(texts: dict[str, str], validate=validate_table) -> list[Problem]:
    text = "".join(f"{keyword} = {value}\n" for keyword, value in texts.items())
    return validate(parse_properties_text(text)[0])


def object_with(**texts: str) -> list[Problem]:
    return problems_of(complete("object") | texts)


def only(problems: list[Problem], kind: str) -> Problem:
    (problem,) = problems
    assert problem.kind == kind
    assert "None" not in str(problem)
    return problem


@pytest.mark.parametrize("table_type", VALIDATE)
def test_a_complete_file_has_no_problem(table_type):
    assert problems_of(complete(table_type), VALIDATE[table_type]) == []


@pytest.mark.parametrize(
    ("table_type", "name"), [(kind, name) for kind in REQUIRED for name in REQUIRED[kind]]
)
def test_each_missing_keyword_is_found(table_type, name):
    for texts in (
        {k: v for k, v in complete(table_type).items() if k != name},
        complete(table_type) | {name: " "},
    ):
        problems = problems_of(texts, VALIDATE[table_type])
        problem = next(problem for problem in problems if problem.keyword == name)
        assert problem.kind == "missing-keyword"
        assert problem.line is None
        assert name in problem.fix
        essential = {
            "collection": ["hats_primary_table_url"],
            "extension": ["hats_col_assn_primary", "hats_assn_join_table_url", "hats_col_assn_join"],
        }.get(table_type, ["dataproduct_type"])
        assert problem.severity == ("fatal" if name in essential else "error")
        assert len(problems) == 1


def test_an_unknown_type():
    problem = only(object_with(dataproduct_type="catalog"), "bad-value")
    assert (problem.severity, problem.line, problem.found) == ("fatal", 2, "catalog")
    assert "object, source" in problem.expected
    problem = only(
        problems_of(complete("extension") | {"dataproduct_type": "object"}, validate_extension), "bad-value"
    )
    assert problem.severity == "fatal"


def test_values_that_readers_need_are_fatal_and_others_are_not():
    assert only(object_with(hats_nrows="many"), "bad-value").severity == "fatal"
    assert only(object_with(hats_col_healpix_order="30"), "bad-value").severity == "fatal"
    assert only(object_with(hats_order="deep"), "bad-value").severity == "error"
    assert only(object_with(hats_creation_date="today"), "bad-value").severity == "error"
    assert only(object_with(moc_sky_fraction="1.5"), "out-of-range").severity == "error"
    # A margin's threshold in a catalog is nothing that its readers look at.
    assert only(object_with(hats_margin_threshold="wide"), "bad-value").severity == "error"


def test_other_names():
    problem = only(object_with(npix_suffix=".pq"), "alias")
    assert (problem.severity, problem.keyword, problem.fix) == (
        "warning",
        "npix_suffix",
        "rename it to hats_npix_suffix",
    )
    same = object_with(npix_suffix=".pq", hats_npix_suffix=".pq")
    assert [problem.kind for problem in same] == ["alias"]
    differing = object_with(npix_suffix=".pq", hats_npix_suffix=".parquet")
    assert [problem.kind for problem in differing] == ["alias-conflict", "alias"]
    # The name that does not count cannot make a table unusable.
    broken = object_with(npix_suffix="../x", hats_npix_suffix=".parquet")
    assert [problem.severity for problem in broken if problem.kind == "bad-value"] == ["error"]
    assert object_with(npix_suffix="../x")[0].severity == "fatal"
    texts = complete("object")
    texts["hats_col_j2000_ra"] = texts.pop("hats_col_ra")
    assert [problem.kind for problem in problems_of(texts)] == ["alias"]


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("hats_creation_date", "2025-10-06T14:36UTC"),
        ("hats_release_date", "2025-08-22"),
        ("hats_frame", "icrs"),
        ("obs_regime", "optical"),
        ("hats_status", "public main copyable"),
        ("hats_cols_default", "ra, dec"),
        ("hats_max_rows", "1000.0"),
        ("hats_version", "one"),
        ("creator_did", "CDS/P/2MASS/J"),
        ("hats_service_url", "example.org"),
        ("obs_collection", "my catalog"),
    ],
)
def test_values_not_as_the_note_has_them(keyword, text):
    problem = only(object_with(**{keyword: text}), "odd-value")
    assert (problem.severity, problem.keyword, problem.found) == ("warning", keyword, text)


def test_stray_blanks_and_unused_and_misspelt_keywords():
    assert only(object_with(hats_col_healpix="_healpix_29 "), "stray-blank").severity == "warning"
    assert only(object_with(default_index="id"), "unused-keyword").keyword == "default_index"
    assert only(object_with(hats_margin_threshold="5"), "unused-keyword").severity == "warning"
    assert object_with(mission="Gaia") == []
    texts = complete("object")
    texts["hats_nrow"] = texts.pop("hats_nrows")
    missing, misspelt = problems_of(texts)
    assert (missing.kind, misspelt.kind, misspelt.keyword) == (
        "missing-keyword",
        "misspelt-keyword",
        "hats_nrow",
    )
    assert "hats_nrows" in misspelt.fix


def test_keywords_that_contradict_each_other():
    assert only(object_with(hats_col_dec="ra"), "inconsistent").severity == "error"
    assert only(object_with(t_min="2", t_max="1"), "inconsistent").keyword == "t_max"
    assert object_with(t_min="1", t_max="1") == []
    dates = object_with(hats_creation_date="2025-08-22T10:00Z", hats_release_date="2025-08-22")
    assert [problem.kind for problem in dates] == ["odd-value"]
    dates = object_with(hats_creation_date="2025-08-23T10:00Z", hats_release_date="2025-08-22T10:00Z")
    assert only(dates, "inconsistent").keyword == "hats_release_date"
    assert object_with(hats_skymap_order="6", hats_skymap_alt_orders="2 4") == []
    assert only(object_with(hats_skymap_order="4", hats_skymap_alt_orders="2 4"), "inconsistent").line == 7
    assert only(object_with(hats_skymap_alt_orders="2"), "inconsistent")
    assert only(object_with(hats_col_healpix="_healpix_13"), "inconsistent").severity == "warning"
    assert object_with(hats_col_healpix="_healpix_13", hats_col_healpix_order="13") == []


def collection_with(**texts: str) -> list[Problem]:
    return problems_of(complete("collection") | texts, validate_collection)


def test_collections_that_contradict_themselves():
    assert (
        collection_with(all_margins="m5 m10", default_margin="m5", all_indexes="id i", default_index="id")
        == []
    )
    problem = only(collection_with(all_margins="m5 m10", default_margin="m1"), "inconsistent")
    assert (problem.severity, problem.expected) == ("error", "one of m5, m10")
    assert only(collection_with(default_margin="m1"), "inconsistent")
    assert only(collection_with(all_indexes="id i", default_index="i"), "inconsistent")
    assert only(collection_with(all_indexes="id i id j"), "inconsistent")
    assert only(collection_with(all_extensions="spectra spectra"), "inconsistent")
    assert only(collection_with(all_indexes="id"), "bad-value").severity == "fatal"


def test_a_collection_with_a_name_alone():
    texts = {"name": "small_sky", "hats_primary_table_url": "main"}
    problem = only(problems_of(texts, validate_collection), "missing-keyword")
    assert (problem.keyword, problem.severity) == ("obs_collection", "error")
    assert "small_sky" in problem.expected


def test_problems_of_the_text_are_told_too_and_the_worst_come_first():
    text = "hats_frame = x\nhats_frame = icrs\n= 1\nhats_order = deep\ndataproduct_type = ?\n"
    problems = validate_table(parse_properties_text(text)[0])
    severities = [problem.severity for problem in problems]
    assert severities == sorted(severities, key=["fatal", "error", "warning"].index)
    assert [(p.kind, p.line) for p in problems] == [
        ("bad-value", 5),
        ("duplicate-keyword", 2),
        ("no-keyword", 3),
        ("bad-value", 4),
        ("missing-keyword", None),
        ("missing-keyword", None),
        ("odd-value", 2),
    ]


def test_a_message():
    (problem,) = object_with(hats_nrows="many")
    assert str(problem) == (
        "line 3: the value of hats_nrows cannot be read (found 'many', expected an integer, 0 or more)"
    )


@given(
    st.dictionaries(
        st.sampled_from([*KEYWORDS, "npix_suffix", "mission"]) | st.text(), st.text(), max_size=20
    ),
    st.sampled_from([validate_table, validate_collection, validate_extension]),
)
def test_every_problem_is_of_a_known_kind_and_nothing_raises(texts, validate):
    problems = problems_of(texts, validate)
    assert {problem.kind for problem in problems} <= set(KINDS)
    assert all(isinstance(str(problem), str) for problem in problems)


def test_many_unknown_keywords_take_little_work():
    texts = {f"hats_nrowz{number}": "1" for number in range(20_000)}
    found = [
        problem for problem in problems_of(complete("map") | texts) if problem.kind == "misspelt-keyword"
    ]
    assert len(found) <= 20
