"""Collections, and opening them and catalogs."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import cached_property
from typing import Any, Unpack

from upath import UPath

from hatsformat import layout, storage
from hatsformat.arguments import AppendOptions, Progress, RebuildOptions
from hatsformat.catalog import locating
from hatsformat.catalog.catalog import Catalog, open_checked
from hatsformat.catalog.members import Members
from hatsformat.properties import CollectionProperties


def open_catalog(path: storage.PathLike, **storage_options: Any) -> Catalog:
    """Open a catalog of any type, or the primary catalog of a collection.

    Only properties are read; every other file is read when it is first needed. A directory that is both
    a catalog and a collection is opened as the catalog.

    Parameters
    ----------
    path : path-like
        The directory of a catalog or a collection, or its properties file: a local path or a URL.
    **storage_options
        Handed to the file system, such as ``anon=True`` for a public bucket.

    Returns
    -------
    Catalog

    Raises
    ------
    NotFoundError
        If there is no catalog, or nothing of it but properties. Away from the local disk the latter is
        noticed only when its tiles are first needed.
    PropertiesError
        If its properties make it unusable.

    Examples
    --------
    >>> from hatsformat import Cone
    >>> stars = open_catalog("stars")  # doctest: +SKIP
    >>> stars.scan(region=Cone(56.75, 24.12, 2), columns=["ra", "dec"]).to_pandas()  # doctest: +SKIP
    """
    root = _root(storage.resolve(path, **storage_options))
    properties = locating.catalog_properties(root)
    if properties is not None:
        return open_checked(root, properties)
    collection = locating.collection_properties(root)
    if collection is None:
        names = (*layout.CATALOG_PROPERTIES, layout.COLLECTION_PROPERTIES)
        raise locating.not_found(root, names, "catalog or collection")
    members = Members(root, collection)
    return open_checked(*members.primary(), members)


def open_collection(path: storage.PathLike, **storage_options: Any) -> Collection:
    """Open a collection.

    Parameters
    ----------
    path : path-like
        Its directory, or its ``collection.properties``: a local path or a URL.
    **storage_options
        Handed to the file system.

    Returns
    -------
    Collection

    Raises
    ------
    NotFoundError
        If there is no collection, or its primary catalog is not there.
    PropertiesError
        If its properties make it unusable.
    """
    root = _root(storage.resolve(path, **storage_options))
    properties = locating.collection_properties(root)
    if properties is None:
        raise locating.not_found(root, (layout.COLLECTION_PROPERTIES,), "collection")
    collection = Collection(root, properties)
    _ = collection.primary
    return collection


class Collection:
    """A collection: a primary catalog with the margin caches and index tables that belong to it.

    Open one with `open_collection`.

    Parameters
    ----------
    path : UPath
        Its directory.
    properties : CollectionProperties
        Its properties.

    Attributes
    ----------
    path : UPath
    properties : CollectionProperties
    """

    def __init__(self, path: UPath, properties: CollectionProperties) -> None:
        self.path = path
        self.properties = properties
        self._members = Members(path, properties)

    def __reduce__(self) -> tuple[Any, ...]:
        return Collection, (self.path, self.properties)

    def __repr__(self) -> str:
        return f"<Collection {self.name!r} at {self.path}>"

    @property
    def name(self) -> str:
        """Its name: ``obs_collection`` or ``name``, or else that of its directory."""
        return self.properties.label or self.path.name

    @cached_property
    def primary(self) -> Catalog:
        """The primary catalog."""
        return open_checked(*self._members.primary(), self._members)

    @property
    def margins(self) -> tuple[str, ...]:
        """The names of its margin caches."""
        return self.properties.margins

    @property
    def indexes(self) -> tuple[str, ...]:
        """The columns that it has index tables for."""
        return tuple(self.properties.indexes)

    def margin(self, name: str | None = None) -> Catalog:
        """Return a margin cache.

        Parameters
        ----------
        name : str, optional
            One of `margins`; ``default_margin`` by default, or the only one.

        Raises
        ------
        UsageError
            If there is none such.
        """
        return open_checked(*self._members.margin(name), self._members)

    def index(self, column: str | None = None) -> Catalog:
        """Return an index table.

        Parameters
        ----------
        column : str, optional
            One of `indexes`; ``default_index`` by default, or the only one.

        Raises
        ------
        UsageError
            If there is none such.
        """
        return open_checked(*self._members.index(column), self._members)

    def append(
        self,
        inputs: Any,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        **options: Unpack[AppendOptions],
    ) -> Collection:
        """Add rows to the primary catalog, its margins and its indexes: see `Catalog.append`.

        The collection itself is updated and returned; take its members from it again.
        """
        from hatsformat.updates.appending import append

        append(self.path, inputs, executor=executor, progress=progress, **options)
        return self._refreshed()

    def rebuild(
        self,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        **options: Unpack[RebuildOptions],
    ) -> Collection:
        """Bring leaves that have drifted back to what an import makes: see `Catalog.rebuild`.

        The collection itself is updated and returned; take its members from it again.
        """
        from hatsformat.updates.rebuilding import rebuild

        rebuild(self.path, executor=executor, progress=progress, **options)
        return self._refreshed()

    def _refreshed(self) -> Collection:
        """Return this collection, as if it were opened again."""
        self.__dict__.pop("primary", None)
        Collection.__init__(self, self.path, self._members.refreshed().properties)
        return self


def _root(path: UPath) -> UPath:
    """Return the directory of a properties file, or the directory itself."""
    named = path.name in (*layout.CATALOG_PROPERTIES, layout.COLLECTION_PROPERTIES)
    is_folder = storage.is_local(path) and path.is_dir()
    return path.parent if named and not is_folder else path
