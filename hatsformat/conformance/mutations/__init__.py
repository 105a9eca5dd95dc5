"""Named faults: each a pure function of a tree, with arguments from a recipe."""

from __future__ import annotations

from hatsformat.conformance.mutations import columns, files, maps, rows, texts
from hatsformat.conformance.mutations.registry import MUTATIONS, Paths, Value, apply_mutations

__all__ = ["MUTATIONS", "Paths", "Value", "apply_mutations", "columns", "files", "maps", "rows", "texts"]
