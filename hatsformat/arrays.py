"""Convert Arrow columns to NumPy arrays and back, without pandas.

pyarrow's own conversions (``pa.array``, ``to_numpy``) import pandas where it is installed, to check their
input for pandas objects. That takes longer than most queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.healpix import FloatArray, IntArray


def as_floats(column: pa.Array | pa.ChunkedArray) -> FloatArray:
    """Return a column of numbers as float64, NaN where a value is missing."""
    return _filled(column.cast(pa.float64(), safe=False), np.nan)


def as_integers(column: pa.Array | pa.ChunkedArray, missing: int = -1) -> IntArray:
    """Return a column of integers as int64, `missing` where a value is missing."""
    return _filled(column.cast(pa.int64(), safe=False), missing)


def as_numbers(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return a column of integers or floats in its own type; missing values are undefined."""
    array = _single(column)
    is_unsigned = pa.types.is_unsigned_integer(array.type)
    kind = "f" if pa.types.is_floating(array.type) else "u" if is_unsigned else "i"
    dtype = np.dtype(f"{kind}{array.type.bit_width // 8}")
    if not len(array):
        return np.empty(0, dtype=dtype)
    values: npt.NDArray[Any] = np.frombuffer(array.buffers()[1], dtype=dtype)
    return values[array.offset : array.offset + len(array)]


def as_mask(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return a column of Booleans, False where a value is missing."""
    array = _single(column)
    return _bits(array, 1) & _bits(array, 0)


def valid_mask(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return which values of a column are not missing."""
    return _bits(_single(column.is_valid()), 1)


def _single(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _filled(column: pa.Array | pa.ChunkedArray, missing: float) -> npt.NDArray[Any]:
    array = _single(column)
    values = as_numbers(array)
    return values if not array.null_count else np.where(_bits(array, 0), values, values.dtype.type(missing))


def _bits(array: pa.Array, buffer: int) -> npt.NDArray[np.bool_]:
    """Return buffer 0 (validity) or 1 (Booleans) of an array, one element per value."""
    content = array.buffers()[buffer]
    if content is None or not len(array):
        return np.ones(len(array), dtype=np.bool_)
    bits = np.unpackbits(
        np.frombuffer(content, dtype=np.uint8), count=array.offset + len(array), bitorder="little"
    )
    return bits[array.offset :].view(np.bool_)


def to_mask(passed: npt.NDArray[np.bool_]) -> pa.Array:
    """Return a NumPy mask as an Arrow array."""
    bits = np.packbits(passed, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(passed), [None, pa.py_buffer(bits)])


def from_numbers(values: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> pa.Array:
    """Return a NumPy array of int64 or float64 as an Arrow array, without a copy if it is contiguous."""
    kind = pa.int64() if values.dtype == np.int64 else pa.float64()
    content = np.ascontiguousarray(values, dtype=np.int64 if kind == pa.int64() else np.float64)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(content)])


def from_strings(strings: Sequence[str]) -> pa.Array:
    """Return strings as an Arrow array of large strings."""
    content = "".join(strings)
    if content.isascii():
        lengths, encoded = map(len, strings), content.encode()
    else:
        parts = [string.encode() for string in strings]
        lengths, encoded = map(len, parts), b"".join(parts)
    stops = np.zeros(len(strings) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, len(strings)), out=stops[1:])
    return pa.LargeStringArray.from_buffers(len(strings), pa.py_buffer(stops), pa.py_buffer(encoded))


def row_numbers(rows: int) -> pa.Array:
    """Return the numbers from 0 to `rows` - 1 as an Arrow array of int64."""
    return from_numbers(np.arange(rows, dtype=np.int64))


def empty_table(schema: pa.Schema) -> pa.Table:
    """Return a table without rows."""
    return pa.Table.from_batches([], schema)


def without_views(table: pa.Table) -> pa.Table:
    """Return a table with plain strings and bytes instead of views, which Arrow cannot sort (Polars)."""
    schema = schema_without_views(table.schema)
    return table if schema.equals(table.schema) else table.cast(schema)


def schema_without_views(schema: pa.Schema) -> pa.Schema:
    """Return a schema with plain strings and bytes instead of views."""
    return pa.schema([field.with_type(type_without_views(field.type)) for field in schema], schema.metadata)


def type_without_views(kind: pa.DataType) -> pa.DataType:
    """Return a type with plain strings and bytes instead of views, at any depth."""
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, type_without_views(kind.value_type), kind.ordered)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(type_without_views(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(
            type_without_views(kind.key_type), type_without_views(kind.item_type), kind.keys_sorted
        )
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind.value_field.with_type(type_without_views(kind.value_type))
        if pa.types.is_fixed_size_list(kind):
            return pa.list_(inner, kind.list_size)
        return pa.list_(inner) if pa.types.is_list(kind) else pa.large_list(inner)
    return kind
