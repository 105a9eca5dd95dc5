"""The types of keyword values: their grammar, and how they are read and written.

Each type has one regular expression, used for reading and in the JSON Schemas, so it only uses syntax that
Python and ECMAScript share.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from hatsformat.properties.values import (
    BLANKS,
    DATE_PATTERN,
    Pairs,
    check_member,
    format_date,
    parse_date,
    split_list,
)

_BLANK = r"[ \t\n\r\f]"
_SEPARATOR = r"[ \t\n\r\f,;]"
_MEMBER = r"[^ \t\n\r\f,;]+"
_PAIR = f"{_MEMBER}{_SEPARATOR}+{_MEMBER}"
_ORDER = "0*(?:[0-9]|1[0-9]|2[0-9])"
_REAL = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type of value.

    Attributes
    ----------
    name : str
        Its name in the documentation.
    expected : str
        What a valid value looks like, for messages.
    python : str
        The annotation of the attribute.
    pattern : str or None
        The pattern of the text without blanks around it; None for any text.
    read : callable
        Turns stripped text that matches the pattern into a value; raises `ValueError` or `OverflowError` if
        it is out of range.
    coerce : callable
        Turns an argument into the type that `read` returns; raises `UsageError`, `TypeError` or `ValueError`
        if it is invalid.
    write : callable
        Turns a value into text.
    """

    name: str
    expected: str
    python: str
    pattern: str | None
    read: Callable[[str], Any]
    coerce: Callable[[Any], Any]
    write: Callable[[Any], str]

    @property
    def is_list(self) -> bool:
        """Whether the value is a list, separated by blanks, commas or semicolons."""
        return self.name in ("list", "orders", "map")

    @property
    def is_text(self) -> bool:
        """Whether blanks around a value are part of it."""
        return self.name == "text"

    def strip(self, text: str) -> str:
        """Remove blanks (and separators of a list) around a value; an empty text means no value."""
        if self.is_list:
            return text.strip(BLANKS + ",;")
        stripped = text.strip(BLANKS)
        return text if self.is_text and stripped else stripped

    def anchored(self) -> str | None:
        """Return the pattern of a whole text, which may be empty or padded; None for any text."""
        if self.pattern is None:
            return None
        edge = _SEPARATOR if self.is_list else _BLANK
        return f"^{edge}*(?:(?:{self.pattern}){edge}*)?$"

    def parse(self, text: str) -> Any:
        """Read a value from text.

        Parameters
        ----------
        text : str
            The text in the file, with escapes decoded.

        Returns
        -------
        object
            The value, of the type `python`; None for an empty text.

        Raises
        ------
        OverflowError
            If the value is well formed but out of range.
        ValueError
            If the text does not have this type.
        """
        stripped = self.strip(text)
        if not stripped:
            return None
        if self.pattern is not None and _compiled(self.pattern).fullmatch(stripped) is None:
            raise ValueError(f"not {self.expected}: {stripped!r}")
        try:
            return self.read(stripped)
        except ValueError as error:
            raise OverflowError(str(error)) from None

    def format(self, value: Any) -> tuple[Any, str]:
        """Check a value and write it as text.

        Parameters
        ----------
        value : object
            The value to write.

        Returns
        -------
        value : object
            The value as `parse` returns it; None for an empty text, list or mapping.
        text : str
            The text to write.

        Raises
        ------
        ValueError, TypeError, OverflowError
            If the value does not have this type.
        UsageError
            If a member of a list contains a separator.
        """
        clean = self.coerce(value)
        if clean is None:
            return None, ""
        text = self.write(clean)
        return self.parse(text), text


def _read_int(text: str) -> int:
    return int(text.partition(".")[0])


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise OverflowError(text)
    return value


def _read_fraction(text: str) -> float:
    value = _read_float(text)
    if value > 1:
        raise OverflowError(text)
    return value


