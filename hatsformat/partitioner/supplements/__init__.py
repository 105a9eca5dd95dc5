"""Supplements of a catalog that stands: margin caches and indexes, and the collection of them (Note, 3.1)."""
