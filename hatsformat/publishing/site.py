"""A catalog that is about to change, and the directory that changes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from upath import UPath

from hatsformat import storage
from hatsformat.catalog import Catalog, open_catalog
from hatsformat.errors import OutputError, UsageError
from hatsformat.publishing.journal import Journal
from hatsformat.publishing.new_folder import WORK
from hatsformat.publishing.swap import Snapshot, recover

Change: TypeAlias = Snapshot | Journal


@dataclass(frozen=True, slots=True)
class Site:
    """A catalog that is about to change.

    Attributes
    ----------
    root : UPath
        The catalog's directory.
    place : UPath
        The directory that changes as a whole: the collection's, where the catalog is the primary one of it.
    change : Snapshot or Journal
        How it changes.
    """

    root: UPath
    place: UPath
    change: Change

    @property
    def staging(self) -> UPath:
        """Where the catalog's files are written."""
        return self.staged(self.root)

    def begin(self, added: Sequence[str], replaced: Sequence[str]) -> None:
        """Prepare for files that will be added and files that will be written anew, as paths in `place`.

        It may be called again for more.
        """
        if isinstance(self.change, Journal):
            self.change.begin(added, replaced)
        elif not self.change.begun:
            self.change.begin()

    def staged(self, root: UPath) -> UPath:
        """Return where the files of a catalog within `place` are written."""
        inside = _relative(root, self.place)
        return self.change.staging / inside if inside else self.change.staging

    def from_place(self, path: str, root: UPath | None = None) -> str:
        """Return a path relative to a catalog, this one unless told, as one relative to `place`."""
        inside = _relative(root or self.root, self.place)
        return f"{inside}/{path}" if inside else path


def open_site(root: UPath) -> Site:
    """Return a catalog, or the primary of a collection, as one that is about to change.

    Raises
    ------
    UsageError
        If members of its collection lie elsewhere: they could not change at the same time.
    OutputError
        If an import is under way.
    """
    if storage.is_local(root):
        recover(root)
    catalog = open_catalog(root)
    place = catalog.collection_path or catalog.path
    for member in (catalog, *supplements(catalog)):
        if f"{member.path}/".removeprefix(f"{place}/") == f"{member.path}/":
            raise UsageError(
                "a member of the collection lies outside of it, and cannot change with it",
                path=place,
                found=member.path,
                hint="move it into the collection",
            )
    if storage.is_local(place):
        under_way = [*Path(place.path).glob(WORK), *Path(place.path).glob(f"*/{WORK}")]
        if under_way:
            raise OutputError("an import is under way here, or was interrupted", path=under_way[0].parent)
    change = Snapshot(place) if storage.is_local(place) else Journal(place)
    return Site(catalog.path, place, change)


def supplements(catalog: Catalog) -> list[Catalog]:
    """Return the margins and the indexes of a catalog's collection."""
    margins = [catalog.margin(name) for name in catalog.margins]
    return [*margins, *(catalog.index(column) for column in catalog.indexes)]


def _relative(root: UPath, place: UPath) -> str:
    return str(root).removeprefix(str(place)).strip("/")
