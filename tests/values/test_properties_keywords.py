"""The keyword table, and how each kind of value is read and written."""

from __future__ import annotations

import pickle
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat.errors import UsageError
from hatsformat.properties import (
    ALIASES,
    KEYWORDS,
    REQUIRED,
    CollectionProperties,
    ExtensionProperties,
    TableProperties,
    check_member,
    find_keyword,
    format_date,
    parse_date,
    split_list,
    value_types,
)
from hatsformat.properties.value_types import ValueType
from hatsformat.properties.values import Pairs

# Table 1 of the note, copied from it.
NOTE_TABLE_1 = """
addendum_did all_indexes all_margins bib_reference bib_reference_url creator_did data_ucd
dataproduct_type default_index default_margin hats_assn_join_table_url hats_assn_leaf_files
hats_builder hats_col_assn_join hats_col_assn_join_assn hats_col_assn_primary
hats_col_assn_primary_assn hats_col_dec hats_col_ra hats_cols_default hats_cols_sort
hats_cols_survey_id hats_coordinate_epoch hats_copyright hats_creation_date hats_creator
hats_estsize hats_frame hats_index_column hats_index_extra_column hats_margin_threshold
hats_max_rows hats_nrows hats_order hats_primary_table_url hats_progenitor_url hats_release_date
hats_service_url hats_status hats_version moc_sky_fraction npix_suffix obs_ack obs_collection
obs_copyright obs_copyright_url obs_description obs_regime obs_title prov_progenitor publisher_id
t_max t_min
"""
LATER = """
hats_col_healpix hats_col_healpix_order hats_skymap_order hats_skymap_alt_orders hats_max_bytes
hats_assn_max_separation hats_data_semver hats_successor_url hats_successor_description
addendum_description hats_npix_suffix hats_ext_cols hats_ext_join_style
hats_ext_shares_primary_coords hats_product_type_served all_extensions name
"""

# The matrix of the later editions, row by row: the types that must have a keyword, and those that may.
MATRIX = {
    "obs_collection": ("object margin index association collection", ""),
    "dataproduct_type": ("object margin index association", ""),
    "hats_nrows": ("object margin index association", ""),
    "hats_col_ra": ("object", "margin"),
    "hats_col_dec": ("object", "margin"),
    "hats_cols_default": ("", "object margin"),
    "hats_npix_suffix": ("", "object margin index association"),
    "hats_primary_table_url": ("margin index association collection", ""),
    "hats_margin_threshold": ("margin", ""),
    "hats_index_column": ("index", ""),
    "hats_index_extra_column": ("", "index"),
    "hats_assn_join_table_url": ("association", ""),
    "hats_assn_leaf_files": ("association", ""),
    "hats_col_assn_primary": ("association", ""),
    "hats_col_assn_join": ("association", ""),
    "hats_col_assn_primary_assn": ("", "association"),
    "hats_col_assn_join_assn": ("", "association"),
    "all_margins": ("", "collection"),
    "default_margin": ("", "collection"),
    "all_indexes": ("", "collection"),
    "default_index": ("", "collection"),
}
ALL_TYPES = [value for value in vars(value_types).values() if isinstance(value, ValueType)]
LIST_TYPES = [value for value in ALL_TYPES if value.is_list]


def test_every_keyword_of_the_note_is_there():
    assert {find_keyword(name).name for name in (NOTE_TABLE_1 + LATER).split()} == set(KEYWORDS)
    assert all(
        KEYWORDS[ALIASES.get(name, name)].edition in ("draft-2025-04", "1.0") for name in NOTE_TABLE_1.split()
    )
    assert find_keyword("npix_suffix").name == "hats_npix_suffix"
    assert find_keyword("mission") is None
    assert not set(ALIASES) & set(KEYWORDS)


@pytest.mark.parametrize("name", MATRIX)
def test_the_required_matrix(name):
    required, optional = (set(types.split()) for types in MATRIX[name])
    keyword = KEYWORDS[name]
    columns = {"object", "margin", "index", "association", "collection"}
    assert keyword.required & columns == required
    assert keyword.optional & columns == optional
    assert ("object" in keyword.required) == ("source" in keyword.required) == ("nested" in keyword.required)
    assert all((name in REQUIRED[table_type]) == (table_type in keyword.required) for table_type in REQUIRED)


def test_a_map_needs_no_coordinates():
    assert REQUIRED["map"] == ("obs_collection", "dataproduct_type", "hats_nrows")


