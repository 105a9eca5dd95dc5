"""Schemas without differences that only exist in Arrow."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

import pyarrow as pa

Fingerprint: TypeAlias = tuple[tuple[str, str], ...]


def fingerprint(schema: pa.Schema) -> Fingerprint:
    """Return what two schemas share if they are the same but for nulls and Arrow's encodings."""
    return tuple((column.name, str(plain(column.type))) for column in schema)


def plain(kind: pa.DataType) -> pa.DataType:
    """Return a type without variants that only exist in Arrow, such as large or dictionary-encoded types."""
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if pa.types.is_large_string(kind) or str(kind) == "string_view":
        return pa.string()
    if pa.types.is_large_binary(kind) or str(kind) == "binary_view":
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(child.name, plain(child.type)) for child in kind])
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ms" if kind.unit == "s" else kind.unit, kind.tz)  # Parquet has no seconds
    return kind


def single_fields(schema: pa.Schema) -> dict[str, pa.Field]:
    """Return the columns by name, without duplicate names."""
    often = Counter(schema.names)
    return {field.name: field for field in schema if often[field.name] == 1}
