"""Runs: the rows of one chunk of an input, sorted along the sky.

A run stays in memory while there is room, and is spilled to scratch otherwise: its rows as Arrow IPC in
batches of equal length, its order-29 pixels beside them as a plain array that is memory-mapped. Either way
any range of its rows can be had by position, which is all that splitting and reducing ask for.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from hatsformat import storage
from hatsformat.healpix import IntArray

SPILL_BATCH_BYTES = 256 * 1024
"""Size of a spilled batch: what is read to get at one row of it."""


class Rows(Protocol):
    """Rows that can be had by position."""

    def slice(self, first: int, last: int) -> pa.Table:
        """Return the rows ``first`` to ``last``, exclusive."""


@dataclass(frozen=True, slots=True)
class MemoryRows:
    """Rows in memory."""

    table: pa.Table

    def slice(self, first: int, last: int) -> pa.Table:
        """Return the rows ``first`` to ``last``, exclusive; nothing is copied."""
        return self.table.slice(first, last - first)


@dataclass(frozen=True, slots=True)
class SpilledRows:
    """Rows in an Arrow IPC file on scratch, in batches of `batch_rows`."""

    path: Path
    batch_rows: int

    def slice(self, first: int, last: int) -> pa.Table:
        """Return the rows ``first`` to ``last``, exclusive; only the batches that hold them are read."""
        low, high = first // self.batch_rows, -(-last // self.batch_rows)
        with storage.explained(self.path, "reading scratch"), pa.memory_map(str(self.path)) as stream:
            reader = pa.ipc.open_file(stream)
            batches = [reader.get_batch(index) for index in range(low, high)]
            table = pa.Table.from_batches(batches, reader.schema)
        return table.slice(first - low * self.batch_rows, last - first)


@dataclass(frozen=True, slots=True)
class Run:
    """The rows of one chunk, sorted by their order-29 pixel; equal pixels stand in the order of the input.

    Attributes
    ----------
    sequence : tuple of int
        Which input, and which chunk of it: runs in this order hold the rows in the order of the inputs.
    name : str
        The input's name.
    schema : pyarrow.Schema
        Of the rows; the index column is not among them.
    pixels : ndarray of int64, shape (n,)
        Order-29 pixels, ascending.
    rows : Rows
    """

    sequence: tuple[int, int]
    name: str
    schema: pa.Schema
    pixels: IntArray
    rows: Rows


class RunStore:
    """Keeps runs, in memory up to a bound and on scratch beyond it. Safe to use from several threads.

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
        self.spilled_bytes = 0

    def keep(self, sequence: tuple[int, int], name: str, table: pa.Table, pixels: IntArray) -> Run:
        """Keep sorted rows and their pixels as a run."""
        need = table.nbytes + pixels.nbytes
        with self._lock:
            fits = need <= self._room
            if fits:
                self._room -= need
        if fits:
            return Run(sequence, name, table.schema, pixels, MemoryRows(table))
        return self._spill(sequence, name, table, pixels)

    def release(self, runs: list[Run]) -> None:
        """Give back what runs hold."""
        for run in runs:
            if isinstance(run.rows, MemoryRows):
                with self._lock:
                    self._room += run.rows.table.nbytes + run.pixels.nbytes
            elif isinstance(run.rows, SpilledRows):
                run.rows.path.unlink(missing_ok=True)
                run.rows.path.with_suffix(".npy").unlink(missing_ok=True)

    def _spill(self, sequence: tuple[int, int], name: str, table: pa.Table, pixels: IntArray) -> Run:
        batch_rows = max(1, min(table.num_rows, table.num_rows * SPILL_BATCH_BYTES // max(1, table.nbytes)))
        path = self._scratch / f"run-{sequence[0]:06}-{sequence[1]:06}.arrow"
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        beside = path.with_suffix(".npy")
        with storage.explained(self._scratch, "writing scratch"):
            self._scratch.mkdir(parents=True, exist_ok=True)
            with (
                pa.OSFile(str(path), "wb") as sink,
                pa.ipc.new_file(sink, table.schema, options=options) as writer,
            ):
                writer.write_table(table.combine_chunks(), max_chunksize=batch_rows)
            np.save(beside, pixels)
            mapped: IntArray = np.load(beside, mmap_mode="r")
        with self._lock:
            self.spilled_bytes += path.stat().st_size + beside.stat().st_size
        return Run(sequence, name, table.schema, mapped, SpilledRows(path, batch_rows))
