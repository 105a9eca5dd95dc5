"""Keys of nested values: equal for what is equal, whatever the chunks, and different for all else."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat.validation.evidence.key_hashing import common_kind, comparable_columns, keys_of

WORDS = st.sampled_from(["", "a", "b", "ab"])
SMALL = st.one_of(st.none(), st.integers(0, 2))
NESTED = {
    "integers": (pa.list_(pa.int32()), st.one_of(st.none(), st.lists(SMALL, max_size=3))),
    "texts": (pa.large_list(pa.string()), st.lists(WORDS, max_size=3)),
    "pairs": (pa.list_(pa.float64(), 2), st.lists(st.sampled_from([0.5, 1.5]), min_size=2, max_size=2)),
    "structure": (
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        st.fixed_dictionaries({"a": SMALL, "b": WORDS}),
    ),
    "curves": (
        pa.struct([("t", pa.list_(pa.float32())), ("ok", pa.list_(pa.bool_()))]),
        st.fixed_dictionaries(
            {
                "t": st.lists(st.sampled_from([0.0, 1.0]), max_size=2),
                "ok": st.lists(st.booleans(), max_size=2),
            }
        ),
    ),
    "map": (pa.map_(pa.string(), pa.int32()), st.lists(st.tuples(WORDS, st.integers(0, 2)), max_size=2)),
    "lists of lists": (pa.list_(pa.list_(pa.int8())), st.lists(st.lists(st.just(1), max_size=2), max_size=3)),
}


@pytest.mark.parametrize("case", NESTED)
@settings(max_examples=40)
@given(data=st.data())
def test_keys_of_nested_values(case, data):
    kind, values = NESTED[case]
    drawn = data.draw(st.lists(values, min_size=1, max_size=30))
    cut = data.draw(st.integers(0, len(drawn)))
    array = pa.array(drawn, kind)
    how = common_kind([kind])
    keys, _ = keys_of(pa.chunked_array([array]), how)
    pieces, _ = keys_of(pa.chunked_array([array.slice(0, cut), array.slice(cut)]), how)
    assert pieces.tolist() == keys.tolist()
    part, _ = keys_of(pa.chunked_array([array.slice(cut)]), how)
    assert part.tolist() == keys[cut:].tolist()
    for value, key in zip(drawn, keys.tolist(), strict=True):
        for other, its_key in zip(drawn, keys.tolist(), strict=True):
            assert (key == its_key) == ((value or None) == (other or None))


def test_views_of_lists_are_not_compared():
    """Arrow cannot do with them what it takes; no file has them but by an Arrow schema."""
    kinds = {
        "a": pa.list_view(pa.int32()),
        "b": pa.struct([("c", pa.large_list_view(pa.int8()))]),
        "n": pa.int8(),
    }
    schema = pa.schema(list(kinds.items()))
    assert comparable_columns(schema, schema) == ["n"]
