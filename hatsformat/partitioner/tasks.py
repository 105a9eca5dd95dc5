"""The work that is sent to workers: an input to map, a leaf to write, a leaf to keep.

A task is a value that can be pickled. It does its work once: where an earlier attempt of the same import
finished it, the result is taken up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow.parquet as pq
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.errors import LeafError, NotFoundError
from hatsformat.healpix import HealpixPixel
from hatsformat.inputs import RereadError, Source
from hatsformat.partitioner import map_notes, mapping, reducing
from hatsformat.partitioner.mapping import MappedInput, MapSettings
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.partitioner.runs import RunStore
from hatsformat.partitioner.splitting import Shard

R = TypeVar("R", covariant=True)


class Task(Protocol[R]):
    """Work for a worker."""

    def run(self) -> R:
        """Do the work."""


def run_task(task: Task[R]) -> R:
    """Do the work of a task; a function, because executors take functions."""
    return task.run()


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """The answer that an input must be read again, as another source: its first types did not hold."""

    source: Source


@dataclass(frozen=True, slots=True)
class MapTask:
    """An input to map."""

    index: int
    source: Source
    settings: MapSettings
    store: RunStore
    scratch: Path
    resume: bool

    def run(self) -> MappedInput | ReadAgain:
        """Map the input, unless an earlier attempt did."""
        noted = map_notes.read_note(self.scratch, self.index) if self.resume else None
        if noted is not None:
            return noted
        try:
            mapped = mapping.map_source(self.index, self.source, self.settings, self.store)
        except RereadError as request:
            return ReadAgain(request.source)
        return map_notes.write_note(self.scratch, self.index, mapped)


@dataclass(frozen=True, slots=True)
class ReduceTask:
    """A leaf file to write."""

    tile: HealpixPixel
    rows: int
    path: str
    shards: Sequence[Shard]
    plan: LeafPlan
    root: UPath
    resume: bool = False

    def run(self) -> Leaf:
        """Write the file, unless an earlier attempt did."""
        written = self._written() if self.resume else None
        return written or reducing.reduce_tile(self.tile, self.path, self.shards, self.plan, self.root)

    def _written(self) -> Leaf | None:
        try:
            footer = read_footer(self.root / self.path)
        except (NotFoundError, LeafError):
            return None
        return existing_leaf(self, footer) if footer.num_rows == self.rows else None


@dataclass(frozen=True, slots=True)
class KeepTask:
    """A leaf file that stays as it is, under a new name if `old_path` differs."""

    tile: HealpixPixel
    old_path: str
    path: str
    plan: LeafPlan
    root: UPath

    def run(self) -> Leaf:
        """Give the file its name, and read its footer."""
        path = self.root / self.path
        if self.path != self.old_path:
            storage.rename_file(self.root / self.old_path, path)
        return existing_leaf(self, read_footer(path))


def existing_leaf(task: ReduceTask | KeepTask, footer: pq.FileMetaData) -> Leaf:
    """Return a leaf file that is there already."""
    path = task.root / task.path
    first = read_row_groups(path, footer, [0]).take([0]) if task.plan.keep_first_row else None
    return Leaf(task.tile, task.path, footer, storage.size(path), first)
