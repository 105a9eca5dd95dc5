"""The definition of a keyword of the properties files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hatsformat.errors import UsageError
from hatsformat.properties.value_types import ValueType

Edition = Literal["draft-2025-04", "1.0", "later"]
"""The edition of the note that introduced a keyword; ``later`` for keywords that only writers use."""

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
        The type of its value.
    description : str
        What it means.
    required, optional : frozenset of str
        The types of table (or ``extension``, ``collection``) where it is required, and where it is optional.
    edition : str
        The edition that introduced it; see `Edition`.
    unit : str or None
        The unit of its value.
    choices : tuple of str
        The values listed in the note; empty if any value is allowed. Only enforced if `vital`.
    aliases : tuple of str
        Other names, in other editions or by other writers: read, never written.
    vital : bool
        Whether readers depend on it, so that an invalid value makes a table unusable.
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
        """Read a value from text; see `ValueType.parse`.

        Raises
        ------
        ValueError
            If the text is not a valid value.
        OverflowError
            If the value is well formed but out of range.
        """
        value = self.value_type.parse(text)
        if self.vital and self.choices and value is not None and value not in self.choices:
            raise ValueError(f"not {self.expected}: {value!r}")
        return value

    def format(self, value: object) -> tuple[Any, str]:
        """Check a value and write it as text; see `ValueType.format`.

        Raises
        ------
        UsageError
            If the value is invalid, or readers could not read it back.
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
        """What a valid value looks like, for messages."""
        return f"one of {', '.join(self.choices)}" if self.choices else self.value_type.expected

    def used_by(self, table_type: str) -> bool:
        """Whether the keyword is required or optional in files of this type."""
        return table_type in self.required or table_type in self.optional
