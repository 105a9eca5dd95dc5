"""Arrow columns as NumPy arrays and back, without pandas.

pyarrow's own conversions (``pa.array``, ``to_numpy``) first import pandas, where it is installed, to see
whether they were given something of it. That takes longer than most queries.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.healpix import FloatArray, IntArray


def as_floats(column: pa.ChunkedArray) -> FloatArray:
    """Return a column of numbers as float64, NaN where a value is missing."""
    return _values(column.cast(pa.float64(), safe=False), np.float64, np.nan)


def as_integers(column: pa.ChunkedArray, missing: int = -1) -> IntArray:
    """Return a column of integers as int64, `missing` where a value is missing."""
    return _values(column.cast(pa.int64(), safe=False), np.int64, missing)


def _values(column: pa.ChunkedArray, dtype: type, missing: float) -> npt.NDArray[Any]:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    bits, content = array.buffers()
    count, offset = len(array), array.offset
    if count == 0:
        return np.empty(0, dtype=dtype)
    values: npt.NDArray[Any] = np.frombuffer(content, dtype=dtype)[offset : offset + count]
    if array.null_count == 0:
        return values
    valid = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), bitorder="little")[offset : offset + count]
    return np.where(valid.astype(np.bool_), values, dtype(missing))


def to_mask(passed: npt.NDArray[np.bool_]) -> pa.Array:
    """Return a NumPy mask as an Arrow array."""
    bits = np.packbits(passed, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(passed), [None, pa.py_buffer(bits)])


def from_numbers(values: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> pa.Array:
    """Return a NumPy array of int64 or float64 as an Arrow array; nothing is copied if it is contiguous."""
    kind = pa.int64() if values.dtype == np.int64 else pa.float64()
    content = np.ascontiguousarray(values, dtype=np.int64 if kind == pa.int64() else np.float64)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(content)])


def row_numbers(rows: int) -> pa.Array:
    """Return the numbers from 0 to `rows` - 1 as an Arrow array of int64."""
    return from_numbers(np.arange(rows, dtype=np.int64))


def no_rows(schema: pa.Schema) -> pa.Table:
    """Return a table without rows."""
    return pa.Table.from_batches([], schema)
