"""Conditions on rows: Arrow expressions, or strings such as ``mag < 15 and band == "g"``."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.errors import ColumnError, HatsError, UsageError

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": pc.abs,
    "is_nan": pc.is_nan,
    "is_null": pc.is_null,
    "is_valid": pc.is_valid,
}
_HINT = (
    'write it like: mag < 15 and band in ("g", "r") and parallax is not None; put other names in `backticks`'
)


def as_condition(where: Any, schema: pa.Schema) -> Any:
    """Return a condition as an Arrow expression.

    Parameters
    ----------
    where : pyarrow.compute.Expression or str
        A string may contain names of columns, numbers, strings,
        ``< <= > >= == != + - * /``, ``and or not in``, ``is None``, and the functions ``abs is_nan is_null
        is_valid``.
    schema : pyarrow.Schema
        The columns of the catalog.

    Raises
    ------
    ColumnError
        If it contains an unknown column.
    UsageError
        If it is not a valid condition.
    """
    if isinstance(where, str):
        return _Reader(schema).read(where)
    if not isinstance(where, pc.Expression):
        raise UsageError(
            "where must be a condition", found=where, expected="a string or a pyarrow.compute.Expression"
        )
    return where


def columns_of(condition: Any, schema: pa.Schema) -> tuple[str, ...]:
    """Return the columns that an Arrow expression needs, in the order of the schema.

    Raises
    ------
    ColumnError
        If it needs an unknown column.
    UsageError
        If the result is not true or false.
    """
    # Arrow does not say which columns an expression needs, so try it on tables without rows.
    text = str(condition)
    if "FieldPath(" in text:
        # Only some columns are read, so the number would refer to a different column.
        raise UsageError("the condition refers to a column by number", found=text, hint="refer to it by name")
    needed = [name for name in schema.names if name in text]
    if _problem(condition, schema, needed) is not None:
        needed = schema.names
        problem = _problem(condition, schema, needed)
        if problem is not None:
            raise problem
    for name in list(needed):
        others = [other for other in needed if other != name]
        if others and _problem(condition, schema, others) is None:
            needed = others
    # A condition without columns still has to be evaluated for every row, which needs at least one column.
    return tuple(needed or schema.names[:1])


def _problem(condition: Any, schema: pa.Schema, names: Sequence[str]) -> HatsError | None:
    try:
        pa.Table.from_batches([], schema=schema).select(list(names)).filter(condition)
    except (pa.ArrowException, TypeError) as error:
        first = str(error).strip().partition("\n")[0]
        missing = re.match(r"No match for FieldRef\.Name\((.*?)\) in ", first)
        if missing:
            return unknown_column(missing[1], schema.names)
        return UsageError("the condition cannot be evaluated", found=str(condition), expected=first)
    return None


def unknown_column(name: object, names: Sequence[str]) -> ColumnError:
    """Return the error for an unknown column, with similar names."""
    close = get_close_matches(str(name), names, n=3, cutoff=0.6) or [
        other for other in names if other.casefold() == str(name).casefold()
    ]
    known = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    hint = f"did you mean {' or '.join(close)}?" if close else None
    return ColumnError(f"there is no column {name!r}", expected=f"one of: {known}", hint=hint)


class _Reader:
    """Parse a string into an expression; only the syntax above is accepted, and nothing is executed."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.quoted: dict[str, str] = {}

    def read(self, text: str) -> Any:
        try:
            tree = ast.parse(re.sub(r"`([^`]+)`", self._stand_in, text.strip()), mode="eval")
            condition = self._of(tree.body)
        except HatsError:  # some are ValueErrors, too
            raise
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UsageError("invalid condition", found=text, hint=_HINT) from error
        except TypeError as error:  # "mag & 3 < 5": operators that the values do not support
            raise UsageError("invalid condition", found=text, expected=str(error)) from error
        if not isinstance(condition, pc.Expression):
            raise UsageError("the condition does not contain a column", found=text, hint=_HINT)
        return condition

    def _stand_in(self, quoted: re.Match[str]) -> str:
        name = f"_quoted_{len(self.quoted)}_"
        self.quoted[name] = quoted[1]
        return name

    def _of(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.Name(id=name):
                return pc.field(self._column(name))
            case ast.Attribute():
                return pc.field(*self._path(node))
            case ast.Tuple() | ast.List():
                return [self._of(item) for item in node.elts]
            case ast.BoolOp(op=op, values=values):
                return self._joined(operator.and_ if isinstance(op, ast.And) else operator.or_, values)
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return ~self._expression(operand)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return pc.negate(self._expression(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                # Arrow's expressions have no reflected operators: the left one must be an expression.
                return _ARITHMETIC[type(op)](self._expression(left), self._of(right))
            case ast.Compare():
                return self._comparison(node)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](self._expression(argument))
        raise SyntaxError(f"{type(node).__name__} is not supported")

    def _column(self, name: str) -> str:
        name = self.quoted.get(name, name)
        if name not in self.schema.names:
            raise unknown_column(name, self.schema.names)
        return name

    def _path(self, node: ast.expr) -> list[str]:
        if isinstance(node, ast.Attribute):
            return [*self._path(node.value), node.attr]
        if isinstance(node, ast.Name):
            return [self._column(node.id)]
        raise SyntaxError("only columns have fields")

    def _expression(self, node: ast.expr) -> Any:
        value = self._of(node)
        return value if isinstance(value, pc.Expression) else pc.scalar(value)

    def _joined(self, join: Callable[[Any, Any], Any], nodes: list[ast.expr]) -> Any:
        joined = self._expression(nodes[0])
        for node in nodes[1:]:
            joined = join(joined, self._expression(node))
        return joined

    def _comparison(self, node: ast.Compare) -> Any:
        joined = None
        for left, op, right in zip(
            [node.left, *node.comparators[:-1]], node.ops, node.comparators, strict=True
        ):
            one = self._compare(left, op, right)
            joined = one if joined is None else joined & one
        return joined

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        value, other = self._expression(left), self._of(right)
        if isinstance(op, ast.Is | ast.IsNot) or other is None:
            if other is not None or not isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
                raise SyntaxError("`is` works only with None, and None only with `is` or `==`")
            return value.is_null() if isinstance(op, ast.Is | ast.Eq) else value.is_valid()
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(other, list):
                raise SyntaxError("`in` needs a list")
            return value.isin(other) if isinstance(op, ast.In) else ~value.isin(other)
        return _COMPARISONS[type(op)](value, other)
