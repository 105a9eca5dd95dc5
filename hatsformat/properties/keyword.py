"""What a keyword of the properties files is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hatsformat.errors import UsageError
from hatsformat.properties.value_types import ValueType

Edition = Literal["draft-2025-04", "1.0", "later"]
"""The edition of the note that introduced a keyword; ``later`` for what writers use and no edition has."""

TABLE_TYPES = ("object", "source", "nested", "margin", "index", "association", "map")
"""The types of table: the values of ``dataproduct_type`` in a catalog's properties."""

EXTENSION = "extension"
COLLECTION = "collection"
ALL_TYPES = (*TABLE_TYPES, EXTENSION, COLLECTION)
"""The types of table, and the two other kinds of properties files."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword of the properties files.

    Attributes
    ----------
    name : str
        The keyword; also the attribute of the typed classes.
    value_type : ValueType
        What its value is.
    description : str
        What it says.
    required, optional : frozenset of str
        The types of table (or ``extension``, ``collection``) that must have it, and that may.
    edition : str
        The edition that introduced it; see `Edition`.
    unit : str or None
        The unit of its value.
    choices : tuple of str
        The words the note lists for it; empty where any value will do. Binding where `vital`.
    aliases : tuple of str
        Names it has or had elsewhere: read, never written.
    vital : bool
        Whether a value that cannot be read makes a table unusable, because readers depend on it.
    """

    name: str
    value_type: ValueType
    description: str
    required: frozenset[str]
    optional: frozenset[str]
    edition: Edition = "draft-2025-04"
    unit: str | None = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    vital: bool = False

    def parse(self, text: str) -> Any:
        """Read a value text; see `ValueType.parse`.

        Raises
        ------
        ValueError
            If the text is not of the keyword's kind, or not one of the words readers depend on.
        OverflowError
            If the value is well formed and impossible.
        """
        value = self.value_type.parse(text)
        if self.vital and self.choices and value is not None and value not in self.choices:
            raise ValueError(f"not {self.expected}: {value!r}")
        return value

    def format(self, value: object) -> tuple[Any, str]:
        """Check an argument and write it; see `ValueType.format`.

        Raises
        ------
        UsageError
            If the value cannot be written so that readers get it back.
        """
        try:
            clean, text = self.value_type.format(value)
            self.parse(text)
        except UsageError as error:
            raise UsageError(f"{self.name}: {error.message}", found=error.found, hint=error.hint) from None
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"invalid value for {self.name}", found=value, expected=self.expected) from None
        return clean, text

    @property
    def expected(self) -> str:
        """What a value looks like, for messages."""
        return f"one of {', '.join(self.choices)}" if self.choices else self.value_type.expected

    def used_by(self, table_type: str) -> bool:
        """Whether files of this type have a use for the keyword."""
        return table_type in self.required or table_type in self.optional
