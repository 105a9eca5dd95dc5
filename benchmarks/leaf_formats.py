"""What each way of writing a leaf costs: the measurement behind the defaults of `hatsformat.artefacts.leaf`.

The leaf is the fullest tile of the mock sky: some hundreds of thousands of rows, 13 columns and the index.
Every way is written, read whole, and queried with small cones, in rounds that take the ways in turn.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import cone_search

from benchmarks import floor, sky
from benchmarks.floor import INDEX, ParquetOptions
from benchmarks.measure import median, table

IntArray = npt.NDArray[np.int64]
CONES = 20
CONE_DEGREES = 10 / 60

BASE = ParquetOptions()
"""How our leaves are written."""

HATS = ParquetOptions(
    level=15,
    int64_encoding="dictionary",
    row_group_rows=100_000,
    page_bytes=128 * 1024,
    dictionary_bytes=128 * 1024,
)
"""The options of hats 0.11.1."""

PYARROW = ParquetOptions(
    "snappy", None, False, "dictionary", "dictionary", row_group_rows=1 << 20, page_index=False
)

WAYS: dict[str, ParquetOptions] = {
    "ours: zstd 1, floats split, int64 delta, 20k": BASE,
    "zstd 2": replace(BASE, level=2),
    "zstd 3": replace(BASE, level=3),
    "zstd 5": replace(BASE, level=5),
    "zstd 9": replace(BASE, level=9),
    "zstd 15": replace(BASE, level=15),
    "snappy": replace(BASE, codec="snappy", level=None),
    "lz4": replace(BASE, codec="lz4", level=None),
    "floats dictionary": replace(BASE, split_floats=False),
    "floats dictionary, snappy": replace(BASE, split_floats=False, codec="snappy", level=None),
    "index plain": replace(BASE, index_encoding="plain"),
    "index dictionary": replace(BASE, index_encoding="dictionary"),
    "other int64 plain": replace(BASE, int64_encoding="plain"),
    "other int64 split": replace(BASE, int64_encoding="split"),
    "other int64 dictionary": replace(BASE, int64_encoding="dictionary"),
    "other int64 dictionary up to 64 KiB": replace(
        BASE, int64_encoding="dictionary", dictionary_bytes=64 * 1024
    ),
    "groups of 5k": replace(BASE, row_group_rows=5_000),
    "groups of 10k": replace(BASE, row_group_rows=10_000),
    "groups of 50k": replace(BASE, row_group_rows=50_000),
    "groups of 100k": replace(BASE, row_group_rows=100_000),
    "groups of 250k": replace(BASE, row_group_rows=250_000),
    "groups of 1M": replace(BASE, row_group_rows=1_000_000),
    "no page index": replace(BASE, page_index=False),
    "pages of 32 KiB": replace(BASE, page_bytes=32 * 1024),
    "pages of 128 KiB": replace(BASE, page_bytes=128 * 1024),
    "groups of 100k, pages of 128 KiB": replace(BASE, row_group_rows=100_000, page_bytes=128 * 1024),
    "hats 0.11.1: zstd 15, int64 dictionary, 100k": HATS,
    "pyarrow's defaults": PYARROW,
}


@dataclass(frozen=True, slots=True)
class Timing:
    """One round of one way: seconds, and bytes of the row groups that a mean cone needs."""

    write: float
    read: float
    cone: float
    cone_bytes: float


def leaf(rows: int, seed: int = 1) -> pa.Table:
    """Return the fullest tile of at most a tenth of a sky of `rows` rows, sorted by its index column."""
    whole = pa.concat_tables([part for _, part in sky.chunks(sky.Sky(rows, 1, seed=seed))])
    table = floor.index_and_sort(whole)
    index = table[INDEX].to_numpy()
    best = (0, 0)
    for order in range(12):
        tiles, starts, counts = np.unique(index >> (2 * (29 - order)), return_index=True, return_counts=True)
        counts = np.where(counts <= rows // 10, counts, 0)
        fullest = int(np.argmax(counts)) if len(tiles) else 0
        if counts[fullest] > best[1]:
            best = int(starts[fullest]), int(counts[fullest])
    return table.slice(*best).combine_chunks()


def cone_ranges(table: pa.Table, seed: int = 2) -> list[tuple[IntArray, IntArray]]:
    """Return the order-29 ranges of cones about random rows of the leaf."""
    rows = np.random.default_rng(seed).integers(0, table.num_rows, CONES)
    ranges = []
    for row in rows:
        lon = Longitude(table["ra"][row].as_py(), u.deg)
        lat = Latitude(table["dec"][row].as_py(), u.deg)
        pixels, depths, _ = cone_search(lon, lat, CONE_DEGREES * u.deg, 12)
        shift = 2 * (29 - depths.astype(np.int64))
        first = pixels.astype(np.int64)
        ranges.append((first << shift, (first + 1) << shift))
    return ranges


def _groups(metadata: Any, starts: IntArray, stops: IntArray) -> list[int]:
    """Return the row groups whose index statistics meet any of the ranges."""
    column = metadata.schema.names.index(INDEX)
    stats = [metadata.row_group(i).column(column).statistics for i in range(metadata.num_row_groups)]
    return [i for i, s in enumerate(stats) if ((starts <= s.max) & (stops > s.min)).any()]


def _cones(path: Path, ranges: list[tuple[IntArray, IntArray]]) -> float:
    """Read the row groups of every cone; return their mean size in the file."""
    total = 0
    for starts, stops in ranges:
        with pq.ParquetFile(path) as file:
            groups = _groups(file.metadata, starts, stops)
            file.read_row_groups(groups, use_threads=False)
            for i in groups:
                group = file.metadata.row_group(i)
                total += sum(group.column(j).total_compressed_size for j in range(group.num_columns))
    return total / len(ranges)


def measure_way(
    path: Path, table: pa.Table, options: ParquetOptions, ranges: list[tuple[IntArray, IntArray]]
) -> Timing:
    """Write, read and query a leaf once, in one thread."""
    clock = [time.perf_counter()]
    pq.write_table(table, path, **options.arguments(table.schema))
    clock.append(time.perf_counter())
    pq.read_table(path, use_threads=False, partitioning=None)
    clock.append(time.perf_counter())
    cone_bytes = _cones(path, ranges)
    clock.append(time.perf_counter())
    write, read, cones = np.diff(clock)
    return Timing(float(write), float(read), float(cones) / len(ranges), cone_bytes)


def report(data: Path, rows: int, repetitions: int) -> str:
    """Measure every way and return the table.

    Parameters
    ----------
    data : pathlib.Path
        Directory to write the leaves into; they are removed.
    rows : int
        Rows of the whole sky that the leaf is taken from.
    repetitions : int
        Rounds.
    """
    content = leaf(rows)
    ranges = cone_ranges(content)
    path = data / "leaf.parquet"
    timings: dict[str, list[Timing]] = defaultdict(list)
    sizes: dict[str, int] = {}
    footers: dict[str, int] = {}
    for _ in range(repetitions):
        for name, options in WAYS.items():
            timings[name].append(measure_way(path, content, options, ranges))
            sizes[name] = path.stat().st_size
            footers[name] = pq.read_metadata(path).serialized_size
    path.unlink()
    lines = []
    for name, of_way in timings.items():
        seconds = [median(getattr(t, what) for t in of_way) for what in ("write", "read", "cone")]
        lines.append(
            [
                name,
                f"{sizes[name] / 1e6:.2f}",
                f"{sizes[name] / sizes[next(iter(WAYS))]:.3f}",
                f"{seconds[0]:.3f}",
                f"{seconds[1]:.3f}",
                f"{seconds[2] * 1e3:.1f}",
                f"{of_way[0].cone_bytes / 1e6:.2f}",
                f"{footers[name] / 1e3:.0f}",
            ]
        )
    head = (
        f"a leaf of {content.num_rows:,} rows and {content.num_columns} columns, {content.nbytes / 1e6:.0f} "
        f"MB in memory; {CONES} cones of {CONE_DEGREES * 60:g} arcmin; medians of {repetitions}, one thread"
    )
    columns = ["way (else as base)", "MB", "of base", "write s", "read s", "cone ms", "cone MB", "footer kB"]
    return f"{head}\n{table(columns, lines)}"
