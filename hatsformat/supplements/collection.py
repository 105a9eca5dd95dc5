"""Building collections: their members, and ``collection.properties``, written last (Note, section 3.1)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from upath import UPath

from hatsformat import layout, storage
from hatsformat.catalog.locating import catalog_properties, collection_properties
from hatsformat.errors import NotFoundError
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.finishing import making
from hatsformat.properties import CollectionProperties, TableProperties
from hatsformat.publishing.lock import locked
from hatsformat.publishing.work import MEMBERS
from hatsformat.supplements.index import Index
from hatsformat.supplements.margin import Margin
from hatsformat.supplements.primary import Primary

Supplement: TypeAlias = Margin | Index


def make_members(folder: str, supplements: Sequence[Supplement], root: UPath, context: BuildContext) -> None:
    """Build the supplements of the catalog in `root / folder`, and make `root` a collection."""
    primary = Primary.of(root / folder, _table_at(root / folder))
    members = {supplement.folder(folder): supplement for supplement in supplements}
    for name, supplement in members.items():
        # A resumed import may have built it already.
        if not context.options.resume or catalog_properties(root / name) is None:
            supplement.build(primary, name, folder, root / name, context.within(name))
        context.log.supplements[name] = _table_at(root / name).hats_nrows or 0
    properties = CollectionProperties(obs_collection=context.log.name, hats_primary_table_url=folder)
    write_collection(root, properties, members, context.created)


def _table_at(root: UPath) -> TableProperties:
    properties = catalog_properties(root)
    if properties is None:
        raise NotFoundError("there is no catalog here", path=root)
    return properties


def write_collection(
    root: UPath, properties: CollectionProperties, members: Mapping[str, Supplement], now: datetime
) -> None:
    """Add members, by folder, to the properties of a collection, and write them."""
    for folder, supplement in members.items():
        properties = supplement.add_to(properties, folder)
    folders = [str(properties.hats_primary_table_url), *properties.margins, *properties.indexes.values()]
    found = [catalog_properties(root / folder) for folder in folders if layout.is_inside(folder)]
    size = sum(1000 * (table.hats_estsize or 0) for table in found if table is not None)
    properties = properties.replace(**making(size, now))
    storage.write_bytes(root / layout.COLLECTION_PROPERTIES, properties.format().encode())


def add_member(path: UPath, supplement: Supplement, primary: UPath, now: datetime) -> None:
    """Add the supplement at `path` to the collection in the folder around it, if `primary` is its primary."""
    root = path.parent
    with collection_lock(root):
        properties = collection_properties(root)
        if properties is None or properties.hats_primary_table_url is None:
            return
        if posixpath.normpath(properties.hats_primary_table_url) == primary.name and primary.parent == root:
            write_collection(root, properties, {path.name: supplement}, now)


def collection_lock(root: UPath) -> AbstractContextManager[None]:
    """Keep other processes on this machine from changing a collection's properties, on a local disk."""
    return locked(Path(root.path) / MEMBERS) if storage.is_local(root) else nullcontext()


def tables_in(root: UPath) -> dict[str, TableProperties]:
    """Return the properties of the tables in the subfolders of a folder, by name."""
    folders = [name for name in storage.list_names(root) if storage.is_directory(root / name)]
    found = {name: catalog_properties(root / name) for name in folders}
    return {name: properties for name, properties in found.items() if properties is not None}


def supplements_of(folder: str, tables: Mapping[str, TableProperties]) -> dict[str, Supplement]:
    """Return the tables that are supplements of the catalog in `folder`, by folder."""
    known = {folder, tables[folder].obs_collection}
    found = {name: supplement_from(properties) for name, properties in tables.items()}
    return {
        name: supplement
        for name, supplement in found.items()
        if supplement is not None
        and posixpath.basename(posixpath.normpath(tables[name].hats_primary_table_url or "")) in known
    }


def supplement_from(properties: TableProperties) -> Supplement | None:
    """Return the supplement that a table is, or None if it is something else."""
    if properties.dataproduct_type == "margin" and properties.hats_margin_threshold is not None:
        return Margin(properties.hats_margin_threshold)
    if properties.dataproduct_type == "index" and properties.hats_index_column is not None:
        return Index(properties.hats_index_column, properties.hats_index_extra_column or ())
    return None
