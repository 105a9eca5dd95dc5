"""Validate a catalog at every level, beside pyarrow that only reads it; then catalogs of very many tiles."""

from __future__ import annotations

import os
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.dataset import dataset

from benchmarks import sky
from benchmarks.measure import machine, median, table
from hatsformat import import_catalog, validate
from hatsformat.healpix import pixel_to_radec
from hatsformat.layout import leaf_paths
from hatsformat.partition_info import PartitionInfo

THREADS = 2
"""As many as `validate` reads local files with."""

LEAF_ORDER, TILE_ORDER = 6, 9
LEVELS = ("rows", "footers", "metadata")


@dataclass(frozen=True, slots=True)
class ValidateBench:
    """Which catalogs, and how often.

    Parameters
    ----------
    sky : Sky
        The mock sky of the catalog whose rows are read.
    max_rows : int
        Its threshold.
    leaves : int
        Leaf files of the catalog whose footers are read.
    tiles : int
        Tiles of the catalog of which only the tree is looked at.
    repetitions : int
        Rounds; in each, everything runs once.
    """

    sky: sky.Sky
    max_rows: int = 500_000
    leaves: int = 20_000
    tiles: int = 1_000_000
    repetitions: int = 3


def _leaves(catalog: Path) -> list[Path]:
    return sorted(catalog.glob("dataset/Norder=*/**/*.parquet"))


def read_tables(catalog: Path) -> None:
    """Read every leaf whole, one after the other, as one would with pyarrow."""
    for path in _leaves(catalog):
        pq.read_table(path, partitioning=None)


def read_dataset(catalog: Path) -> None:
    """Read all leaves as one dataset into one table."""
    dataset(_leaves(catalog), format="parquet").to_table()


def read_least(catalog: Path) -> None:
    """Read every leaf a row group at a time, on all cores, and keep nothing: the least that reading takes."""
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(_read_leaf, _leaves(catalog)))


def _read_leaf(path: Path) -> None:
    leaf = pq.ParquetFile(path)
    for group in range(leaf.num_row_groups):
        leaf.read_row_group(group, use_threads=False)


READERS = {"read_table": read_tables, "dataset": read_dataset, "least": read_least}
"""How pyarrow reads every column of a catalog once."""


def _cpu() -> float:
    """Return the CPU seconds of this process and its children, which open the footers."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    running = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    ended = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return ended + sum(times.user + times.system for times in running)


def _cost(call: Callable[[], object]) -> tuple[float, float]:
    start, before = time.perf_counter(), _cpu()
    call()
    return time.perf_counter() - start, _cpu() - before


def _in_turns(calls: dict[str, Callable[[], object]], repetitions: int) -> dict[str, tuple[float, float]]:
    """Return the medians of wall and CPU seconds, after a round that is not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repetitions):
        for name, call in calls.items():
            found[name].append(_cost(call))
    return {name: (median(a for a, _ in costs), median(b for _, b in costs)) for name, costs in found.items()}


def many_leaves(count: int, out: Path) -> None:
    """Import a row a tile."""
    ra, dec = pixel_to_radec(np.arange(count, dtype=np.int64), LEAF_ORDER)
    rows = pa.table({"ra": ra, "dec": dec, "id": np.arange(count)})
    import_catalog(rows, out, name="leaves", lowest_order=LEAF_ORDER, highest_order=LEAF_ORDER, workers=2)


def many_tiles(count: int, out: Path) -> None:
    """Make the tree of a catalog: its lists and properties, and leaf files without any content."""
    ra, dec = pixel_to_radec(np.zeros(1, dtype=np.int64), TILE_ORDER)
    rows = pa.table({"ra": ra, "dec": dec})
    import_catalog(rows, out, name="tiles", lowest_order=TILE_ORDER, highest_order=TILE_ORDER)
    for name in ("skymap.fits", "point_map.fits"):
        (out / name).unlink(missing_ok=True)
    for path in out.glob("*properties"):
        path.write_text(re.sub(r"(?m)^(hats_nrows *= *).*", rf"\g<1>{count}", path.read_text()))
    orders, pixels = np.full(count, TILE_ORDER, dtype=np.uint8), np.arange(count, dtype=np.int64)
    (out / "partition_info.csv").write_bytes(PartitionInfo(orders, pixels).to_csv())
    paths = leaf_paths(orders, pixels)
    for folder in {path.rpartition("/")[0] for path in paths}:
        (out / folder).mkdir(parents=True, exist_ok=True)
    for path in paths:
        os.close(os.open(out / path, os.O_CREAT | os.O_WRONLY))


def _many(make: Callable[[int, Path], None], count: int, level: str, bench: ValidateBench, at: Path) -> str:
    make(count, at)
    call = partial(validate, at, level)
    wall, cpu = _in_turns({level: call}, bench.repetitions)[level]
    found = len(call().findings)
    shutil.rmtree(at)
    return f"{wall:.2f} s, {cpu:.2f} s of CPU, {found} findings"


def report(data: Path, bench: ValidateBench) -> str:
    """Run everything in turns and return the tables."""
    with tempfile.TemporaryDirectory(dir=data) as scratch:
        catalog = Path(scratch) / "sky"
        import_catalog(sky.make(bench.sky, data), catalog, name="sky", max_rows=bench.max_rows, workers=2)
        calls: dict[str, Callable[[], object]] = {
            f"pyarrow: {name}": partial(read, catalog) for name, read in READERS.items()
        }
        calls |= {f"validate: {level}": partial(validate, catalog, level) for level in LEVELS}
        costs = _in_turns(calls, bench.repetitions)
        floors = [costs[f"pyarrow: {name}"][0] for name in READERS]
        lines = [
            [name, f"{wall:.2f}", f"{cpu:.2f}", *(f"{wall / floor:.2f}" for floor in floors)]
            for name, (wall, cpu) in costs.items()
        ]
        leaves = _many(many_leaves, bench.leaves, "footers", bench, Path(scratch) / "leaves")
        tiles = _many(many_tiles, bench.tiles, "metadata", bench, Path(scratch) / "tiles")
    return "\n".join(
        [
            machine(),
            f"{bench.sky.rows:,} rows, threshold {bench.max_rows:,}; medians of {bench.repetitions} "
            "in turns, in one process that has loaded everything",
            table(["", "wall s", "CPU s", *(f"/{name}" for name in READERS)], lines),
            f"footers of {bench.leaves:,} leaves of one row: {leaves}",
            f"metadata of {bench.tiles:,} tiles, whose leaf files are empty: {tiles}",
        ]
    )
