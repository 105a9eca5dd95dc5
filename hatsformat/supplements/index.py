"""Building an index table: which tiles of a catalog have the values of a column (Note, section 3.1).

The entries of a stretch of the sky are kept as a run, sorted by value. Bounds, chosen from a sample of the
entries, cut every run into the same parts, and each part is merged into a file, so the files are sorted, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

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
from hatsformat.properties import CollectionProperties, TableProperties
from hatsformat.properties.table import HEALPIX_COLUMN
from hatsformat.supplements.index_entries import IndexPlan, write_part
from hatsformat.supplements.primary import Primary, Stretch, chunked, pixels_of, row_groups

PART_ROWS = 500_000
"""About how many entries a file has."""

SAMPLE_BITS = 10
"""One row in 2**10 is in the sample from which the bounds are chosen."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
"""Multiplying a pixel by this spreads its bits: the sample does not depend on the sky."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a column, whose entries have extra columns; `role` is the option that names the column."""

    column: str
    extra: tuple[str, ...] = field(default=(), compare=False)
    role: str = field(default="index", compare=False)

    def folder(self, primary: str) -> str:
        """Return the name of its folder: ``stars_id``."""
        return folder_name(f"{primary}_{self.column}")

    def check(self, schema: pa.Schema, path: object, /) -> None:
        """Raise `HatsError` if columns are missing, have no order, or cannot be listed in properties."""
        IndexPlan.of(schema, self.column, self.extra, 1, path, self.role)
        self.add_to(CollectionProperties(hats_primary_table_url="primary"), "index")
        TableProperties(hats_index_extra_column=self.extra or None)

    def add_to(self, properties: CollectionProperties, folder: str) -> CollectionProperties:
        """Return the properties of a collection with this member, the default if it is the first index."""
        return properties.replace(
            all_indexes={**properties.indexes, self.column: folder},
            default_index=properties.default_index or self.column,
        )

    def build(self, primary: Primary, name: str, url: str, root: UPath, context: BuildContext) -> None:
        """Write the index into the folder `root`; `url` is its ``hats_primary_table_url``."""
        rows = context.options.row_group_rows
        plan = IndexPlan.of(primary.schema, self.column, self.extra, rows, primary.root)
        stretches = primary.stretches(context.workers.count)
        entries = collect(stretches, primary.properties.hats_nrows, primary.schema, plan, context)
        parts = list(write_parts(entries, plan, root, context))
        write_common_metadata(root / layout.COMMON_METADATA, plan.schema)
        footers = [(path.removeprefix(f"{layout.DATASET}/"), footer) for path, footer, _ in parts]
        write_metadata(root / layout.METADATA, plan.schema, footers)
        size = sum(storage.size(root / path) for path in (layout.COMMON_METADATA, layout.METADATA))
        properties = TableProperties(
            obs_collection=name,
            dataproduct_type="index",
            hats_nrows=sum(footer.num_rows for _, footer in footers),
            hats_primary_table_url=url,
            hats_index_column=plan.column,
            hats_index_extra_column=plan.extra or None,
            **making(size + sum(written for *_, written in parts), context.created),
        )
        write_properties(root, properties)


