"""Mutations: pure functions that change a tree, named and called by the cases."""

from __future__ import annotations

from hatsformat.conformance.mutations import columns, files, maps, rows, texts
from hatsformat.conformance.mutations.registry import MUTATIONS, Paths, Value, apply_mutations

__all__ = ["MUTATIONS", "Paths", "Value", "apply_mutations", "columns", "files", "maps", "rows", "texts"]
