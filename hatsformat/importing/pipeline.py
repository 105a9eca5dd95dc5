"""An import from end to end: the five stages, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from hatsformat import storage
from hatsformat.errors import UsageError
from hatsformat.inputs import CsvSource, Source, open_inputs
from hatsformat.partitioner import mapping, resuming
from hatsformat.partitioner.build_log import BuildLog, Progress, silent
from hatsformat.partitioner.context import Job, name_of, reduce_tiles
from hatsformat.partitioner.coordinates import coarse_notes, find_column, has_coordinates, needs_conversion
from hatsformat.partitioner.executors import Workers, open_workers
from hatsformat.partitioner.finishing import CatalogInfo, finish
from hatsformat.partitioner.mapping import Mapped, MapSettings
from hatsformat.partitioner.merging import merge_runs
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.quarantine import then_quarantined
from hatsformat.partitioner.reducing import LeafPlan
from hatsformat.partitioner.runs import RunStore, spilled_bytes
from hatsformat.partitioner.schema import InputSchema, plan_schema, to_read_again
from hatsformat.partitioner.splitting import split
from hatsformat.partitioner.tasks import MapTask, map_input
from hatsformat.partitioner.tile_choice import choose_tiles, counting_order
from hatsformat.properties.table import HEALPIX_COLUMN
from hatsformat.publishing.new_folder import NewFolder
from hatsformat.publishing.output import check_inputs, check_quarantine, log_path, open_output
from hatsformat.publishing.publication import publish
from hatsformat.supplements.collection import make_members
from hatsformat.supplements.kinds import Index, Margin, Supplement, folder_name


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
    place = open_output(root, overwrite=options.overwrite, resume=options.resume, scratch=options.scratch)
    if options.bad_coordinates == "quarantine":
        check_quarantine(place)
    sources, plan = _planned(inputs, options, place)
    options = options.staffed([str(root), *(source.name for source in sources)])
    log = BuildLog(str(root), options.name or name_of(root), len(sources), options=asdict(options))
    log_file = log_path(place, options.log)
    workers = open_workers(
        options.worker_count, processes=options.processes, scheduler=options.scheduler, executor=executor
    )
    with log.kept(log_file), publish(place), workers as team:
        if plan.can_resume:
            plan.write(place.work)
            place.keep_work = partial(resuming.is_worth_keeping, place.scratch)
        job = Job(place, options, plan.created, team, log, progress or silent)
        with log.stage("mapping"):
            mapped, schema = _map(sources, job)
        make_tables(mapped, schema, job)
    return log


def make_tables(mapped: Mapped, schema: pa.Schema, job: Job) -> None:
    """Make a catalog of what was mapped, or a collection of it if the options ask for margins or indexes."""
    supplements: list[Supplement] = [*map(Margin, job.options.margins), *map(Index, job.options.indexes)]
    if not supplements:
        make_catalog(mapped, schema, job)
        return
    for supplement in supplements:
        supplement.check(schema, job.place.root)
    folder = folder_name(job.log.name)
    make_catalog(mapped, schema, replace(job, member=folder))
    mapped.runs.clear()  # what supplements are made of is read from the catalog
    with job.log.stage("supplements"):
        make_members(folder, supplements, job)


def make_catalog(mapped: Mapped, schema: pa.Schema, job: Job) -> None:
    """Carry out the stages after mapping, and account for them in the job's log.

    Parameters
    ----------
    mapped : Mapped
        The rows of all inputs.
    schema : pyarrow.Schema
        The one they fit into.
    job : Job
    """
    options, log = job.options, job.log
    with log.stage("binning"):
        alignment = choose_tiles(mapped, options, job.team)
    with log.stage("splitting"):
        runs = merge_runs(mapped.runs, schema, job.place.scratch, options.piece_bytes, job.team, job.told)
        shards = split(runs, alignment)
    job.place.begin()
    plan = LeafPlan(
        leaf_schema(schema), options.leaf_format, options.thumbnail, options.row_groups, options.piece_bytes
    )
    with log.stage("reducing and finishing"):
        leaves = then_quarantined(reduce_tiles(alignment, shards, plan, job), mapped.rejected, job)
        info = _info(options, log.name, schema)
        done = finish(job.root, leaves, mapped.counts, plan, info, job.created)
    log.spilled_bytes = spilled_bytes(job.place.scratch)
    log.rows_written, log.tiles, log.size_bytes = done.rows, done.tiles, done.size


def _planned(inputs: Any, options: ImportOptions, place: NewFolder) -> tuple[list[Source], resuming.Plan]:
    """Return the inputs and what is to be made of them, the same as before where an import is resumed."""
    before = resuming.Plan.read(place.work) if options.resume else None
    part_bytes = before.chunk_bytes if before else options.chunk_bytes
    sources = open_inputs(inputs, replace(options.inputs, part_bytes=part_bytes))
    check_inputs(place, [source.name for source in sources])
    plan = resuming.Plan.of(options, sources)
    if before is not None:
        before.check_same(plan, place.root, place.scratch)
        return sources, replace(before, inputs=plan.inputs)
    if options.resume and place.interrupted and not plan.can_resume:
        raise UsageError("only an import of files can be resumed", hint="start again with --overwrite")
    return sources, plan


def leaf_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of the leaves: the index column, then the input's."""
    return schema.insert(0, pa.field(HEALPIX_COLUMN, pa.int64()))