def folder_name(name: str) -> str:
    """Return a name as that of a folder, in one word that the lists of a properties file can hold."""
    return re.sub(r"[^\w.+-]+", "_", name).strip(".") or "catalog"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The first value and pixel of each file of an index except the first file.

    Both ascend, the pixels among equal values: a value that very many rows have is in several files.
    """

    values: pa.Array
    pixels: IntArray

    def cut(self, values: pa.Array, pixels: IntArray) -> IntArray:
        """Return where the parts of entries, sorted by value and pixel, begin and end, shape (n + 2,)."""
        own = len(self.values)
        # The sort is stable: bounds before the entries come before equal ones, those after them after.
        order = argsort_values(pa.concat_arrays([self.values, values, self.values]))
        before = np.cumsum((order >= own) & (order < own + len(values)))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        low, high = before[rank[:own]], before[rank[own + len(values) :]]
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
    """Makes the entries of a stretch of a catalog; sent to a worker."""

    stretch: Stretch
    schema: pa.Schema  # of the catalog
    plan: IndexPlan
    chunk_bytes: int  # about how much is sorted and kept as one run
    store: RunStore
    bounds: Bounds

    def run(self) -> list[SortedEntries]:
        """Return all entries, sorted, in runs."""
        chunks = chunked(self._entries(), lambda entries: entries.nbytes, self.chunk_bytes)
        return list(map(self._keep, count(), chunks))  # a loop variable would keep the last chunk in memory

    def _keep(self, number: int, chunk: list[pa.Table]) -> SortedEntries:
        entries = self.plan.sort(pa.concat_tables(chunk))
        values, pixels = self.plan.keys(entries)
        run = self.store.keep((self.stretch.number, number), "the catalog", entries, pixels)
        return SortedEntries(run, self.bounds.cut(values, pixels))

    def sample(self) -> pa.Table:
        """Return a sample of the entries; which ones does not depend on the stretches."""
        chosen = [empty_table(self.plan.schema)]
        for entries in self._entries():
            pixels = as_integers(entries.column(HEALPIX_COLUMN))
            mixed = (pixels.astype(np.uint64) * _ODD) >> np.uint64(64 - SAMPLE_BITS)
            chosen.append(entries.filter(to_mask(mixed == 0)))
        return pa.concat_tables(chosen).select([self.plan.column, HEALPIX_COLUMN])

    def _entries(self) -> Iterator[pa.Table]:
        columns = self.stretch.columns
        position = [columns.pixel] if columns.pixel else columns.names
        wanted = list(dict.fromkeys((self.plan.column, *self.plan.extra, *position)))
        for _, tile, path in self.stretch.leaves():
            for group in row_groups(path):
                table = group.read(self.schema, wanted)
                yield self.plan.entries(table, tile, pixels_of(table, columns, tile, path))


@dataclass(frozen=True, slots=True)
class PartTask:
    """Writes a file of an index; sent to a worker."""

    path: str
    shards: Sequence[Shard]
    plan: IndexPlan
    root: UPath

    def run(self) -> tuple[str, pq.FileMetaData, int]:
        """Write the file, and return its path, footer and size."""
        sink = write_part(self.root / self.path, self.shards, self.plan)
        return self.path, sink.footer, sink.size


def collect(
    stretches: Sequence[Stretch], rows: int | None, schema: pa.Schema, plan: IndexPlan, context: BuildContext
) -> list[SortedEntries]:
    """Return the entries of stretches of a catalog; `rows` is the number of their rows if known."""
    store = context.run_store()
    bounds = Bounds(*plan.keys(empty_table(plan.schema)))
    chunk_bytes = context.memory.chunk_bytes
    tasks = [EntriesTask(stretch, schema, plan, chunk_bytes, store, bounds) for stretch in stretches]
    if (rows or PART_ROWS + 1) > PART_ROWS:
        bounds = _bounds(pa.concat_tables(context.workers.in_order(EntriesTask.sample, tasks)), plan)
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
    """Write the files, numbered from `first`, and yield the path, footer and size of each."""
    cuts = np.stack([entries.cuts for entries in found]) if found else np.zeros((0, 2), dtype=np.int64)
    full = np.flatnonzero((cuts[:, 1:] > cuts[:, :-1]).any(axis=0))

    def task(number: int, part: int) -> PartTask:
        shards = [
            Shard(entries.run, int(entries.cuts[part]), int(entries.cuts[part + 1]))
            for entries in found
            if entries.cuts[part + 1] > entries.cuts[part]
        ]
        return PartTask(layout.index_part_path(number), shards, plan, root)

    # An index without entries has one file, too, so that readers find its columns.
    parts = full.tolist() or [0]
    tasks = (task(number, part) for number, part in enumerate(parts, first))
    yield from context.workers.in_order(run_task, tasks)
