"""Importing: raw tables in, a catalog or a collection out (Note, section 3.4)."""

from hatsformat.importing.pipeline import import_catalog, run_import
from hatsformat.importing.writer import CatalogWriter

__all__ = ["CatalogWriter", "import_catalog", "run_import"]
