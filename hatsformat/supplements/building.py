"""Building supplements of an existing catalog: the functions behind the commands (Note, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, Unpack

from upath import UPath

from hatsformat import layout, storage
from hatsformat.arguments import SupplementOptions, check_arguments
from hatsformat.catalog import Catalog, Collection, open_catalog, open_collection
from hatsformat.catalog.locating import collection_properties
from hatsformat.errors import UsageError
from hatsformat.margins import as_arcsec
from hatsformat.partitioner.build_log import BuildLog, Progress
from hatsformat.partitioner.context import build_date, default_name, open_context
from hatsformat.partitioner.options import ImportOptions, check_name
from hatsformat.properties import CollectionProperties, TableProperties
from hatsformat.publishing.output import check_inputs, open_output
from hatsformat.publishing.publication import publish
from hatsformat.supplements.collection import (
    Supplement,
    add_member,
    collection_lock,
    supplements_of,
    tables_in,
    write_collection,
)
from hatsformat.supplements.index import Index
from hatsformat.supplements.margin import Margin
from hatsformat.supplements.primary import PRIMARY_TYPES, Primary


def build_margin(
    catalog: storage.PathLike | Catalog,
    threshold_arcsec: Any,
    path: storage.PathLike | None = None,
    *,
    name: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **options: Unpack[SupplementOptions],
) -> Catalog:
    """Build a margin cache: for each tile, the rows of other tiles within a threshold of its border.

    Parameters
    ----------
    catalog : path or Catalog
        The primary catalog, or its collection.
    threshold_arcsec : float or astropy.units.Quantity
        Numbers without a unit are in arcseconds.
    path : path, optional
        The output folder; by default ``<catalog>_<threshold>arcs`` beside the catalog. If it is a subfolder
        of the catalog's collection, the margin becomes a member.
    name : str, optional
        ``obs_collection``; by default the name of the folder.
    executor : concurrent.futures.Executor, optional
        Where to run the work; by default, threads.
    progress : callable, optional
        Called with the name of a stage, the steps done and the number of steps.
    **options
        As in `ImportOptions`: ``workers``, ``processes``, ``scheduler``, ``memory``, ``scratch``,
        ``overwrite`` and ``row_group_rows``.

    Returns
    -------
    Catalog
        The margin, with the columns of its primary.

    Raises
    ------
    HatsError
        Nothing that looks like a margin is left behind.

    Examples
    --------
    >>> import pyarrow as pa, hatsformat
    >>> stars = pa.table({"id": [1, 2], "ra": [44.999, 45.001], "dec": [0.0, 0.0]})
    >>> catalog = hatsformat.import_catalog(stars, "memory://docs/pair", lowest_order=1)
    >>> margin = hatsformat.build_margin(catalog, 10)
    >>> margin.name, margin.scan().count_rows()
    ('pair_10arcs', 2)
    """
    margin = Margin(as_arcsec(threshold_arcsec))
    return _build_one(catalog, margin, path, name, executor, progress, options)


def build_index(
    catalog: storage.PathLike | Catalog,
    column: str,
    path: storage.PathLike | None = None,
    *,
    extra_columns: Iterable[str] = (),
    name: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **options: Unpack[SupplementOptions],
) -> Catalog:
    """Build an index table: which tiles have the values of a column, for `Catalog.lookup`.

    Parameters
    ----------
    catalog : path or Catalog
        The primary catalog, or its collection.
    column : str
        Numbers, text, bytes, booleans or times. Missing values and NaN have no entry.
    path : path, optional
        The output folder; by default ``<catalog>_<column>`` beside the catalog. If it is a subfolder of the
        catalog's collection, the index becomes a member.
    extra_columns : iterable of str, optional
        More columns for the entries. Without any, rows with the same value and position share an entry.
    name, executor, progress, **options
        As in `build_margin`.

    Returns
    -------
    Catalog
        The index: the column, the extra columns, ``_healpix_29``, ``Norder`` and ``Npix``, sorted by value.

    Raises
    ------
    HatsError
        Nothing that looks like an index is left behind.

    Examples
    --------
    >>> import pyarrow as pa, hatsformat
    >>> stars = pa.table({"id": [7, 3], "ra": [10.0, 200.0], "dec": [0.0, 0.0]})
    >>> catalog = hatsformat.import_catalog(stars, "memory://docs/numbered")
    >>> hatsformat.build_index(catalog, "id").scan(columns=["id"]).to_table()["id"].to_pylist()
    [3, 7]
    """
    index = Index(column, tuple(extra_columns), "column")
    return _build_one(catalog, index, path, name, executor, progress, options)


def build_collection(
    path: storage.PathLike,
    *,
    primary: str | None = None,
    margins_arcsec: Iterable[Any] = (),
    indexes: Iterable[str] = (),
    name: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **options: Unpack[SupplementOptions],
) -> Collection:
    """Make a folder with a catalog in it a collection, with all existing and requested supplements.

    Parameters
    ----------
    path : path
        The folder. If it is a collection already, members are added to it.
    primary : str, optional
        The subfolder with the primary catalog; needed if there are several.
    margins_arcsec : iterable of float or astropy.units.Quantity, optional
        Thresholds of margin caches to build; numbers without a unit are in arcseconds. Existing margins
        are kept unless ``overwrite=True``.
    indexes : iterable of str, optional
        Columns to build index tables of; existing ones are kept, too.
    name : str, optional
        ``obs_collection``; by default the existing one, or else the name of the folder.
    executor, progress, **options
        As in `build_margin`.

    Returns
    -------
    Collection

    Raises
    ------
    HatsError
        Supplements that were complete before the error stay; ``collection.properties`` is written last.
    """
    check_name(name)
    root = storage.resolve(path)
    work = _import_options(options)
    tables = tables_in(root)
    before = collection_properties(root)
    folder = _primary_folder(root, primary or (before.hats_primary_table_url if before else None), tables)
    catalog = Primary.of(root / folder, tables[folder])
    wanted: list[Supplement] = [Margin(as_arcsec(threshold)) for threshold in margins_arcsec]
    wanted += [Index(column) for column in indexes]
    for supplement in wanted:
        supplement.check(catalog.schema, catalog.root)
    existing = supplements_of(folder, tables)
    members = dict(existing)
    for supplement in dict.fromkeys(wanted):
        same = [found for found, other in existing.items() if other == supplement]
        member = same[0] if same else supplement.folder(folder)
        if not same or work.overwrite:
            _publish(catalog, supplement, root / member, member, work, executor, progress)
        members[member] = supplement
    with collection_lock(root):
        properties = collection_properties(root) or CollectionProperties()
        properties = properties.replace(
            hats_primary_table_url=folder, obs_collection=name or properties.label or default_name(root)
        )
        write_collection(root, properties, members, build_date())
    return open_collection(root)


def _build_one(
    catalog: storage.PathLike | Catalog,
    supplement: Supplement,
    path: storage.PathLike | None,
    name: str | None,
    executor: Executor | None,
    progress: Progress | None,
    options: SupplementOptions,
) -> Catalog:
    check_name(name)
    work = _import_options(options)
    opened = catalog if isinstance(catalog, Catalog) else open_catalog(catalog)
    primary = Primary.of(opened.path, opened.properties)
    supplement.check(primary.schema, primary.root)
    beside = opened.path.parent / supplement.folder(opened.path.name)
    root = beside if path is None else storage.resolve(path)
    created = _publish(primary, supplement, root, name or default_name(root), work, executor, progress)
    add_member(root, supplement, opened.path, created)
    return open_catalog(root)


def _publish(
    primary: Primary,
    supplement: Supplement,
    root: UPath,
    name: str,
    options: ImportOptions,
    executor: Executor | None,
    progress: Progress | None,
) -> datetime:
    """Build a supplement and publish it in the folder `root`; return its date."""
    url = primary.root.name if primary.root.parent == root.parent else str(primary.root)
    options = options.changed(leaf="directory" if primary.properties.has_leaf_directories else "file")
    output = open_output(root, overwrite=options.overwrite, scratch=options.scratch)
    log = BuildLog(str(root), name)
    paths = [str(root), str(primary.root)]
    opened = open_context(options, output.scratch, log, paths=paths, executor=executor, progress=progress)
    with publish(output), opened as context:
        check_inputs(output, [str(primary.root / layout.PROPERTIES)])
        output.begin()
        supplement.build(primary, name, url, output.staging, context)
    return context.created


def _import_options(given: SupplementOptions) -> ImportOptions:
    check_arguments(given, SupplementOptions, "a margin or an index")
    return ImportOptions(**given)


def _primary_folder(root: UPath, declared: str | None, tables: dict[str, TableProperties]) -> str:
    """Return the subfolder of the primary catalog: the declared one, or else the only one."""
    catalogs = [name for name, found in tables.items() if found.dataproduct_type in PRIMARY_TYPES]
    if declared is not None:
        folder = declared.strip("/").removeprefix("./")
        if folder in catalogs:
            return folder
    elif len(catalogs) == 1:
        return catalogs[0]
    raise UsageError(
        "the primary catalog is missing from the folder" if declared else "cannot choose a primary catalog",
        path=root,
        found=declared or ", ".join(catalogs) or "no catalog in a subfolder",
        expected=f"one of: {', '.join(catalogs)}" if catalogs else "a catalog in a subfolder",
    )
