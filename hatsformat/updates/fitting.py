"""Whether rows fit into a catalog that stands, as far as their types and units tell."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.types as pt

from hatsformat.errors import SchemaError
from hatsformat.partitioner.schema import InputSchema, check_same_columns, common_type
from hatsformat.partitioner.units import same_unit


def check_fits(schema: pa.Schema, name: object, inputs: Iterable[InputSchema]) -> None:
    """Refuse inputs that do not fit into a schema that stands: that of the catalog `name`.

    Types that may hold values it cannot, such as longer integers, pass; `fit` looks at the values.

    Raises
    ------
    SchemaError
        If an input lacks a column or has one more, or the type of one cannot become that of the schema.
    """
    standing = InputSchema(str(name), schema)
    for item in inputs:
        check_same_columns(standing, item)
        for column in schema:
            other = item.schema.field(column.name)
            ours, theirs = ((each.metadata or {}).get(b"unit", b"").decode() for each in (column, other))
            if ours and theirs and not same_unit(ours, theirs):
                raise _differs(f"the column {column.name!r} has another unit in {name}", item, theirs, ours)
            if not _fits(other.type, column.type):
                what = f"the column {column.name!r} does not fit that of {name}"
                raise _differs(what, item, other.type, column.type)


def _differs(what: str, item: InputSchema, found: object, expected: object) -> SchemaError:
    return SchemaError(
        what, path=item.name, found=str(found), expected=str(expected), hint="convert the column first"
    )


def _fits(kind: pa.DataType, into: pa.DataType) -> bool:
    """Return whether values of a type can be those of another, as far as types tell."""
    if pt.is_dictionary(into):
        return _fits(kind, into.value_type)
    if pt.is_dictionary(kind):
        return _fits(kind.value_type, into)
    if pt.is_integer(kind):
        return bool(pt.is_integer(into) or pt.is_floating(into))
    if (pt.is_list(kind) or pt.is_large_list(kind)) and (pt.is_list(into) or pt.is_large_list(into)):
        return _fits(kind.value_type, into.value_type)
    if pt.is_struct(kind) and pt.is_struct(into) and [f.name for f in kind] == [f.name for f in into]:
        return all(_fits(one.type, other.type) for one, other in zip(kind, into, strict=True))
    alike = any(test(kind) and test(into) for test in (_is_text, _is_bytes, pt.is_timestamp))
    return alike or common_type(kind, into, False) == into


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind))
