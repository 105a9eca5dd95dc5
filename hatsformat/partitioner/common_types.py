"""Which Arrow type holds the values of two, and which values fit into another type."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.types as pt

from hatsformat.arrays import type_without_views


def can_fit(kind: pa.DataType, into: pa.DataType) -> bool:
    """Return whether values of a type can fit into another; the values themselves are not checked."""
    if pt.is_dictionary(into):
        return can_fit(kind, into.value_type)
    if pt.is_dictionary(kind):
        return can_fit(kind.value_type, into)
    if pt.is_integer(kind):
        return bool(pt.is_integer(into) or pt.is_floating(into))
    if (pt.is_list(kind) or pt.is_large_list(kind)) and (pt.is_list(into) or pt.is_large_list(into)):
        return can_fit(kind.value_type, into.value_type)
    if pt.is_struct(kind) and pt.is_struct(into) and [f.name for f in kind] == [f.name for f in into]:
        return all(can_fit(one.type, other.type) for one, other in zip(kind, into, strict=True))
    alike = any(test(kind) and test(into) for test in (is_text, is_bytes, pt.is_timestamp))
    return alike or common_type(kind, into, False) == into


def common_type(one: pa.DataType, two: pa.DataType, exact: bool) -> pa.DataType | None:
    """Return the type that holds all values of both, or None; `exact` integers may become floats."""
    if one == two or pt.is_null(two):
        return one
    if pt.is_null(one):
        return type_without_views(two)
    if pt.is_dictionary(one) or pt.is_dictionary(two):
        plain = [kind.value_type if pt.is_dictionary(kind) else kind for kind in (one, two)]
        return common_type(plain[0], plain[1], exact)
    if pt.is_integer(one) and pt.is_integer(two):
        return _common_integer(one, two)
    if pt.is_floating(one) and pt.is_floating(two):
        return max(one, two, key=lambda kind: kind.bit_width)
    if all(pt.is_integer(kind) or pt.is_floating(kind) for kind in (one, two)):
        whole, real = (one, two) if pt.is_integer(one) else (two, one)
        if whole.bit_width < (53 if pt.is_float64(real) else 24 if pt.is_float32(real) else 0):
            return real
        return pa.float64() if exact else None
    if is_text(one) and is_text(two):
        views = pt.is_string_view(one) or pt.is_string_view(two)
        large = pt.is_large_string(one) or pt.is_large_string(two)
        return pa.string() if views and not large else pa.large_string()
    if is_bytes(one) and is_bytes(two):
        views = pt.is_binary_view(one) or pt.is_binary_view(two)
        large = pt.is_large_binary(one) or pt.is_large_binary(two)
        return pa.binary() if views and not large else pa.large_binary()
    if pt.is_timestamp(one) and pt.is_timestamp(two) and one.tz == two.tz:
        return max(one, two, key=lambda kind: ("s", "ms", "us", "ns").index(kind.unit))
    if pt.is_decimal(one) and pt.is_decimal(two) and one.scale == two.scale:
        return max(one, two, key=lambda kind: (kind.bit_width, kind.precision))
    return _common_nested(one, two)


def _common_integer(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    if pt.is_signed_integer(one) == pt.is_signed_integer(two):
        return max(one, two, key=lambda kind: kind.bit_width)
    signed, unsigned = (one, two) if pt.is_signed_integer(one) else (two, one)
    if signed.bit_width > unsigned.bit_width:
        return signed
    return {8: pa.int16(), 16: pa.int32(), 32: pa.int64()}.get(unsigned.bit_width)


def _common_nested(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    if (pt.is_list(one) or pt.is_large_list(one)) and (pt.is_list(two) or pt.is_large_list(two)):
        inner = common_type(one.value_type, two.value_type, False)
        large = pt.is_large_list(one) or pt.is_large_list(two)
        return None if inner is None else (pa.large_list(inner) if large else pa.list_(inner))
    if pt.is_fixed_size_list(one) and pt.is_fixed_size_list(two) and one.list_size == two.list_size:
        inner = common_type(one.value_type, two.value_type, False)
        return None if inner is None else pa.list_(inner, one.list_size)
    if pt.is_struct(one) and pt.is_struct(two) and [f.name for f in one] == [f.name for f in two]:
        kinds = [common_type(a.type, b.type, False) for a, b in zip(one, two, strict=True)]
        if all(kind is not None for kind in kinds):
            return pa.struct([column.with_type(kind) for column, kind in zip(one, kinds, strict=True)])
    return None


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is text, or a dictionary of text."""
    kind = kind.value_type if pt.is_dictionary(kind) else kind
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether a type is bytes."""
    return bool(pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind))


def nested_types(schema: pa.Schema | pa.DataType) -> Iterator[pa.DataType]:
    """Yield the types of all columns, and of the fields nested in them."""
    kinds = (
        schema.types
        if isinstance(schema, pa.Schema)
        else [schema.field(i).type for i in range(schema.num_fields)]
    )
    for kind in kinds:
        yield kind
        yield from nested_types(kind)
