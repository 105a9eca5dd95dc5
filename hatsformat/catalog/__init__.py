"""Catalogs and collections: opening them, and reading the rows one asks for.

`open_catalog` opens a catalog of any type, `Catalog.scan` says which rows and columns are wanted, and the
`Scan` it gives reads only the leaves, row groups and columns that can hold them.
"""

from __future__ import annotations

from hatsformat.catalog.catalog import Catalog
from hatsformat.catalog.collection import Collection, open_catalog, open_collection
from hatsformat.catalog.plan import LeafPlan, ScanPlan
from hatsformat.catalog.scan import Scan

__all__ = ["Catalog", "Collection", "LeafPlan", "Scan", "ScanPlan", "open_catalog", "open_collection"]
