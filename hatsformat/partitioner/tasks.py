"""The two kinds of work that are sent to workers: an input to map, and a tile to reduce.

A task is a value that can be pickled. What it does, it does once: where an earlier attempt of the same
import finished it, the outcome is taken up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.errors import LeafError, NotFoundError
from hatsformat.healpix import HealpixPixel
from hatsformat.inputs import Source
from hatsformat.partitioner import mapping, reducing, resuming
from hatsformat.partitioner.mapping import Mapped, MapSettings
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.partitioner.runs import RunStore
from hatsformat.partitioner.splitting import Shard


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
        return resuming.note(self.scratch, self.index, mapped)


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
        return known or reducing.reduce_tile(tile, self.path, self.shards, self.plan, self.root)

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


def map_input(task: MapTask) -> Mapped:
    """Carry out a task; a function, since that is what executors take."""
    return task.run()


def reduce_one(task: ReduceTask) -> Leaf:
    """Carry out a task."""
    return task.run()
