"""Append: add rows to an existing catalog, as new files in its leaf folders (Note, section 3.3).

As in an import, the rows are read, checked, mapped and sorted. Rows in an existing tile become one more part
of its leaf; rows outside all tiles get new tiles. Then the metadata and the collection's margins and indexes
are updated. Readers see all of it at once: see `hatsformat.publishing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any, Unpack

import pyarrow as pa
import pyarrow.types as pt
from upath import UPath

from hatsformat import storage
from hatsformat.arguments import AppendOptions, check_arguments
from hatsformat.catalog import Catalog, open_catalog
from hatsformat.errors import UsageError
from hatsformat.inputs import CsvSource, Source, open_inputs
from hatsformat.partitioner.build_log import BuildLog, Progress
from hatsformat.partitioner.building import build_leaves, split_runs
from hatsformat.partitioner.context import BuildContext, open_context
from hatsformat.partitioner.coordinates import coarse_notes
from hatsformat.partitioner.map_inputs import map_inputs
from hatsformat.partitioner.mapping import MappedRows, MapSettings
from hatsformat.partitioner.quarantine import write_quarantine
from hatsformat.partitioner.runs import spilled_bytes
from hatsformat.partitioner.schema import check_fits
from hatsformat.partitioner.tile_choice import choose_tiles, count_runs, counting_order
from hatsformat.publishing.publication import publish
from hatsformat.updates.existing import Drift, ExistingCatalog, next_parts
from hatsformat.updates.extending import Extension
from hatsformat.updates.metadata import map_orders, metadata_files, update_collection, update_metadata
from hatsformat.updates.target import Target, open_target, supplements


@dataclass(slots=True)
class AppendLog(BuildLog):
    """The log of an append.

    Attributes
    ----------
    new_tiles, parts : int
        New tiles, and new leaf files in all tiles.
    supplements : dict of str to int
        Rows added to margins and indexes, by folder.
    drift : Drift or None
        How far the leaves have drifted.
    rebuild_due : bool
        See `Drift.rebuild_due`.
    """

    new_tiles: int = 0
    parts: int = 0
    rebuild_due: bool = False
    drift: Drift | None = None


def append(
    path: storage.PathLike,
    inputs: Any,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **changes: Unpack[AppendOptions],
) -> AppendLog:
    """Add rows to a catalog, or to the primary catalog of a collection; see `Catalog.append`.

    Returns
    -------
    AppendLog
    """
    check_arguments(changes, AppendOptions, "append")
    root = storage.resolve(path)
    target = open_target(root)
    with publish(target.change):
        # Opened again now that nobody else can change it.
        catalog = open_catalog(root)
        existing = ExistingCatalog.read(target.root, catalog.properties)
        _check(existing)
        options = existing.options(**changes)
        found = open_inputs(inputs, options.input_options(options.memory_budget().chunk_bytes))
        sources = [_with_types(source, existing.schema) for source in found]
        log = AppendLog(str(target.root), options.name or target.root.name, len(sources))
        opened = open_context(
            options,
            target.change.scratch,
            log,
            paths=[str(root), *(source.name for source in sources)],
            executor=executor,
            progress=progress,
        )
        with opened as context:
            _append(sources, existing, supplements(catalog), target, context, log)
        return log


def _check(existing: ExistingCatalog) -> None:
    if not existing.properties.has_leaf_directories:
        raise UsageError(
            "cannot append: the leaves are single files",
            path=existing.root,
            expected="leaf folders (hats_npix_suffix = /)",
            hint='rebuild with leaf="directory", or import with --leaf directory',
        )
    existing.check_consistent()


def _append(
    sources: Sequence[Source],
    existing: ExistingCatalog,
    members: Sequence[Catalog],
    target: Target,
    context: BuildContext,
    log: AppendLog,
) -> None:
    options = context.options
    with log.stage("mapping"):
        mapped, schemas = map_inputs(sources, _map_settings(existing, context), context)
        check_fits(pa.schema(list(existing.schema)[1:]), existing.root, schemas)
    log.notes += coarse_notes(((item.name, item.schema) for item in schemas), options.coordinates)
    log.spilled_bytes = spilled_bytes(context.scratch)
    after = _add_rows(mapped, existing, members, target, context, log) if mapped.counts.total else existing
    log.tiles, log.drift = len(after.tiles), after.drift()
    log.rebuild_due = log.drift.rebuild_due
    log.quarantine = write_quarantine(_free_path(target.change.root), mapped.rejected)


def _map_settings(existing: ExistingCatalog, context: BuildContext) -> MapSettings:
    options = context.options
    order = max(counting_order(options), existing.tiles.max_order, *map_orders(existing).values())
    return MapSettings(
        options.coordinates,
        order,
        existing.schema.names[0],
        options.bad_coordinates,
        context.memory.chunk_bytes,
        options.by_bytes,
    )


def _add_rows(
    mapped: MappedRows,
    existing: ExistingCatalog,
    members: Sequence[Catalog],
    target: Target,
    context: BuildContext,
    log: AppendLog,
) -> ExistingCatalog:
    """Write the new leaf files, update all that depends on them, and return the new state of the catalog."""
    plan = existing.leaf_plan(context)
    with log.stage("binning and splitting"):
        recount = partial(count_runs, mapped.runs, context.workers)
        alignment = choose_tiles(mapped.counts, mapped.weights, context.options, recount, existing.tiles)
        shards = split_runs(mapped.runs, alignment, plan, context)
        paths = next_parts(existing, alignment.tiles)
        target.begin(existing.root, paths, metadata_files(existing))
    with log.stage("reducing"):
        leaves = list(build_leaves(alignment, shards, plan, target.staging, context, paths=paths))
    with log.stage("finishing"):
        after = update_metadata(existing, target.staging, leaves, mapped.counts, plan, context.created)
    with log.stage("supplements"):
        extension = Extension(target, existing, after, leaves, context)
        for member in members:
            log.supplements[member.path.name] = extension.extend(member)
        update_collection(target, after.properties, context.created)
    log.rows_written, log.parts = sum(leaf.footer.num_rows for leaf in leaves), len(leaves)
    log.new_tiles = len(after.tiles) - len(existing.tiles)
    log.size_bytes = sum(leaf.size for leaf in leaves)
    return after


def _with_types(source: Source, schema: pa.Schema) -> Source:
    """Read the columns of CSV files as the types of the catalog's columns, instead of guessing types."""
    if not isinstance(source, CsvSource):
        return source
    types = {
        column.name: column.type.value_type if pt.is_dictionary(column.type) else column.type
        for column in schema
    }
    return replace(source, column_types={name: type_ for name, type_ in types.items() if _is_readable(type_)})


def _is_readable(type_: pa.DataType) -> bool:
    tests = (pt.is_string, pt.is_large_string, pt.is_integer, pt.is_floating, pt.is_boolean, pt.is_timestamp)
    return any(test(type_) for test in tests)


def _free_path(root: UPath) -> UPath:
    """Return the path for rejected rows: beside the catalog, a new file for each append."""
    names = (f"{root.name}.quarantine{f'-{number}' if number else ''}.parquet" for number in count())
    paths = (root.parent / name for name in names)
    return next(path for path in paths if not storage.exists(path))
