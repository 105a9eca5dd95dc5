"""Importing: raw tables in, a catalog or a collection out (Note, section 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from hatsformat.arguments import ImportChanges
    from hatsformat.catalog import Catalog, Collection
    from hatsformat.importing.writer import CatalogWriter
    from hatsformat.partitioner.build_log import BuildLog, Progress
    from hatsformat.partitioner.options import ImportOptions
    from hatsformat.storage import PathLike

__all__ = ["CatalogWriter", "import_catalog", "run_import"]


def __getattr__(name: str) -> Any:
    # It brings pyarrow's readers with it; importing the package does not.
    if name == "CatalogWriter":
        from hatsformat.importing.writer import CatalogWriter

        return CatalogWriter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def import_catalog(
    inputs: Any,
    path: PathLike,
    *,
    options: ImportOptions | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **changes: Unpack[ImportChanges],
) -> Catalog | Collection:
    """Make a catalog from files or tables, and open it.

    Parameters
    ----------
    inputs : path, table, or iterable of them
        CSV, Parquet, Arrow, FITS, VOTable or ECSV files, directories or globs of them, or ``@`` and a text
        file that names such inputs; or Arrow tables, batches and readers, pandas data frames, Astropy tables.
    path : path
        The catalog's directory: new or empty, or a catalog with ``overwrite=True``.
    options : ImportOptions, optional
        How to make it.
    executor : concurrent.futures.Executor, optional
        Where to work, such as ``Client(...).get_executor()`` of a Dask cluster; threads of this process
        otherwise.
    progress : callable, optional
        Called with a stage's name, the steps done and the steps in all.
    **changes
        Fields of `ImportOptions`, by name, such as ``ra="RAJ2000"`` or ``max_rows=500_000``.

    Returns
    -------
    Catalog or Collection
        A collection if the options ask for ``margins_arcsec`` or ``indexes``.

    Raises
    ------
    HatsError
        `InputError`, `ColumnError`, `CoordinatesError`, `SchemaError`, `ThresholdError`, `OutputError`,
        `StorageError` or `UsageError`: nothing that looks like a catalog is left behind.

    Examples
    --------
    >>> import pyarrow as pa, hatsformat
    >>> stars = pa.table({"id": [1, 2], "ra": [10.0, 200.0], "dec": [-5.0, 60.0]})
    >>> catalog = hatsformat.import_catalog(stars, "memory://docs/stars")
    >>> catalog.properties.hats_nrows
    2
    """
    log = run_import(inputs, path, options=options, executor=executor, progress=progress, **changes)
    from hatsformat.catalog import open_catalog, open_collection

    return open_collection(path) if log.supplements else open_catalog(path)


def run_import(
    inputs: Any,
    path: PathLike,
    *,
    options: ImportOptions | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **changes: Unpack[ImportChanges],
) -> BuildLog:
    """Do what `import_catalog` does, and return the account of the work instead of the catalog."""
    from hatsformat.importing import pipeline
    from hatsformat.partitioner.options import ImportOptions

    chosen = (options or ImportOptions()).changed(**changes)
    return pipeline.run_import(inputs, path, chosen, executor=executor, progress=progress)
