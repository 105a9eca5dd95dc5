"""Merging runs where a tile has very many.

Every piece of a leaf opens all runs of its tile. With a thousand of them, opening dominates and time grows
with the square of the rows. As in any external sort, neighbouring runs are merged first, so that rows of the
same pixel stay in the order of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.healpix import MAX_ORDER, IntArray, npix
from hatsformat.partition_info import PartitionInfo
from hatsformat.partitioner.common_types import nested_types
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.reducing import PIECE_ROWS, ShardRows
from hatsformat.partitioner.runs import Run, SpilledRows, batch_rows_of, spill_writer
from hatsformat.partitioner.sorting import stable_sort
from hatsformat.partitioner.splitting import Shard
from hatsformat.partitioner.tasks import run_task

MOST_RUNS = 128
"""The most runs of a tile that are not merged first."""

COLUMN_BYTES = 1536
"""Overhead of a column with few rows, in each run that a piece is taken from."""

SAMPLE_STEP = 1024
"""One row in this many decides where the sky is cut into pieces."""


@dataclass(frozen=True, slots=True)
class MergeTask:
    """Runs to merge.

    Attributes
    ----------
    runs : sequence of Run
        Neighbours in the order of the inputs.
    path : Path
        The file of the merged run.
    schema : pyarrow.Schema
        Of its rows.
    piece_bytes : int
        Size of the pieces that are merged at a time.
    """

    runs: Sequence[Run]
    path: Path
    schema: pa.Schema
    piece_bytes: int

    def run(self) -> Run:
        """Merge the runs, unless an earlier attempt did; the file appears once it is complete."""
        row_bytes = max(run.rows.row_bytes for run in self.runs)
        rows = SpilledRows(self.path, batch_rows_of(row_bytes, self.schema), row_bytes)
        if not self.path.exists():
            with spill_writer(rows, self.schema) as sink:
                for table, pixels in self._pieces(row_bytes):
                    sink.write(table, pixels)
            pa.default_memory_pool().release_unused()
        return Run(self.runs[0].sequence, self.runs[0].name, rows)

    def _pieces(self, row_bytes: int) -> Iterator[tuple[pa.Table, IntArray]]:
        edges = self._edges(max(1, min(PIECE_ROWS, self.piece_bytes // row_bytes)))
        cuts = [np.searchsorted(run.rows.pixels, edges).tolist() for run in self.runs]
        for number in range(len(edges) - 1):
            shards = [
                Shard(run, own[number], own[number + 1])
                for run, own in zip(self.runs, cuts, strict=True)
                if own[number] < own[number + 1]
            ]
            if shards:
                pixels, order = stable_sort(np.concatenate([shard.pixels for shard in shards]))
                yield ShardRows.of(shards).take(order, self.schema), pixels

    def _edges(self, piece_rows: int) -> IntArray:
        """Return pixels that cut the sky into pieces of about `piece_rows` rows."""
        step = max(1, min(SAMPLE_STEP, piece_rows // 32))
        sample = np.sort(np.concatenate([run.rows.pixels[step // 2 :: step] for run in self.runs]))
        inner = sample[:: max(1, piece_rows // step)]
        return np.unique(np.concatenate(([0], inner, [npix(MAX_ORDER)])))


def most_runs(schema: pa.Schema, piece_bytes: int) -> int:
    """Return the most runs of a tile: with more, the overhead of columns exceeds the size of the rows."""
    return min(MOST_RUNS, max(8, piece_bytes // (COLUMN_BYTES * sum(1 for _ in nested_types(schema)))))


def merge_runs(
    runs: Sequence[Run], tiles: PartitionInfo, schema: pa.Schema, context: BuildContext
) -> list[Run]:
    """Return the same rows in fewer runs where a tile would take rows from more than `most_runs`.

    Half as many runs are merged at a time. Only runs on scratch are merged: those in memory are quick to
    open. Files of merged runs stay, because a resumed import begins with them.
    """
    runs, level = list(runs), 0
    # All batches of a file share their dictionaries; several runs do not.
    if any(map(pa.types.is_dictionary, nested_types(schema))) or not all(
        isinstance(run.rows, SpilledRows) for run in runs
    ):
        return runs
    piece_bytes = context.memory.piece_bytes
    most = most_runs(schema, piece_bytes)
    while len(runs) > most and (crowded := _crowded_runs(runs, tiles, most)).any():
        groups = _groups(crowded, max(2, most // 2))
        tasks = [
            MergeTask(
                [runs[index] for index in group],
                context.scratch / f"merged-{level}-{number:06}.arrow",
                schema,
                piece_bytes,
            )
            for number, group in enumerate(groups)
        ]
        merged: dict[int, Run] = {}
        for group, run in zip(groups, context.workers.in_order(run_task, tasks), strict=True):
            merged[group[0]] = run
            context.progress("merging", len(merged), len(groups))
        inside = {index for group in groups for index in group}
        runs = [
            merged.get(index, run) for index, run in enumerate(runs) if index in merged or index not in inside
        ]
        level += 1
    return runs


def _crowded_runs(runs: Sequence[Run], tiles: PartitionInfo, most: int) -> npt.NDArray[np.bool_]:
    """Return which runs may have rows in a tile that more than `most` runs may have rows in.

    A run counts for all tiles from its first to its last pixel.
    """
    ends = np.array([run.rows.pixels[[0, -1]] for run in runs])
    first = np.searchsorted(tiles.stops, ends[:, 0], side="right")
    last = np.searchsorted(tiles.starts, ends[:, 1], side="right")
    changes = np.bincount(first, minlength=len(tiles) + 1) - np.bincount(last, minlength=len(tiles) + 1)
    full = np.concatenate(([0], np.cumsum(np.cumsum(changes)[:-1] > most)))
    crowded: npt.NDArray[np.bool_] = full[last] > full[first]
    return crowded


def _groups(crowded: npt.NDArray[np.bool_], size: int) -> list[list[int]]:
    """Return the indices of runs to merge, in groups of neighbours: rows keep the order of the inputs."""
    chosen = np.flatnonzero(crowded)
    spans = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    groups = [span[at : at + size].tolist() for span in spans for at in range(0, len(span), size)]
    groups = [group for group in groups if len(group) > 1]
    if groups:
        return groups
    # No two of them are neighbours: all runs are merged.
    return [list(range(at, min(at + size, len(crowded)))) for at in range(0, len(crowded), size)]