@pytest.mark.parametrize("cls", [TableProperties, CollectionProperties, ExtensionProperties])
def test_the_classes_have_an_attribute_for_each_keyword(cls):
    hints = typing.get_type_hints(cls, localns={"Mapping": Mapping})
    keywords = cls.file_kind.keywords
    assert set(keywords) | {"extra", "_document", "file_kind"} == set(hints)
    for name, keyword in keywords.items():
        python = eval(keyword.value_type.python, {"datetime": datetime, "Mapping": Mapping})
        assert hints[name] == python | None, name


@pytest.mark.parametrize(
    ("keyword", "text", "value"),
    [
        ("hats_nrows", "131", 131),
        ("hats_nrows", " 0131 ", 131),
        ("hats_nrows", "131.0", 131),
        ("hats_nrows", "0", 0),
        ("hats_nrows", "9" * 18, 10**18 - 1),
        ("hats_margin_threshold", "7200.0", 7200.0),
        ("hats_margin_threshold", "5", 5.0),
        ("hats_margin_threshold", ".5e1", 5.0),
        ("moc_sky_fraction", "0.08333", 0.08333),
        ("moc_sky_fraction", "3e-07", 3e-07),
        ("t_min", "-1.5", -1.5),
        ("hats_assn_leaf_files", "True", True),
        ("hats_assn_leaf_files", "true", True),
        ("hats_assn_leaf_files", "1", True),
        ("hats_assn_leaf_files", "Yes", True),
        ("hats_assn_leaf_files", "False", False),
        ("hats_assn_leaf_files", "0", False),
        ("hats_assn_leaf_files", "off", False),
        ("hats_col_healpix_order", "29", 29),
        ("hats_skymap_alt_orders", "2 4", (2, 4)),
        ("hats_skymap_alt_orders", "2,4; 6", (2, 4, 6)),
        ("hats_cols_default", "psf mean_mag_r", ("psf", "mean_mag_r")),
        ("hats_cols_default", " a,b ; c\t d\n", ("a", "b", "c", "d")),
        (
            "all_indexes",
            "id small_sky_id_index other other_dir",
            {"id": "small_sky_id_index", "other": "other_dir"},
        ),
        ("hats_npix_suffix", ".snappy.parquet", ".snappy.parquet"),
        ("hats_npix_suffix", "/", "/"),
        ("hats_col_ra", "RA (deg) ", "RA (deg)"),
        ("hats_coordinate_epoch", "J2000 ", "J2000 "),
        ("hats_version", "v1.0", "v1.0"),
        ("hats_frame", "supergalactic", "supergalactic"),
        ("hats_cols_default", " , ;", None),
        ("hats_nrows", " ", None),
        ("obs_title", "\t ", None),
    ],
)
def test_values_are_read(keyword, text, value):
    result = KEYWORDS[keyword].parse(text)
    assert result == value
    assert type(result) is (Pairs if isinstance(value, dict) else type(value))


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("hats_nrows", "many"),
        ("hats_nrows", "-1"),
        ("hats_nrows", "1.5"),
        ("hats_nrows", "1_000"),
        ("hats_nrows", "1,000"),
        ("hats_nrows", "١٢"),
        ("hats_nrows", "9" * 19),
        ("hats_nrows", "9" * 5000),
        ("hats_margin_threshold", "5 arcsec"),
        ("hats_margin_threshold", "-5"),
        ("hats_margin_threshold", "nan"),
        ("hats_margin_threshold", "inf"),
        ("hats_assn_leaf_files", "maybe"),
        ("hats_col_healpix_order", "30"),
        ("hats_skymap_alt_orders", "2 x"),
        ("all_indexes", "id"),
        ("all_indexes", "id dir other"),
        ("hats_npix_suffix", "/../.."),
        ("hats_npix_suffix", "a b"),
        ("dataproduct_type", "catalog"),
        ("hats_ext_join_style", "outer"),
        ("hats_creation_date", "yesterday"),
        ("hats_creation_date", "2025-13-01"),
    ],
)
def test_values_that_cannot_be_read(keyword, text):
    with pytest.raises(ValueError):
        KEYWORDS[keyword].parse(text)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("hats_margin_threshold", "1e999"),
        ("moc_sky_fraction", "1.01"),
        ("hats_creation_date", "2025-02-30"),
        ("hats_creation_date", "0000-01-01"),
        ("hats_creation_date", "0001-01-01T00:00+23:00"),
    ],
)
def test_values_that_are_impossible(keyword, text):
    with pytest.raises(OverflowError):
        KEYWORDS[keyword].parse(text)


