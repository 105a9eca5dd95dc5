"""An import from end to end: the five stages, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from upath import UPath

from hatsformat import layout, storage
from hatsformat.artefacts.leaf import LeafFormat, leaf_writer, read_footer, read_row_groups
from hatsformat.errors import InputError, LeafError, NotFoundError, UsageError
from hatsformat.healpix import HealpixPixel
from hatsformat.partitioner import mapping, resuming
from hatsformat.partitioner.binning import Alignment, align
from hatsformat.partitioner.coordinates import find_column
from hatsformat.partitioner.destination import Destination
from hatsformat.partitioner.executors import Workers, open_workers
from hatsformat.partitioner.finishing import CatalogInfo, finish
from hatsformat.partitioner.inputs import Source, open_inputs
from hatsformat.partitioner.log import BuildLog, Progress
from hatsformat.partitioner.mapping import Mapped, MapSettings
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.reducing import Leaf, LeafPlan, reduce_tile
from hatsformat.partitioner.runs import Run, RunStore, spilled_bytes
from hatsformat.partitioner.schema import InputSchema, fit, plan_schema
from hatsformat.partitioner.splitting import Shard, Shards, split
from hatsformat.properties.table import HEALPIX_COLUMN


def run_import(
    inputs: Any,
    path: storage.PathLike,
    options: ImportOptions,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BuildLog:
    """Make a catalog and return the account of it; `import_catalog` is the public face of this.

    Parameters
    ----------
    inputs : path, table, or iterable of them
        See `open_inputs`.
    path : path
        The catalog's directory: new, empty, or a catalog if `options.overwrite`.
    options : ImportOptions
    executor : concurrent.futures.Executor, optional
        Where to work; see `open_workers`.
    progress : callable, optional
        Called with a stage's name, the steps done and the steps in all.
    """
    root = storage.resolve(path)
    told = progress or _silent
    place = Destination(root, overwrite=options.overwrite, resume=options.resume, scratch=options.scratch)
    before = resuming.Plan.read(place.work) if options.resume else None
    part_bytes = before.chunk_bytes if before else options.chunk_bytes
    sources = open_inputs(inputs, replace(options.inputs, part_bytes=part_bytes))
    place.check_inputs([source.name for source in sources])
    plan = resuming.Plan.of(options, sources)
    if before is not None:
        before.check_same(plan, root)
        plan = before
    log = BuildLog(str(root), options.name or _name_of(root), len(sources))
    workers = open_workers(
        options.worker_count, processes=options.processes, scheduler=options.scheduler, executor=executor
    )
    with place.claimed(), workers as team:
        if all(source.fingerprint for source in sources):
            plan.write(place.work)
        elif options.resume and place.interrupted:
            raise UsageError("only an import of files can be resumed", hint="start again with --overwrite")
        with log.stage("mapping"):
            mapped, schema = _map(sources, options, place.scratch, team, told)
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
        leaf_plan = LeafPlan(leaf_schema(schema), options.leaf_format, options.thumbnail)
        with log.stage("reducing and finishing"):
            leaves = _reduce(alignment, shards, leaf_plan, place.staging, options, team, told)
            done = finish(place.staging, leaves, mapped.counts, leaf_plan, info, plan.created)
        log.quarantine = _write_quarantine(root, mapped.rejected)
        log.spilled_bytes = spilled_bytes(place.scratch)
    log.rows_read, log.rows_rejected, log.rows_written = mapped.rows_read, mapped.rows_rejected, done.rows
    log.tiles, log.size_bytes = done.tiles, done.size
    return log


def leaf_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of the leaves: the index column, then the input's."""
    return schema.insert(0, pa.field(HEALPIX_COLUMN, pa.int64()))


@dataclass(frozen=True, slots=True)
class MapTask:
    """One input to map, as it is sent to a worker."""

    index: int
    source: Source
    settings: MapSettings
    store: RunStore
    scratch: Path
    resume: bool

    def run(self) -> Mapped:
        """Map the input, unless an earlier attempt did."""
        known = resuming.noted(self.scratch, self.index) if self.resume else None
        if known is not None:
            return known
        mapped = mapping.map_source(self.index, self.source, self.settings, self.store)
        resuming.note(self.scratch, self.index, mapped)
        return mapped


@dataclass(frozen=True, slots=True)
class ReduceTask:
    """One tile to reduce, as it is sent to a worker."""

    alignment_rows: int
    order: int
    pixel: int
    path: str
    shards: Sequence[Shard]
    plan: LeafPlan
    root: UPath
    resume: bool

    def run(self) -> Leaf:
        """Write the tile's leaf, unless an earlier attempt did."""
        tile = HealpixPixel(self.order, self.pixel)
        known = self._written(tile) if self.resume else None
        return known or reduce_tile(tile, self.path, self.shards, self.plan, self.root)

    def _written(self, tile: HealpixPixel) -> Leaf | None:
        place = self.root / self.path
        try:
            footer = read_footer(place)
        except (NotFoundError, LeafError):
            return None
        if footer.num_rows != self.alignment_rows:
            return None
        first = read_row_groups(place, footer, [0]).take([0]) if self.plan.keep_first_row else None
        return Leaf(tile, self.path, footer, storage.size(place), first)


def _map_one(task: MapTask) -> Mapped:
    return task.run()


def _reduce_one(task: ReduceTask) -> Leaf:
    return task.run()


def _map(
    sources: Sequence[Source], options: ImportOptions, scratch: Path, team: Workers, told: Progress
) -> tuple[Mapped, pa.Schema]:
    settings = MapSettings(
        options.coordinates,
        options.highest_order,
        HEALPIX_COLUMN,
        options.bad_coordinates,
        options.chunk_bytes,
    )
    # Inputs that fit stay in memory; of larger ones everything goes to scratch, so that all of it can be
    # resumed.
    fits = sum(source.estimated_bytes for source in sources) <= options.runs_bytes
    store = RunStore(options.runs_bytes if fits and team.share_memory else 0, scratch)
    tasks = (
        MapTask(index, source, settings, store, scratch, options.resume)
        for index, source in enumerate(sources)
    )
    parts: list[Mapped] = []
    seen: list[InputSchema] = []
    for source, part in zip(sources, team.in_order(_map_one, tasks), strict=True):
        if part.schema is not None:
            seen.append(InputSchema(source.name, part.schema, part.inferred))
        parts.append(replace(part, schema=None))
        told("mapping", len(parts), len(sources))
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
    team: Workers,
    told: Progress,
) -> Iterator[Leaf]:
    part = "part0.parquet" if options.suffix == layout.DIRECTORY_SUFFIX else None

    def task(index: int, order: int, pixel: int, rows: int) -> ReduceTask:
        path = layout.leaf_path(order, pixel, options.suffix, part)
        return ReduceTask(rows, order, pixel, path, shards.of_tile(index), plan, root, options.resume)

    total = len(alignment.tiles)
    tasks = (task(index, *triple) for index, triple in enumerate(alignment.triples.tolist()))
    for done, leaf in enumerate(team.in_order(_reduce_one, tasks), 1):
        told("reducing", done, total)
        yield leaf


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
    tables = [(run, run.rows.slice(0, run.rows.pixels.size)) for run in rejected]
    schema = plan_schema(InputSchema(run.name, table.schema, True) for run, table in tables)
    with leaf_writer(place, schema, LeafFormat(sorting=())) as sink:
        for run, table in tables:
            sink.write(fit(table, schema, run.name))
    return str(place)


def _silent(stage: str, done: int, total: int) -> None:
    """Say nothing."""
