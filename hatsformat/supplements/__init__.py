"""Supplements of a catalog that stands: margin caches and indexes, and the collection of them (Note, 3.1)."""

from hatsformat.supplements.building import build_collection, build_index, build_margin

__all__ = ["build_collection", "build_index", "build_margin"]
