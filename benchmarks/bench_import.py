"""Import the mock sky with hatsformat, with hats-import and with the floor, in turns."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import sky
from benchmarks.measure import Run, installed, machine, median, run, table, tree_bytes

IMPORTERS = ("hatsformat", "hats-import", "floor")
MODULES = {"hatsformat": "hatsformat.partitioner", "hats-import": "hats_import", "floor": "cdshealpix"}


@dataclass(frozen=True, slots=True)
class ImportBench:
    """What is imported, how, and how often.

    Parameters
    ----------
    sky : Sky
        The input.
    max_rows : int
        Threshold of rows of a tile, for both importers.
    workers : int
        Processes, for all.
    repetitions : int
        Rounds; in each, every importer runs once.
    importers : tuple of str
        Some of `IMPORTERS`.
    """

    sky: sky.Sky = field(default_factory=sky.Sky)
    max_rows: int = 500_000
    workers: int = 2
    repetitions: int = 3
    importers: tuple[str, ...] = IMPORTERS


def command(importer: str, inputs: Sequence[Path], out: Path, bench: ImportBench) -> list[str]:
    """Return the command that runs an importer in a fresh process."""
    options = ["--out", str(out), "--workers", str(bench.workers)]
    files = [str(path) for path in inputs]
    if importer == "floor":
        return ["python", "-m", "benchmarks.floor", *files, *options]
    threshold = ["--max-rows", str(bench.max_rows)]
    return ["python", "-m", "benchmarks.importers", importer, *files, *options, *threshold]


def leaves(out: Path) -> list[Path]:
    """Return the Parquet files that hold rows."""
    return sorted(path for path in out.rglob("*.parquet") if "dataset" in path.parts or path.parent == out)


def _run_once(
    importer: str, inputs: Sequence[Path], scratch: Path, bench: ImportBench
) -> tuple[Run, list[int]]:
    """Run one importer; return its cost, and the files, rows, bytes of leaves and bytes that it wrote."""
    out = scratch / "catalog"
    scratch.mkdir(parents=True)
    try:
        os.sync()  # what the last one wrote must not be flushed on this one's time
        cost = run(command(importer, inputs, out, bench))
        files = leaves(out)
        rows = sum(pq.read_metadata(path).num_rows for path in files)
        return cost, [len(files), rows, sum(path.stat().st_size for path in files), tree_bytes(out)]
    finally:
        shutil.rmtree(scratch)


def _versus(medians: dict[str, float], name: str) -> list[str]:
    """Return an importer's ratios to hats-import and to the floor."""
    return [f"{medians[name] / medians[other]:.2f}" if other in medians else "-" for other in IMPORTERS[1:]]


def _lines(costs: dict[str, list[Run]], written: dict[str, list[int]]) -> list[list[str]]:
    """Lay out a line for each importer: medians, and their ratios to hats-import and to the floor."""
    walls = {name: median(c.seconds for c in of_one) for name, of_one in costs.items()}
    cpus = {name: median(c.cpu_seconds for c in of_one) for name, of_one in costs.items()}
    lines = []
    for name, of_one in costs.items():
        seconds = [c.seconds for c in of_one]
        files, rows, leaf_bytes, all_bytes = written[name]
        lines.append(
            [
                name,
                f"{walls[name]:.2f}",
                f"{min(seconds):.2f}-{max(seconds):.2f}",
                *_versus(walls, name),
                f"{cpus[name]:.2f}",
                *_versus(cpus, name),
                f"{max(c.peak_bytes for c in of_one) / 1e6:.0f}",
                f"{leaf_bytes / 1e6:.1f}",
                f"{all_bytes / 1e6:.1f}",
                str(files),
                f"{rows:,}",
            ]
        )
    return lines


def report(data: Path, bench: ImportBench) -> str:
    """Run the importers in turns and return the table.

    Parameters
    ----------
    data : pathlib.Path
        Directory of the cached input and of what is written (and removed).
    bench : ImportBench
        What to run.
    """
    names = [name for name in bench.importers if installed(MODULES[name])]
    head = [machine()]
    head += [f"{name} is not installed: left out" for name in bench.importers if name not in names]
    inputs = sky.make(bench.sky, data)
    for path in inputs:
        path.read_bytes()  # all of them find the input in the page cache
    costs: dict[str, list[Run]] = defaultdict(list)
    written: dict[str, list[int]] = {}
    for _ in range(bench.repetitions):
        for name in names:
            cost, written[name] = _run_once(name, inputs, data / f"import-{os.getpid()}", bench)
            costs[name].append(cost)
    size = sum(path.stat().st_size for path in inputs) / 1e6
    head.append(
        f"{bench.sky.rows:,} rows in {len(inputs)} {bench.sky.format} files ({size:.0f} MB); threshold "
        f"{bench.max_rows:,} rows; {bench.workers} workers; medians of {bench.repetitions}, in turns"
    )
    if "hats-import" in costs and "hatsformat" in costs:
        speeds = [median(c.seconds for c in costs[name]) for name in ("hats-import", "hatsformat")]
        head.append(f"hatsformat is {speeds[0] / speeds[1]:.1f} times as fast as hats-import")
    versus = ["/hats-import", "/floor"]
    output = ["peak MB", "leaves MB", "all MB", "files", "rows"]
    header = ["importer", "wall s", "range", *versus, "CPU s", *versus, *output]
    return "\n".join([*head, table(header, _lines(costs, written))])
