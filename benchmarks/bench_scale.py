"""Whether time grows with the rows while memory does not: imports of a sixteenth, a quarter, and all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks import sky
from benchmarks.measure import Run, machine, run, table


@dataclass(frozen=True, slots=True)
class ScaleBench:
    """What is imported, within which memory.

    Parameters
    ----------
    rows : int
        Of the largest input.
    rows_a_file : int
        Of each of its files.
    memory_bytes : int
        The bound.
    max_rows : int
        Threshold of rows of a tile.
    workers : int
        Threads.
    """

    rows: int = 32_000_000
    rows_a_file: int = 500_000
    memory_bytes: int = 512_000_000
    max_rows: int = 500_000
    workers: int = 2


def report(data: Path, bench: ScaleBench) -> str:
    """Import a sixteenth, a quarter and all of the rows, and return the table."""
    lines = []
    for rows in (bench.rows // 16, bench.rows // 4, bench.rows):
        inputs = sky.make(sky.Sky(rows, max(1, rows // bench.rows_a_file), "parquet"), data)
        size = sum(path.stat().st_size for path in inputs) / 1e6
        cost = _import(inputs, data / "scale", bench)
        lines.append(
            [
                f"{rows:,}",
                f"{size:.0f}",
                f"{cost.seconds:.1f}",
                f"{cost.seconds / rows * 1e6:.2f}",
                f"{cost.cpu_seconds:.1f}",
                f"{cost.cpu_seconds / rows * 1e6:.2f}",
                f"{cost.peak_bytes / 1e6:.0f}",
            ]
        )
    header = ["rows", "input MB", "wall s", "per million", "CPU s", "per million", "peak MB"]
    bound = f"memory bound {bench.memory_bytes / 1e6:.0f} MB; threshold {bench.max_rows:,} rows; "
    return "\n".join([machine(), f"{bound}{bench.workers} workers; one run each", table(header, lines)])


def _import(inputs: list[Path], scratch: Path, bench: ScaleBench) -> Run:
    scratch.mkdir(parents=True)
    options = ["--out", str(scratch / "catalog"), "--max-rows", str(bench.max_rows)]
    options += ["--workers", str(bench.workers), "--memory", str(bench.memory_bytes)]
    try:
        return run(["python", "-m", "hatsformat", "import", *map(str, inputs), *options])
    finally:
        shutil.rmtree(scratch)
