"""Supplements of a catalog, margin caches and indexes, and its collection (Note, section 3.1)."""

from hatsformat.supplements.building import build_collection, build_index, build_margin

__all__ = ["build_collection", "build_index", "build_margin"]
