"""Open catalogs and collections, and read rows from them.

`open_catalog` opens a catalog of any type. `Catalog.scan` selects rows and columns, and the `Scan` that it
returns reads only the leaves, row groups and columns that are needed.
"""

from __future__ import annotations

from hatsformat.catalog.catalog import Catalog
from hatsformat.catalog.collection import Collection, open_catalog, open_collection
from hatsformat.catalog.plan import LeafPlan, ScanPlan
from hatsformat.catalog.scan import Scan

__all__ = ["Catalog", "Collection", "LeafPlan", "Scan", "ScanPlan", "open_catalog", "open_collection"]
