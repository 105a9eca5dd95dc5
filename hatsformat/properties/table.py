"""The properties of a catalog: ``hats.properties``, or ``properties`` (Note, section 3.6.1 and Table 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hatsformat.layout import DIRECTORY_SUFFIX, LEAF_SUFFIX
from hatsformat.properties.base import BaseProperties
from hatsformat.properties.keywords import TABLE_FILE, FileKind

HEALPIX_COLUMN = "_healpix_29"
"""The column of the HEALPix index without ``hats_col_healpix``."""

HEALPIX_ORDER = 29
"""The order of the HEALPix index without ``hats_col_healpix_order``."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TableProperties(BaseProperties):
    r"""The properties of a table: a catalog, a margin cache, an index, an association or a map.

    Each keyword is an attribute of the same name, or None if it is missing; `keywords.KEYWORDS` describes
    them. See `BaseProperties` for how to read, write and change them.

    Examples
    --------
    >>> text = "obs_collection = demo\ndataproduct_type = object\nhats_nrows = 131\nhats_col_ra = ra\n"
    >>> properties = TableProperties.parse(text + "hats_col_dec = dec\nmission = Gaia\n")
    >>> properties.hats_nrows, properties.hats_col_ra, properties.npix_suffix, properties.get("mission")
    (131, 'ra', '.parquet', 'Gaia')
    >>> print(properties.replace(hats_nrows=7, hats_cols_default=("ra", "dec")).format())
    obs_collection=demo
    dataproduct_type=object
    hats_nrows=7
    hats_col_ra=ra
    hats_col_dec=dec
    mission=Gaia
    hats_cols_default=ra dec
    """

    file_kind: ClassVar[FileKind] = TABLE_FILE

    dataproduct_type: str | None = None
    hats_nrows: int | None = None
    hats_col_ra: str | None = None
    hats_col_dec: str | None = None
    hats_cols_default: tuple[str, ...] | None = None
    hats_col_healpix: str | None = None
    hats_col_healpix_order: int | None = None
    hats_margin_threshold: float | None = None
    hats_col_assn_primary: str | None = None
    hats_col_assn_primary_assn: str | None = None
    hats_assn_join_table_url: str | None = None
    hats_col_assn_join: str | None = None
    hats_col_assn_join_assn: str | None = None
    hats_assn_max_separation: float | None = None
    hats_assn_leaf_files: bool | None = None
    hats_index_column: str | None = None
    hats_index_extra_column: tuple[str, ...] | None = None
    hats_npix_suffix: str | None = None
    hats_skymap_order: int | None = None
    hats_skymap_alt_orders: tuple[int, ...] | None = None
    hats_cols_sort: tuple[str, ...] | None = None
    hats_cols_survey_id: tuple[str, ...] | None = None

    @property
    def npix_suffix(self) -> str:
        """The suffix of the leaf files; ``.parquet`` by default."""
        return self.hats_npix_suffix or LEAF_SUFFIX

    @property
    def has_leaf_directories(self) -> bool:
        """Whether every leaf is a directory of Parquet files (Note, section 3.3)."""
        return self.npix_suffix == DIRECTORY_SUFFIX

    @property
    def healpix_column(self) -> str:
        """The column of the HEALPix index of positions; ``_healpix_29`` by default."""
        return self.hats_col_healpix or HEALPIX_COLUMN

    @property
    def healpix_order(self) -> int:
        """The order of the values in `healpix_column`; 29 by default."""
        return HEALPIX_ORDER if self.hats_col_healpix_order is None else self.hats_col_healpix_order

    @property
    def has_coordinates(self) -> bool:
        """Whether the columns of right ascension and declination are both named."""
        return self.hats_col_ra is not None and self.hats_col_dec is not None