def _read_pairs(text: str) -> Pairs:
    members = split_list(text)
    return Pairs(zip(members[::2], members[1::2], strict=True))


def _coerce_text(value: Any) -> str | None:
    if not isinstance(value, str):
        raise TypeError
    return value if value.strip(BLANKS) else None


def _coerce_word(value: Any) -> str | None:
    text = _coerce_text(value)
    if text is not None and text != text.strip(BLANKS):
        raise ValueError
    return text


def _coerce_int(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return operator.index(value)


def _coerce_float(value: Any) -> float:
    if isinstance(value, str | bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _coerce_bool(value: Any) -> bool:
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError
    return bool(value)


def _coerce_date(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError
    return parse_date(format_date(value))


def _coerce_list(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        raise TypeError
    return tuple(check_member(name) for name in value) or None


def _coerce_ints(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, str):
        raise TypeError
    return tuple(_coerce_int(number) for number in value) or None


def _coerce_pairs(value: Any) -> Pairs | None:
    if not isinstance(value, Mapping):
        raise TypeError
    return Pairs({check_member(key): check_member(path) for key, path in value.items()}) or None


def _join(values: Iterable[object]) -> str:
    return " ".join(map(str, values))


def _word(name: str, expected: str, pattern: str | None = None) -> ValueType:
    return ValueType(name, expected, "str", pattern, str, _coerce_word, str)


TEXT = ValueType("text", "text", "str", None, str, _coerce_text, str)
WORD = _word("word", "one word")
COLUMN = _word("column", "the name of a column")
REFERENCE = _word("reference", "the name, path or URL of a table")
URL = _word("url", "a URL")
SUFFIX = _word("suffix", "a file suffix such as .parquet, or / for leaf directories", r"/|[^/\\ \t\n\r\f]+")
INTEGER = ValueType(
    "integer", "an integer, 0 or more", "int", r"[0-9]{1,18}(?:\.0*)?", _read_int, _coerce_int, str
)
ORDER = ValueType(
    "order", "an integer from 0 to 29", "int", rf"{_ORDER}(?:\.0*)?", _read_int, _coerce_int, str
)
REAL = ValueType("real", "a number", "float", f"[+-]?{_REAL}", _read_float, _coerce_float, repr)
SIZE = ValueType("size", "a number, 0 or more", "float", rf"[+]?{_REAL}", _read_float, _coerce_float, repr)
FRACTION = ValueType(
    "fraction", "a number from 0 to 1", "float", SIZE.pattern, _read_fraction, _coerce_float, repr
)
BOOLEAN = ValueType(
    "boolean",
    "True or False",
    "bool",
    "[Tt](?:[Rr][Uu][Ee])?|[Ff](?:[Aa][Ll][Ss][Ee])?|[Yy](?:[Ee][Ss])?|[Nn][Oo]?|[Oo][Nn]|[Oo][Ff][Ff]|0|1",
    lambda text: text.lower() in _TRUE,
    _coerce_bool,
    str,
)
DATE = ValueType(
    "date", "a date, YYYY-mm-ddTHH:MMZ", "datetime", DATE_PATTERN, parse_date, _coerce_date, format_date
)
LIST = ValueType(
    "list", "names separated by blanks", "tuple[str, ...]", None, split_list, _coerce_list, _join
)
ORDERS = ValueType(
    "orders",
    "integers from 0 to 29 separated by blanks",
    "tuple[int, ...]",
    f"{_ORDER}(?:{_SEPARATOR}+{_ORDER})*",
    lambda text: tuple(map(int, split_list(text))),
    _coerce_ints,
    _join,
)
MAP = ValueType(
    "map",
    "pairs of a name and a directory, separated by blanks",
    "Mapping[str, str]",
    f"{_PAIR}(?:{_SEPARATOR}+{_PAIR})*",
    _read_pairs,
    _coerce_pairs,
    lambda pairs: _join(member for pair in pairs.items() for member in pair),
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
