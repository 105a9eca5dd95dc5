"""Runs: the rows of one chunk of an input, sorted along the sky.

A run stays in memory while there is room, and is spilled to scratch otherwise: its rows as Arrow IPC in
batches of equal length, its order-29 pixels beside them as a plain array that is memory-mapped. Either way
any range of its rows can be had by position, which is all that splitting and reducing ask for.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from hatsformat import storage
from hatsformat.arrays import row_numbers
from hatsformat.errors import WorkerError
from hatsformat.healpix import IntArray

SPILL_BATCH_BYTES = 256 * 1024
"""Size of a spilled batch: what is read to get at one row of it."""


class Rows(Protocol):
    """Rows that can be had by position, and their order-29 pixels, ascending."""

    @property
    def pixels(self) -> IntArray:
        """Order-29 pixels of the rows, shape (n,)."""

    @property
    def row_bytes(self) -> int:
        """About how many bytes a row takes in memory, at least 1."""

    def pixels_between(self, first: int, last: int) -> IntArray:
        """Return the order-29 pixels of the rows ``first`` to ``last``, exclusive."""

    def slice(self, first: int, last: int) -> pa.Table:
        """Return the rows ``first`` to ``last``, exclusive, without the index column."""


@dataclass(frozen=True, slots=True)
class MemoryRows:
    """Rows in memory."""

    table: pa.Table
    pixels: IntArray

    def slice(self, first: int, last: int) -> pa.Table:
        """Return the rows ``first`` to ``last``, exclusive; nothing is copied."""
        return self.table.slice(first, last - first)

    def pixels_between(self, first: int, last: int) -> IntArray:
        """Return the order-29 pixels of the rows ``first`` to ``last``, exclusive."""
        return self.pixels[first:last]

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return int(self.table.nbytes + self.pixels.nbytes)

    @property
    def row_bytes(self) -> int:
        """About how many bytes a row takes in memory."""
        return 1 + self.size // max(1, self.pixels.size)


@dataclass(frozen=True, slots=True)
class SpilledRows:
    """Rows in an Arrow IPC file on scratch, in batches of `batch_rows`, each row of about `row_bytes`; only
    the path travels to a worker.
    """

    path: Path
    batch_rows: int
    row_bytes: int

    @property
    def pixels(self) -> IntArray:
        """Order-29 pixels of the rows, memory-mapped: a search touches few of them."""
        with storage.explained(self.path, "reading scratch"):
            mapped: IntArray = np.memmap(self._pixels_path, dtype=np.int64, mode="r")
        return mapped

    def pixels_between(self, first: int, last: int) -> IntArray:
        """Return the order-29 pixels of the rows ``first`` to ``last``, exclusive."""
        with storage.explained(self.path, "reading scratch"):
            return np.fromfile(self._pixels_path, np.int64, last - first, offset=first * 8)

    @property
    def _pixels_path(self) -> Path:
        return self.path.with_suffix(".pixels")

    def slice(self, first: int, last: int) -> pa.Table:
        """Return the rows ``first`` to ``last``, exclusive; only the batches that hold them are read."""
        low, high = first // self.batch_rows, -(-last // self.batch_rows)
        with storage.explained(self.path, "reading scratch"), pa.OSFile(str(self.path)) as stream:
            reader = pa.ipc.open_file(stream)
            parts = []
            for index in range(low, high):
                batch, begin = reader.get_batch(index), index * self.batch_rows
                part = batch.slice(max(0, first - begin))
                part = part.slice(0, last - max(first, begin))
                # A slice keeps its whole batch in memory, and there may be a thousand runs to take rows of.
                small = 2 * part.num_rows < batch.num_rows
                parts.append(part.take(row_numbers(part.num_rows)) if small else part)
            return pa.Table.from_batches(parts, reader.schema)

    def write(self, table: pa.Table, pixels: IntArray) -> int:
        """Write the files, and return their size in bytes."""
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with storage.explained(self.path.parent, "writing scratch"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            pixels.tofile(self._pixels_path)
            with (
                pa.OSFile(str(self.path), "wb") as sink,
                pa.ipc.new_file(sink, table.schema, options=options) as writer,
            ):
                writer.write_table(table.combine_chunks(), max_chunksize=self.batch_rows)
            return self.path.stat().st_size + self._pixels_path.stat().st_size

    def remove(self) -> None:
        """Remove the files."""
        self.path.unlink(missing_ok=True)
        self._pixels_path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Run:
    """The rows of one chunk, sorted by their order-29 pixel; equal pixels stand in the order of the input.

    Attributes
    ----------
    sequence : tuple of int
        Which input, and which chunk of it: runs in this order hold the rows in the order of the inputs.
    name : str
        The input's name.
    rows : Rows
    """

    sequence: tuple[int, int]
    name: str
    rows: Rows


class RunStore:
    """Keeps runs, in memory up to a bound and on scratch beyond it. Safe to use from several threads.

    A store that is sent to another process keeps everything on scratch.

    Parameters
    ----------
    memory_bytes : int
        Most bytes of rows to keep in memory.
    scratch : Path
        Directory for the rest; made when first needed.
    """

    def __init__(self, memory_bytes: int, scratch: Path) -> None:
        self._room = memory_bytes
        self._scratch = scratch
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Accept no more runs: the import has failed, and whoever still reads an input is to end soon."""
        self._stopped = True

    def __reduce__(self) -> tuple[Any, ...]:
        return RunStore, (0, self._scratch)

    def keep(
        self, sequence: tuple[int, int], name: str, table: pa.Table, pixels: IntArray, kind: str = "run"
    ) -> Run:
        """Keep sorted rows and their pixels as a run; `kind` begins the names of its files."""
        if self._stopped:
            raise WorkerError("the import was stopped")
        rows = MemoryRows(table, pixels)
        if self._reserve(rows.size):
            return Run(sequence, name, rows)
        batch_rows = max(1, min(table.num_rows, SPILL_BATCH_BYTES // rows.row_bytes))
        path = self._scratch / f"{kind}-{sequence[0]:06}-{sequence[1]:06}.arrow"
        spilled = SpilledRows(path, batch_rows, rows.row_bytes)
        spilled.write(table, pixels)
        pa.default_memory_pool().release_unused()  # memory is short: do not let the allocator keep it
        return Run(sequence, name, spilled)

    def release(self, runs: list[Run]) -> None:
        """Give back what runs hold."""
        for run in runs:
            if isinstance(run.rows, MemoryRows):
                self._reserve(-run.rows.size)
            elif isinstance(run.rows, SpilledRows):
                run.rows.remove()

    def _reserve(self, size: int) -> bool:
        with self._lock:
            fits = size <= self._room
            if fits:
                self._room -= size
        return fits


def spilled_bytes(scratch: Path) -> int:
    """Return the bytes that are on scratch."""
    return sum(path.stat().st_size for path in scratch.glob("*")) if scratch.is_dir() else 0
