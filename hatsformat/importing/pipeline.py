"""An import from end to end: the five stages, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Unpack

import pyarrow as pa

from hatsformat import storage
from hatsformat.arguments import ImportChanges
from hatsformat.catalog import Catalog, Collection, open_catalog, open_collection
from hatsformat.errors import UsageError
from hatsformat.importing.resuming import ImportPlan, can_resume_after
from hatsformat.importing.tables import build_tables, map_settings
from hatsformat.inputs import Source, open_inputs
from hatsformat.partitioner import mapping
from hatsformat.partitioner.build_log import BuildLog, Progress
from hatsformat.partitioner.context import BuildContext, default_name, open_context
from hatsformat.partitioner.coordinates import coarse_notes, find_column
from hatsformat.partitioner.map_inputs import map_inputs
from hatsformat.partitioner.mapping import MappedRows
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.schema import plan_schema
from hatsformat.publishing.new_folder import NewFolder
from hatsformat.publishing.output import check_inputs, check_quarantine, log_path, open_output
from hatsformat.publishing.publication import publish


def import_catalog(
    inputs: Any,
    path: storage.PathLike,
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
        CSV, Parquet, Arrow, FITS, VOTable or ECSV files, folders or globs of them, or ``@`` and a text
        file that names such inputs; or Arrow tables, batches and readers, pandas data frames, Astropy tables.
    path : path
        The output folder: new or empty, or a catalog with ``overwrite=True``.
    options : ImportOptions, optional
        How to make it.
    executor : concurrent.futures.Executor, optional
        Where to run the work, such as ``Client(...).get_executor()`` of a Dask cluster; by default, threads.
    progress : callable, optional
        Called with the name of a stage, the steps done and the number of steps.
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
    return open_collection(path) if log.supplements else open_catalog(path)


def run_import(
    inputs: Any,
    path: storage.PathLike,
    *,
    options: ImportOptions | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **changes: Unpack[ImportChanges],
) -> BuildLog:
    """Do what `import_catalog` does, and return the log instead of the catalog."""
    options = (options or ImportOptions()).changed(**changes)
    root = storage.resolve(path)
    output = open_output(root, overwrite=options.overwrite, resume=options.resume, scratch=options.scratch)
    if options.bad_coordinates == "quarantine":
        check_quarantine(output)
    sources, plan = _planned(inputs, options, output)
    log = BuildLog(str(root), options.name or default_name(root), len(sources), options=asdict(options))
    log_file = log_path(output, options.log)
    context = open_context(
        options,
        output.scratch,
        log,
        paths=[str(root), *(source.name for source in sources)],
        executor=executor,
        progress=progress,
        created=plan.created,
    )
    with log.recorded(log_file), publish(output), context as opened:
        if plan.can_resume:
            plan.write(output.work)
            output.keep_work = partial(can_resume_after, output.scratch)
        with log.stage("mapping"):
            mapped, schema = _map(sources, opened)
        build_tables(mapped, schema, output, opened)
    return log


def _planned(inputs: Any, options: ImportOptions, output: NewFolder) -> tuple[list[Source], ImportPlan]:
    """Return the inputs and the plan of the import, that of the interrupted import if it is resumed."""
    before = ImportPlan.read(output.work) if options.resume else None
    chunk_bytes = options.memory_budget().chunk_bytes
    part_bytes = before.chunk_bytes if before else chunk_bytes
    sources = open_inputs(inputs, options.input_options(part_bytes))
    check_inputs(output, [source.name for source in sources])
    plan = ImportPlan.of(options, sources, chunk_bytes)
    if before is not None:
        before.check_same(plan, output.root, output.scratch)
        return sources, replace(before, inputs=plan.inputs)
    if options.resume and output.interrupted and not plan.can_resume:
        raise UsageError("only an import of files can be resumed", hint="start again with --overwrite")
    return sources, plan


def _map(sources: Sequence[Source], context: BuildContext) -> tuple[MappedRows, pa.Schema]:
    """Map all inputs: stage 1. Return their rows and the one schema that all rows fit into."""
    options = context.options
    mapped, schemas = map_inputs(sources, map_settings(options, context.memory.chunk_bytes), context)
    mapping.check_rows(mapped, sources[0].name)
    context.log.notes += coarse_notes(((item.name, item.schema) for item in schemas), options.coordinates)
    schema = plan_schema(schemas)
    for name in options.sort_by:
        find_column(schema, name, "sort-by", sources[0].name)
    return mapped, schema
