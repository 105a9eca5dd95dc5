"""Stage 3, splitting: which rows of every run belong to which tile.

Runs are sorted along the sky and tiles are ranges of it, so a tile's share of a run, its shard, is a range of
rows. Splitting is two binary searches per run and tile, and moves no rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hatsformat.errors import BuildError
from hatsformat.healpix import IntArray
from hatsformat.partitioner.binning import Alignment
from hatsformat.partitioner.runs import Run


@dataclass(frozen=True, slots=True)
class Shard:
    """The rows of one run that belong to one tile: positions ``first`` to ``last``, exclusive."""

    run: Run
    first: int
    last: int

    @property
    def pixels(self) -> IntArray:
        """The rows' order-29 pixels, ascending."""
        return self.run.rows.pixels_between(self.first, self.last)

    def __len__(self) -> int:
        return self.last - self.first


@dataclass(frozen=True, slots=True)
class Shards:
    """All shards, by tile.

    Attributes
    ----------
    runs : sequence of Run
        In the order of the inputs.
    of_run, first, last : ndarray of int64, shape (m,)
        A shard's run, and its rows in it; sorted by tile, then by run.
    offsets : ndarray of int64, shape (tiles + 1,)
        The shards of tile ``i`` are ``offsets[i]`` to ``offsets[i + 1]``.
    """

    runs: Sequence[Run]
    of_run: IntArray
    first: IntArray
    last: IntArray
    offsets: IntArray

    def of_tile(self, tile: int) -> list[Shard]:
        """Return the shards of a tile, in the order of the inputs."""
        span = slice(int(self.offsets[tile]), int(self.offsets[tile + 1]))
        triples = zip(
            self.of_run[span].tolist(), self.first[span].tolist(), self.last[span].tolist(), strict=True
        )
        return [Shard(self.runs[run], first, last) for run, first, last in triples]


def split(runs: Sequence[Run], alignment: Alignment) -> Shards:
    """Cut the runs at the borders of the tiles.

    Parameters
    ----------
    runs : sequence of Run
        In the order of the inputs.
    alignment : Alignment
        The tiles, with the rows that each must receive.

    Raises
    ------
    BuildError
        If a tile does not get the rows that were counted for it.
    """
    starts, stops = alignment.tiles.starts, alignment.tiles.stops
    tiles, of_run, firsts, lasts = [], [], [], []
    for number, run in enumerate(runs):
        pixels = run.rows.pixels
        if pixels.size == 0:
            continue
        # A run may cover a small part of the sky, with few tiles.
        low = np.searchsorted(stops, pixels[0], side="right")
        high = np.searchsorted(starts, pixels[-1], side="right")
        first = np.searchsorted(pixels, starts[low:high])
        last = np.searchsorted(pixels, stops[low:high])
        held = np.flatnonzero(last > first)
        tiles.append(held + low)
        of_run.append(np.full(held.size, number))
        firsts.append(first[held])
        lasts.append(last[held])
    tile = _in_one(tiles)
    by_tile = np.argsort(tile, kind="stable")
    shards = Shards(
        runs,
        _in_one(of_run)[by_tile],
        _in_one(firsts)[by_tile],
        _in_one(lasts)[by_tile],
        np.searchsorted(tile[by_tile], np.arange(len(starts) + 1)),
    )
    received = np.bincount(tile[by_tile], weights=shards.last - shards.first, minlength=len(starts))
    if not np.array_equal(received.astype(np.int64), alignment.rows):
        raise BuildError("the number of rows in the tiles differs from the count; this is a bug")
    return shards


def _in_one(parts: list[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
