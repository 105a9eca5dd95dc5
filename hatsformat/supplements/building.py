"""Building supplements of a catalog that stands: the functions behind the commands (Note, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, Unpack

from upath import UPath

from hatsformat import layout, storage
from hatsformat.arguments import SupplementOptions
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
    alone,
    enlist,
    supplements_of,
    tables_in,
    write_collection,
)
from hatsformat.supplements.kinds import Index, Margin, Supplement
from hatsformat.supplements.primary import PRIMARY_TYPES, Primary

WORK_OPTIONS = (
    "workers", "processes", "scheduler", "memory", "scratch", "overwrite", "row_group_rows",
)  # fmt: skip
"""The options of an import that the building of a supplement has, too."""


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
    """Build a margin cache: for each tile, the rows of others within a threshold of its border.

    Parameters
    ----------
    catalog : path or Catalog
        The primary catalog, or a collection of it.
    threshold_arcsec : float or astropy.units.Quantity
        A bare number is in arcseconds.
    path : path, optional
        The directory of the margin; ``<catalog>_<threshold>arcs`` beside the catalog by default. Where it is
        a subdirectory of the collection that the catalog is the primary of, it becomes a member of it.
    name : str, optional
        ``obs_collection``; the name of the directory by default.
    executor : concurrent.futures.Executor, optional
        Where to work; threads of this process otherwise.
    progress : callable, optional
        Called with a stage's name, the steps done and the steps in all.
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
    supplement = Margin(as_arcsec(threshold_arcsec))
    return _build(catalog, supplement, path, name, executor, progress, options)


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
        The primary catalog, or a collection of it.
    column : str
        Numbers, text, bytes, truth values or times. Missing values and NaN have no entry.
    path : path, optional
        The directory of the index; ``<catalog>_<column>`` beside the catalog by default. Where it is a
        subdirectory of the collection that the catalog is the primary of, it becomes a member of it.
    extra_columns : iterable of str, optional
        Columns that the entries have besides. Without any, rows with the same value at the same place share
        an entry.
    name, executor, progress, **options
        As in `build_margin`.

    Returns
    -------
    Catalog
        The index: the column, the extra ones, ``_healpix_29``, ``Norder`` and ``Npix``, sorted by value.

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
    supplement = Index(column, tuple(extra_columns), "column")
    return _build(catalog, supplement, path, name, executor, progress, options)


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
    """Make a directory with a catalog in it a collection, with the supplements that are there or asked for.

    Parameters
    ----------
    path : path
        The directory. If it is a collection already, members are added to it.
    primary : str, optional
        The subdirectory with the primary catalog; needed where there are several.
    margins_arcsec : iterable of float or astropy.units.Quantity, optional
        Thresholds of margin caches to have; bare numbers are in arcseconds. Those that are there are kept,
        unless ``overwrite=True``.
    indexes : iterable of str, optional
        Columns to have index tables of.
    name : str, optional
        ``obs_collection``; that which it has, or the name of the directory, by default.
    executor, progress, **options
        As in `build_margin`.

    Returns
    -------
    Collection

    Raises
    ------
    HatsError
        Of what was built before, all is whole; ``collection.properties`` is written last.
    """
    check_name(name)
    root = storage.resolve(path)
    work = _work_options(options)
    tables = tables_in(root)
    before = collection_properties(root)
    folder = _primary_folder(root, primary or (before.hats_primary_table_url if before else None), tables)
    told = Primary.of(root / folder, tables[folder])
    wanted: list[Supplement] = [Margin(as_arcsec(threshold)) for threshold in margins_arcsec]
    wanted += [Index(column) for column in indexes]
    for supplement in wanted:
        supplement.check(told.schema, told.root)
    standing = supplements_of(folder, tables, [tables[folder].obs_collection])
    members = dict(standing)
    for supplement in dict.fromkeys(wanted):
        there = [own for own in standing if supplement.is_at(tables[own])]
        place = there[0] if there else supplement.folder(folder)
        if not there or work.overwrite:
            _make(told, supplement, root / place, place, work, executor, progress)
        members[place] = supplement
    with alone(root):
        properties = collection_properties(root) or CollectionProperties(
            obs_collection=name or default_name(root)
        )
        properties = properties.replace(
            hats_primary_table_url=folder, obs_collection=name or properties.label or default_name(root)
        )
        write_collection(root, properties, members, build_date())
    return open_collection(root)


def _build(
    catalog: storage.PathLike | Catalog,
    supplement: Supplement,
    path: storage.PathLike | None,
    name: str | None,
    executor: Executor | None,
    progress: Progress | None,
    options: SupplementOptions,
) -> Catalog:
    check_name(name)
    work = _work_options(options)
    opened = catalog if isinstance(catalog, Catalog) else open_catalog(catalog)
    primary = Primary.of(opened.path, opened.properties)
    supplement.check(primary.schema, primary.root)
    beside = opened.path.parent / supplement.folder(opened.path.name)
    place = beside if path is None else storage.resolve(path)
    created = _make(primary, supplement, place, name or default_name(place), work, executor, progress)
    enlist(place, supplement, opened.path, created)
    return open_catalog(place)


def _make(
    primary: Primary,
    supplement: Supplement,
    root: UPath,
    name: str,
    work: ImportOptions,
    executor: Executor | None,
    progress: Progress | None,
) -> datetime:
    leaf = "directory" if primary.properties.has_leaf_directories else "file"
    url = primary.root.name if primary.root.parent == root.parent else str(primary.root)
    options = work.changed(leaf=leaf)
    output = open_output(root, overwrite=options.overwrite, scratch=options.scratch)
    log = BuildLog(str(root), name)
    paths = [str(root), str(primary.root)]
    opened = open_context(options, output.scratch, log, paths=paths, executor=executor, progress=progress)
    with publish(output), opened as context:
        check_inputs(output, [str(primary.root / layout.PROPERTIES)])
        output.begin()
        supplement.make(primary, name, url, output.staging, context)
    return context.created


def _work_options(given: SupplementOptions) -> ImportOptions:
    if unknown := sorted(given.keys() - set(WORK_OPTIONS)):
        raise UsageError(
            f"the building of a supplement has no option {unknown[0]!r}", expected=", ".join(WORK_OPTIONS)
        )
    return ImportOptions(**given)


def _primary_folder(root: UPath, told: str | None, tables: dict[str, TableProperties]) -> str:
    """Return the subdirectory of the primary catalog: the one that was named, or the only one."""
    catalogs = [name for name, found in tables.items() if found.dataproduct_type in PRIMARY_TYPES]
    if told is not None:
        folder = told.strip("/").removeprefix("./")
        if folder in catalogs:
            return folder
    elif len(catalogs) == 1:
        return catalogs[0]
    raise UsageError(
        "there is no such catalog in the directory" if told else "which catalog is the primary is not clear",
        path=root,
        found=told or ", ".join(catalogs) or "no catalog in a subdirectory",
        expected=f"one of: {', '.join(catalogs)}" if catalogs else "a catalog in a subdirectory",
    )
