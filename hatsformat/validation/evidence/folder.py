"""The folder of one catalog within the tree of files that is validated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from upath import UPath

from hatsformat import layout
from hatsformat.validation.evidence.tree import Artefact, Tree

T = TypeVar("T")


@dataclass(frozen=True)
class CatalogFolder:
    """The folder of one catalog; paths are relative to it.

    Attributes
    ----------
    tree : Tree
    prefix : str
        The folder in the tree, with a slash at its end; empty for the root.
    """

    tree: Tree
    prefix: str = ""

    @property
    def name(self) -> str:
        """The folder in the tree without the slash; empty for the root."""
        return self.prefix.rstrip("/")

    @property
    def can_list(self) -> bool:
        """Whether the storage can list files."""
        return self.tree.can_list

    def require_listing(self) -> None:
        """Raise `NoEvidenceError` if the storage cannot list files."""
        self.tree.files()

    @cached_property
    def paths(self) -> dict[str, None]:
        """The paths of the catalog's own files, in order: those in its folder and below ``dataset/``."""
        everything = self.tree.files()
        start, dataset = len(self.prefix), f"{layout.DATASET}/"
        inside = (
            (path[start:] for path in everything if path.startswith(self.prefix)) if start else everything
        )
        return dict.fromkeys(path for path in inside if path.startswith(dataset) or "/" not in path)

    def read_bytes(self, path: str, limit: int) -> Artefact[bytes]:
        """Read a file of at most `limit` bytes."""
        found = self.tree.read(self.prefix + path, limit)
        return Artefact(path, found.value, found.error)

    def read(self, path: str, reader: Callable[[UPath], T]) -> Artefact[T]:
        """Read a file with a function that raises `HatsError` on failure."""
        return self.tree.attempt(self.prefix + path, reader, path)
