"""All keywords by name, and the keywords of each kind of properties file (Note, section 3.6.1, Table 2)."""

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
"""The keyword for each alias."""

REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {table_type: tuple(k.name for k in ROWS if table_type in k.required) for table_type in ALL_TYPES}
)
"""The required keywords of each type of table, and of ``extension`` and ``collection``."""


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
        The types of table that the file can describe.
    keywords : mapping of str to Keyword
        The keywords that these types use.
    essential : frozenset of str
        The keywords that are needed to open the table.
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
    """Find the text of a keyword, under its name or an alias.

    Parameters
    ----------
    texts : mapping of str to str
        Texts by keyword, as in the file.
    keyword : Keyword

    Returns
    -------
    (name, text) : tuple of str, or None
        The name that was found, which may be an alias, and the text; None if the value is missing or empty.
    """
    for name in (keyword.name, *keyword.aliases):
        if keyword.value_type.strip(texts.get(name, "")):
            return name, texts[name]
    return None


def find_keyword(name: str) -> Keyword | None:
    """Find a keyword by its name or an alias.

    Parameters
    ----------
    name : str

    Returns
    -------
    Keyword or None
        None for an unknown keyword.
    """
    return KEYWORDS.get(ALIASES.get(name, name))
