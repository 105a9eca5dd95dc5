"""An import from end to end: the five stages, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, TypeVar

import pyarrow as pa
from upath import UPath

from hatsformat import layout, storage
from hatsformat.artefacts.leaf import LeafFormat, leaf_writer
from hatsformat.errors import InputError
from hatsformat.partitioner import mapping
from hatsformat.partitioner.binning import Alignment, align
from hatsformat.partitioner.coordinates import find_column
from hatsformat.partitioner.destination import Destination
from hatsformat.partitioner.finishing import CatalogInfo, finish
from hatsformat.partitioner.inputs import Source, open_inputs
from hatsformat.partitioner.log import BuildLog, Progress
from hatsformat.partitioner.mapping import Mapped, MapSettings
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.reducing import Leaf, LeafPlan, reduce_tile
from hatsformat.partitioner.runs import Run, RunStore
from hatsformat.partitioner.schema import InputSchema, fit, plan_schema
from hatsformat.partitioner.splitting import Shards, split
from hatsformat.properties.table import HEALPIX_COLUMN

T = TypeVar("T")
R = TypeVar("R")

LOOK_AHEAD = 2
"""Tasks in hand for every worker: enough to keep it busy while results are taken in order."""


def run_import(
    inputs: Any, path: storage.PathLike, options: ImportOptions, progress: Progress | None = None
) -> BuildLog:
    """Make a catalog and return the account of it; `import_catalog` is the public face of this.

    Parameters
    ----------
    inputs : path, table, or iterable of them
        See `open_inputs`.
    path : path
        The catalog's directory: new, empty, or a catalog if `options.overwrite`.
    options : ImportOptions
    progress : callable, optional
        Called with a stage's name, the steps done and the steps in all.
    """
    root = storage.resolve(path)
    told = progress or _silent
    place = Destination(root, overwrite=options.overwrite, scratch=options.scratch)
    sources = open_inputs(inputs, options.inputs)
    place.check_inputs([source.name for source in sources])
    log = BuildLog(str(root), options.name or _name_of(root), len(sources))
    store = RunStore(options.runs_bytes, place.scratch)
    with place.claimed(), ThreadPoolExecutor(options.worker_count, "hatsformat") as workers:
        with log.stage("mapping"):
            mapped, schema = _map(sources, options, store, workers, told)
        with log.stage("binning"):
            alignment = align(
                mapped.counts,
                options.max_rows,
                lowest_order=options.lowest_order,
                keep_empty_siblings=options.keep_empty_siblings,
            )
        with log.stage("splitting"):
            shards = split(mapped.runs, alignment)
        place.begin()
        info = _info(options, log.name, schema)
        plan = LeafPlan(leaf_schema(schema), options.leaf_format, options.thumbnail)
        with log.stage("reducing and finishing"):
            leaves = _reduce(alignment, shards, plan, root, options, workers, told)
            done = finish(root, leaves, mapped.counts, plan, info, datetime.now(UTC))
        place.finish()
        log.quarantine = _write_quarantine(root, mapped.rejected)
    log.rows_read, log.rows_rejected, log.rows_written = mapped.rows_read, mapped.rows_rejected, done.rows
    log.tiles, log.size_bytes, log.spilled_bytes = done.tiles, done.size, store.spilled_bytes
    return log


def leaf_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of the leaves: the index column, then the input's."""
    return schema.insert(0, pa.field(HEALPIX_COLUMN, pa.int64()))


def _map(
    sources: Sequence[Source], options: ImportOptions, store: RunStore, workers: Executor, told: Progress
) -> tuple[Mapped, pa.Schema]:
    settings = MapSettings(
        options.coordinates,
        options.highest_order,
        HEALPIX_COLUMN,
        options.bad_coordinates,
        options.chunk_bytes,
    )
    parts: list[Mapped] = []
    seen: list[InputSchema] = []

    def one(numbered: tuple[int, Source]) -> Mapped:
        return mapping.map_source(numbered[0], numbered[1], settings, store)

    for number, part in enumerate(
        in_order(one, enumerate(sources), workers, options.worker_count * LOOK_AHEAD)
    ):
        if part.schema is not None:
            seen.append(InputSchema(sources[number].name, part.schema, part.inferred))
            part.schema = None
        parts.append(part)
        told("mapping", number + 1, len(sources))
    mapped = mapping.merge(parts, options.highest_order)
    if mapped.counts.total == 0:
        what = "no row has a position on the sky" if mapped.rows_read else "there are no rows in the input"
        raise InputError(what, path=sources[0].name, hint="check the file and the coordinate columns")
    schema = plan_schema(seen)
    for name in options.sort_by:
        find_column(schema, name, "sort-by", sources[0].name)
    return mapped, schema


def _reduce(
    alignment: Alignment,
    shards: Shards,
    plan: LeafPlan,
    root: UPath,
    options: ImportOptions,
    workers: Executor,
    told: Progress,
) -> Iterator[Leaf]:
    part = "part0.parquet" if options.suffix == layout.DIRECTORY_SUFFIX else None

    def one(index: int) -> Leaf:
        tile = alignment.tiles[index]
        path = layout.leaf_path(tile.order, tile.pixel, options.suffix, part)
        return reduce_tile(tile, path, shards.of_tile(index), plan, root)

    total = len(alignment.tiles)
    for done, leaf in enumerate(in_order(one, range(total), workers, options.worker_count * LOOK_AHEAD), 1):
        told("reducing", done, total)
        yield leaf


def in_order(task: Callable[[T], R], items: Iterable[T], workers: Executor, ahead: int) -> Iterator[R]:
    """Run a task for every item and return the results in order, with at most `ahead` tasks in hand.

    The first task that fails, wherever it stands, ends the work.
    """
    waiting: deque[Future[R]] = deque()
    remaining = iter(items)
    try:
        while True:
            while len(waiting) < ahead and (item := next(remaining, _END)) is not _END:
                waiting.append(workers.submit(task, item))
            if not waiting:
                return
            wait((waiting[0],), return_when=FIRST_EXCEPTION)
            for future in waiting:
                if future.done() and future.exception() is not None:
                    future.result()
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        wait(waiting)


_END: Any = object()


def _info(options: ImportOptions, name: str, schema: pa.Schema) -> CatalogInfo:
    converted = mapping.RA_DEGREES in schema.names and options.ra != mapping.RA_DEGREES
    ra, dec = (mapping.RA_DEGREES, mapping.DEC_DEGREES) if converted else (options.ra, options.dec)
    return CatalogInfo(
        name,
        options.catalog_type,
        ra,
        dec,
        options.suffix,
        options.max_rows,
        options.sort_by,
        options.thumbnail,
    )


def _name_of(root: UPath) -> str:
    return "_".join(root.name.split()) or "catalog"


def _write_quarantine(root: UPath, rejected: list[Run]) -> str | None:
    """Write the rows that have no position beside the catalog, with their file, row and reason."""
    if not rejected:
        return None
    place = root.with_name(f"{root.name}.quarantine.parquet")
    schema = plan_schema(InputSchema(run.name, run.schema, True) for run in rejected)
    with leaf_writer(place, schema, LeafFormat(sorting=())) as sink:
        for run in rejected:
            sink.write(fit(run.rows.slice(0, run.pixels.size), schema, run.name))
    return str(place)


def _silent(stage: str, done: int, total: int) -> None:
    """Say nothing."""
