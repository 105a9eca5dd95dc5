"""What an update changes: a catalog, with the collection around it if it is the primary catalog of one."""

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
class Site:
    """A catalog that is about to change.

    Attributes
    ----------
    root : UPath
        The catalog's folder.
    change : Publication
        Of the folder that changes as a whole: the collection's, if the catalog is the primary one of it.
    """

    root: UPath
    change: Publication

    @property
    def folder(self) -> UPath:
        """The folder that changes as a whole."""
        return self.change.root

    @property
    def staging(self) -> UPath:
        """Where the catalog's files are written."""
        return self.staged(self.root)

    def begin(self, added: Sequence[str], replaced: Sequence[str]) -> None:
        """Announce files of `folder` before they are written; see `Publication.begin`."""
        self.change.begin(added, replaced)

    def staged(self, root: UPath) -> UPath:
        """Return where the files of a catalog within `folder` are written."""
        inside = self._inside(root)
        return self.change.staging / inside if inside else self.change.staging

    def relative(self, path: str, root: UPath | None = None) -> str:
        """Return a path in a catalog, this one by default, relative to `folder`."""
        inside = self._inside(root or self.root)
        return f"{inside}/{path}" if inside else path

    def _inside(self, root: UPath) -> str:
        return str(root).removeprefix(str(self.folder)).strip("/")


def open_site(root: UPath) -> Site:
    """Return a catalog, or the primary catalog of a collection, as one that is about to change.

    Raises
    ------
    UsageError
        If members of its collection lie elsewhere: they could not change at the same time.
    """
    if storage.is_local(root):
        recover(root)
    catalog = open_catalog(root)
    folder = catalog.collection_path or catalog.path
    for member in (catalog, *supplements(catalog)):
        if not f"{member.path}/".startswith(f"{folder}/"):
            raise UsageError(
                "a member of the collection lies outside of it, and cannot change with it",
                path=folder,
                found=member.path,
                hint="move it into the collection",
            )
    return Site(catalog.path, FolderSwap(folder) if storage.is_local(folder) else Journal(folder))


def supplements(catalog: Catalog) -> list[Catalog]:
    """Return the margins and the indexes of a catalog's collection."""
    margins = [catalog.margin(name) for name in catalog.margins]
    return [*margins, *(catalog.index(column) for column in catalog.indexes)]
