"""Extending the margins and indexes of a collection with rows that were added to its primary catalog.

Only what the new rows affect is read. A margin gets the new rows near other tiles and the old rows near new
tiles; an index gets more files with the entries of the new rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hatsformat import layout, storage
from hatsformat.artefacts.parquet_metadata import extend_metadata
from hatsformat.catalog import Catalog
from hatsformat.catalog.manifest import CatalogFiles, DataFile
from hatsformat.errors import UsageError
from hatsformat.healpix import MAX_ORDER, IntArray
from hatsformat.margins import surroundings
from hatsformat.partitioner.building import build_leaves
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.map_inputs import map_leaf_files
from hatsformat.partitioner.pixel_counts import PixelCounts
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.supplements.index import collect, write_parts
from hatsformat.supplements.index_entries import IndexPlan
from hatsformat.supplements.margin import Routed, gather, margin_plan, route_rows
from hatsformat.supplements.primary import Primary, Stretch
from hatsformat.updates.existing import ExistingCatalog, next_parts
from hatsformat.updates.metadata import (
    map_orders,
    metadata_files,
    property_files,
    update_metadata,
    write_properties,
)
from hatsformat.updates.target import Target


@dataclass(frozen=True, slots=True)
class Extension:
    """Leaf files that were added to the primary catalog of a collection."""

    target: Target
    before: ExistingCatalog  # the primary catalog
    after: ExistingCatalog
    leaves: Sequence[Leaf]  # the new leaf files
    context: BuildContext

    def extend(self, member: Catalog) -> int:
        """Add to a margin or an index, and return the number of added rows.

        Raises `UsageError` if its columns are not those that this package writes.
        """
        context = self.context.within(member.path.name)
        if member.properties.dataproduct_type == "index":
            return self._extend_index(member, context)
        return self._extend_margin(member, context)

    @property
    def _primary(self) -> Primary:
        return Primary.of(self.after.root, self.after.properties)

    def _extend_margin(self, member: Catalog, context: BuildContext) -> int:
        margin = ExistingCatalog.read(member.path, member.properties, ("margin",))
        threshold = member.properties.hats_margin_threshold
        if threshold is None or not margin.schema.equals(self.before.schema):
            raise _not_ours(member, "its columns differ from those of the primary catalog")
        plan = margin_plan(self._primary, context)
        plan = replace(plan, keep_first_row=storage.exists(margin.root / layout.THUMBNAIL))
        added = self._near_tiles(threshold, plan, context)
        if not added:
            return 0
        # A leaf folder gets one more file; a leaf that is a file is written again with its old rows.
        is_folder = margin.properties.has_leaf_directories
        old = [] if is_folder else self._old_rows(margin, added, context)
        alignment, shards = gather([*old, *added], self.after.tiles)
        if is_folder:
            paths = next_parts(margin, alignment.tiles)
        else:
            suffix = margin.properties.npix_suffix
            paths = layout.leaf_paths(alignment.tiles.orders, alignment.tiles.pixels, suffix)
        known = set(margin.paths)
        new = [path for path in paths if path not in known]
        rewritten = [path for path in paths if path in known]
        self.target.begin(margin.root, new, [*rewritten, *metadata_files(margin)])
        staging = self.target.staged(margin.root)
        leaves = list(build_leaves(alignment, shards, plan, staging, context, paths=paths))
        counts = _counts(added, max(map_orders(margin).values(), default=0))
        update_metadata(margin, staging, leaves, counts, plan, context.created)
        return sum(part.rows for part in added)

    def _near_tiles(self, threshold: float, plan: LeafPlan, context: BuildContext) -> list[Routed]:
        """Return the new rows near any other tile, and the old rows near a new tile."""
        tiles, primary, workers = self.after.tiles, self._primary, context.workers.count
        new = np.flatnonzero(self.before.tiles.find(tiles.starts) < 0)
        around = tiles.overlapping(surroundings(tiles.select(new), threshold))
        own = tiles.find(self.before.tiles.starts)[self.before.tile_of]
        near = np.flatnonzero(around[own]).tolist()
        old_files = [DataFile(self.before.paths[file], int(own[file])) for file in near]
        stretches: list[tuple[Stretch, IntArray | None]]
        stretches = [(stretch, None) for stretch in primary.stretches(workers, self._new_files())]
        stretches += [(stretch, new) for stretch in primary.stretches(workers, old_files)]
        return route_rows(stretches, tiles, threshold, plan, context)

    def _new_files(self) -> list[DataFile]:
        own = self.after.tiles.find([leaf.tile.range29[0] for leaf in self.leaves]).tolist()
        return [DataFile(leaf.path, tile) for leaf, tile in zip(self.leaves, own, strict=True)]

    def _old_rows(
        self, margin: ExistingCatalog, added: Sequence[Routed], context: BuildContext
    ) -> list[Routed]:
        """Return the existing rows of the leaves of a margin that get more rows."""
        affected = np.unique(np.concatenate([part.tiles for part in added]))
        tile_of = self.after.tiles.find(margin.tiles.starts)[margin.tile_of]
        files = np.flatnonzero(np.isin(tile_of, affected)).tolist()
        paths = [margin.root / margin.paths[file] for file in files]
        found = map_leaf_files(paths, margin.schema.names[0], context.within("old"))
        return [
            Routed.whole(run, int(tile_of[file]))
            for file, runs in zip(files, found, strict=True)
            for run in runs
        ]

    def _extend_index(self, member: Catalog, context: BuildContext) -> int:
        properties, root, primary = member.properties, member.path, self._primary
        files = CatalogFiles(root, properties)
        extra, column = properties.hats_index_extra_column or (), str(properties.hats_index_column)
        plan = IndexPlan.of(primary.schema, column, extra, context.options.row_group_rows, root)
        if not files.schema.equals(plan.schema):
            raise _not_ours(member, "its columns differ from those of an index that hatsformat builds")
        rows = sum(leaf.footer.num_rows for leaf in self.leaves)
        stretches = primary.stretches(context.workers.count, self._new_files())
        entries = collect(stretches, rows, primary.schema, plan, context)
        if not any(part.cuts[-1] for part in entries):
            return 0
        numbers = [layout.parse_index_part(file.path) for file in files.data_files()]
        first = 1 + max((number for number in numbers if number is not None), default=-1)
        metadata = [layout.METADATA] if storage.exists(root / layout.METADATA) else []
        most = len(entries[0].cuts) - 1
        parts = [layout.index_part_path(number) for number in range(first, first + most)]
        self.target.begin(root, parts, [*metadata, *property_files(root)])
        staging = self.target.staged(root)
        written = list(write_parts(entries, plan, staging, context, first))
        if metadata:
            footers = [(path.removeprefix(f"{layout.DATASET}/"), footer) for path, footer, _ in written]
            extend_metadata(root / layout.METADATA, staging / layout.METADATA, footers)
        added = sum(int(footer.num_rows) for _, footer, _ in written)
        total = (properties.hats_nrows or 0) + added
        write_properties(staging, properties.replace(hats_nrows=total, hats_release_date=context.created))
        return added


def _counts(added: Sequence[Routed], order: int) -> PixelCounts:
    parts = [PixelCounts.of_sorted(np.sort(part.run.rows.pixels), MAX_ORDER) for part in added]
    return PixelCounts.merged(parts, MAX_ORDER).degraded(order)


def _not_ours(member: Catalog, why: str) -> UsageError:
    return UsageError(
        f"cannot add rows to this {member.properties.dataproduct_type}: {why}",
        path=member.path,
        hint="run hatsformat rebuild to build it again",
    )
