"""What every stage of a build shares."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from upath import UPath

from hatsformat.partitioner.build_log import BuildLog, Progress, silent
from hatsformat.partitioner.executors import Workers, open_workers
from hatsformat.partitioner.memory import MemoryBudget
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.runs import RunStore


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What every stage of a build shares.

    Attributes
    ----------
    options : ImportOptions
        How the catalog is made.
    workers : Workers
        Who does the work.
    memory : MemoryBudget
        How much memory it may take.
    scratch : Path
        Folder for rows that do not fit in memory.
    log : BuildLog
        What was done.
    progress : callable
        Called with a stage's name, the steps done and the steps in all.
    created : datetime
        The date that the properties get.
    """

    options: ImportOptions
    workers: Workers
    memory: MemoryBudget
    scratch: Path
    log: BuildLog
    progress: Progress
    created: datetime

    def within(self, folder: str) -> BuildContext:
        """Return the context for one member of a collection, with a scratch folder of its own."""
        return replace(self, scratch=self.scratch / folder)

    def run_store(self, *, spill: bool = False) -> RunStore:
        """Return a store for runs; `spill` sends all of them to scratch."""
        in_memory = self.workers.share_memory and not spill
        return RunStore(self.memory.runs_bytes if in_memory else 0, self.scratch)


@contextmanager
def open_context(
    options: ImportOptions,
    scratch: Path,
    log: BuildLog,
    *,
    paths: Iterable[str] = (),
    executor: Executor | None = None,
    progress: Progress | None = None,
    created: datetime | None = None,
) -> Iterator[BuildContext]:
    """Start the workers of a build, or connect to existing ones, for the length of the block.

    `paths` are what the build reads and writes: remote paths get more threads. A given `executor` is not shut
    down. `created` is the date of the build, by default now.
    """
    memory = options.memory_budget(paths)
    workers = open_workers(
        memory.workers, processes=options.processes, scheduler=options.scheduler, executor=executor
    )
    with workers as opened:
        yield BuildContext(options, opened, memory, scratch, log, progress or silent, created or build_date())


def build_date() -> datetime:
    """Return the date of a build: now, to the minute, or that of ``SOURCE_DATE_EPOCH``."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return now.replace(second=0, microsecond=0)


def default_name(root: UPath) -> str:
    """Return the name of a catalog that was given none: its folder's, in one word."""
    return "_".join(root.name.split()) or "catalog"
