"""One schema for all inputs, planned before anything is written.

Types are widened if no value changes: int32 to int64, null to anything, string to large_string, a dictionary
to its values. Types guessed from text give way: if guesses differ, the column is text in all files.
Everything else is an error that names the column and both files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from hatsformat.arrays import type_without_views
from hatsformat.errors import SchemaError
from hatsformat.partitioner.common_types import can_fit, common_type, is_text, nested_types
from hatsformat.partitioner.units import same_unit

EXACT = 2**53
"""All integers up to this one are exact as float64."""


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
    long : frozenset of str
        Columns of guessed integers beyond 2**53, which float64 cannot hold.
    """

    name: str
    schema: pa.Schema
    inferred: bool = False
    long: frozenset[str] = frozenset()

    def is_exact(self, column: str) -> bool:
        """Return whether the integers of a column may become floats."""
        return self.inferred and column not in self.long


def plan_schema(inputs: Iterable[InputSchema]) -> pa.Schema:
    """Return the schema that all inputs fit, with the columns in the order of the first.

    It raises `SchemaError` if an input lacks a column, or units or types of two inputs do not agree.
    """
    # Most inputs have the same schema, so each distinct one is compared once. They are serialized because
    # schemas that differ only in units are equal to Arrow.
    distinct: dict[tuple[bytes, bool, frozenset[str]], InputSchema] = {}
    for item in inputs:
        alike = item.schema.remove_metadata().serialize().to_pybytes()
        distinct.setdefault((alike, item.inferred, item.long), item)
    first, *others = distinct.values()
    columns = {column.name: _Planned(first, column) for column in first.schema}
    for item in others:
        check_same_columns(first, item)
        for column in item.schema:
            columns[column.name].widen(item, column)
    return pa.schema([column.field for column in columns.values()])


def types_to_read_again(inputs: Sequence[InputSchema]) -> dict[int, dict[str, pa.DataType]]:
    """Return the columns to read again with another type, by input, so that one schema fits all.

    Only types guessed from text change. They become text as written, so that no value changes because of
    another file.
    """
    again: dict[int, dict[str, pa.DataType]] = {}
    for name in dict.fromkeys(name for item in inputs if item.inferred for name in item.schema.names):
        having = [(index, item) for index, item in enumerate(inputs) if name in item.schema.names]
        kind = _agreed([(item, item.schema.field(name).type) for _, item in having], name)
        for index, item in having:
            known = item.schema.field(name).type
            if kind is not None and item.inferred and known != kind and not pt.is_null(known):
                again.setdefault(index, {})[name] = kind
    return again


def _agreed(found: Sequence[tuple[InputSchema, pa.DataType]], name: str) -> pa.DataType | None:
    """Return the type to read a guessed column with, or None if the guesses can stay."""
    found = [(item, kind.value_type if pt.is_dictionary(kind) else kind) for item, kind in found]
    kinds = {kind for _, kind in found if not pt.is_null(kind)}
    declared = {kind for item, kind in found if not item.inferred}
    if len(kinds) < 2:
        return None
    if any(is_text(kind) for kind in kinds):
        return pa.string() if all(is_text(kind) or pt.is_null(kind) for kind in declared) else None
    if all(pt.is_integer(kind) for kind in kinds):
        return pa.uint64() if pa.uint64() in kinds else None
    if all(pt.is_integer(kind) or pt.is_floating(kind) for kind in kinds):
        whole = [item for item, kind in found if pt.is_integer(kind)]
        return None if declared or all(item.is_exact(name) for item in whole) else pa.string()
    return None if declared or all(pt.is_timestamp(kind) for kind in kinds) else pa.string()


def long_integers(table: pa.Table) -> frozenset[str]:
    """Return the columns with integers that float64 cannot hold."""
    names = (column.name for column in table.schema if pt.is_int64(column.type) or pt.is_uint64(column.type))
    ends = ((name, pc.min_max(table[name]).as_py()) for name in names)
    return frozenset(
        name for name, end in ends if end["max"] is not None and max(end["max"], -end["min"]) > EXACT
    )