def _map(sources: Sequence[Source], job: Job) -> tuple[Mapped, pa.Schema]:
    settings = map_settings(job.options)
    mapped, seen = map_inputs(sources, settings, job.options, job.place.scratch, job.team, job.told, job.log)
    mapping.check_rows(mapped, sources[0].name)
    job.log.notes += coarse_notes(((item.name, item.schema) for item in seen), job.options.coordinates)
    schema = plan_schema(seen)
    for name in job.options.sort_by:
        find_column(schema, name, "sort-by", sources[0].name)
    return mapped, schema


def map_inputs(
    sources: Sequence[Source],
    settings: MapSettings,
    options: ImportOptions,
    scratch: Path,
    team: Workers,
    told: Progress,
    log: BuildLog | None = None,
) -> tuple[Mapped, list[InputSchema]]:
    """Map all inputs, account for each in the log, and return what was found in them and their schemas."""
    # Inputs that fit stay in memory; of larger ones everything goes to scratch, so that all of it can be
    # resumed.
    sizes = [source.estimated_bytes for source in sources]
    fits = sum(sizes) <= options.runs_bytes
    store = RunStore(options.runs_bytes if fits and team.share_memory else 0, scratch)
    share = 1.0 if fits else options.share_that_reads(max(source.reading_bytes for source in sources))
    sources, parts = list(sources), dict[int, Mapped]()
    waiting, resume = list(range(len(sources))), options.resume
    while waiting:
        tasks = [MapTask(index, sources[index], settings, store, scratch, resume) for index in waiting]
        found = team.in_order(map_input, tasks, store.stop, share=share)
        for index, part in zip(waiting, found, strict=True):
            parts[index] = part
            told("mapping", len(parts), len(sources))
        seen = [part.input_schema(source.name) for source, part in zip(sources, parts.values(), strict=True)]
        # What was guessed from one file may not hold in another.
        again = to_read_again(seen)
        for index, kinds in again.items():
            resuming.forget(scratch, index)
            store.release(parts[index].runs + parts[index].rejected)
            sources[index] = _read_as(sources[index], kinds)
        waiting, resume = list(again), False
    if log is not None:
        for source, part, size in zip(sources, parts.values(), sizes, strict=True):
            log.add_input(source.name, part.rows_read, part.rows_rejected, size)
    seen = [item for item in seen if has_coordinates(item.schema, options.coordinates)]
    counted = (resuming.counted(scratch, index, part) for index, part in parts.items())
    return mapping.merge(counted, settings.order), seen


def _read_as(source: Source, kinds: dict[str, pa.DataType]) -> Source:
    assert isinstance(source, CsvSource)  # no other source guesses
    return replace(source, kinds={**source.kinds, **kinds})


def map_settings(options: ImportOptions) -> MapSettings:
    """Return what mapping needs to know."""
    return MapSettings(
        options.coordinates,
        counting_order(options),
        HEALPIX_COLUMN,
        options.bad_coordinates,
        options.chunk_bytes,
        options.max_bytes is not None,
    )


def _info(options: ImportOptions, name: str, schema: pa.Schema) -> CatalogInfo:
    converted = needs_conversion(schema, options.coordinates)
    ra, dec = (mapping.RA_DEGREES, mapping.DEC_DEGREES) if converted else (options.ra, options.dec)
    return CatalogInfo(
        name,
        options.catalog_type,
        ra,
        dec,
        options.suffix,
        None if options.max_bytes else options.max_rows,
        options.max_bytes,
        options.sort_by,
        options.thumbnail,
        options.statistics,
    )
