"""Collections in the making: their members, and ``collection.properties``, written last (Note, 3.1)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from upath import UPath

from hatsformat import layout, storage
from hatsformat.catalog.locating import catalog_properties, collection_properties
from hatsformat.errors import NotFoundError
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.finishing import making
from hatsformat.properties import CollectionProperties, TableProperties
from hatsformat.publishing.lock import locked
from hatsformat.publishing.work import MEMBERS
from hatsformat.supplements.kinds import Supplement, of_table
from hatsformat.supplements.primary import Primary


def make_members(folder: str, supplements: Sequence[Supplement], root: UPath, context: BuildContext) -> None:
    """Build the supplements of a new catalog, and make all of them a collection.

    Parameters
    ----------
    folder : str
        The catalog's folder, relative to `root`.
    supplements : sequence of Supplement
    root : UPath
        The folder of the collection.
    context : BuildContext
    """
    primary = Primary.of(root / folder, table_at(root / folder))
    members = {supplement.folder(folder): supplement for supplement in supplements}
    for name, supplement in members.items():
        # An earlier attempt of the same import may have built it.
        done = catalog_properties(root / name) if context.options.resume else None
        if done is None:
            supplement.make(primary, name, folder, root / name, context.within(name))
        context.log.supplements[name] = table_at(root / name).hats_nrows or 0
    properties = CollectionProperties(obs_collection=context.log.name, hats_primary_table_url=folder)
    write_collection(root, properties, members, context.created)


def table_at(place: UPath) -> TableProperties:
    """Return the properties of the table at a place.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    properties = catalog_properties(place)
    if properties is None:
        raise NotFoundError("there is no catalog here", path=place)
    return properties


def write_collection(
    root: UPath, properties: CollectionProperties, members: Mapping[str, Supplement], now: datetime
) -> CollectionProperties:
    """Add members to the properties of a collection, and write them.

    Parameters
    ----------
    root : UPath
        The collection's directory.
    properties : CollectionProperties
        What is known of it already.
    members : mapping of str to Supplement
        By their directories.
    now : datetime
    """
    for folder, supplement in members.items():
        properties = supplement.listed(properties, folder)
    folders = [str(properties.hats_primary_table_url), *properties.margins, *properties.indexes.values()]
    found = [catalog_properties(root / folder) for folder in folders if layout.is_inside(folder)]
    size = sum(1000 * (table.hats_estsize or 0) for table in found if table is not None)
    properties = properties.replace(**making(size, now))
    storage.write_bytes(root / layout.COLLECTION_PROPERTIES, properties.format().encode())
    return properties


def enlist(place: UPath, supplement: Supplement, primary: UPath, now: datetime) -> None:
    """Add a supplement that was built in the directory of its primary's collection to the collection."""
    root = place.parent
    with alone(root):
        properties = collection_properties(root)
        if properties is None or properties.hats_primary_table_url is None:
            return
        if posixpath.normpath(properties.hats_primary_table_url) == primary.name and primary.parent == root:
            write_collection(root, properties, {place.name: supplement}, now)


@contextmanager
def alone(root: UPath) -> Iterator[None]:
    """Keep others on this machine from changing a collection's properties while the block runs."""
    if not storage.is_local(root):
        yield
        return
    with locked(Path(root.path) / MEMBERS):
        yield


def tables_in(root: UPath) -> dict[str, TableProperties]:
    """Return the tables in the subdirectories of a directory, by name."""
    folders = [name for name in storage.list_names(root) if storage.is_directory(root / name)]
    found = {name: catalog_properties(root / name) for name in folders}
    return {name: properties for name, properties in found.items() if properties is not None}


def supplements_of(
    folder: str, tables: Mapping[str, TableProperties], names: Iterable[str | None]
) -> dict[str, Supplement]:
    """Return those of some tables that supplement a primary catalog, by directory.

    Parameters
    ----------
    folder : str
        The primary catalog's directory.
    tables : mapping of str to TableProperties
    names : iterable of str
        What they may call the primary catalog besides.
    """
    known = {folder, *names}
    found = {name: of_table(properties) for name, properties in tables.items()}
    return {
        name: supplement
        for name, supplement in found.items()
        if supplement is not None
        and posixpath.basename(posixpath.normpath(tables[name].hats_primary_table_url or "")) in known
    }
