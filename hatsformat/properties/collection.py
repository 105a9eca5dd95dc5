"""The properties of a collection: ``collection.properties`` (Note, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from hatsformat.properties.base import BaseProperties
from hatsformat.properties.keywords import COLLECTION_FILE, FileKind
from hatsformat.properties.values import Pairs


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CollectionProperties(BaseProperties):
    r"""The properties of a collection: its primary table, its margin caches, its indexes and its extensions.

    Each keyword is an attribute of the same name, or None if it is missing; `keywords.KEYWORDS` describes
    them. See `BaseProperties` for how to read, write and change them.

    Examples
    --------
    >>> text = "hats_primary_table_url = gaia\nall_indexes = id gaia_id_index\n"
    >>> properties = CollectionProperties.parse(text)
    >>> properties.all_indexes["id"]
    'gaia_id_index'
    """

    file_kind: ClassVar[FileKind] = COLLECTION_FILE

    name: str | None = None
    all_margins: tuple[str, ...] | None = None
    default_margin: str | None = None
    all_indexes: Mapping[str, str] | None = None
    default_index: str | None = None
    all_extensions: Mapping[str, str] | None = None

    @property
    def label(self) -> str | None:
        """The name of the collection: ``obs_collection``, or ``name`` as in the draft of the note."""
        return self.obs_collection or self.name

    @property
    def margins(self) -> tuple[str, ...]:
        """The subdirectories of all margin caches, including a default that is not in the list."""
        listed = self.all_margins or ()
        if self.default_margin is None or self.default_margin in listed:
            return listed
        return (*listed, self.default_margin)

    @property
    def indexes(self) -> Mapping[str, str]:
        """The subdirectory of the index table of each indexed column; empty if there are none."""
        return Pairs() if self.all_indexes is None else self.all_indexes

    @property
    def extensions(self) -> Mapping[str, str]:
        """The path of the properties file of each extension; empty if there are none."""
        return Pairs() if self.all_extensions is None else self.all_extensions
