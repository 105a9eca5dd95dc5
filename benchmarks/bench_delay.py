"""How busy an import keeps the processor where every call to storage is answered late."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import sky
from benchmarks.measure import PROJECT, machine, median, table


@dataclass(frozen=True, slots=True)
class DelayBench:
    """What is imported, and how late storage answers.

    Parameters
    ----------
    sky : Sky
        The input.
    max_rows : int
        Threshold of rows of a tile.
    seconds : float
        The delay of every call.
    repetitions : int
        Rounds; in each, every way runs once.
    """

    sky: sky.Sky = field(default_factory=sky.Sky)
    max_rows: int = 500_000
    seconds: float = 0.05
    repetitions: int = 3


def report(data: Path, bench: DelayBench) -> str:
    """Import without a delay, with one, and with one and a thread a core only, in turns; return the table."""
    cores = len(os.sched_getaffinity(0))
    ways = {
        "no delay": ["0"],
        f"{bench.seconds * 1000:.0f} ms a call": [str(bench.seconds)],
        f"the same, {cores} threads": [str(bench.seconds), "--workers", str(cores)],
    }
    inputs = [str(path) for path in sky.make(bench.sky, data)]
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(bench.repetitions):
        for name, (seconds, *options) in ways.items():
            program = [sys.executable, "-m", "benchmarks.delayed", seconds, *inputs, *options]
            done = subprocess.run(
                [*program, "--max-rows", str(bench.max_rows)],
                cwd=PROJECT,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            costs[name].append(json.loads(done.stdout))
    lines = []
    for name, runs in costs.items():
        wall, cpu = (median(one[key] for one in runs) for key in ("wall", "cpu"))
        busy = median(one["cpu"] / one["wall"] / cores for one in runs)
        lines.append([name, f"{wall:.2f}", f"{cpu:.2f}", f"{busy:.0%}"])
    head = f"{bench.sky.rows:,} rows in {len(inputs)} files, from memory:// to memory://; medians of "
    header = ["storage", "wall s", "CPU s", f"{cores} cores busy"]
    return "\n".join([machine(), f"{head}{bench.repetitions}, in turns", table(header, lines)])
