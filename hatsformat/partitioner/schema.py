"""One schema for all inputs, planned before anything is written.

Types are widened where every value survives: int32 with int64, null with anything, string with
large_string, a dictionary with what it encodes. Types that were guessed from text yield: where guesses do not
agree, the column is text in all files, as it was written. Everything else is an error that names the column
and both files.
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
from hatsformat.partitioner.common_types import can_fit, common_type, is_text
from hatsformat.partitioner.units import same_unit

EXACT = 2**53
"""Integers up to here are floats, too."""


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
        Columns of guessed integers beyond 2**53, which no float holds.
    """

    name: str
    schema: pa.Schema
    inferred: bool = False
    long: frozenset[str] = frozenset()

    def is_exact(self, column: str) -> bool:
        """Return whether the integers of a column may just as well be floats."""
        return self.inferred and column not in self.long


def plan_schema(inputs: Iterable[InputSchema]) -> pa.Schema:
    """Return the one schema that all inputs fit into, with the first input's order of columns.

    Raises
    ------
    SchemaError
        If a column is missing from an input, or two inputs have types that no common type can hold, or
        different units.
    """
    # Most inputs look alike: each schema that differs is compared once, not each file. Serialized, because
    # schemas that differ in their units alone are equal to Arrow.
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
    """Return which columns of which inputs are to be read again, as what, for one schema to hold them all.

    Only types that were guessed from text change. Text is read as it was written, so that no value is lost to
    what another file made of the column.
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
    """Return what to read a column as where it was guessed, or None where the guesses can stay."""
    found = [(item, kind.value_type if pt.is_dictionary(kind) else kind) for item, kind in found]
    kinds = {kind for _, kind in found if not pt.is_null(kind)}
    told = {kind for item, kind in found if not item.inferred}
    if len(kinds) < 2:
        return None
    if any(is_text(kind) for kind in kinds):
        return pa.string() if all(is_text(kind) or pt.is_null(kind) for kind in told) else None
    if all(pt.is_integer(kind) for kind in kinds):
        return pa.uint64() if pa.uint64() in kinds else None
    if all(pt.is_integer(kind) or pt.is_floating(kind) for kind in kinds):
        whole = [item for item, kind in found if pt.is_integer(kind)]
        return None if told or all(item.is_exact(name) for item in whole) else pa.string()
    return None if told or all(pt.is_timestamp(kind) for kind in kinds) else pa.string()


def long_integers(table: pa.Table) -> frozenset[str]:
    """Return the columns of integers that no float holds."""
    names = (column.name for column in table.schema if pt.is_int64(column.type) or pt.is_uint64(column.type))
    ends = ((name, pc.min_max(table[name]).as_py()) for name in names)
    return frozenset(
        name for name, end in ends if end["max"] is not None and max(end["max"], -end["min"]) > EXACT
    )


class _Planned:
    """A column of the schema in the making."""

    def __init__(self, item: InputSchema, column: pa.Field) -> None:
        # Views are only a way to hold text and bytes in memory; files know none.
        self.field = column.with_type(type_without_views(column.type))
        self._decided = self._measured = item  # by which input it has its type, and its unit
        self._exact = item.is_exact(column.name)

    def widen(self, item: InputSchema, column: pa.Field) -> None:
        """Make room for the column as another input has it."""
        known, name = self.field, self.field.name
        exact = item.is_exact(name)
        kind = common_type(known.type, column.type, exact if pt.is_integer(column.type) else self._exact)
        if kind is None:
            raise SchemaError(
                f"the column {name!r} does not fit the same column of {self._decided.name}",
                path=item.name,
                found=str(column.type),
                expected=str(known.type),
                hint="convert one of the files, so that both have one type",
            )
        if pt.is_integer(column.type):
            self._exact = exact and (self._exact or not pt.is_integer(known.type))
        if kind != known.type:
            self._decided = item
        ours, theirs = known.metadata or {}, column.metadata or {}
        self._check_units(item, ours.get(b"unit", b""), theirs.get(b"unit", b""))
        if not ours.get(b"unit"):
            self._measured = item
        self.field = pa.field(name, kind, known.nullable or column.nullable, {**theirs, **ours} or None)

    def _check_units(self, item: InputSchema, ours: bytes, theirs: bytes) -> None:
        if ours and theirs and not same_unit(ours.decode(), theirs.decode()):
            raise SchemaError(
                f"the column {self.field.name!r} has another unit in {self._measured.name}",
                path=item.name,
                found=theirs.decode(),
                expected=ours.decode(),
                hint="convert one of the files, so that both have one unit",
            )


def check_storable(schema: pa.Schema, path: object) -> None:
    """Refuse columns of types that Parquet does not know, before any row is read for nothing.

    Raises
    ------
    SchemaError
    """
    try:
        _write_nothing(schema)
    except pa.ArrowException:
        for column in schema:
            try:
                _write_nothing(pa.schema([column]))
            except pa.ArrowException as error:
                raise SchemaError(
                    f"the column {column.name!r} has a type that Parquet does not know",
                    path=path,
                    found=str(column.type),
                    hint="cast it, or leave it out",
                ) from error
        raise


def _write_nothing(schema: pa.Schema) -> None:
    if any(_has_list_views(kind) for kind in schema.types):  # of which the writer says so only for rows
        raise pa.ArrowNotImplementedError
    pq.ParquetWriter(pa.BufferOutputStream(), schema).close()


def _has_list_views(kind: pa.DataType) -> bool:
    if pt.is_list_view(kind) or pt.is_large_list_view(kind):
        return True
    return any(_has_list_views(kind.field(index).type) for index in range(kind.num_fields))


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


def check_same_columns(first: InputSchema, item: InputSchema) -> None:
    """Refuse an input that lacks a column of the first, or has one more.

    Raises
    ------
    SchemaError
    """
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


def check_fits(schema: pa.Schema, name: object, inputs: Iterable[InputSchema]) -> None:
    """Refuse inputs that do not fit the schema of the existing catalog `name`.

    Types that may hold values it cannot, such as longer integers, pass; `fit` looks at the values.

    Raises
    ------
    SchemaError
        If an input lacks a column or has one more, or the type of one cannot become that of the schema.
    """
    existing = InputSchema(str(name), schema)
    for item in inputs:
        check_same_columns(existing, item)
        for column in schema:
            other = item.schema.field(column.name)
            ours, theirs = ((each.metadata or {}).get(b"unit", b"").decode() for each in (column, other))
            if ours and theirs and not same_unit(ours, theirs):
                raise _differs(
                    f"the unit of column {column.name!r} differs from that in {name}", item, theirs, ours
                )
            if not can_fit(other.type, column.type):
                what = f"the column {column.name!r} does not fit that of {name}"
                raise _differs(what, item, other.type, column.type)


def _differs(what: str, item: InputSchema, found: object, expected: object) -> SchemaError:
    return SchemaError(
        what, path=item.name, found=str(found), expected=str(expected), hint="convert the column first"
    )