class _Planned:
    """A column of the planned schema."""

    def __init__(self, item: InputSchema, column: pa.Field) -> None:
        # Views exist only in memory, not in files.
        self.field = column.with_type(type_without_views(column.type))
        self._decided = self._measured = item  # the inputs that decided its type and its unit
        self._exact = item.is_exact(column.name)

    def widen(self, item: InputSchema, column: pa.Field) -> None:
        """Widen the column so that it holds the values of another input."""
        known, name = self.field, self.field.name
        exact = item.is_exact(name)
        kind = common_type(known.type, column.type, exact if pt.is_integer(column.type) else self._exact)
        if kind is None:
            raise SchemaError(
                f"column {name!r} does not match the same column in {self._decided.name}",
                path=item.name,
                found=str(column.type),
                expected=str(known.type),
                hint="convert one of the files to the other's type",
            )
        if pt.is_integer(column.type):
            self._exact = exact and (self._exact or not pt.is_integer(known.type))
        if kind != known.type:
            self._decided = item
        check_same_unit(known, column, self._measured.name, item.name)
        ours, theirs = known.metadata or {}, column.metadata or {}
        if not ours.get(b"unit"):
            self._measured = item
        self.field = pa.field(name, kind, known.nullable or column.nullable, {**theirs, **ours} or None)


def check_same_unit(known: pa.Field, column: pa.Field, known_name: str, name: str) -> None:
    """Raise `SchemaError` if a column declares another unit in the input `name` than in `known_name`."""
    ours, theirs = ((each.metadata or {}).get(b"unit", b"").decode() for each in (known, column))
    if ours and theirs and not same_unit(ours, theirs):
        raise SchemaError(
            f"the unit of column {known.name!r} differs from that in {known_name}",
            path=name,
            found=theirs,
            expected=ours,
            hint="convert one of the columns",
        )


def check_storable(schema: pa.Schema, path: object) -> None:
    """Raise `SchemaError` for types that Parquet does not support, before any row is read."""
    try:
        _write_nothing(schema)
    except pa.ArrowException:
        for column in schema:
            try:
                _write_nothing(pa.schema([column]))
            except pa.ArrowException as error:
                raise SchemaError(
                    f"Parquet does not support the type of column {column.name!r}",
                    path=path,
                    found=str(column.type),
                    hint="cast it, or leave it out",
                ) from error
        raise


def _write_nothing(schema: pa.Schema) -> None:
    # The writer refuses list views only once there are rows.
    if any(pt.is_list_view(kind) or pt.is_large_list_view(kind) for kind in nested_types(schema)):
        raise pa.ArrowNotImplementedError
    pq.ParquetWriter(pa.BufferOutputStream(), schema).close()


def fit(table: pa.Table, schema: pa.Schema, name: object) -> pa.Table:
    """Return a table in the planned schema; raise `SchemaError` if a value would change."""
    if table.schema.equals(schema):
        return table
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise SchemaError(f"values do not fit the schema: {error}", path=name) from error


def check_same_columns(first: InputSchema, item: InputSchema) -> None:
    """Raise `SchemaError` if the columns of an input differ from those of the first."""
    ours, theirs = set(first.schema.names), set(item.schema.names)
    if ours == theirs:
        return
    missing, more = sorted(ours - theirs), sorted(theirs - ours)
    what = (
        f"column {missing[0]!r} of {first.name} is missing"
        if missing
        else (f"column {more[0]!r} is not in {first.name}")
    )
    raise SchemaError(
        what,
        path=item.name,
        found=", ".join(item.schema.names[:20]),
        hint="all files must have the same columns",
    )


def check_fits(schema: pa.Schema, name: object, inputs: Iterable[InputSchema]) -> None:
    """Raise `SchemaError` for inputs that do not fit the schema of the existing catalog `name`.

    Types with values that may not fit, such as longer integers, pass; `fit` checks the values.
    """
    existing = InputSchema(str(name), schema)
    for item in inputs:
        check_same_columns(existing, item)
        for column in schema:
            other = item.schema.field(column.name)
            check_same_unit(column, other, str(name), item.name)
            if not can_fit(other.type, column.type):
                raise SchemaError(
                    f"the type of column {column.name!r} does not fit the catalog {name}",
                    path=item.name,
                    found=str(other.type),
                    expected=str(column.type),
                    hint="convert the column first",
                )
