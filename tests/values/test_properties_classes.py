"""The typed classes: reading leniently, writing back without loss, changing."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat.errors import PropertiesError, UsageError
from hatsformat.properties import (
    ALIASES,
    KEYWORDS,
    CollectionProperties,
    ExtensionProperties,
    TableProperties,
    parse_properties_text,
)
from hatsformat.properties.base import BaseProperties

TABLE = """#HATS catalog
obs_collection=demo
dataproduct_type=object
hats_nrows=131
hats_col_ra=ra
hats_col_dec=dec
hats_cols_default=ra dec id
# added by hand
mission=Gaia
hats_creation_date=2025-10-06T14:36UTC
hats_assn_leaf_files=True
moc_sky_fraction=0.08333

hats_version=v1.0
"""


def test_a_table_is_read():
    properties = TableProperties.parse(TABLE)
    assert properties.obs_collection == "demo"
    assert properties.dataproduct_type == "object"
    assert properties.hats_nrows == 131
    assert properties.hats_cols_default == ("ra", "dec", "id")
    assert properties.hats_creation_date == datetime(2025, 10, 6, 14, 36, tzinfo=UTC)
    assert properties.hats_assn_leaf_files is True
    assert properties.moc_sky_fraction == 0.08333
    assert properties.hats_margin_threshold is None
    assert properties.extra == {"mission": "Gaia"}
    assert properties.comments == ("#HATS catalog", "# added by hand")
    assert TableProperties.parse(TABLE.encode()) == properties
    assert properties.format() == TABLE


def test_defaults_of_the_format():
    bare = TableProperties(dataproduct_type="object")
    assert (bare.npix_suffix, bare.healpix_column, bare.healpix_order) == (".parquet", "_healpix_29", 29)
    assert not bare.has_leaf_directories
    assert not bare.has_coordinates
    given_ = bare.replace(
        hats_npix_suffix="/",
        hats_col_healpix="pix",
        hats_col_healpix_order=0,
        hats_col_ra="a",
        hats_col_dec="d",
    )
    assert (given_.npix_suffix, given_.healpix_column, given_.healpix_order) == ("/", "pix", 0)
    assert given_.has_leaf_directories
    assert given_.has_coordinates


def test_values_by_keyword():
    properties = TableProperties.parse(TABLE)
    assert properties.get("hats_nrows") == 131
    assert properties.get("mission") == "Gaia"
    assert properties.get("hats_npix_suffix") is None
    assert properties.get("absent", 0) == 0
    assert properties.replace(hats_nrows=0).get("hats_nrows", 5) == 0
    assert properties.replace(hats_npix_suffix=".pq").get("npix_suffix") == ".pq"
    assert properties.to_dict()["hats_nrows"] == "131"
    assert list(properties.to_dict())[:2] == ["obs_collection", "dataproduct_type"]
    assert "hats_nrows=131" in repr(properties)
    assert "margin" not in repr(properties)


def test_a_file_that_names_the_suffix_as_the_note_does():
    properties = TableProperties.parse("dataproduct_type=map\nnpix_suffix=.pq\nhats_col_j2000_ra=r\n")
    assert (properties.npix_suffix, properties.hats_col_ra) == (".pq", "r")
    assert properties.format() == "dataproduct_type=map\nhats_npix_suffix=.pq\nhats_col_ra=r\n"
    assert properties.extra == {}
    both = TableProperties.parse("dataproduct_type=map\nnpix_suffix=.pq\nhats_npix_suffix=/\n")
    assert both.npix_suffix == "/"
    assert both.to_dict()["npix_suffix"] == ".pq"
    empty = TableProperties.parse("dataproduct_type=map\nnpix_suffix=.pq\nhats_npix_suffix=\n")
    assert empty.npix_suffix == ".pq"
    assert TableProperties.parse(empty.format()) == empty
    assert "npix_suffix=.pq" not in both.replace(hats_npix_suffix=".parquet").format()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "dataproduct_type is missing"),
        ("obs_collection = demo", "dataproduct_type is missing"),
        ("<html><body>Not found</body></html>", "dataproduct_type is missing"),
        ("dataproduct_type = catalogue", "line 1.*dataproduct_type.*found catalogue, expected one of object"),
        ("dataproduct_type = extension", "dataproduct_type"),
        ("dataproduct_type = object\nhats_nrows = many", "line 2.*hats_nrows.*found many"),
        ("dataproduct_type = margin\nhats_margin_threshold = wide", "hats_margin_threshold"),
        ("dataproduct_type = object\nhats_npix_suffix = ../x", "hats_npix_suffix"),
    ],
)
def test_an_unusable_table_raises_with_every_problem(text, words):
    with pytest.raises(PropertiesError, match=words) as caught:
        TableProperties.parse(text, "some/hats.properties")
    error = caught.value
    assert str(error).startswith("some/hats.properties: the properties of this table cannot be used")
    assert "\n" not in str(error)
    severities = [problem.severity for problem in error.problems]
    assert severities[0] == "fatal"
    assert len(severities) > 1
    # The document can be looked at all the same.
    document, _ = parse_properties_text(text)
    assert TableProperties.from_document(document).to_dict() == document.to_dict()


def test_strict_reading():
    text = "dataproduct_type = object\nhats_nrows = 1\n"
    assert TableProperties.parse(text).hats_nrows == 1
    with pytest.raises(PropertiesError, match=r"\(3 problems\): obs_collection is missing"):
        TableProperties.parse(text, strict=True)
    assert TableProperties.parse(TABLE, strict=True).hats_nrows == 131


def test_a_value_nobody_needs_is_kept_though_it_cannot_be_read():
    text = "dataproduct_type=object\nhats_order=deep\nhats_creation_date=once\nobs_title=C:\\users\n"
    properties = TableProperties.parse(text)
    assert properties.hats_order is None
    assert properties.hats_creation_date is None
    assert properties.obs_title == "C:\\users"
    assert properties.format() == text.replace("\\", "\\\\")
    assert {"hats_order", "hats_creation_date"} <= {problem.keyword for problem in properties.validate()}
    assert "hats_order" not in properties.replace(hats_order=None).to_dict()


def test_collections():
    text = "hats_primary_table_url=main\nall_margins=m5 m10\nall_indexes=id id_index other other_dir\n"
    properties = CollectionProperties.parse(text)
    assert properties.all_margins == properties.margins == ("m5", "m10")
    assert list(properties.all_indexes.items()) == [("id", "id_index"), ("other", "other_dir")]
    assert properties.indexes is properties.all_indexes
    assert properties.extensions == {}
    assert properties.label is None
    assert properties.format() == text
    assert properties.replace(name="Demo").label == "Demo"
    assert properties.replace(name="Demo", obs_collection="demo").label == "demo"
    assert properties.replace(default_margin="m20").margins == ("m5", "m10", "m20")
    assert properties.replace(all_margins=[], default_margin=None).margins == ()
    with pytest.raises(PropertiesError, match="hats_primary_table_url is missing"):
        CollectionProperties.parse("obs_collection = demo")
    with pytest.raises(PropertiesError, match="all_indexes"):
        CollectionProperties.parse(text.replace("other_dir", ""))


def test_extensions():
    properties = ExtensionProperties(
        obs_collection="spectra",
        dataproduct_type="extension",
        hats_primary_table_url="demo",
        hats_col_assn_primary="id",
        hats_assn_join_table_url="spectra",
        hats_col_assn_join="object_id",
        hats_ext_cols=["flux"],
        hats_ext_join_style="left",
        hats_ext_shares_primary_coords=False,
    )
    assert properties.validate() == []
    text = properties.format()
    assert text.startswith("#HATS Extension\nobs_collection=spectra\n")
    assert "hats_ext_shares_primary_coords=False\n" in text
    assert ExtensionProperties.parse(text) == properties
    with pytest.raises(PropertiesError, match="hats_ext_join_style"):
        ExtensionProperties.parse(text.replace("left", "outer"))
    with pytest.raises(UsageError, match="dataproduct_type"):
        properties.replace(dataproduct_type="object")
    with pytest.raises(UsageError, match="dataproduct_type"):
        TableProperties(dataproduct_type="extension")


def test_a_new_file_is_written_in_the_order_of_the_table():
    properties = TableProperties(
        extra={"mission": "Gaia"}, hats_nrows=5, obs_title=" two\nlines", dataproduct_type="object",
        hats_creation_date=datetime(2025, 10, 6, 14, 36, 59), obs_collection="demo", hats_cols_default=[],
        obs_ack="",
    )  # fmt: skip
    assert properties.hats_cols_default is None
    assert properties.obs_ack is None
    assert properties.format() == (
        "#HATS catalog\nobs_collection=demo\ndataproduct_type=object\nhats_nrows=5\n"
        "hats_creation_date=2025-10-06T14:36Z\nobs_title=\\ two\\nlines\nmission=Gaia\n"
    )
    assert TableProperties.parse(properties.format()) == properties
    assert CollectionProperties(obs_collection="demo").format() == "#HATS Collection\nobs_collection=demo\n"


def test_changes_keep_everything_else():
    properties = TableProperties.parse(TABLE)
    changed = properties.replace(
        hats_nrows=7, mission=None, hats_cols_default=None, telescope="A", hats_max_rows=9
    )
    assert changed.hats_nrows == 7
    assert changed.extra == {"telescope": "A"}
    expected = (
        TABLE.replace("131", "7").replace("mission=Gaia\n", "").replace("hats_cols_default=ra dec id\n", "")
    )
    assert changed.format() == expected + "telescope=A\nhats_max_rows=9\n"
    assert properties.format() == TABLE
    assert properties.replace(extra={"a": "b"}).extra == {"a": "b"}
    assert properties.replace(extra={}).format() == TABLE.replace("mission=Gaia\n", "")
    assert properties.replace() == properties


@pytest.mark.parametrize(
    "changes",
    [
        {"hats_nrows": "7"},
        {"hats_cols_default": ["a b"]},
        {"mission": 7},
        {"extra": {"hats_nrows": "7"}},
        {"extra": {"npix_suffix": ".pq"}},
        {"extra": {"": "7"}},
        {"extra": {"mission": None}},
    ],
)
def test_changes_that_are_refused(changes):
    with pytest.raises(UsageError):
        TableProperties.parse(TABLE).replace(**changes)
    if "mission" not in changes:
        with pytest.raises(UsageError):
            TableProperties(**changes)


def test_the_name_that_a_list_cannot_hold_is_told():
    with pytest.raises(UsageError, match=r"hats_cols_default: the name 'RA deg'.*rename"):
        TableProperties(hats_cols_default=["id", "RA deg"])
    assert TableProperties(hats_col_ra="RA deg").format() == "#HATS catalog\nhats_col_ra=RA deg\n"


def test_they_are_values():
    properties = TableProperties.parse(TABLE)
    with pytest.raises(FrozenInstanceError):
        properties.hats_nrows = 1
    assert not hasattr(properties, "__dict__")
    again = pickle.loads(pickle.dumps(properties))
    assert again == properties
    assert again.format() == TABLE
    spaced = TableProperties.parse("\n".join(reversed(TABLE.replace("=", " : ").splitlines())))
    assert spaced == properties
    assert hash(spaced) == hash(properties)
    assert properties.replace(hats_nrows=1) != properties
    collection = CollectionProperties(all_indexes={"id": "i"}, extra={"a": "b"})
    assert pickle.loads(pickle.dumps(collection)) == collection
    assert isinstance(hash(collection), int)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text == text.strip(" \t\n\r\f")
)
MEMBERS = st.from_regex(r"[^ \t\n\r\f,;\ud800-\udfff]+", fullmatch=True)
STRATEGIES = {
    "str": st.text(),
    "int": st.integers(0, 10**18 - 1),
    "float": st.floats(0, 1),
    "bool": st.booleans(),
    "datetime": st.datetimes(),
    "tuple[str, ...]": st.lists(MEMBERS, max_size=4),
    "tuple[int, ...]": st.lists(st.integers(0, 29), max_size=4),
    "Mapping[str, str]": st.dictionaries(MEMBERS, MEMBERS, max_size=4),
}


def values_of(cls: type[BaseProperties]) -> st.SearchStrategy[dict[str, object]]:
    strategies = {}
    for name, keyword in cls.file_kind.keywords.items():
        strategy = STRATEGIES[keyword.value_type.python]
        if keyword.value_type.name in ("word", "column", "reference", "url"):
            strategy = WORDS
        elif keyword.value_type.name == "suffix":
            strategy = st.just("/") | st.from_regex(r"\.[^/\\ \t\n\r\f\ud800-\udfff]*", fullmatch=True)
        elif keyword.value_type.name == "order":
            strategy = st.integers(0, 29)
        if keyword.vital and keyword.choices:
            strategy = st.sampled_from(keyword.choices)
        strategies[name] = strategy | st.none()
    unknown = st.text().filter(lambda name: name and ALIASES.get(name, name) not in KEYWORDS)
    return st.fixed_dictionaries(
        {}, optional={**strategies, "extra": st.dictionaries(unknown, st.text(), max_size=4)}
    )


@pytest.mark.parametrize("cls", [TableProperties, CollectionProperties, ExtensionProperties])
@given(data=st.data())
def test_any_values_come_back(cls, data):
    values = data.draw(values_of(cls))
    properties = cls(**values)
    text = properties.format()
    again = cls.from_document(parse_properties_text(text.encode())[0])
    assert again == properties
    assert again.format() == text
    assert cls().replace(**values) == properties
    for name, value in values.items():
        if not value and value not in (0, False):
            assert not getattr(properties, name)
        elif cls.file_kind.keywords.get(name) and cls.file_kind.keywords[name].value_type.python in (
            "str",
            "int",
            "bool",
        ):
            assert getattr(properties, name) == value or not str(value).strip()


NAMES = st.sampled_from([*KEYWORDS, *ALIASES, "mission", ""])


@pytest.mark.parametrize("cls", [TableProperties, CollectionProperties, ExtensionProperties])
@given(
    pairs=st.lists(
        st.tuples(NAMES, st.text() | st.sampled_from(["1", "29", "True", "a b", "object", "2025-01-01"]))
    )
)
def test_no_text_is_lost(cls, pairs):
    text = "".join(f"{name}={value}\n" for name, value in pairs)
    document, _ = parse_properties_text(text)
    properties = cls.from_document(document)
    before, after = document.to_dict(), properties.to_dict()
    for name, value in before.items():
        assert after.get(name) == value or after[ALIASES[name]] == value
    assert len(after) == len(before)
    once = properties.format()
    again = cls.from_document(parse_properties_text(once)[0])
    assert again == properties
    assert again.format() == once


@pytest.mark.parametrize("cls", [TableProperties, CollectionProperties, ExtensionProperties])
@given(source=st.binary() | st.text())
def test_only_properties_errors_are_raised(cls, source):
    try:
        properties = cls.parse(source)
    except PropertiesError:
        return
    assert cls.parse(properties.format()) == properties


def properties_files(shared: Path) -> list[Path]:
    files = sorted((shared / "third_party").rglob("*properties"))
    assert len(files) > 30
    return files


def test_every_third_party_file_is_read_and_written_without_loss(shared):
    for path in properties_files(shared):
        cls = CollectionProperties if path.name == "collection.properties" else TableProperties
        data = path.read_bytes()
        properties = cls.parse(data, path)
        assert properties.format().encode() == data, path
        unread = [n for n in properties.to_dict() if properties.get(n) is None]
        assert unread == [], path
        errors = [problem for problem in properties.validate() if problem.severity != "warning"]
        assert [problem.keyword for problem in errors] == (
            ["obs_collection"] if b"\nname=" in data else []
        ), path


def test_the_collection_that_only_has_a_name(shared):
    path = shared / "third_party/catalogs/info_only/collection/collection.properties"
    properties = CollectionProperties.parse(path.read_bytes(), path)
    assert properties.label == "small_sky_01"
    assert properties.indexes == {"id": "small_sky_order1_id_index"}
    assert properties.obs_regime == "Optical"
    assert [problem.kind for problem in properties.validate()] == ["missing-keyword"]
