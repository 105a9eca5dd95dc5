"""Building an index table: which tiles of a catalog have the values of a column (Note, section 3.1).

The entries of a stretch of the sky are kept as a run, sorted by value. Bounds, chosen from a sample of the
entries, cut every run into the same parts, and each part is merged into a file: the files, too, are sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import layout, storage
from hatsformat.arrays import as_integers, empty_table, from_numbers, to_mask
from hatsformat.artefacts.parquet_metadata import write_common_metadata, write_metadata
from hatsformat.healpix import IntArray
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.finishing import making, write_properties
from hatsformat.partitioner.runs import Run, RunStore
from hatsformat.partitioner.sorting import argsort_values
from hatsformat.partitioner.splitting import Shard
from hatsformat.partitioner.tasks import run_task
from hatsformat.properties.table import HEALPIX_COLUMN, TableProperties
from hatsformat.supplements.index_entries import IndexPlan, write_part
from hatsformat.supplements.primary import Primary, Stretch, pixels_of, row_groups

PART_ROWS = 500_000
"""Entries in a file, about."""

SAMPLE_BITS = 10
"""One row in 2**10 is in the sample that tells where files end."""

_ODD = np.uint64(0x9E3779B97F4A7C15)


def make_index(
    primary: Primary, plan: IndexPlan, name: str, url: str, root: UPath, context: BuildContext
) -> None:
    """Write an index table into a folder.

    Parameters
    ----------
    primary : Primary
    plan : IndexPlan
    name, url : str
        Its ``obs_collection`` and ``hats_primary_table_url``.
    root : UPath
        The folder.
    context : BuildContext

    Raises
    ------
    HatsError
        If the catalog cannot be read, or the index cannot be written.
    """
    rows = size = 0
    footers: list[tuple[str, pq.FileMetaData]] = []
    rows_in = primary.properties.hats_nrows
    stretches = primary.stretches(context.workers.count)
    entries = collect(stretches, rows_in, primary.schema, plan, context)
    for path, footer, written in write_parts(entries, plan, root, context):
        rows += footer.num_rows
        size += written
        footers.append((path.removeprefix(f"{layout.DATASET}/"), footer))
    write_common_metadata(root / layout.COMMON_METADATA, plan.schema)
    write_metadata(root / layout.METADATA, plan.schema, footers)
    size += sum(storage.size(root / path) for path in (layout.COMMON_METADATA, layout.METADATA))
    properties = TableProperties(
        obs_collection=name,
        dataproduct_type="index",
        hats_nrows=rows,
        hats_primary_table_url=url,
        hats_index_column=plan.column,
        hats_index_extra_column=plan.extra or None,
        **making(size, context.created),
    )
    write_properties(root, properties)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the files of an index begin, but for the first.

    Attributes
    ----------
    values : pyarrow.Array, shape (n,)
        Ascending.
    pixels : ndarray of int64, shape (n,)
        Ascending where values are the same: a value that very many rows have is in several files.
    """

    values: pa.Array
    pixels: IntArray

    def cut(self, values: pa.Array, pixels: IntArray) -> IntArray:
        """Return where the parts of entries, sorted by value and pixel, begin and end, shape (n + 2,)."""
        own = len(self.values)
        # A bound that stands before the entries stays before equal ones, one behind them stays behind.
        order = argsort_values(pa.concat_arrays([self.values, values, self.values]))
        before = np.cumsum((order >= own) & (order < own + len(values)))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        low, high = before[place[:own]], before[place[own + len(values) :]]
        for bound in np.flatnonzero(high > low).tolist():
            low[bound] += np.searchsorted(pixels[low[bound] : high[bound]], self.pixels[bound])
        return np.concatenate(([0], low, [len(values)]))


@dataclass(frozen=True, slots=True)
class SortedEntries:
    """A run of entries, sorted by value, and where its parts begin and end."""

    run: Run
    cuts: IntArray


