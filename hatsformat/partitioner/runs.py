"""Runs: the rows of one chunk of an input, sorted along the sky.

A run stays in memory while there is room, else it is spilled to scratch: its rows as Arrow IPC in batches of
equal length, its order-29 pixels as a plain array that is memory-mapped. Either way any range of its rows can
be read, which is all that splitting and reducing need.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa

from hatsformat import storage
from hatsformat.arrays import row_numbers
from hatsformat.errors import WorkerError
from hatsformat.healpix import IntArray
from hatsformat.partitioner.common_types import nested_types

SPILL_BATCH_BYTES = 256 * 1024
"""Size of a spilled batch: the bytes that are read for one row."""

SPILL_COLUMN_BYTES = 2 * 1024
"""Least average size of a column in it: each has a header and is compressed by itself."""


class Rows(Protocol):
    """Rows that can be read by range, and their ascending order-29 pixels."""

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
        return 1 + self.size // max(1, int(self.table.num_rows))


@dataclass(frozen=True, slots=True)
class SpilledRows:
    """Rows in an Arrow IPC file on scratch, in batches of `batch_rows`, each row of about `row_bytes`; only
    the path is sent to a worker.
    """

    path: Path
    batch_rows: int
    row_bytes: int

    @property
    def pixels(self) -> IntArray:
        """Order-29 pixels of the rows, memory-mapped: a search touches few of them."""
        with storage.storage_errors(self.path, "reading a scratch file"):
            mapped: IntArray = np.memmap(self.pixels_path, dtype=np.int64, mode="r")
        return mapped

    def pixels_between(self, first: int, last: int) -> IntArray:
        """Return the order-29 pixels of the rows ``first`` to ``last``, exclusive."""
        with storage.storage_errors(self.path, "reading a scratch file"):
            return np.fromfile(self.pixels_path, np.int64, last - first, offset=first * 8)

    @property
    def pixels_path(self) -> Path:
        """The file with the pixels."""
        return self.path.with_suffix(".pixels")

    def slice(self, first: int, last: int) -> pa.Table:
        """Return the rows ``first`` to ``last``, exclusive; only the batches that hold them are read."""
        low, high = first // self.batch_rows, -(-last // self.batch_rows)
        with storage.storage_errors(self.path, "reading a scratch file"), pa.OSFile(str(self.path)) as stream:
            reader = pa.ipc.open_file(stream)
            parts = []
            for index in range(low, high):
                batch, begin = reader.get_batch(index), index * self.batch_rows
                part = batch.slice(max(0, first - begin))
                part = part.slice(0, last - max(first, begin))
                # A slice keeps its whole batch in memory, and there may be a thousand runs.
                small = 2 * part.num_rows < batch.num_rows
                parts.append(part.take(row_numbers(part.num_rows)) if small else part)
            return pa.Table.from_batches(parts, reader.schema)

    def remove(self) -> None:
        """Remove the files."""
        self.path.unlink(missing_ok=True)
        self.pixels_path.unlink(missing_ok=True)


def batch_rows_of(row_bytes: int, schema: pa.Schema) -> int:
    """Return the number of rows of a batch on scratch."""
    return max(
        1, max(SPILL_BATCH_BYTES, sum(1 for _ in nested_types(schema)) * SPILL_COLUMN_BYTES) // row_bytes
    )


class SpillWriter:
    """Writes rows to scratch in batches of equal length."""

    def __init__(self, batches: Any, pixels: IO[bytes], batch_rows: int) -> None:
        self._batches, self._pixels, self._batch_rows = batches, pixels, batch_rows
        self._rest: pa.Table | None = None

    def write(self, table: pa.Table, pixels: IntArray) -> None:
        """Write sorted rows after those before."""
        pixels.tofile(self._pixels)
        if self._rest is not None:
            table = pa.concat_tables([self._rest, table])
        table = table.combine_chunks()  # before slicing: all batches of a file share their dictionaries
        whole = table.num_rows // self._batch_rows * self._batch_rows
        self._write(table.slice(0, whole))
        self._rest = table.slice(whole)

    def finish(self) -> None:
        """Write the remaining rows."""
        if self._rest is not None:
            self._write(self._rest)

    def _write(self, table: pa.Table) -> None:
        if table.num_rows:
            self._batches.write_table(table, max_chunksize=self._batch_rows)


@contextmanager
def spill_writer(rows: SpilledRows, schema: pa.Schema) -> Iterator[SpillWriter]:
    """Write the files of `rows`; the file with the rows appears, complete, when the block ends."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    partial = rows.path.with_suffix(".partial")
    with storage.storage_errors(rows.path.parent, "writing a scratch file"):
        rows.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            open(rows.pixels_path, "wb") as pixels,
            pa.OSFile(str(partial), "wb") as stream,
            pa.ipc.new_file(stream, schema, options=options) as batches,
        ):
            writer = SpillWriter(batches, pixels, rows.batch_rows)
            yield writer
            writer.finish()
        partial.replace(rows.path)


@dataclass(frozen=True, slots=True)
class Run:
    """The rows of one chunk, sorted by order-29 pixel; equal pixels keep the order of the input.

    Attributes
    ----------
    sequence : tuple of int
        Index of the input, and of the chunk in it. Runs in this order hold the rows in the order of the
        inputs.
    name : str
        The input's name.
    rows : Rows
    """

    sequence: tuple[int, int]
    name: str
    rows: Rows


class RunStore:
    """Keeps runs, in memory up to a bound and on scratch beyond it. Safe to use from several threads.

    A store that is sent to another process keeps all rows on scratch.

    Parameters
    ----------
    memory_bytes : int
        The most bytes of rows to keep in memory.
    scratch : Path
        Folder for the rest; made when first needed.
    """

    def __init__(self, memory_bytes: int, scratch: Path) -> None:
        self._room = memory_bytes
        self._scratch = scratch
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Refuse further runs: the build failed, and tasks that still read an input should end soon."""
        self._stopped = True

    def __reduce__(self) -> tuple[Any, ...]:
        return RunStore, (0, self._scratch)

    def keep(
        self, sequence: tuple[int, int], name: str, table: pa.Table, pixels: IntArray, kind: str = "run"
    ) -> Run:
        """Keep sorted rows and their pixels as a run; names of its files begin with `kind`."""
        if self._stopped:
            raise WorkerError("the build was stopped")
        rows = MemoryRows(table, pixels)
        if self._reserve(rows.size):
            return Run(sequence, name, rows)
        path = self._scratch / f"{kind}-{sequence[0]:06}-{sequence[1]:06}.arrow"
        spilled = SpilledRows(path, batch_rows_of(rows.row_bytes, table.schema), rows.row_bytes)
        with spill_writer(spilled, table.schema) as sink:
            sink.write(table, pixels)
        pa.default_memory_pool().release_unused()  # memory is short, so the allocator must not keep it
        return Run(sequence, name, spilled)

    def release(self, runs: list[Run]) -> None:
        """Free the memory and files of runs."""
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
    """Return the size of all files on scratch."""
    return sum(path.stat().st_size for path in scratch.glob("*")) if scratch.is_dir() else 0
