"""Every keyword by name, and which of them each kind of properties file has (Note, section 3.6.1, Table 2).

Reading, writing, validating, the typed classes and the JSON Schemas all follow these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from hatsformat.properties.keyword import ALL_TYPES, COLLECTION, EXTENSION, TABLE_TYPES, Keyword
from hatsformat.properties.note_table import ROWS

KEYWORDS: Mapping[str, Keyword] = MappingProxyType({keyword.name: keyword for keyword in ROWS})
"""Every keyword, by name."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {alias: keyword.name for keyword in ROWS for alias in keyword.aliases}
)
"""Other names of keywords, and the keyword each stands for."""

REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {table_type: tuple(k.name for k in ROWS if table_type in k.required) for table_type in ALL_TYPES}
)
"""The keywords that each type of table must have; ``extension`` and ``collection`` are types here."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """One of the three kinds of properties files.

    Attributes
    ----------
    name : str
        ``table``, ``collection`` or ``extension``.
    title : str
        The comment on the first line of a new file.
    types : tuple of str
        The types of table that such a file can describe.
    keywords : mapping of str to Keyword
        The keywords that one of these types uses.
    essential : frozenset of str
        The keywords without which nothing can be opened.
    """

    name: str
    title: str
    types: tuple[str, ...]
    keywords: Mapping[str, Keyword]
    essential: frozenset[str]


def _file_kind(name: str, title: str, types: tuple[str, ...], essential: str) -> FileKind:
    keywords = {k.name: k for k in ROWS if any(map(k.used_by, types))}
    if "dataproduct_type" in keywords:
        keywords["dataproduct_type"] = replace(keywords["dataproduct_type"], choices=types)
    return FileKind(name, title, types, MappingProxyType(keywords), frozenset(essential.split()))


TABLE_FILE = _file_kind("table", "HATS catalog", TABLE_TYPES, "dataproduct_type")
COLLECTION_FILE = _file_kind("collection", "HATS Collection", (COLLECTION,), "hats_primary_table_url")
EXTENSION_FILE = _file_kind(
    "extension",
    "HATS Extension",
    (EXTENSION,),
    "hats_col_assn_primary hats_assn_join_table_url hats_col_assn_join",
)


def find_text(texts: Mapping[str, str], keyword: Keyword) -> tuple[str, str] | None:
    """Find the text that counts for a keyword.

    Parameters
    ----------
    texts : mapping of str to str
        Value texts as a file has them.
    keyword : Keyword

    Returns
    -------
    (name, text) : tuple of str, or None
        The name under which the value stands, which may be an alias, and its text;
        None where there is no value, or an empty one.
    """
    for name in (keyword.name, *keyword.aliases):
        if keyword.value_type.strip(texts.get(name, "")):
            return name, texts[name]
    return None


def find_keyword(name: str) -> Keyword | None:
    """Look a keyword up by its name or an alias.

    Parameters
    ----------
    name : str

    Returns
    -------
    Keyword or None
        None for a keyword that no edition of the note has.
    """
    return KEYWORDS.get(ALIASES.get(name, name))
