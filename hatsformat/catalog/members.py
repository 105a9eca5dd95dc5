"""The members of a collection: its primary table, margin caches and index tables (Note, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from upath import UPath

from hatsformat import layout
from hatsformat.catalog.locating import collection_properties, find_table
from hatsformat.errors import PropertiesError, UsageError
from hatsformat.properties import CollectionProperties, TableProperties

Table: TypeAlias = tuple[UPath, TableProperties]
"""The path and the properties of a table."""


@dataclass(frozen=True, slots=True)
class Members:
    """The members that a ``collection.properties`` declares, and how to find them."""

    path: UPath
    properties: CollectionProperties

    def refreshed(self) -> Members:
        """Read ``collection.properties`` again."""
        return Members(self.path, collection_properties(self.path) or self.properties)

    def primary(self) -> Table:
        """Return the primary table; raise `PropertiesError` if none is declared."""
        reference = self.properties.hats_primary_table_url
        if reference is None:
            raise PropertiesError(
                "the primary catalog is not declared",
                path=self.path / layout.COLLECTION_PROPERTIES,
                expected="hats_primary_table_url",
            )
        return self._find(reference)

    def margin(self, name: str | None = None) -> Table:
        """Return a margin cache, by default the default or only one; raise `UsageError` if it is missing."""
        known = self.properties.margins
        return self._find(self._pick(name, self.properties.default_margin, known, "margin cache"))

    def index(self, column: str | None = None) -> Table:
        """Return the index table of a column, by default the default or only one."""
        known = tuple(self.properties.indexes)
        return self._find(
            self.properties.indexes[self._pick(column, self.properties.default_index, known, "index")]
        )

    def _find(self, reference: str) -> Table:
        return find_table(reference, [self.path, self.path.parent])

    def _pick(self, name: str | None, default: str | None, known: tuple[str, ...], what: str) -> str:
        chosen = name or default or (known[0] if len(known) == 1 else None)
        if chosen in known:
            return str(chosen)
        if not known:
            raise UsageError(f"the collection has no {what}", path=self.path, found=chosen)
        raise UsageError(
            f"the collection has no {what} {chosen!r}" if chosen else f"name the {what} to open",
            path=self.path,
            expected=f"one of: {', '.join(known)}",
        )
