"""Compare schemas: columns, types, nullability and order."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from hatsformat.validation.evidence.schemas import plain, single_fields
from hatsformat.validation.findings import Departure

MOST_FILES = "most of the catalog's files"
_REPETITIONS = {True: "optional", False: "required"}
"""Parquet's names for nullable and non-nullable columns."""


def compare_columns(
    path: str, schema: pa.Schema, expected: pa.Schema, whose: str = MOST_FILES
) -> Iterator[Departure]:
    """Yield the columns that are missing from one of two schemas; `whose` names the expected one."""
    ours, theirs = ({field.name: field.type for field in each} for each in (schema, expected))
    for name in (name for name in theirs if name not in ours):
        yield Departure.of("missing column", path, name, actual="no such column", expected=f"as in {whose}")
    for name in (name for name in ours if name not in theirs):
        message = "unexpected column"
        yield Departure.of(message, path, name, actual=ours[name], expected=f"no such column, as in {whose}")


def compare_types(
    path: str, schema: pa.Schema, expected: pa.Schema, whose: str = MOST_FILES
) -> Iterator[Departure]:
    """Yield the columns with different types."""
    own = single_fields(schema)
    for name, field in single_fields(expected).items():
        if name in own:
            ours, theirs = own[name].type, field.type
            if not plain(ours).equals(plain(theirs)):
                yield Departure.of(
                    "different column type", path, name, actual=ours, expected=f"{theirs}, as in {whose}"
                )


def compare_nulls(path: str, schema: pa.Schema, expected: pa.Schema) -> Iterator[Departure]:
    """Yield the columns that are nullable in only one of two schemas."""
    own = single_fields(schema)
    for name, field in single_fields(expected).items():
        if name in own:
            ours, theirs = own[name].nullable, field.nullable
            if ours != theirs:
                yield Departure.of(
                    "a column is optional in some files and required in others",
                    path,
                    name,
                    actual=_REPETITIONS[ours],
                    expected=f"{_REPETITIONS[theirs]}, as in {MOST_FILES}",
                )


def compare_order(path: str, schema: pa.Schema, expected: pa.Schema) -> Iterator[Departure]:
    """Yield a departure if the shared columns of two schemas have different orders."""
    shared = set(schema.names) & set(expected.names)
    ours = [name for name in schema.names if name in shared]
    theirs = [name for name in expected.names if name in shared]
    if ours != theirs:
        yield Departure.of(
            "different column order",
            path,
            actual=", ".join(ours),
            expected=f"{', '.join(theirs)}, as in {MOST_FILES}",
        )


def is_nested(kind: pa.DataType) -> bool:
    """Return whether a type is a struct of lists or a list of structs."""
    if is_list(kind):
        return bool(pa.types.is_struct(kind.value_type))
    return bool(pa.types.is_struct(kind)) and any(is_list(field.type) for field in kind)


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is a list of any kind."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
