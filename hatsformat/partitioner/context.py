"""What the stages share: where a table is made, of what options, by whom; and how its tiles are reduced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Protocol

from upath import UPath

from hatsformat import layout
from hatsformat.partitioner.binning import Alignment
from hatsformat.partitioner.build_log import BuildLog, Progress
from hatsformat.partitioner.executors import Workers
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.reducing import Leaf, LeafPlan
from hatsformat.partitioner.splitting import Shards
from hatsformat.partitioner.tasks import ReduceTask, reduce_one
from hatsformat.publishing.new_folder import NewFolder


class Work(Protocol):
    """What it takes to write a table."""

    @property
    def options(self) -> ImportOptions:
        """How it is made."""

    @property
    def created(self) -> datetime:
        """When."""

    @property
    def team(self) -> Workers:
        """By whom."""

    @property
    def told(self) -> Progress:
        """Who is told how far it is."""

    @property
    def root(self) -> UPath:
        """Where its files are written."""

    @property
    def scratch(self) -> Path:
        """Where its rows are kept meanwhile."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the stages of one import share."""

    place: NewFolder
    options: ImportOptions
    created: datetime
    team: Workers
    log: BuildLog
    told: Progress
    member: str = ""

    @property
    def root(self) -> UPath:
        """Where the files of the table at hand are written: of the whole, or of a member of a collection."""
        return self.place.staging / self.member if self.member else self.place.staging

    @property
    def scratch(self) -> Path:
        """Where its rows are kept meanwhile."""
        return self.place.scratch / self.member if self.member else self.place.scratch


def reduce_tiles(alignment: Alignment, shards: Shards, plan: LeafPlan, job: Work) -> Iterator[Leaf]:
    """Write the leaves of all tiles, and yield them along the sky."""
    options, root = job.options, job.root
    part = "part0.parquet" if options.suffix == layout.DIRECTORY_SUFFIX else None

    def task(index: int, order: int, pixel: int, rows: int) -> ReduceTask:
        path = layout.leaf_path(order, pixel, options.suffix, part)
        return ReduceTask(rows, order, pixel, path, shards.of_tile(index), plan, root, options.resume)

    total = len(alignment.tiles)
    blocks = (alignment.triples[first : first + 10_000].tolist() for first in range(0, total, 10_000))
    tasks = (task(index, *triple) for index, triple in enumerate(chain.from_iterable(blocks)))
    share = options.share_that_writes(max((run.rows.row_bytes for run in shards.runs), default=1))
    for done, leaf in enumerate(job.team.in_order(reduce_one, tasks, share=share), 1):
        job.told("reducing", done, total)
        yield leaf


def name_of(root: UPath) -> str:
    """Return the name of a catalog that is given none: that of its directory, in one word."""
    return "_".join(root.name.split()) or "catalog"
