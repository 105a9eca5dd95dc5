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

from hatsformat.arrays import settled_type
from hatsformat.errors import SchemaError
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


def to_read_again(inputs: Sequence[InputSchema]) -> dict[int, dict[str, pa.DataType]]:
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
    if any(_is_text(kind) for kind in kinds):
        return pa.string() if all(_is_text(kind) or pt.is_null(kind) for kind in told) else None
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
        self.field = column.with_type(settled_type(column.type))
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


def common_type(one: pa.DataType, two: pa.DataType, exact: bool) -> pa.DataType | None:
    """Return the type that holds all values of both, or None; `exact` integers are floats, too."""
    if one == two or pt.is_null(two):
        return one
    if pt.is_null(one):
        return settled_type(two)
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
    if _is_text(one) and _is_text(two):
        views = pt.is_string_view(one) or pt.is_string_view(two)
        large = pt.is_large_string(one) or pt.is_large_string(two)
        return pa.string() if views and not large else pa.large_string()
    if _is_bytes(one) and _is_bytes(two):
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


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind))
