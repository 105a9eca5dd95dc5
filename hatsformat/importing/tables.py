"""From mapped rows to a catalog, or to a collection of it with margins and indexes."""

from __future__ import annotations

from functools import partial

import pyarrow as pa
from upath import UPath

from hatsformat.partitioner import mapping
from hatsformat.partitioner.building import build_leaves, split_runs
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.coordinates import needs_conversion
from hatsformat.partitioner.finishing import CatalogInfo, finish
from hatsformat.partitioner.mapping import MappedRows, MapSettings
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.quarantine import write_quarantine
from hatsformat.partitioner.reducing import LeafPlan
from hatsformat.partitioner.runs import spilled_bytes
from hatsformat.partitioner.tile_choice import choose_tiles, count_runs, counting_order
from hatsformat.properties.table import HEALPIX_COLUMN
from hatsformat.publishing.new_folder import NewFolder
from hatsformat.supplements.collection import Supplement, make_members
from hatsformat.supplements.index import Index, folder_name
from hatsformat.supplements.margin import Margin


def map_settings(options: ImportOptions, chunk_bytes: int) -> MapSettings:
    """Return the settings for mapping the rows of an import."""
    return MapSettings(
        options.coordinates,
        counting_order(options),
        HEALPIX_COLUMN,
        options.bad_coordinates,
        chunk_bytes,
        options.by_bytes,
    )


def leaf_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of the leaves: the index column, then the input's."""
    return schema.insert(0, pa.field(HEALPIX_COLUMN, pa.int64()))


def build_tables(mapped: MappedRows, schema: pa.Schema, output: NewFolder, context: BuildContext) -> None:
    """Build a catalog from mapped rows, and a collection around it if the options ask for supplements."""
    options, root = context.options, output.staging
    supplements: list[Supplement] = [*map(Margin, options.margins_arcsec), *map(Index, options.indexes)]
    if not supplements:
        _build_catalog(mapped, schema, root, output, context)
        return
    for supplement in supplements:
        supplement.check(schema, output.root)
    folder = folder_name(context.log.name)
    _build_catalog(mapped, schema, root / folder, output, context)
    mapped.release()  # supplements read the catalog
    with context.log.stage("supplements"):
        make_members(folder, supplements, root, context)


def _build_catalog(
    mapped: MappedRows, schema: pa.Schema, root: UPath, output: NewFolder, context: BuildContext
) -> None:
    """Run the stages after mapping."""
    options, log = context.options, context.log
    plan = LeafPlan(
        leaf_schema(schema),
        options.leaf_format,
        options.thumbnail,
        options.row_groups,
        context.memory.piece_bytes,
    )
    with log.stage("binning"):
        recount = partial(count_runs, mapped.runs, context.workers)
        alignment = choose_tiles(mapped.counts, mapped.weights, options, recount)
    with log.stage("splitting"):
        shards = split_runs(mapped.runs, alignment, plan, context)
    output.begin()
    with log.stage("reducing and finishing"):
        leaves = build_leaves(alignment, shards, plan, root, context)
        converted = needs_conversion(schema, options.coordinates)
        ra, dec = (mapping.RA_DEGREES, mapping.DEC_DEGREES) if converted else (options.ra, options.dec)
        info = CatalogInfo.of(options, log.name, ra=ra, dec=dec)

        def quarantine() -> None:
            if write_quarantine(output.quarantine_staging, mapped.rejected):
                log.quarantine = str(output.quarantine)

        done = finish(root, leaves, mapped.counts, plan, info, context.created, after_leaves=quarantine)
    log.spilled_bytes = spilled_bytes(context.scratch)
    log.rows_written, log.tiles, log.size_bytes = done.rows, done.tiles, done.size
