"""How much memory a build may use, and how its workers share it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hatsformat import storage
from hatsformat.errors import UsageError
from hatsformat.machine import available_cores, available_memory

MIB = 1024 * 1024
BASE_BYTES = 320 * MIB
"""Memory of the interpreter and its libraries, before any row is read."""

LEAST_BYTES = 64 * MIB
"""The least memory for rows."""

CHUNK_COPIES = 8
"""How often a chunk is in memory while it is mapped: as read, decoded, joined, sorted and written, with its
pixels and with what allocators keep."""

PIECE_COPIES = 4
"""How often a piece of a leaf is in memory while it is written: as read, sorted, cut and encoded."""

GROUP_COPIES = 3
"""How often a row group is in memory while it is written: as gathered, joined and encoded."""

CHUNK_BYTES = 128 * MIB
PIECE_BYTES = 64 * MIB
"""Sizes of chunks and pieces where memory is ample."""

WORKER_BYTES, PROCESS_BYTES = 32 * MIB, 160 * MIB
"""Memory that a worker needs to start: for what it reads, decodes and writes, and for the libraries of a
process."""

WAITING_THREADS = 4
"""Threads per core where rows come from a server or leaves go to one."""


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """The memory of a build.

    Attributes
    ----------
    total_bytes : int
        What the build and its workers may use together.
    workers : int
        Workers that share it.
    processes : bool
        Whether workers are processes, each with an interpreter of its own.
    """

    total_bytes: int
    workers: int = 1
    processes: bool = False

    @classmethod
    def plan(
        cls,
        memory: int | None,
        workers: int | None,
        *,
        processes: bool = False,
        scheduler: bool = False,
        paths: Iterable[str] = (),
    ) -> MemoryBudget:
        """Choose the number of workers, as many as there is memory for.

        Parameters
        ----------
        memory : int or None
            Bytes to stay within; None for half of the machine's.
        workers : int or None
            Workers to use at most. None for one per core, or `WAITING_THREADS` per core if a path is remote:
            while some threads wait for a server, others keep the cores busy.
        processes, scheduler : bool
            Whether workers are processes, or those of a cluster.
        paths : iterable of str
            What the build reads and writes.

        Raises
        ------
        UsageError
            If there is too little memory to work in.
        """
        check_memory(memory)
        total = memory or available_memory() // 2
        wanted = workers or available_cores()
        most = max(1, (total - BASE_BYTES) // (WORKER_BYTES + (PROCESS_BYTES if processes else 0)))
        count = min(wanted, most)
        is_remote = not all(storage.is_local_name(path) for path in paths)
        if workers is None and not processes and not scheduler and is_remote:
            count = min(count * WAITING_THREADS, most)
        return cls(total, count, processes)

    @property
    def usable_bytes(self) -> int:
        """Memory for rows."""
        interpreters = 1 + (self.workers if self.processes else 0)
        return max(LEAST_BYTES, self.total_bytes - interpreters * BASE_BYTES)

    @property
    def runs_bytes(self) -> int:
        """Memory for runs; those beyond it go to scratch."""
        return self.usable_bytes // 2

    @property
    def chunk_bytes(self) -> int:
        """Size of the chunks that are mapped."""
        share = self.usable_bytes // 2 // (self.workers * CHUNK_COPIES)
        return max(MIB, min(CHUNK_BYTES, share))

    @property
    def piece_bytes(self) -> int:
        """Size of the pieces in which leaves are put together."""
        share = self.usable_bytes // 2 // (self.workers * PIECE_COPIES)
        return max(MIB, min(PIECE_BYTES, share))

    @property
    def is_short(self) -> bool:
        """Whether memory is too short for pieces of the usual size."""
        return self.piece_bytes < PIECE_BYTES

    def readers(self, reading_bytes: int) -> int:
        """Return how many workers can read inputs that take `reading_bytes` in addition to their rows."""
        return self._at_once(reading_bytes + CHUNK_COPIES * self.chunk_bytes)

    def writers(self, row_group_bytes: int) -> int:
        """Return how many workers can write leaves at once.

        Row groups are the same in any memory: if they are large and memory is short, fewer workers write.
        """
        return self._at_once(GROUP_COPIES * row_group_bytes + PIECE_COPIES * self.piece_bytes)

    def _at_once(self, worker_bytes: int) -> int:
        return max(1, min(self.workers, self.usable_bytes // max(1, worker_bytes)))


def check_memory(memory: int | None) -> None:
    """Raise `UsageError` if a bound leaves no memory for rows."""
    if memory is not None and memory < BASE_BYTES + LEAST_BYTES:
        raise UsageError(
            "too little memory",
            found=f"{memory // MIB} MiB",
            expected=f"at least {(BASE_BYTES + LEAST_BYTES) // MIB} MiB",
        )
