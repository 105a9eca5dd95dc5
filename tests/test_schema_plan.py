"""One schema for all inputs: what is widened, what is refused, and who is to blame."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import skies
from hatsformat.errors import SchemaError
from hatsformat.partitioner import import_catalog
from hatsformat.partitioner.schema import InputSchema, fit, plan_schema

WORDS = pa.dictionary(pa.int32(), pa.string())
STAMP = pa.timestamp

# Two types, and the one that holds every value of both.
WIDENED = [
    (pa.null(), pa.int8(), pa.int8()),
    (pa.null(), pa.string(), pa.string()),
    (pa.null(), pa.list_(pa.int8()), pa.list_(pa.int8())),
    (pa.null(), WORDS, WORDS),
    (pa.int8(), pa.int64(), pa.int64()),
    (pa.int32(), pa.int64(), pa.int64()),
    (pa.uint8(), pa.uint64(), pa.uint64()),
    (pa.int8(), pa.uint8(), pa.int16()),
    (pa.int32(), pa.uint8(), pa.int32()),
    (pa.int32(), pa.uint32(), pa.int64()),
    (pa.float16(), pa.float32(), pa.float32()),
    (pa.float32(), pa.float64(), pa.float64()),
    (pa.int16(), pa.float32(), pa.float32()),
    (pa.int32(), pa.float64(), pa.float64()),
    (pa.string(), pa.large_string(), pa.large_string()),
    (pa.binary(), pa.large_binary(), pa.large_binary()),
    (WORDS, pa.string(), pa.string()),
    (WORDS, pa.large_string(), pa.large_string()),
    (WORDS, pa.dictionary(pa.int8(), pa.string()), pa.string()),
    (STAMP("s"), STAMP("us"), STAMP("us")),
    (STAMP("ms", "UTC"), STAMP("ns", "UTC"), STAMP("ns", "UTC")),
    (pa.list_(pa.int32()), pa.list_(pa.int64()), pa.list_(pa.int64())),
    (pa.list_(pa.int32()), pa.large_list(pa.int32()), pa.large_list(pa.int32())),
    (pa.struct([("a", pa.int32())]), pa.struct([("a", pa.int64())]), pa.struct([("a", pa.int64())])),
]
# Two types without one that holds all of both.
CLASHES = [
    (pa.int64(), pa.string()),
    (pa.float64(), pa.string()),
    (pa.bool_(), pa.int8()),
    (pa.bool_(), pa.string()),
    (pa.int64(), pa.uint64()),
    (pa.int64(), pa.float64()),
    (pa.int32(), pa.float32()),
    (pa.int16(), pa.float16()),
    (pa.string(), pa.binary()),
    (pa.date32(), pa.string()),
    (STAMP("s"), STAMP("s", "UTC")),
    (STAMP("s", "Europe/Paris"), STAMP("s", "UTC")),
    (pa.list_(pa.int32()), pa.int32()),
    (pa.struct([("a", pa.int32())]), pa.struct([("b", pa.int32())])),
    (WORDS, pa.int64()),
]


def one(kind, name="a.parquet", inferred=False):
    return InputSchema(name, pa.schema([("ra", pa.float64()), ("mag", kind)]), inferred)


@pytest.mark.parametrize(("left", "right", "wide"), WIDENED, ids=str)
def test_widened(left, right, wide):
    for first, second in ((left, right), (right, left)):
        planned = plan_schema([one(first), one(second, "b.parquet")])
        assert planned.names == ["ra", "mag"]
        assert planned.field("mag").type == wide


@pytest.mark.parametrize(("left", "right"), CLASHES, ids=str)
def test_clashes(left, right):
    for first, second in ((left, right), (right, left)):
        with pytest.raises(SchemaError) as raised:
            plan_schema([one(first), one(second, "b.parquet")])
        text = str(raised.value)
        for word in ("a.parquet", "b.parquet", "'mag'", str(first), str(second)):
            assert word in text
        assert "\n" not in text


def test_the_file_that_decided_is_named():
    """Not the first file, which had nothing in the column."""
    inputs = [
        one(pa.null(), "empty.csv"),
        one(pa.int8(), "b.csv"),
        one(pa.int64(), "c.csv"),
        one(pa.string(), "d.csv"),
    ]
    with pytest.raises(SchemaError) as raised:
        plan_schema(inputs)
    assert "c.csv" in str(raised.value)
    assert "d.csv" in str(raised.value)
    assert "empty.csv" not in str(raised.value)


def test_three_ways():
    kinds = [pa.int8(), pa.null(), pa.uint16(), pa.int64()]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        planned = plan_schema([one(kinds[index], f"{index}.parquet") for index in order])
        assert planned.field("mag").type == pa.int64()


@pytest.mark.parametrize("inferred", [True, False])
def test_numbers_guessed_from_text(inferred):
    """In text, 5 and 5.5 are both numbers; files that know their types mean them."""
    inputs = [one(pa.int64(), "a.csv", inferred), one(pa.float64(), "b.csv", inferred)]
    if inferred:
        assert plan_schema(inputs).field("mag").type == pa.float64()
    else:
        with pytest.raises(SchemaError):
            plan_schema(inputs)


def test_columns_that_are_not_everywhere():
    more = InputSchema(
        "b.parquet", pa.schema([("ra", pa.float64()), ("mag", pa.int8()), ("extra", pa.int8())])
    )
    for inputs in ([one(pa.int8()), more], [more, one(pa.int8())]):
        with pytest.raises(SchemaError) as raised:
            plan_schema(inputs)
        for word in ("a.parquet", "b.parquet", "'extra'"):
            assert word in str(raised.value)


def test_names_in_another_case_are_other_names():
    other = InputSchema("b.parquet", pa.schema([("ra", pa.float64()), ("MAG", pa.int8())]))
    with pytest.raises(SchemaError):
        plan_schema([one(pa.int8()), other])


def test_order_of_columns_is_the_first_inputs():
    turned = InputSchema("b.parquet", pa.schema([("mag", pa.int64()), ("ra", pa.float64())]))
    assert plan_schema([one(pa.int8()), turned]).names == ["ra", "mag"]
    assert plan_schema([turned, one(pa.int8())]).names == ["mag", "ra"]


def test_metadata_survives():
    field = pa.field("ra", pa.float64(), metadata={"unit": "deg"})
    plain = InputSchema("a.parquet", pa.schema([("ra", pa.float64())]))
    told = InputSchema("b.parquet", pa.schema([field]))
    for inputs in ([told], [told, plain], [plain, told]):
        assert plan_schema(inputs).field("ra").metadata == {b"unit": b"deg"}


def test_nullable_where_any_is():
    strict = InputSchema("a.parquet", pa.schema([pa.field("ra", pa.float64(), nullable=False)]))
    loose = InputSchema("b.parquet", pa.schema([pa.field("ra", pa.float64())]))
    assert plan_schema([strict, loose]).field("ra").nullable
    assert not plan_schema([strict, strict]).field("ra").nullable


class TestFit:
    """Tables in the planned schema."""

    @pytest.mark.parametrize(("left", "right", "wide"), WIDENED, ids=str)
    def test_every_widening_can_be_done(self, left, right, wide):
        for kind in (left, right):
            table = pa.table({"ra": [1.0, 2.0], "mag": pa.nulls(2, kind)})
            found = fit(table, pa.schema([("ra", pa.float64()), ("mag", wide)]), "a.parquet")
            assert found.schema.field("mag").type == wide
            assert found["mag"].null_count == 2

    def test_values(self):
        table = pa.table(
            {"b": pa.array(["x", None, "x"]).dictionary_encode(), "a": pa.array([1, 2, None], pa.int8())}
        )
        found = fit(table, pa.schema([("a", pa.int64()), ("b", pa.string())]), "a.parquet")
        assert found.to_pydict() == {"a": [1, 2, None], "b": ["x", None, "x"]}

    def test_values_that_do_not_survive(self):
        table = pa.table({"a": [2**53 + 1]})
        with pytest.raises(SchemaError, match=r"a\.csv"):
            fit(table, pa.schema([("a", pa.float64())]), "a.csv")
        assert fit(pa.table({"a": [2**53]}), pa.schema([("a", pa.float64())]), "a.csv")["a"].to_pylist() == [
            2.0**53
        ]


class TestImported:
    """The same through an import."""

    def test_files_of_different_types(self, tmp_path):
        a = skies.stars(20)
        b = a.set_column(0, "id", a["id"].cast(pa.int16())).set_column(
            5, "band", a["band"].dictionary_encode()
        )
        b = b.select(b.column_names[::-1])
        pq.write_table(a.slice(0, 10), tmp_path / "a.parquet")
        pq.write_table(b.slice(10), tmp_path / "b.parquet")
        import_catalog([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "sky", max_rows=5)
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), a)

    def test_a_clash(self, tmp_path):
        a = skies.stars(20)
        pq.write_table(a, tmp_path / "a.parquet")
        pq.write_table(a.set_column(0, "id", a["id"].cast(pa.string())), tmp_path / "b.parquet")
        with pytest.raises(SchemaError) as raised:
            import_catalog([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "sky")
        for word in ("a.parquet", "b.parquet", "'id'"):
            assert word in str(raised.value)
        assert skies.files(tmp_path) == {"a.parquet", "b.parquet"}

    def test_text_files(self, tmp_path):
        (tmp_path / "a.csv").write_text("id,ra,dec,x,y,z\n1,1,1,5,,7\n")
        (tmp_path / "b.csv").write_text("id,ra,dec,x,y,z\n2,2.5,2,5.5,abc,\n")
        import_catalog([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "sky")
        found = skies.read_rows(tmp_path / "sky").sort_by("id")
        assert found.to_pydict() == {
            "id": [1, 2],
            "ra": [1.0, 2.5],
            "dec": [1, 2],
            "x": [5.0, 5.5],
            "y": [None, "abc"],
            "z": [7, None],
        }
