"""Adding rows to a catalog that stands, as new files in its leaf directories (Note, section 3.3).

The rows go the way of an import: they are read, checked, mapped and sorted. Those in a standing tile become
one more part of its leaf; those between tiles get new tiles. Then what lies beside the leaves is made true,
and the margins and indexes of the collection with it. All of it is shown at once: see
`hatsformat.publishing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from upath import UPath

from hatsformat import storage
from hatsformat.catalog import Catalog, open_catalog
from hatsformat.errors import UsageError
from hatsformat.importing.pipeline import map_inputs, map_settings
from hatsformat.inputs import CsvSource, Source, open_inputs
from hatsformat.partitioner.binning import Alignment
from hatsformat.partitioner.build_log import BuildLog, Progress, silent
from hatsformat.partitioner.coordinates import coarse_notes
from hatsformat.partitioner.executors import Workers, open_workers
from hatsformat.partitioner.mapping import Mapped
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.quarantine import write_quarantine
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.partitioner.resuming import Plan
from hatsformat.partitioner.runs import spilled_bytes
from hatsformat.partitioner.schema import InputSchema
from hatsformat.partitioner.splitting import split
from hatsformat.partitioner.tasks import ReduceTask, reduce_one
from hatsformat.publishing.publication import publish
from hatsformat.updates.existing import Drift, Standing, next_parts
from hatsformat.updates.extending import Extension
from hatsformat.updates.fitting import check_fits
from hatsformat.updates.gaps import align_with
from hatsformat.updates.metadata import files_beside, keep_collection_true, keep_true, map_orders
from hatsformat.updates.site import Site, open_site, supplements

OPTIONS = (
    "ra", "dec", "ra_unit", "dec_unit", "frame", "format", "delimiter", "comment", "table", "lowest_order",
    "highest_order", "keep_empty_siblings", "row_group_rows", "row_group_bytes", "subtile_order_delta",
    "bad_coordinates", "workers", "processes", "scheduler", "memory", "scratch",
)  # fmt: skip
"""The options of an import that rows to add may have; the catalog decides the others."""


@dataclass(slots=True)
class AppendLog(BuildLog):
    """The account of rows that were added.

    Attributes
    ----------
    new_tiles, parts : int
        New tiles, and new leaf files in all.
    supplements : dict of str to int
        The rows that margins and indexes got, by their directories.
    rebuild_due : bool
    drift : Drift or None
        How far the leaves have drifted; see `Drift.rebuild_due`.
    """

    new_tiles: int = 0
    parts: int = 0
    rebuild_due: bool = False
    drift: Drift | None = field(default=None)


def append(
    path: storage.PathLike,
    inputs: Any,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> AppendLog:
    """Add rows to a catalog, or to the primary catalog of a collection; see `Catalog.append`.

    Returns
    -------
    AppendLog
    """
    if unknown := sorted(changes.keys() - set(OPTIONS)):
        raise UsageError(
            f"rows are added without an option {unknown[0]!r}: the catalog decides",
            expected=", ".join(OPTIONS),
        )
    root = storage.resolve(path)
    site = open_site(root)
    with publish(site.change):
        # As it is now that nobody else changes it.
        catalog = open_catalog(root)
        standing = Standing.read(site.root, catalog.properties)
        _check(standing)
        options = standing.options(**changes)
        workers = open_workers(
            options.worker_count, processes=options.processes, scheduler=options.scheduler, executor=executor
        )
        with workers as team:
            job = _Job(standing, options, site, supplements(catalog), team, progress or silent)
            return job.run(inputs)


def _check(standing: Standing) -> None:
    if not standing.properties.has_leaf_directories:
        raise UsageError(
            "the leaves are single files, which cannot take more rows",
            path=standing.root,
            expected="leaf directories (hats_npix_suffix = /)",
            hint='make them directories with rebuild(leaf="directory"), or import with --leaf directory',
        )
    standing.check_true()


@dataclass(frozen=True, slots=True)
class _Job:
    """Rows that are being added to a catalog."""

    standing: Standing
    options: ImportOptions
    site: Site
    supplements: Sequence[Catalog]
    team: Workers
    told: Progress

    def run(self, inputs: Any) -> AppendLog:
        options, standing = self.options, self.standing
        sources = [self._typed(source) for source in open_inputs(inputs, options.inputs)]
        log = AppendLog(str(standing.root), options.name or standing.root.name, len(sources))
        with log.stage("mapping"):
            mapped, seen = self._map(sources)
        log.notes += coarse_notes(((item.name, item.schema) for item in seen), options.coordinates)
        log.rows_read, log.rows_rejected = mapped.rows_read, mapped.rows_rejected
        log.spilled_bytes = spilled_bytes(self.site.change.scratch)
        if mapped.counts.total:
            self._add(mapped, log)
        else:
            self._account(log, standing)
        log.quarantine = write_quarantine(_free_name(self.site.folder), mapped.rejected)
        return log

    def _add(self, mapped: Mapped, log: AppendLog) -> None:
        options, standing = self.options, self.standing
        with log.stage("binning and splitting"):
            alignment = self._align(mapped)
            paths = next_parts(standing, alignment.tiles)
            self.site.begin(
                [self.site.relative(path) for path in paths],
                [self.site.relative(path) for path in files_beside(standing)],
            )
        with log.stage("reducing"):
            plan = standing.leaf_plan(options)
            leaves = list(self._reduce(mapped, alignment, paths, plan))
        with log.stage("finishing"):
            now = Plan.of(options, []).created
            after = keep_true(standing, self.site.staging, leaves, mapped.counts, plan, now)
        with log.stage("supplements"):
            extension = Extension(self.site, standing, after, leaves, options, now, self.team, self.told)
            for supplement in self.supplements:
                log.supplements[supplement.path.name] = extension.extend(supplement)
            keep_collection_true(self.site, after.properties, now)
        log.rows_written, log.parts = sum(leaf.footer.num_rows for leaf in leaves), len(leaves)
        log.new_tiles = len(after.tiles) - len(standing.tiles)
        log.size_bytes = sum(leaf.size for leaf in leaves)
        self._account(log, after)

    @staticmethod
    def _account(log: AppendLog, after: Standing) -> None:
        log.tiles, log.drift = len(after.tiles), after.drift()
        log.rebuild_due = log.drift.rebuild_due

    def _typed(self, source: Source) -> Source:
        """Let text be read as what the catalog's columns are, instead of what it looks like."""
        if not isinstance(source, CsvSource):
            return source
        kinds = {column.name: _plain(column.type) for column in self.standing.schema}
        readable = {name: kind for name, kind in kinds.items() if _is_readable(kind)}
        return replace(source, kinds=readable)

    def _map(self, sources: Sequence[Source]) -> tuple[Mapped, list[InputSchema]]:
        standing, options = self.standing, self.options
        settings = map_settings(options)
        settings = replace(
            settings,
            index_column=standing.schema.names[0],
            order=max(options.highest_order, standing.tiles.max_order, *map_orders(standing).values()),
        )
        mapped, seen = map_inputs(sources, settings, options, self.site.change.scratch, self.team, self.told)
        schema = pa.schema(list(standing.schema)[1:])
        check_fits(schema, standing.root, seen)
        return mapped, seen

    def _align(self, mapped: Mapped) -> Alignment:
        options = self.options
        order = max(options.highest_order, self.standing.tiles.max_order)
        return align_with(
            self.standing.tiles,
            mapped.counts.degraded(order),
            (mapped.weights if options.max_bytes else mapped.counts).degraded(order),
            options.max_bytes or options.max_rows,
            lowest_order=options.lowest_order,
            keep_empty_siblings=options.keep_empty_siblings,
            unit="bytes" if options.max_bytes else "rows",
        )

    def _reduce(
        self, mapped: Mapped, alignment: Alignment, paths: Sequence[str], plan: LeafPlan
    ) -> Iterator[Leaf]:
        shards = split(mapped.runs, alignment)
        tasks = (
            ReduceTask(rows, order, pixel, path, shards.of_tile(index), plan, self.site.staging, False)
            for index, ((order, pixel, rows), path) in enumerate(
                zip(alignment.triples.tolist(), paths, strict=True)
            )
        )
        for done, leaf in enumerate(self.team.in_order(reduce_one, tasks), 1):
            self.told("reducing", done, len(paths))
            yield leaf


def _free_name(place: UPath) -> UPath:
    """Return where rejected rows go: beside the catalog, each time into a file of its own."""
    number = 0
    while True:
        tail = f"-{number}" if number else ""
        found = place.parent / f"{place.name}.quarantine{tail}.parquet"
        if not storage.exists(found):
            return found
        number += 1


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pt.is_dictionary(kind) else kind


def _is_readable(kind: pa.DataType) -> bool:
    tests = (pt.is_string, pt.is_large_string, pt.is_integer, pt.is_floating, pt.is_boolean, pt.is_timestamp)
    return any(test(kind) for test in tests)
