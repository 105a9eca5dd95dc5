"""The properties of an extension: ``<name>.properties`` at the root of a collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hatsformat.properties.base import BaseProperties
from hatsformat.properties.keywords import EXTENSION_FILE, FileKind


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExtensionProperties(BaseProperties):
    """The properties of an extension: further columns for the rows of a primary table, joined to it by a key.

    Attributes have the keywords' own names and are None where the file does not say; `keywords.KEYWORDS`
    describes each. Reading, writing and changing are those of `BaseProperties`. No edition of the note has
    extensions yet; writers do.
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
