"""The Python reference implementation of HATS, the Hierarchical Adaptive Tiling Scheme.

HATS keeps an all-sky catalog of the Virtual Observatory as a tree of Parquet files, one a HEALPix tile, with
small tiles where the sky is dense and large ones where it is sparse.

Each name below is loaded when it is first used, so that ``import hatsformat`` itself costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from hatsformat._version import __version__

if TYPE_CHECKING:
    from hatsformat.catalog import Catalog, Collection, Scan, open_catalog, open_collection
    from hatsformat.errors import (
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
        PartitionError,
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
    from hatsformat.partition_info import PartitionInfo
    from hatsformat.partitioner import (
        CatalogWriter,
        build_collection,
        build_index,
        build_margin,
        import_catalog,
    )
    from hatsformat.properties import CollectionProperties, TableProperties
    from hatsformat.regions import Box, Cone, Polygon
    from hatsformat.validate import Report, validate

__all__ = [
    "Box",
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
    "PartitionError",
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
    "CatalogWriter": "partitioner",
    "Collection": "catalog",
    "CollectionProperties": "properties",
    "Cone": "regions",
    "HealpixPixel": "healpix",
    "PartitionInfo": "partition_info",
    "Polygon": "regions",
    "Report": "validate",
    "Scan": "catalog",
    "TableProperties": "properties",
    "build_collection": "partitioner",
    "build_index": "partitioner",
    "build_margin": "partitioner",
    "import_catalog": "partitioner",
    "open_catalog": "catalog",
    "open_collection": "catalog",
    "validate": "validate",
}


class _Package(ModuleType):
    """Keeps ``hatsformat.validate`` the function, though a subpackage has the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds a subpackage to its parent's attribute once it is loaded.
        if name in _HOME and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'hatsformat' has no attribute {name!r}")
    value: object = getattr(import_module(f"hatsformat.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
