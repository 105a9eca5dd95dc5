"""Memory and time of an append and a rebuild beside the import of the same rows, all within one bound."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import Run, machine, run, table


@dataclass(frozen=True, slots=True)
class UpdatesBench:
    """What is imported, added and rebuilt, within which memory.

    Parameters
    ----------
    rows : int
        Of the catalog, and of what is added to it.
    columns : tuple of int
        Columns of the rows, right ascension and declination among them.
    workers : tuple of int
        Threads.
    memory_bytes : int
        The bound.
    max_rows : int
        Threshold of rows of a tile.
    """

    rows: int = 4_000_000
    columns: tuple[int, ...] = (10, 33)
    workers: tuple[int, ...] = (1, 2, 8)
    memory_bytes: int = 512_000_000
    max_rows: int = 1_000_000


def report(data: Path, bench: UpdatesBench) -> str:
    """Import, append and rebuild with every number of columns and workers, and return the table."""
    lines = []
    for columns in bench.columns:
        nights = [_night(data, bench, columns, night) for night in (0, 1)]
        for workers in bench.workers:
            costs = _updates(nights, data / "updates", bench, workers)
            peaks = [f"{cost.peak_bytes / 1e6:.0f}" for cost in costs]
            lines.append([f"{columns}", f"{workers}", *peaks, *(f"{cost.seconds:.1f}" for cost in costs)])
    header = [
        "columns",
        "workers",
        "import MB",
        "append MB",
        "rebuild MB",
        "import s",
        "append s",
        "rebuild s",
    ]
    about = f"{bench.rows:,} rows, as many added; memory bound {bench.memory_bytes / 1e6:.0f} MB; "
    about += f"threshold {bench.max_rows:,} rows; peak of the process tree; one run each"
    return "\n".join([machine(), about, table(header, lines)])


def _night(data: Path, bench: UpdatesBench, columns: int, night: int) -> Path:
    path = data / f"night-{bench.rows}-{columns}-{night}.parquet"
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([columns, night])
        dec = np.degrees(np.arcsin(rng.uniform(-1, 1, bench.rows)))
        content = {"ra": rng.uniform(0, 360, bench.rows), "dec": dec}
        content |= {f"value_{number}": rng.normal(size=bench.rows) for number in range(columns - 2)}
        pq.write_table(pa.table(content), path, row_group_size=100_000)
    return path


def _updates(nights: list[Path], scratch: Path, bench: UpdatesBench, workers: int) -> list[Run]:
    scratch.mkdir(parents=True)
    catalog = str(scratch / "catalog")
    options = ["--workers", str(workers), "--memory", str(bench.memory_bytes)]
    program = ["python", "-m", "hatsformat"]
    threshold = ["--max-rows", str(bench.max_rows)]
    try:
        return [
            run(
                [
                    *program,
                    "import",
                    str(nights[0]),
                    "--out",
                    catalog,
                    "--leaf",
                    "directory",
                    *threshold,
                    *options,
                ]
            ),
            run([*program, "append", catalog, str(nights[1]), *options]),
            run([*program, "rebuild", catalog, *options]),
        ]
    finally:
        shutil.rmtree(scratch)
