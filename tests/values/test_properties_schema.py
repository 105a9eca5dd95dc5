"""The JSON Schemas: as generated, and of one mind with the validation."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat._spec import spec_path
from hatsformat.properties import (
    ALIASES,
    KEYWORDS,
    CollectionProperties,
    PropertiesDocument,
    TableProperties,
)
from hatsformat.properties.keywords import REQUIRED, TABLE_FILE
from hatsformat.properties.rules import find_problems
from hatsformat.properties.schema import FILE_KINDS, build_schema, format_schema, main, schema_name

KINDS_OF_THE_SCHEMA = {"missing-keyword", "bad-value"}
BY_NAME = pytest.mark.parametrize("file_kind", FILE_KINDS, ids=lambda kind: kind.name)


def validator(file_kind) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(build_schema(file_kind))


VALIDATORS = {file_kind.name: validator(file_kind) for file_kind in FILE_KINDS}


def agree(texts: dict[str, str], file_kind) -> bool:
    """Whether both accept or both refuse; returns which."""
    problems = find_problems(PropertiesDocument.of(texts), file_kind)
    refused = [problem for problem in problems if problem.kind in KINDS_OF_THE_SCHEMA]
    errors = list(VALIDATORS[file_kind.name].iter_errors(texts))
    assert bool(refused) == bool(errors), (refused, errors)
    return not errors


@BY_NAME
def test_the_files_are_what_is_generated(file_kind):
    path = spec_path("schemas", schema_name(file_kind))
    assert path.read_text(encoding="utf-8") == format_schema(file_kind), (
        "run: python -m hatsformat.properties.schema"
    )


@BY_NAME
def test_the_schemas_are_schemas(file_kind):
    schema = build_schema(file_kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(file_kind.keywords) <= set(schema["properties"])
    assert json.loads(format_schema(file_kind)) == schema


def test_they_can_be_written_elsewhere(tmp_path: Path):
    assert [path.name for path in main(tmp_path / "schemas")] == [schema_name(kind) for kind in FILE_KINDS]
    assert (tmp_path / "schemas" / "table.schema.json").read_text() == format_schema(TABLE_FILE)


VALUES = st.sampled_from(
    [
        "", " ", "1", "29", "30", "007", "131.0", "-1", "1e5", ".5", "1e999", "True", "maybe", "a",
        "a b", "a,b;c", "a b c", ", ,", "2 4", "2 40", "object", "margin ", "index", "map", "extension",
        "Object", "left", "outer", ".parquet", "/", "a/b", "2025-10-06T14:36UTC", "2025-02-30",
        "2025-13-01", "1\n", "\n", "x\n1", "é", "1\u00a0",
    ]
)  # fmt: skip


@BY_NAME
@settings(max_examples=200)
@given(data=st.data())
def test_the_schema_and_the_validation_agree(file_kind, data):
    table_type = data.draw(st.sampled_from(file_kind.types))
    texts = {"dataproduct_type": table_type} if "dataproduct_type" in file_kind.keywords else {}
    for name in REQUIRED[table_type]:
        if name != "dataproduct_type" and data.draw(st.integers(0, 9)):
            texts[name] = {"hats_nrows": "1", "hats_margin_threshold": "1", "hats_assn_leaf_files": "1"}.get(
                name, "a"
            )
    names = st.sampled_from([*KEYWORDS, *ALIASES, "mission"])
    texts.update(data.draw(st.dictionaries(names, VALUES | st.text(), max_size=4)))
    agree(texts, file_kind)


@settings(max_examples=50)
@pytest.mark.parametrize("name", [name for name in KEYWORDS if KEYWORDS[name].value_type.pattern])
@given(data=st.data())
def test_they_agree_on_every_pattern(name, data):
    keyword = KEYWORDS[name]
    texts = data.draw(
        st.from_regex(keyword.value_type.anchored())
        | st.text("0123456789.eE+-TZ: ,;\nUTCtrue", max_size=20)
        | VALUES
    )
    for file_kind in FILE_KINDS:
        if name in file_kind.keywords:
            base = dict.fromkeys(REQUIRED[file_kind.types[0]], "a") | {"hats_nrows": "1"}
            if "dataproduct_type" in base:
                base["dataproduct_type"] = file_kind.types[0]
            agree(base | {name: texts}, file_kind)


def test_what_a_schema_says():
    good = {
        "obs_collection": "a",
        "dataproduct_type": "margin",
        "hats_nrows": "0",
        "hats_primary_table_url": "b",
    }
    assert not agree(good, TABLE_FILE)
    assert agree(good | {"hats_margin_threshold": "10.0"}, TABLE_FILE)
    assert not agree(good | {"hats_margin_threshold": " "}, TABLE_FILE)
    catalog = {"obs_collection": "a", "dataproduct_type": "object", "hats_nrows": "0", "hats_col_dec": "d"}
    assert agree(catalog | {"hats_col_j2000_ra": "r"}, TABLE_FILE)
    assert not agree(catalog, TABLE_FILE)
    assert not VALIDATORS["table"].is_valid(catalog | {"hats_col_ra": 5})
    # What takes arithmetic is beyond a schema of texts.
    assert VALIDATORS["table"].is_valid(catalog | {"hats_col_ra": "r", "moc_sky_fraction": "2"})


def test_third_party_files_agree(shared):
    for path in sorted((shared / "third_party").rglob("*properties")):
        cls = CollectionProperties if path.name == "collection.properties" else TableProperties
        texts = cls.parse(path.read_bytes()).to_dict()
        assert agree(texts, cls.file_kind) == ("obs_collection" in texts), path
