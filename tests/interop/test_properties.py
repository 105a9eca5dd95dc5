"""Properties files that the other HATS tools read as we wrote them, and the other way around."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hatsformat.properties import (
    CollectionProperties,
    ExtensionProperties,
    PropertiesDocument,
    TableProperties,
    format_properties_text,
    parse_properties_text,
)

pytestmark = pytest.mark.interop
jproperties = pytest.importorskip("jproperties", reason="hats is not installed (extra `interop`)")
pytest.importorskip("hats", reason="hats is not installed (extra `interop`)")
from hats.catalog.dataset import table_properties as hats_table  # noqa: E402
from hats.catalog.dataset.collection_properties import CollectionProperties as HatsCollection  # noqa: E402
from hats.catalog.dataset.extension_properties import ExtensionProperties as HatsExtension  # noqa: E402

HatsTable = hats_table.TableProperties

TABLES = [
    TableProperties(
        obs_collection="demo", dataproduct_type="object", hats_nrows=131, hats_col_ra="RA deg",
        hats_col_dec="déc",
        hats_cols_default=["ra", "dec"], hats_col_healpix="_healpix_19", hats_col_healpix_order=19,
        hats_npix_suffix="/", hats_skymap_order=6, hats_skymap_alt_orders=[2, 4], moc_sky_fraction=3e-7,
        hats_max_rows=10, hats_max_bytes=20, hats_estsize=30, obs_title="  C:\\new # a = b\n日本 ",
    ),
    TableProperties(
        obs_collection="m", dataproduct_type="margin", hats_nrows=0, hats_primary_table_url="../demo",
        hats_margin_threshold=0.1,
    ),
    TableProperties(
        obs_collection="i", dataproduct_type="index", hats_nrows=1, hats_primary_table_url="demo",
        hats_index_column="id", hats_index_extra_column=["mjd", "band"],
    ),
    TableProperties(
        obs_collection="a", dataproduct_type="association", hats_nrows=1, hats_primary_table_url="demo",
        hats_assn_join_table_url="other", hats_assn_leaf_files=False, hats_col_assn_primary="id",
        hats_col_assn_join="id", hats_assn_max_separation=436.93257,
    ),
    TableProperties(obs_collection="p", dataproduct_type="map", hats_nrows=12),
]  # fmt: skip
COLLECTION = CollectionProperties(
    obs_collection="demo", hats_primary_table_url="main", all_margins=["m5", "m10"], default_margin="m5",
    all_indexes={"id": "id_index", "other": "other_dir"}, default_index="id",
    all_extensions={"spectra": "spectra.properties"},
)  # fmt: skip
EXTENSION = ExtensionProperties(
    obs_collection="spectra", dataproduct_type="extension", hats_primary_table_url="demo",
    hats_col_assn_primary="id", hats_assn_join_table_url="spectra", hats_col_assn_join="object_id",
    hats_ext_cols=["flux", "error"], hats_ext_join_style="inner", hats_ext_shares_primary_coords=True,
    hats_product_type_served="spectrum",
)  # fmt: skip


def same_values(ours, theirs) -> None:
    """Every keyword of ours has the same value over there, by whatever attribute."""
    fields = type(theirs).model_fields
    names = {field.alias or name: name for name, field in fields.items()}
    extra = theirs.__pydantic_extra__
    for keyword, text in ours.to_dict().items():
        if keyword == "name":
            continue  # there it is obs_collection
        if keyword in names:
            value = getattr(theirs, names[keyword])
            mine = ours.get(keyword)
            assert (list(mine) if isinstance(mine, tuple) else mine) == value, keyword
        else:
            assert extra[keyword] == text


def test_hats_reads_what_we_write(tmp_path: Path):
    for number, properties in enumerate(TABLES):
        directory = tmp_path / str(number)
        directory.mkdir()
        assert not [problem for problem in properties.validate() if problem.severity != "warning"]
        (directory / "hats.properties").write_text(properties.format(), encoding="utf-8")
        same_values(properties, HatsTable.read_from_dir(directory))
    (tmp_path / "collection.properties").write_text(COLLECTION.format(), encoding="utf-8")
    same_values(COLLECTION, HatsCollection.read_from_dir(tmp_path))
    (tmp_path / "spectra.properties").write_text(EXTENSION.format(), encoding="utf-8")
    same_values(EXTENSION, HatsExtension.read_from_file(tmp_path / "spectra.properties"))


def test_we_read_what_hats_writes(tmp_path: Path):
    for number, properties in enumerate(TABLES):
        directory = tmp_path / str(number)
        directory.mkdir()
        # Its writer does not escape backslashes, which its reader then takes away.
        properties = properties.replace(obs_title="# a = b: 日本 ") if properties.obs_title else properties
        path = directory / "hats.properties"
        path.write_text(properties.format(), encoding="utf-8")
        theirs = HatsTable.read_from_dir(directory)
        theirs.to_properties_file(directory)
        ours = TableProperties.parse(path.read_bytes(), path)
        same_values(ours, theirs)
        assert ours.format().encode() == path.read_bytes()
    (tmp_path / "collection.properties").write_text(COLLECTION.format(), encoding="utf-8")
    HatsCollection.read_from_dir(tmp_path).to_properties_file(tmp_path)
    assert CollectionProperties.parse((tmp_path / "collection.properties").read_bytes()) == COLLECTION
    (tmp_path / "spectra.properties").write_text(EXTENSION.format(), encoding="utf-8")
    HatsExtension.read_from_file(tmp_path / "spectra.properties").to_properties_file(tmp_path)
    assert ExtensionProperties.parse((tmp_path / "spectra.properties").read_bytes()) == EXTENSION


def test_both_read_third_party_files_alike(shared):
    for path in sorted((shared / "third_party").rglob("*properties")):
        if path.name == "collection.properties":
            same_values(
                CollectionProperties.parse(path.read_bytes()), HatsCollection.read_from_dir(path.parent)
            )
        else:
            same_values(TableProperties.parse(path.read_bytes()), HatsTable.read_from_file(path))


def read_by_jproperties(text: str) -> dict[str, str]:
    properties = jproperties.Properties()
    properties.load(io.BytesIO(text.encode()), "utf-8")
    return dict(properties.properties)


# In a keyword that library loses a byte-order mark however it is written; no keyword has one.
KEYWORDS = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), min_size=1)


@example(texts={"0": "\ufeff"})
@given(st.dictionaries(KEYWORDS, st.text()))
def test_the_library_of_hats_reads_any_text_that_we_write(texts):
    text = format_properties_text(PropertiesDocument.of(texts, title="HATS catalog"))
    assert read_by_jproperties(text) == texts


@given(st.lists(st.text("#!:= a\\"), max_size=5), st.text(min_size=1))
def test_comments_of_any_kind_do_not_disturb_it(comments, value):
    document, _ = parse_properties_text("\n".join(f"#{comment}" for comment in comments))
    text = format_properties_text(document.with_values({"a": value}))
    assert read_by_jproperties(text) == {"a": value}


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_we_read_any_text_that_it_writes(texts):
    properties = jproperties.Properties()
    properties.properties = texts
    stream = io.BytesIO()
    properties.store(stream, encoding="utf-8", timestamp=False, initial_comments="HATS catalog")
    assert parse_properties_text(stream.getvalue())[0].to_dict() == texts


@given(
    st.dictionaries(
        st.text("abc", min_size=1),
        st.from_regex(r"[!-\[\]-~é日]([ -\[\]-~é日]*[!-\[\]-~é日])?", fullmatch=True),
    )
)
def test_a_reader_that_splits_lines_reads_plain_values(texts):
    """The note's syntax taken literally: a line is a keyword, an equals sign and a value."""
    read = {}
    for line in format_properties_text(PropertiesDocument.of(texts, title="HATS catalog")).splitlines():
        if not line.startswith("#"):
            keyword, _, value = line.partition("=")
            read[keyword.strip()] = value.strip()
    assert read == texts