@dataclass(frozen=True, slots=True)
class EntriesTask:
    """A stretch of a catalog to find the entries of, as it is sent to a worker.

    Attributes
    ----------
    stretch : Stretch
    schema : pyarrow.Schema
        Of the catalog.
    plan : IndexPlan
    chunk_bytes : int
        Entries that are sorted at a time.
    store : RunStore
    bounds : Bounds
        Where files end.
    """

    stretch: Stretch
    schema: pa.Schema
    plan: IndexPlan
    chunk_bytes: int
    store: RunStore
    bounds: Bounds

    def run(self) -> list[SortedEntries]:
        """Return all entries, sorted, in runs."""
        found: list[SortedEntries] = []
        for chunk in self._chunks():
            entries = self.plan.sort(chunk)
            values, pixels = self.plan.keys(entries)
            sequence = (self.stretch.number, len(found))
            run = self.store.keep(sequence, "the catalog", entries, pixels)
            found.append(SortedEntries(run, self.bounds.cut(values, pixels)))
        return found

    def sample(self) -> pa.Table:
        """Return some of the entries, the same ones whatever the stretch."""
        chosen = [empty_table(self.plan.schema)]
        for entries in self._entries():
            pixels = as_integers(entries.column(HEALPIX_COLUMN))
            mixed = (pixels.astype(np.uint64) * _ODD) >> np.uint64(64 - SAMPLE_BITS)
            chosen.append(entries.filter(to_mask(mixed == 0)))
        return pa.concat_tables(chosen).select([self.plan.column, HEALPIX_COLUMN])

    def _chunks(self) -> Iterator[pa.Table]:
        waiting: list[pa.Table] = []
        size = 0
        for entries in self._entries():
            waiting.append(entries)
            size += entries.nbytes
            if size >= self.chunk_bytes:
                yield pa.concat_tables(waiting)
                waiting, size = [], 0
        if waiting:
            yield pa.concat_tables(waiting)

    def _entries(self) -> Iterator[pa.Table]:
        columns = self.stretch.columns
        where = [columns.pixel] if columns.pixel else columns.names
        wanted = dict.fromkeys((self.plan.column, *self.plan.extra, *where))
        for _, tile, place in self.stretch.leaves():
            for group in row_groups(place):
                table = group.read(self.schema, list(wanted))
                yield self.plan.entries(table, tile, pixels_of(table, columns, tile, place))


@dataclass(frozen=True, slots=True)
class PartTask:
    """A file of an index to write, as it is sent to a worker."""

    path: str
    shards: Sequence[Shard]
    plan: IndexPlan
    root: UPath

    def run(self) -> tuple[str, pq.FileMetaData, int]:
        """Write the file, and return its path, footer and size."""
        sink = write_part(self.root / self.path, self.shards, self.plan)
        return self.path, sink.footer, sink.size


def sample_entries(task: EntriesTask) -> pa.Table:
    """Return a sample of the entries of a task."""
    return task.sample()


def collect(
    stretches: Sequence[Stretch], rows: int | None, schema: pa.Schema, plan: IndexPlan, context: BuildContext
) -> list[SortedEntries]:
    """Return the entries of stretches of a catalog, which have so many `rows` if that is known."""
    store = context.run_store()
    bounds = Bounds(*plan.keys(empty_table(plan.schema)))
    chunk_bytes = context.memory.chunk_bytes
    tasks = [EntriesTask(stretch, schema, plan, chunk_bytes, store, bounds) for stretch in stretches]
    if (rows or PART_ROWS + 1) > PART_ROWS:
        bounds = _bounds(pa.concat_tables(context.workers.in_order(sample_entries, tasks)), plan)
    found: list[SortedEntries] = []
    sorting = (replace(task, bounds=bounds) for task in tasks)
    for done, runs in enumerate(context.workers.in_order(run_task, sorting, store.stop), 1):
        found += runs
        context.progress("index", done, len(stretches))
    return found


def _bounds(sample: pa.Table, plan: IndexPlan) -> Bounds:
    values, pixels = plan.keys(plan.sort(sample))
    step = PART_ROWS >> SAMPLE_BITS
    chosen = np.arange(step, len(pixels) - step // 2, step)
    return Bounds(values.take(from_numbers(chosen)), pixels[chosen])


def write_parts(
    found: Sequence[SortedEntries], plan: IndexPlan, root: UPath, context: BuildContext, first: int = 0
) -> Iterator[tuple[str, pq.FileMetaData, int]]:
    """Write the files, numbered from `first`, and yield what was written: path, footer and size."""
    cuts = np.stack([entries.cuts for entries in found]) if found else np.zeros((0, 2), dtype=np.int64)
    full = np.flatnonzero((cuts[:, 1:] > cuts[:, :-1]).any(axis=0))

    def task(number: int, part: int) -> PartTask:
        shards = [
            Shard(entries.run, int(entries.cuts[part]), int(entries.cuts[part + 1]))
            for entries in found
            if entries.cuts[part + 1] > entries.cuts[part]
        ]
        return PartTask(layout.index_part_path(number), shards, plan, root)

    # An index without entries has one file all the same, which tells its columns.
    parts = full.tolist() or [0]
    tasks = (task(number, part) for number, part in enumerate(parts, first))
    yield from context.workers.in_order(run_task, tasks)
