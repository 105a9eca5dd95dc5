"""The collection class, and functions that open catalogs and collections."""

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

    Only properties are read; other files are read when they are first needed. A directory that is both a
    catalog and a collection is opened as the catalog.

    Parameters
    ----------
    path : path-like
        The directory of a catalog or a collection, or its properties file: a local path or a URL.
    **storage_options
        Passed to the file system, such as ``anon=True`` for a public bucket.

    Returns
    -------
    Catalog

    Raises
    ------
    NotFoundError
        If there is no catalog, or only its properties. In remote storage, the latter is only noticed when the
        tiles are first needed.
    PropertiesError
        If its properties are invalid, so that it cannot be used.

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
        Passed to the file system.

    Returns
    -------
    Collection

    Raises
    ------
    NotFoundError
        If there is no collection, or its primary catalog is missing.
    PropertiesError
        If its properties are invalid, so that it cannot be used.
    """
    root = _root(storage.resolve(path, **storage_options))
    properties = locating.collection_properties(root)
    if properties is None:
        raise locating.not_found(root, (layout.COLLECTION_PROPERTIES,), "collection")
    collection = Collection(root, properties)
    _ = collection.primary
    return collection


class Collection:
    """A collection: a primary catalog with its margin caches and index tables.

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
        """The name: ``obs_collection`` or ``name``, or else the name of the directory."""
        return self.properties.label or self.path.name

    @cached_property
    def primary(self) -> Catalog:
        """The primary catalog."""
        return open_checked(*self._members.primary(), self._members)

    @property
    def margins(self) -> tuple[str, ...]:
        """The names of the margin caches."""
        return self.properties.margins

    @property
    def indexes(self) -> tuple[str, ...]:
        """The columns with an index table."""
        return tuple(self.properties.indexes)

    def margin(self, name: str | None = None) -> Catalog:
        """Return a margin cache.

        Parameters
        ----------
        name : str, optional
            One of `margins`; by default ``default_margin``, or the only one.

        Raises
        ------
        UsageError
            If it is missing, or there are several and none is the default.
        """
        return open_checked(*self._members.margin(name), self._members)

    def index(self, column: str | None = None) -> Catalog:
        """Return an index table.

        Parameters
        ----------
        column : str, optional
            One of `indexes`; by default ``default_index``, or the only one.

        Raises
        ------
        UsageError
            If it is missing, or there are several and none is the default.
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

        This object is updated and returned. Get its members from it again.
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
        """Rewrite leaves that have grown too large or have many files: see `Catalog.rebuild`.

        This object is updated and returned. Get its members from it again.
        """
        from hatsformat.updates.rebuilding import rebuild

        rebuild(self.path, executor=executor, progress=progress, **options)
        return self._refreshed()

    def _refreshed(self) -> Collection:
        """Read the properties again and drop everything that was cached; return this object."""
        self.__dict__.pop("primary", None)
        Collection.__init__(self, self.path, self._members.refreshed().properties)
        return self


def _root(path: UPath) -> UPath:
    """Return the directory of a properties file, or the directory itself."""
    named = path.name in (*layout.CATALOG_PROPERTIES, layout.COLLECTION_PROPERTIES)
    is_folder = storage.is_local(path) and path.is_dir()
    return path.parent if named and not is_folder else path
