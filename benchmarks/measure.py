"""Run a command as a fresh process and measure its whole process tree."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent
SAMPLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    Parameters
    ----------
    seconds : float
        Wall-clock time, from start to exit.
    cpu_seconds : float
        User and system time of the process and all its descendants.
    peak_bytes : int
        Greatest sum of the tree's resident sets seen in samples (pages shared by processes count in each).
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


class _Sampler:
    """Sums resident sets and remembers the CPU time of every process seen, in a thread."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._cpu: dict[int, float] = {}
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        try:
            tree = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return
        resident = 0
        for process in tree:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    resident += process.memory_info().rss
            except psutil.Error:
                continue
            self._cpu[process.pid] = times.user + times.system
        self.peak_bytes = max(self.peak_bytes, resident)

    def stop(self) -> float:
        """Stop, and return the CPU seconds seen."""
        self._stop.set()
        self._thread.join()
        return sum(self._cpu.values())


def run(command: Sequence[str]) -> Run:
    """Run a command from the project's root and measure it.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; the program ``"python"`` stands for this interpreter.

    Returns
    -------
    Run
        Its cost.

    Raises
    ------
    RuntimeError
        If it exits with anything but 0; the message carries the end of what it printed.
    """
    argv = [sys.executable, *command[1:]] if command[0] == "python" else list(command)
    # Installed packages have their bytecode; a checkout is not to be compiled again in every run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        sampler = _Sampler(process.pid)
        # wait4 counts every descendant that was waited for; the sampler sees those that were not.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        sampled = sampler.stop()
        if process.returncode != 0:
            output.seek(0)
            tail = output.read()[-4000:].decode(errors="replace")
            raise RuntimeError(f"exit {process.returncode} from {' '.join(command)}\n{tail}")
    return Run(seconds, max(usage.ru_utime + usage.ru_stime, sampled), sampler.peak_bytes)


def tree_bytes(path: Path) -> int:
    """Return the size of all files under a directory."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def installed(module: str) -> bool:
    """Whether a module can be imported, found out without importing it."""
    return importlib.util.find_spec(module) is not None


def machine() -> str:
    """Describe the machine in a line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    return f"machine: {model}, {os.cpu_count()} cores, {memory:.0f} GiB, load {load:.1f} at the start"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table in plain text: the first column to the left, the others to the right."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    )
