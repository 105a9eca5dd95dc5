"""The keywords of the note's Table 1 and of its later editions, as data (Note, section 3.6.1).

The rows are in the order in which a new file is written.
"""

from __future__ import annotations

from hatsformat.properties.keyword import ALL_TYPES, TABLE_TYPES, Edition, Keyword
from hatsformat.properties.value_types import (
    BOOLEAN,
    COLUMN,
    DATE,
    FRACTION,
    INTEGER,
    LIST,
    MAP,
    ORDER,
    ORDERS,
    REAL,
    REFERENCE,
    SIZE,
    SUFFIX,
    TEXT,
    URL,
    WORD,
    ValueType,
)

_CATALOGS = "object source nested"
_ON_SKY = f"{_CATALOGS} margin"
_TABLES = " ".join(TABLE_TYPES)
_DERIVED = "margin index association"
_ALL = " ".join(ALL_TYPES)


def _row(
    name: str,
    value_type: ValueType,
    description: str,
    required: str = "",
    optional: str = _ALL,
    edition: Edition = "draft-2025-04",
    unit: str | None = None,
    choices: str = "",
    aliases: str = "",
    vital: bool = False,
) -> Keyword:
    needed = frozenset(required.split())
    allowed = frozenset(optional.split()) - needed
    return Keyword(
        name,
        value_type,
        description,
        needed,
        allowed,
        edition,
        unit,
        tuple(choices.split()),
        tuple(aliases.split()),
        vital,
    )