@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
@given(data=st.data())
def test_what_is_read_can_be_written(kind: ValueType, data: st.DataObject):
    pattern = kind.anchored()
    text = data.draw(st.text() if pattern is None else st.from_regex(pattern) | st.text())
    try:
        value = kind.parse(text)
    except (ValueError, OverflowError):
        return
    if value is not None:
        clean, written = kind.format(value)
        assert clean == value
        assert kind.parse(written) == value
        assert kind.format(clean) == (clean, written)


@given(st.text("ab ,;\t\n", max_size=20))
def test_lists_are_split_as_the_other_readers_split_them(text):
    expected = text
    for separator in ",;\t\n":
        expected = expected.replace(separator, " ")
    assert split_list(text) == tuple(part for part in expected.split(" ") if part)


@pytest.mark.parametrize("name", ["a b", "a,b", "a;b", "", "a\tb", " a", "a\n"])
def test_names_that_lists_cannot_hold(name):
    with pytest.raises(UsageError, match="cannot be in a list"):
        check_member(name)
    with pytest.raises(UsageError, match=r"hats_cols_default.*blanks, commas and semicolons"):
        KEYWORDS["hats_cols_default"].format(["ra", name])
    with pytest.raises(UsageError, match="all_indexes"):
        KEYWORDS["all_indexes"].format({name: "index"})


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("hats_nrows", "12"),
        ("hats_nrows", -1),
        ("hats_nrows", True),
        ("hats_nrows", 1.0),
        ("hats_nrows", 10**18),
        ("hats_margin_threshold", "5"),
        ("hats_margin_threshold", float("nan")),
        ("moc_sky_fraction", 1.5),
        ("hats_assn_leaf_files", 1),
        ("hats_col_healpix_order", 30),
        ("hats_skymap_alt_orders", (2, 30)),
        ("hats_skymap_alt_orders", "2 4"),
        ("hats_cols_default", "ra dec"),
        ("hats_cols_default", [1]),
        ("all_indexes", ["id"]),
        ("hats_npix_suffix", "a/b"),
        ("hats_col_ra", " ra"),
        ("hats_col_ra", 1),
        ("obs_title", 1),
        ("dataproduct_type", "catalog"),
        ("hats_creation_date", "2025-01-01"),
    ],
)
def test_values_that_are_refused(keyword, value):
    with pytest.raises(UsageError, match=keyword):
        KEYWORDS[keyword].format(value)


def test_numpy_values_are_welcome():
    assert KEYWORDS["hats_nrows"].format(np.int64(5)) == (5, "5")
    assert KEYWORDS["moc_sky_fraction"].format(np.float32(0.5)) == (0.5, "0.5")
    assert KEYWORDS["hats_assn_leaf_files"].format(np.bool_(1)) == (True, "True")
    assert KEYWORDS["hats_skymap_alt_orders"].format(np.array([2, 4])) == ((2, 4), "2 4")


@pytest.mark.parametrize(
    "text",
    [
        "2025-04-15T03:38Z",
        "2025-04-15T03:38UTC",
        "2025-04-15 03:38 UTC",
        "2025-04-15T03:38",
        "2025-04-15T03:38:59Z",
        "2025-04-15T03:38:59.999",
        "2025-04-15T05:38+02:00",
        "2025-04-14T23:38-0400",
    ],
)
def test_dates_in_every_form(text):
    assert parse_date(text) == datetime(2025, 4, 15, 3, 38, tzinfo=UTC)


def test_dates_are_written_as_the_note_has_them():
    assert parse_date("2025-08-22") == datetime(2025, 8, 22, tzinfo=UTC)
    assert format_date(datetime(2025, 4, 15, 3, 38, 59)) == "2025-04-15T03:38Z"
    assert (
        format_date(datetime(2025, 4, 15, 3, 38, tzinfo=timezone(timedelta(hours=2)))) == "2025-04-15T01:38Z"
    )
    assert format_date(datetime(33, 4, 3)) == "0033-04-03T00:00Z"


@given(st.datetimes(timezones=st.just(UTC) | st.none()))
def test_dates_come_back_to_the_minute(moment):
    expected = moment.replace(second=0, microsecond=0, tzinfo=UTC)
    assert parse_date(format_date(moment)) == expected


@given(st.text())
def test_no_text_breaks_the_date_reader(text):
    with pytest.raises(ValueError):
        parse_date("!" + text)


@given(st.dictionaries(st.text(), st.text()))
def test_pairs(items):
    pairs = Pairs(items)
    assert pairs == items
    assert list(pairs) == list(items)
    assert pickle.loads(pickle.dumps(pairs)) == pairs
    assert hash(pairs) == hash(Pairs(reversed(items.items())))
    assert repr(pairs) == repr(items)
