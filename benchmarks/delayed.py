"""Import through storage that answers every call late: `python -m benchmarks.delayed SECONDS FILE...`."""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

CALLS = (
    *("cat_file", "cat_ranges", "exists", "find", "glob", "info", "isdir", "ls", "makedirs", "open"),
    *("pipe_file", "put_file", "rm", "rm_file", "size"),
)


def delay_calls(seconds: float) -> None:
    """Let every call to fsspec's memory file system take longer; calls that it makes of itself do not."""
    within = threading.local()

    def delayed(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if getattr(within, "call", False):
                return plain(*args, **options)
            within.call = True
            try:
                time.sleep(seconds)
                return plain(*args, **options)
            finally:
                within.call = False

        return call

    for name in CALLS:
        setattr(MemoryFileSystem, name, delayed(getattr(MemoryFileSystem, name)))


def main() -> None:
    """Import the files from such storage into such storage, and print wall-clock and CPU seconds as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delayed", description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--max-rows", type=int, required=True)
    parser.add_argument("--workers", type=int)
    given = parser.parse_args()
    import hatsformat
    from hatsformat.healpix import radec_to_pixel

    radec_to_pixel([0.0], [0.0], 29)  # what is imported when first needed
    store = fsspec.filesystem("memory")
    for path in given.inputs:
        store.pipe_file(f"/in/{path.name}", path.read_bytes())
    delay_calls(given.seconds)
    wall, cpu = time.perf_counter(), time.process_time()
    names = [f"memory://in/{path.name}" for path in given.inputs]
    hatsformat.import_catalog(names, "memory://out", max_rows=given.max_rows, workers=given.workers)
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