ROWS = (
    _row(
        "name", TEXT, "Name of the collection for people", optional="collection"
    ),
    _row(
        "obs_collection", WORD, "Short name of the original data set, one word", _ALL
    ),
    _row(
        "dataproduct_type", WORD, "Type of the table, one word", f"{_TABLES} extension",
        "", choices=f"{_TABLES} extension", vital=True,
    ),
    _row("hats_nrows", INTEGER, "Number of rows", _TABLES, "", vital=True),
    _row(
        "hats_col_ra", COLUMN, "Column of the right ascension, used for the partitioning", _CATALOGS,
        "margin", aliases="hats_col_j2000_ra", vital=True,
    ),
    _row(
        "hats_col_dec", COLUMN, "Column of the declination, used for the partitioning", _CATALOGS,
        "margin", aliases="hats_col_j2000_dec", vital=True,
    ),
    _row(
        "hats_cols_default", LIST, "Columns to read by default", optional=f"{_ON_SKY} map",
        vital=True,
    ),
    _row(
        "hats_col_healpix", COLUMN, "Column with the HEALPix index of the row's position",
        optional=_TABLES, edition="1.0", vital=True,
    ),
    _row(
        "hats_col_healpix_order", ORDER, "HEALPix order of the values of hats_col_healpix", optional=_TABLES,
        edition="1.0", vital=True,
    ),
    _row(
        "hats_primary_table_url", REFERENCE, "Table with the original data that this one supplements",
        f"{_DERIVED} extension collection", "source nested map",
        vital=True,
    ),
    _row(
        "hats_margin_threshold", SIZE, "Distance from a tile within which points are in its margin", "margin",
        "", unit="arcsec", vital=True,
    ),
    _row(
        "hats_col_assn_primary", COLUMN, "Column of the primary (left) table to join on",
        "association extension", "", vital=True,
    ),
    _row(
        "hats_col_assn_primary_assn", COLUMN, "Column of the association that matches hats_col_assn_primary",
        optional="association", vital=True,
    ),
    _row(
        "hats_assn_join_table_url", REFERENCE, "The other (right) table of the join",
        "association extension", "", vital=True,
    ),
    _row(
        "hats_col_assn_join", COLUMN, "Column of the joined (right) table to join on",
        "association extension", "", vital=True,
    ),
    _row(
        "hats_col_assn_join_assn", COLUMN, "Column of the association that matches hats_col_assn_join",
        optional="association", vital=True,
    ),
    _row(
        "hats_assn_max_separation", SIZE, "Largest separation between the points of an association",
        optional="association", edition="1.0", unit="arcsec",
    ),
    _row(
        "hats_assn_leaf_files", BOOLEAN, "Whether the association has leaf files, or only links tiles",
        "association", "", vital=True,
    ),
    _row(
        "hats_ext_cols", LIST, "Columns that the extension provides", optional="extension", edition="later"
    ),
    _row(
        "hats_ext_join_style", WORD, "How to join the extension to its primary table", optional="extension",
        edition="later", choices="left inner", vital=True,
    ),
    _row(
        "hats_ext_shares_primary_coords", BOOLEAN, "Whether the extension repeats the primary's coordinates",
        optional="extension", edition="later",
    ),
    _row(
        "hats_product_type_served", TEXT, "Kind of data that the extension serves", optional="extension",
        edition="later",
    ),
    _row("hats_index_column", COLUMN, "Indexed column", "index", "", vital=True),
    _row(
        "hats_index_extra_column", LIST, "Other columns stored in the index", optional="index",
        vital=True,
    ),
    _row(
        "hats_npix_suffix", SUFFIX, "Suffix of leaf files, or / for leaf directories", optional=_TABLES,
        edition="1.0", aliases="npix_suffix", vital=True,
    ),
    _row(
        "hats_skymap_order", ORDER, "HEALPix order of skymap.fits", optional=_TABLES, edition="1.0"
    ),
    _row(
        "hats_skymap_alt_orders", ORDERS, "HEALPix orders of the down-sampled skymap.K.fits",
        optional=_TABLES, edition="1.0",
    ),
    _row(
        "all_margins", LIST, "Subdirectories of the margin caches of the collection", optional="collection",
        vital=True,
    ),
    _row(
        "default_margin", WORD, "Subdirectory of the margin cache to use for cross-matching",
        optional="collection", vital=True,
    ),
    _row(
        "all_indexes", MAP, "Indexed columns, each with the subdirectory of its index table",
        optional="collection", vital=True,
    ),
    _row(
        "default_index", COLUMN, "Indexed column to use for searches by identifier", optional="collection",
        vital=True,
    ),
    _row(
        "all_extensions", MAP, "Names of extensions, each with the path of its properties file",
        optional="collection", edition="later", vital=True,
    ),
    _row("hats_cols_sort", LIST, "Columns the rows were sorted by after the HEALPix index", optional=_TABLES),
    _row("hats_cols_survey_id", LIST, "Columns of the primary key of the original data", optional=_TABLES),
    _row("hats_coordinate_epoch", TEXT, "Epoch of the coordinates in hats_col_ra and hats_col_dec"),
    _row("hats_frame", WORD, "Coordinate frame", choices="equatorial galactic ecliptic"),
    _row("hats_max_rows", INTEGER, "Number of rows beyond which a tile was split"),
    _row("hats_max_bytes", INTEGER, "Size beyond which a tile was split", edition="1.0", unit="byte"),
    _row("hats_order", ORDER, "Deepest order of the tiles"),
    _row("moc_sky_fraction", FRACTION, "Fraction of the sky that the coverage map covers"),
    _row("hats_builder", TEXT, "Name and version of the program that wrote the table"),
    _row("hats_creation_date", DATE, "When the table was first written"),
    _row("hats_release_date", DATE, "When the table was last changed"),
    _row("hats_estsize", INTEGER, "Size of the table on disk", unit="KB"),
    _row("hats_version", WORD, "Version of the HATS note that the table follows"),
    _row("hats_data_semver", WORD, "Semantic version of the data", edition="later"),
    _row("hats_creator", TEXT, "Institute or person who made the table"),
    _row("hats_copyright", TEXT, "Copyright of the table"),
    _row(
        "hats_status", LIST, "Who may see the table, what it is and whether it may be copied",
        choices="private public main mirror partial clonable unclonable clonableOnce",
    ),
    _row("hats_service_url", URL, "Address at which the table is served"),
    _row("hats_progenitor_url", URL, "Table that this one was made from"),
    _row("hats_successor_url", URL, "Table that replaces this one", edition="later"),
    _row("hats_successor_description", TEXT, "What the successor changes", edition="later"),
    _row("creator_did", WORD, "Identifier of the table, an IVOID"),
    _row("publisher_id", WORD, "Identifier of the publisher, an IVOID"),
    _row("addendum_did", TEXT, "Identifiers of data that were added later, IVOIDs"),
    _row("addendum_description", TEXT, "What was added later", edition="later"),
    _row("obs_title", TEXT, "Title of the data set, one line"),
    _row("obs_description", TEXT, "Description of the data set"),
    _row(
        "obs_regime", WORD, "Wavelength regime",
        choices="Radio Millimeter Infrared Optical UV EUV X-ray Gamma-ray"
    ),
    _row("obs_ack", TEXT, "Acknowledgement"),
    _row("obs_copyright", TEXT, "Copyright of the original data"),
    _row("obs_copyright_url", URL, "Address of a copyright notice"),
    _row("prov_progenitor", TEXT, "Where the original data come from"),
    _row("bib_reference", TEXT, "Bibliographic reference"),
    _row("bib_reference_url", URL, "Address of the bibliographic reference"),
    _row("data_ucd", TEXT, "UCD of the contents"),
    _row("t_min", REAL, "Start of the observations", unit="MJD"),
    _row("t_max", REAL, "End of the observations", unit="MJD"),
)  # fmt: skip
