"""The Python reference implementation of HATS, the Hierarchical Adaptive Tiling Scheme.

HATS keeps an all-sky catalog of the Virtual Observatory as a tree of Parquet files, one a HEALPix tile, with
small tiles where the sky is dense and large ones where it is sparse.

Each name below is loaded when it is first used, so that ``import hatsformat`` itself costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hatsformat._version import __version__

if TYPE_CHECKING:
    from hatsformat.catalog import Catalog, Collection, Scan, open_catalog, open_collection
    from hatsformat.errors import (
        BuildError,
        ColumnError,
        CoordinatesError,
        FormatError,
        HatsError,
        InputError,
        LayoutError,
        LeafError,
        MissingExtraError,
        NotFoundError,
        OutputError,
        PartitionInfoError,
        PropertiesError,
        RegionError,
        SchemaError,
        ShortFileError,
        SkymapError,
        StorageError,
        ThresholdError,
        UnavailableError,
        UsageError,
        WorkerError,
    )
    from hatsformat.healpix import HealpixPixel
    from hatsformat.importing import CatalogWriter, import_catalog
    from hatsformat.partition_info import PartitionInfo
    from hatsformat.properties import CollectionProperties, TableProperties
    from hatsformat.regions import Box, Cone, Polygon
    from hatsformat.supplements import build_collection, build_index, build_margin
    from hatsformat.validation import Report, validate

__all__ = [
    "Box",
    "BuildError",
    "Catalog",
    "CatalogWriter",
    "Collection",
    "CollectionProperties",
    "ColumnError",
    "Cone",
    "CoordinatesError",
    "FormatError",
    "HatsError",
    "HealpixPixel",
    "InputError",
    "LayoutError",
    "LeafError",
    "MissingExtraError",
    "NotFoundError",
    "OutputError",
    "PartitionInfo",
    "PartitionInfoError",
    "Polygon",
    "PropertiesError",
    "RegionError",
    "Report",
    "Scan",
    "SchemaError",
    "ShortFileError",
    "SkymapError",
    "StorageError",
    "TableProperties",
    "ThresholdError",
    "UnavailableError",
    "UsageError",
    "WorkerError",
    "__version__",
    "build_collection",
    "build_index",
    "build_margin",
    "import_catalog",
    "open_catalog",
    "open_collection",
    "validate",
]

# Where each public name lives; everything not listed is an error.
_HOME = {
    "Box": "regions",
    "Catalog": "catalog",
    "CatalogWriter": "importing",
    "Collection": "catalog",
    "CollectionProperties": "properties",
    "Cone": "regions",
    "HealpixPixel": "healpix",
    "PartitionInfo": "partition_info",
    "Polygon": "regions",
    "Report": "validation",
    "Scan": "catalog",
    "TableProperties": "properties",
    "build_collection": "supplements",
    "build_index": "supplements",
    "build_margin": "supplements",
    "import_catalog": "importing",
    "open_catalog": "catalog",
    "open_collection": "catalog",
    "validate": "validation",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'hatsformat' has no attribute {name!r}")
    value: object = getattr(import_module(f"hatsformat.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
