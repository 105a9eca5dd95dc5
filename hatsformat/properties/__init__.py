"""The properties files of HATS: text to typed values and back (Note, sections 3.1 and 3.6.1).

`TableProperties`, `CollectionProperties` and `ExtensionProperties` are the three kinds of files as frozen
values. Each has ``parse``, which raises for what makes a catalog unusable, and a ``validate_*`` function that
returns everything that is wrong with a file. Nothing here opens a file.
"""

from __future__ import annotations

from hatsformat.properties.collection import CollectionProperties
from hatsformat.properties.document import Comment, Entry, PropertiesDocument
from hatsformat.properties.extension import ExtensionProperties
from hatsformat.properties.keyword import TABLE_TYPES, Keyword
from hatsformat.properties.keywords import ALIASES, KEYWORDS, REQUIRED, find_keyword
from hatsformat.properties.problems import Problem
from hatsformat.properties.rules import validate_collection, validate_extension, validate_table
from hatsformat.properties.table import HEALPIX_COLUMN, HEALPIX_ORDER, TableProperties
from hatsformat.properties.text import format_properties_text, parse_properties_text
from hatsformat.properties.values import check_member, format_date, parse_date, split_list

__all__ = [
    "ALIASES",
    "HEALPIX_COLUMN",
    "HEALPIX_ORDER",
    "KEYWORDS",
    "REQUIRED",
    "TABLE_TYPES",
    "CollectionProperties",
    "Comment",
    "Entry",
    "ExtensionProperties",
    "Keyword",
    "Problem",
    "PropertiesDocument",
    "TableProperties",
    "check_member",
    "find_keyword",
    "format_date",
    "format_properties_text",
    "parse_date",
    "parse_properties_text",
    "split_list",
    "validate_collection",
    "validate_extension",
    "validate_table",
]
