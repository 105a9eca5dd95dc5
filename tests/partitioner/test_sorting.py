"""Sorting along the sky: the order is stable, and rows follow it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat.partitioner.sorting import stable_sort, take_rows


@given(st.lists(st.integers(0, 12 * 4**29 - 1) | st.integers(0, 3), max_size=200))
def test_equal_values_stay_in_their_order(values):
    ascending, order = stable_sort(np.array(values, dtype=np.int64))
    assert order.tolist() == sorted(range(len(values)), key=values.__getitem__)
    assert ascending.tolist() == sorted(values)


@pytest.mark.parametrize("order", [[], [0, 1, 2, 3], [3, 1], [1, 1, 0], [0, 1]])
def test_rows_are_taken_by_position(order):
    table = pa.table({"id": [10, 11, None, 13], "name": pa.chunked_array([["a"], ["b", "c", None]])})
    taken = take_rows(table, np.array(order, dtype=np.int64))
    assert taken.to_pylist() == [table.to_pylist()[row] for row in order]
