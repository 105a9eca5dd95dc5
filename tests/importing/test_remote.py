"""Imports from and to slow storage: calls overlap with one another and with the work."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from hatsformat import import_catalog
from hatsformat.partitioner.memory import WAITING_THREADS
from hatsformat.partitioner.options import ImportOptions

FILES = 12


class Watch:
    """Counts simultaneous calls; calls that write leaves are counted separately."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self._lock = threading.Lock()

    def around(self, name: str, plain: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            kind = f"{name} leaf" if "Npix=" in str(args[-1]) else name
            with self._lock:
                self._now[kind] = self._now.get(kind, 0) + 1
                self.most[kind] = max(self.most.get(kind, 0), self._now[kind])
            try:
                time.sleep(0.05)
                return plain(*args, **options)
            finally:
                with self._lock:
                    self._now[kind] -= 1

        return call


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    for name in ("size", "cat_ranges", "put_file"):
        monkeypatch.setattr(MemoryFileSystem, name, watch.around(name, getattr(MemoryFileSystem, name)))
    return watch


@pytest.fixture
def folder() -> Iterator[str]:
    rng = np.random.default_rng(5)
    store = fsspec.filesystem("memory")
    for number in range(FILES):
        sink = pa.BufferOutputStream()
        table = {"id": np.arange(300), "ra": rng.uniform(0, 360, 300), "dec": rng.uniform(-80, 80, 300)}
        pq.write_table(pa.table(table), sink)
        store.pipe_file(f"/slow/in/{number:02}.parquet", sink.getvalue().to_pybytes())
    yield "memory://slow/in"
    store.rm("/slow", recursive=True)


def test_calls_overlap(slow: Watch, folder: str) -> None:
    catalog = import_catalog(folder, "memory://slow/out", max_rows=200)
    assert catalog.scan().count_rows() == FILES * 300
    threads = WAITING_THREADS * len(os.sched_getaffinity(0))
    assert slow.most["size"] > 1, "inputs are looked at together"
    assert 1 < slow.most["cat_ranges"] <= threads
    assert 1 < slow.most["put_file leaf"] <= threads
    assert slow.most["put_file"] > 1, "what tells of the leaves is written together"


def test_no_more_threads_than_asked_for(slow: Watch, folder: str) -> None:
    import_catalog(folder, "memory://slow/out", max_rows=200, workers=1)
    assert slow.most["cat_ranges"] == slow.most["put_file leaf"] == 1


@pytest.mark.parametrize(
    ("names", "options", "more"),
    [
        (["/data/a.csv", "file:///data/b.csv"], {}, 1),
        (["/data/a.csv", "s3://bucket/out"], {}, WAITING_THREADS),
        (["https://host/a.csv"], {"processes": True}, 1),
    ],
)
def test_threads_for_paths(names: list[str], options: dict[str, Any], more: int) -> None:
    plain = ImportOptions(**options)
    assert plain.memory_budget(names).workers == more * plain.memory_budget().workers


def test_local_files_have_one_thread_per_core(tmp_path: Path) -> None:
    assert ImportOptions(workers=3).memory_budget(["s3://bucket/out", str(tmp_path)]).workers == 3
