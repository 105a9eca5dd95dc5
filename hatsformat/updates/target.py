"""What an update changes: a catalog, with its collection if it is the primary catalog of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upath import UPath

from hatsformat import storage
from hatsformat.catalog import Catalog, open_catalog
from hatsformat.errors import UsageError
from hatsformat.publishing.journal import Journal
from hatsformat.publishing.publication import Publication
from hatsformat.publishing.swap import FolderSwap, recover


@dataclass(frozen=True, slots=True)
class Target:
    """A catalog that is about to change, and the folder that changes as a whole with it."""

    root: UPath  # the catalog's folder
    change: Publication  # of this folder, or of that of its collection

    @property
    def staging(self) -> UPath:
        """The folder that the catalog's new files are written to."""
        return self.staged(self.root)

    def staged(self, root: UPath) -> UPath:
        """Return the folder that the new files of a member are written to."""
        inside = self._inside(root)
        return self.change.staging / inside if inside else self.change.staging

    def begin(self, root: UPath, added: Sequence[str], replaced: Sequence[str]) -> None:
        """Announce files of a member before they are written; see `Publication.begin`."""
        inside = self._inside(root)
        top = f"{inside}/" if inside else ""
        self.change.begin([top + path for path in added], [top + path for path in replaced])

    def _inside(self, root: UPath) -> str:
        return str(root).removeprefix(str(self.change.root)).strip("/")


def open_target(root: UPath) -> Target:
    """Return the catalog at `root`, or the primary catalog of the collection there, as a target.

    Raises `UsageError` if members of its collection are outside its folder: they cannot change with it.
    """
    if storage.is_local(root):
        recover(root)
    catalog = open_catalog(root)
    folder = catalog.collection_path or catalog.path
    for member in (catalog, *supplements(catalog)):
        if not f"{member.path}/".startswith(f"{folder}/"):
            raise UsageError(
                "a member is outside the collection's folder, so the collection cannot be updated",
                path=folder,
                found=member.path,
                hint="move the member into the collection's folder",
            )
    return Target(catalog.path, FolderSwap(folder) if storage.is_local(folder) else Journal(folder))


def supplements(catalog: Catalog) -> list[Catalog]:
    """Return the margins and the indexes of a catalog's collection."""
    margins = [catalog.margin(name) for name in catalog.margins]
    return [*margins, *(catalog.index(column) for column in catalog.indexes)]
