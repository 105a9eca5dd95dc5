"""One schema for all inputs: what is widened, what is refused, and who is to blame."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hatsformat.errors import SchemaError
from hatsformat.partitioner.schema import InputSchema, fit, plan_schema, types_to_read_again

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
    (pa.list_(pa.int32(), 3), pa.list_(pa.int64(), 3), pa.list_(pa.int64(), 3)),
    (pa.decimal128(9, 2), pa.decimal128(20, 2), pa.decimal128(20, 2)),
    (pa.decimal128(20, 2), pa.decimal256(60, 2), pa.decimal256(60, 2)),
    (pa.string_view(), pa.string(), pa.string()),
    (pa.binary_view(), pa.large_binary(), pa.large_binary()),
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
    (pa.decimal128(9, 2), pa.decimal128(9, 3)),
    (pa.list_(pa.int32(), 3), pa.list_(pa.int32(), 4)),
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


TEXT = pa.string()
# Guesses of two files, and what each is read again as.
AGAIN = [
    (pa.int64(), pa.string(), (TEXT, None)),
    (pa.float64(), pa.string(), (TEXT, None)),
    (pa.bool_(), pa.string(), (TEXT, None)),
    (pa.bool_(), pa.int64(), (TEXT, TEXT)),
    (pa.date32(), pa.float64(), (TEXT, TEXT)),
    (pa.date32(), STAMP("s"), (TEXT, TEXT)),
    (pa.time32("s"), pa.string(), (TEXT, None)),
    (STAMP("s"), STAMP("ns"), (None, None)),
    (pa.int64(), pa.float64(), (None, None)),
    (pa.int64(), pa.uint64(), (pa.uint64(), None)),
    (pa.null(), pa.string(), (None, None)),
    (pa.null(), pa.bool_(), (None, None)),
]


@pytest.mark.parametrize(("left", "right", "wanted"), AGAIN, ids=str)
def test_guesses_that_do_not_agree(left, right, wanted):
    for turn in (1, -1):
        inputs = [one(left, "a.csv", True), one(right, "b.csv", True)][::turn]
        found = types_to_read_again(inputs)
        kinds = {index: {"mag": kind} for index, kind in enumerate(wanted[::turn]) if kind is not None}
        assert found == kinds
        for index, item in enumerate(inputs):
            inputs[index] = one(
                found.get(index, {}).get("mag", item.schema.field("mag").type), item.name, True
            )
        assert types_to_read_again(inputs) == {}
        plan_schema(inputs)


def test_guesses_yield_to_what_is_known():
    """A Parquet file means its types; a text file is read as they are, where that loses nothing."""
    for known, guess, wanted in (
        (pa.string(), pa.float64(), TEXT),
        (pa.large_string(), pa.date32(), TEXT),
        (WORDS, pa.int64(), TEXT),
        (pa.uint64(), pa.int64(), pa.uint64()),
        (pa.float64(), pa.int64(), None),
        (pa.float32(), pa.float64(), None),
    ):
        inputs = [one(known), one(guess, "b.csv", True)]
        assert types_to_read_again(inputs) == ({1: {"mag": wanted}} if wanted else {})
        assert plan_schema([one(known), one(wanted or guess, "b.csv", True)])
    for known, guess in ((pa.int64(), pa.float64()), (pa.bool_(), pa.string()), (pa.date32(), pa.int64())):
        inputs = [one(known), one(guess, "b.csv", True)]
        assert types_to_read_again(inputs) == {}
        with pytest.raises(SchemaError, match=r"b\.csv.*a\.parquet"):
            plan_schema(inputs)


def measured(unit, name="a.parquet", **more):
    field = pa.field("mag", pa.float64(), metadata={"unit": unit, **more} if unit else more or None)
    return InputSchema(name, pa.schema([("ra", pa.float64()), field]))


@pytest.mark.parametrize(
    ("ours", "theirs"), [("mJy", "Jy"), ("deg", "rad"), ("nmgy", "mag"), ("count", "furlong")]
)
def test_units_that_differ(ours, theirs):
    """The values would be wrong, and nothing would say so."""
    inputs = [measured("", "none.fits"), measured(ours, "a.fits"), measured(theirs, "b.fits")]
    with pytest.raises(SchemaError) as raised:
        plan_schema(inputs)
    for word in ("a.fits", "b.fits", "'mag'", ours, theirs):
        assert word in str(raised.value)
    assert "none.fits" not in str(raised.value)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("mJy", "mJy"), ("Jy", "Jansky"), ("deg", "degree"), ("furlong", "furlong"), ('"mag"', "mag")],
)
def test_units_that_are_the_same(ours, theirs):
    inputs = [measured(ours, description="one"), measured(theirs, "b.fits", description="two", ucd="phot")]
    planned = plan_schema(inputs).field("mag").metadata
    assert planned == {b"unit": ours.encode(), b"description": b"one", b"ucd": b"phot"}


def test_a_unit_that_only_one_file_tells():
    described = measured("", description="how bright")
    for inputs in ([described, measured("mag")], [measured("mag"), described]):
        planned = plan_schema(inputs).field("mag").metadata
        assert planned == {b"unit": b"mag", b"description": b"how bright"}


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
