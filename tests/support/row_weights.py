"""What a row weighs, counted value by value: the oracle for `hatsformat.partitioner.row_sizes`."""

from __future__ import annotations

import pyarrow as pa


def weight(value: object, kind: pa.DataType) -> int:
    """The bytes of one value, by the definition and one by one."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return 4 + sum(weight(item, kind.value_type) for item in value or [])
    if pa.types.is_map(kind):
        pairs = value or []
        return 4 + sum(weight(key, kind.key_type) + weight(item, kind.item_type) for key, item in pairs)
    if pa.types.is_fixed_size_list(kind):
        return sum(weight(item, kind.value_type) for item in value or [None] * kind.list_size)
    if pa.types.is_struct(kind):
        return sum(weight((value or {}).get(child.name), child.type) for child in kind)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        text = value.encode() if isinstance(value, str) else value or b""
        return 4 + len(text)
    if pa.types.is_null(kind):
        return 0
    return -(-kind.bit_width // 8)
