"""The Python reference implementation of HATS, the Hierarchical Adaptive Tiling Scheme.

HATS stores an all-sky catalog as a tree of Parquet files, one for each HEALPix tile, with small tiles where
the sky is dense and large ones where it is sparse.

Each name is imported when it is first used, so that ``import hatsformat`` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hatsformat._version import __version__

if TYPE_CHECKING:
    from hatsformat.arguments import AppendOptions, ImportChanges, RebuildOptions, SupplementOptions
    from hatsformat.catalog import (
        Catalog,
        Collection,
        LeafPlan,
        Scan,
        ScanPlan,
        open_catalog,
        open_collection,
    )
    from hatsformat.errors import (
        BuildError,
        ChangedError,
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
    from hatsformat.partitioner.options import ImportOptions
    from hatsformat.properties import CollectionProperties, TableProperties
    from hatsformat.properties.problems import Problem
    from hatsformat.regions import Box, Cone, Polygon
    from hatsformat.supplements import build_collection, build_index, build_margin
    from hatsformat.validation import Finding, Location, NotRun, Report, validate
    from hatsformat.validation.settings import Settings

__all__ = [
    "AppendOptions",
    "Box",
    "BuildError",
    "Catalog",
    "CatalogWriter",
    "ChangedError",
    "Collection",
    "CollectionProperties",
    "ColumnError",
    "Cone",
    "CoordinatesError",
    "Finding",
    "FormatError",
    "HatsError",
    "HealpixPixel",
    "ImportChanges",
    "ImportOptions",
    "InputError",
    "LayoutError",
    "LeafError",
    "LeafPlan",
    "Location",
    "MissingExtraError",
    "NotFoundError",
    "NotRun",
    "OutputError",
    "PartitionInfo",
    "PartitionInfoError",
    "Polygon",
    "Problem",
    "PropertiesError",
    "RebuildOptions",
    "RegionError",
    "Report",
    "Scan",
    "ScanPlan",
    "SchemaError",
    "Settings",
    "ShortFileError",
    "SkymapError",
    "StorageError",
    "SupplementOptions",
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

# The module of each public name; names that are not listed are in `errors`.
_HOME = {
    "AppendOptions": "arguments",
    "Box": "regions",
    "Catalog": "catalog",
    "CatalogWriter": "importing",
    "Collection": "catalog",
    "CollectionProperties": "properties",
    "Cone": "regions",
    "Finding": "validation",
    "HealpixPixel": "healpix",
    "ImportChanges": "arguments",
    "ImportOptions": "partitioner.options",
    "LeafPlan": "catalog",
    "Location": "validation",
    "NotRun": "validation",
    "PartitionInfo": "partition_info",
    "Polygon": "regions",
    "Problem": "properties.problems",
    "RebuildOptions": "arguments",
    "Report": "validation",
    "Scan": "catalog",
    "ScanPlan": "catalog",
    "Settings": "validation.settings",
    "SupplementOptions": "arguments",
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
