"""The properties of an extension: ``<name>.properties`` at the root of a collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hatsformat.properties.base import BaseProperties
from hatsformat.properties.keywords import EXTENSION_FILE, FileKind


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExtensionProperties(BaseProperties):
    """The properties of an extension: more columns for the rows of a primary table, joined by a key.

    Each keyword is an attribute of the same name, or None if it is missing; `keywords.KEYWORDS` describes
    them. See `BaseProperties` for how to read, write and change them. No edition of the note
    defines extensions yet, but writers use them.
    """

    file_kind: ClassVar[FileKind] = EXTENSION_FILE

    dataproduct_type: str | None = None
    hats_col_assn_primary: str | None = None
    hats_assn_join_table_url: str | None = None
    hats_col_assn_join: str | None = None
    hats_ext_cols: tuple[str, ...] | None = None
    hats_ext_join_style: str | None = None
    hats_ext_shares_primary_coords: bool | None = None
    hats_product_type_served: str | None = None
