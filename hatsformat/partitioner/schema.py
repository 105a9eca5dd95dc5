"""One schema for all inputs, planned before anything is written.

Types are widened where every value survives: int32 with int64, null with anything, string with
large_string, a dictionary with what it encodes. Everything else is an error that names the column and both
files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt

from hatsformat.errors import SchemaError


@dataclass(frozen=True, slots=True)
class InputSchema:
    """The schema of one input.

    Attributes
    ----------
    name : str
        The input's name, for messages.
    schema : pyarrow.Schema
    inferred : bool
        Whether the types were guessed from text, where ``5`` and ``5.5`` are both numbers.
    """

    name: str
    schema: pa.Schema
    inferred: bool = False


def plan_schema(inputs: Iterable[InputSchema]) -> pa.Schema:
    """Return the one schema that all inputs fit into, with the first input's order of columns.

    Raises
    ------
    SchemaError
        If a column is missing from an input, or two inputs have types that no common type can hold.
    """
    # Most inputs look alike: each schema that differs is compared once, not each file. Serialized, because
    # schemas that differ in their units alone are equal to Arrow.
    distinct: dict[tuple[bytes, bool], InputSchema] = {}
    for item in inputs:
        alike = item.schema.remove_metadata().serialize().to_pybytes()
        distinct.setdefault((alike, item.inferred), item)
    items = iter(distinct.values())
    first = next(items)
    fields = {column.name: _settled(column) for column in first.schema}
    decided = dict.fromkeys(fields, first)
    for item in items:
        _check_same_columns(first, item)
        for column in item.schema:
            known = fields[column.name]
            kind = _common(known.type, column.type, first.inferred and item.inferred)
            if kind is None:
                other = decided[column.name]
                raise SchemaError(
                    f"the column {column.name!r} does not fit the same column of {other.name}",
                    path=item.name,
                    found=str(column.type),
                    expected=str(known.type),
                    hint="convert one of the files, so that both have one type",
                )
            if kind != known.type:
                decided[column.name] = item
            nullable = known.nullable or column.nullable
            fields[column.name] = pa.field(column.name, kind, nullable, known.metadata or column.metadata)
    return pa.schema(list(fields.values()))


def fit(table: pa.Table, schema: pa.Schema, name: object) -> pa.Table:
    """Return a table in the planned schema.

    Raises
    ------
    SchemaError
        If a value does not survive, such as an integer above 2**53 among floats.
    """
    if table.schema.equals(schema):
        return table
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise SchemaError(f"values do not fit the common schema: {error}", path=name) from error


def _check_same_columns(first: InputSchema, item: InputSchema) -> None:
    ours, theirs = set(first.schema.names), set(item.schema.names)
    if ours == theirs:
        return
    missing, more = sorted(ours - theirs), sorted(theirs - ours)
    what = (
        f"the column {missing[0]!r} of {first.name} is missing"
        if missing
        else (f"the column {more[0]!r} is not in {first.name}")
    )
    raise SchemaError(
        what,
        path=item.name,
        found=", ".join(item.schema.names[:20]),
        hint="import only files with the same columns",
    )


def _settled(column: pa.Field) -> pa.Field:
    """Return a column as files know it: views are only a way to hold text and bytes in memory."""
    if pt.is_string_view(column.type):
        return column.with_type(pa.string())
    return column.with_type(pa.binary()) if pt.is_binary_view(column.type) else column


def _common(one: pa.DataType, two: pa.DataType, inferred: bool) -> pa.DataType | None:
    """Return the type that holds all values of both, or None."""
    if one == two or pt.is_null(two):
        return one
    if pt.is_null(one):
        return two
    if pt.is_dictionary(one) or pt.is_dictionary(two):
        plain = [kind.value_type if pt.is_dictionary(kind) else kind for kind in (one, two)]
        return _common(plain[0], plain[1], inferred)
    if pt.is_integer(one) and pt.is_integer(two):
        return _common_integer(one, two)
    if pt.is_floating(one) and pt.is_floating(two):
        return max(one, two, key=lambda kind: kind.bit_width)
    numbers = all(pt.is_integer(kind) or pt.is_floating(kind) for kind in (one, two))
    if numbers:
        whole, real = (one, two) if pt.is_integer(one) else (two, one)
        exact = whole.bit_width < (53 if pt.is_float64(real) else 24 if pt.is_float32(real) else 0)
        return real if exact or (inferred and pt.is_float64(real)) else None
    if _is_text(one) and _is_text(two):
        return pa.large_string()
    if inferred and (pt.is_integer(one) or pt.is_integer(two)) and (_is_text(one) or _is_text(two)):
        # Codes that all looked like numbers in one file; those that would not survive are text there, too.
        return pa.string()
    if _is_bytes(one) and _is_bytes(two):
        return pa.large_binary()
    if pt.is_timestamp(one) and pt.is_timestamp(two) and one.tz == two.tz:
        return max(one, two, key=lambda kind: ("s", "ms", "us", "ns").index(kind.unit))
    return _common_nested(one, two, inferred)


def _common_integer(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    if pt.is_signed_integer(one) == pt.is_signed_integer(two):
        return max(one, two, key=lambda kind: kind.bit_width)
    signed, unsigned = (one, two) if pt.is_signed_integer(one) else (two, one)
    if signed.bit_width > unsigned.bit_width:
        return signed
    return {8: pa.int16(), 16: pa.int32(), 32: pa.int64()}.get(unsigned.bit_width)


def _common_nested(one: pa.DataType, two: pa.DataType, inferred: bool) -> pa.DataType | None:
    if (pt.is_list(one) or pt.is_large_list(one)) and (pt.is_list(two) or pt.is_large_list(two)):
        inner = _common(one.value_type, two.value_type, inferred)
        large = pt.is_large_list(one) or pt.is_large_list(two)
        return None if inner is None else (pa.large_list(inner) if large else pa.list_(inner))
    if pt.is_struct(one) and pt.is_struct(two) and [f.name for f in one] == [f.name for f in two]:
        kinds = [_common(a.type, b.type, inferred) for a, b in zip(one, two, strict=True)]
        if all(kind is not None for kind in kinds):
            return pa.struct([column.with_type(kind) for column, kind in zip(one, kinds, strict=True)])
    return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind))
