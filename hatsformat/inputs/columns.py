"""Convert NumPy and Astropy columns to Arrow: any byte order, masks, vectors, lists, complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.errors import InputError

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_METADATA_KEYS = ("ucd", "utype", "xtype")
"""Attributes of a VOTable field, besides unit and description, to keep in the Arrow field's metadata."""


def from_astropy(table: Any) -> pa.Table:
    """Convert an Astropy table to Arrow, with units, descriptions and UCDs in the fields' metadata."""
    columns, fields = [], []
    for name in table.colnames:
        column = table[name]
        attributes = {"unit": getattr(column, "unit", None), "description": column.info.description}
        attributes |= {key: (column.info.meta or {}).get(key) for key in _METADATA_KEYS}
        columns.append(_from_column(column))
        fields.append(make_field(name, columns[-1].type, attributes))
    return pa.table(columns, schema=pa.schema(fields))


def _from_column(column: Any) -> pa.Array:
    if hasattr(column, "precision"):  # a time: convert it to text with all its digits
        column = column.replicate()
        column.precision = 9
    values = np.ma.asarray(getattr(column, "value", column))
    try:
        return to_array(np.asarray(values.data), np.ma.getmaskarray(values))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            f"column {column.info.name!r} has an unsupported type",
            found=type(column).__name__,
            expected="numbers, text, times or arrays of them",
            hint="split it into plain columns",
        ) from error


def make_field(name: str, kind: pa.DataType, attributes: dict[str, Any]) -> pa.Field:
    """Return a field with the known attributes of a column in its metadata."""
    metadata = {key: str(value) for key, value in attributes.items() if value not in (None, "")}
    return pa.field(name, kind, metadata=metadata or None)


def to_array(data: Array, mask: Mask) -> pa.Array:
    """Convert a column to Arrow; `mask` is True where a value is missing, vectors become fixed-size lists."""
    if data.ndim > 1:
        width = int(np.prod(data.shape[1:]))
        return pa.FixedSizeListArray.from_arrays(to_array(data.reshape(-1), mask.reshape(-1)), width)
    if data.dtype.kind == "O":
        return _from_objects(data, mask)
    if data.dtype.kind == "S":
        data = _decode(data)
    if data.dtype.kind == "c":
        parts = [to_array(part, mask) for part in (data.real, data.imag)]
        return pa.StructArray.from_arrays(parts, names=["real", "imag"], mask=pa.array(mask))
    return pa.array(data.astype(data.dtype.newbyteorder("="), copy=False), mask=mask if mask.any() else None)


def _decode(data: Array) -> Array:
    try:
        return np.char.decode(data, "utf-8")
    except UnicodeDecodeError:
        return np.char.decode(data, "latin-1")  # keeps every byte


def _from_objects(data: Array, mask: Mask) -> pa.Array:
    """Convert a column of Python objects, which may be lists of any length."""
    rows = [np.ma.asarray(item) for item in data[~mask]]
    kinds = {row.dtype for row in rows if row.size} or {row.dtype for row in rows}  # empty lists fit any type
    if len(kinds) != 1 or kinds.pop().kind not in "biufSU" or any(row.ndim != 1 for row in rows):
        plain = [None if masked else _plain(item) for item, masked in zip(data, mask, strict=True)]
        return pa.array(plain)
    filled = [row for row in rows if row.size] or rows
    values = to_array(
        np.concatenate([row.data for row in filled]),
        np.concatenate([np.ma.getmaskarray(row) for row in filled]),
    )
    lengths = np.zeros(len(data), dtype=np.int64)
    lengths[~mask] = [row.size for row in rows]
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(mask) if mask.any() else None)


def _plain(item: Any) -> Any:
    return item.tolist() if isinstance(item, np.ndarray) else item
