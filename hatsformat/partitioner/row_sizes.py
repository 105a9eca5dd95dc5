"""How many bytes a row takes in memory, for a threshold in bytes (``hats_max_bytes``)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from hatsformat.arrays import as_integers
from hatsformat.healpix import IntArray

INDEX_BYTES = 8
"""Size of the index column, which every leaf has in addition to the input's columns."""


def row_sizes(table: pa.Table) -> IntArray:
    """Return the bytes of each row in memory as Arrow, including the index column.

    Text, bytes and lists count with their length plus 4 bytes for the offset. Missing values count like
    others, because they take the same memory. A value of a dictionary counts as its index.

    Parameters
    ----------
    table : pyarrow.Table, n rows

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    sizes = np.full(table.num_rows, INDEX_BYTES, dtype=np.int64)
    for column in table.columns:
        if table.num_rows:
            sizes += np.concatenate([_sizes(chunk) for chunk in column.chunks])
    return sizes


def _sizes(array: pa.Array) -> IntArray:
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _sizes(array.storage)
    if pt.is_dictionary(kind):
        return _sizes(array.indices)
    if pt.is_struct(kind):
        sizes = np.zeros(len(array), dtype=np.int64)
        for child in array.flatten():
            sizes += _sizes(child)
        return sizes
    if pt.is_fixed_size_list(kind):
        width = kind.list_size
        values = array.values.slice(array.offset * width, len(array) * width)  # including missing lists
        inner: IntArray = _sizes(values).reshape(len(array), width).sum(axis=1)
        return inner
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_map(kind):
        ends = np.concatenate(([0], np.cumsum(_sizes(array.values))))
        offsets = as_integers(pa.chunked_array([array.offsets]))
        return ends[offsets[1:]] - ends[offsets[:-1]] + 4
    if pt.is_null(kind):
        return np.zeros(len(array), dtype=np.int64)
    try:
        return np.full(len(array), -(-kind.bit_width // 8), dtype=np.int64)
    except ValueError:  # text and bytes have no fixed width
        return as_integers(pa.chunked_array([pc.binary_length(array).cast(pa.int64())]), missing=0) + 4
