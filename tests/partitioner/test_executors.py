"""Threads, processes and a cluster make the same bytes, and survive the death of a worker as they should."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import build_margin, import_catalog, open_collection
from hatsformat.errors import MissingExtraError, UsageError, WorkerError
from hatsformat.importing import run_import

OPTIONS = {"max_rows": 200, "highest_order": 6, "name": "sky"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(11)
    paths = []
    for number in range(3):
        table = pa.table(
            {"id": np.arange(500), "ra": rng.uniform(0, 360, 500), "dec": rng.uniform(-90, 90, 500)}
        )
        paths.append(str(folder / f"part-{number}.parquet"))
        pq.write_table(table, paths[-1])
    return paths


@pytest.fixture(autouse=True)
def _same_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


@pytest.fixture
def expected(inputs: list[str], tmp_path: Path) -> dict[str, bytes]:
    run_import(inputs, tmp_path / "expected", workers=1, **OPTIONS)
    return files_of(tmp_path / "expected")


def test_processes(inputs: list[str], expected: dict[str, bytes], tmp_path: Path) -> None:
    log = run_import(inputs, tmp_path / "sky", processes=True, workers=2, **OPTIONS)
    assert files_of(tmp_path / "sky") == expected
    assert log.spilled_bytes > 0


def test_an_executor_of_the_caller(inputs: list[str], expected: dict[str, bytes], tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as executor:
        run_import(inputs, tmp_path / "sky", executor=executor, **OPTIONS)
        assert executor.submit(int, "1").result() == 1  # it is the caller's to shut down
    assert files_of(tmp_path / "sky") == expected


def _die(*_: Any) -> None:
    os._exit(9)


def test_a_dead_process_is_an_error_that_can_be_resumed(
    inputs: list[str], expected: dict[str, bytes], tmp_path: Path
) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(int).result()
        with pytest.raises(WorkerError, match="--resume"):
            run_import(inputs, tmp_path / "sky", executor=_Dying(pool, after=4), workers=1, **OPTIONS)
    assert not (tmp_path / "sky" / "hats.properties").exists()
    run_import(inputs, tmp_path / "sky", resume=True, **OPTIONS)
    assert files_of(tmp_path / "sky") == expected


class _Dying(ThreadPoolExecutor):
    """Hands tasks to a pool of processes, one of which dies after some of them."""

    def __new__(cls, pool: Any, after: int) -> Any:
        from concurrent.futures import Executor

        class Dying(Executor):
            tasks = 0

            def submit(self, task: Any, /, *args: Any, **kwargs: Any) -> Any:
                self.tasks += 1
                return pool.submit(_die) if self.tasks > after else pool.submit(task, *args, **kwargs)

        return Dying()


def _once(task: str, mark: str, disaster: str) -> None:
    """Make the first task of a kind end in a disaster, in whichever worker it is."""
    from hatsformat.partitioner import tasks

    kind = getattr(tasks, task)
    real = kind.run

    def run(self: Any) -> Any:
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return real(self)
        if disaster == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise MemoryError

    kind.run = run


@pytest.mark.parametrize("disaster", ["killed", "out of memory"])
@pytest.mark.parametrize("task", ["MapTask", "ReduceTask"])
def test_a_process_that_dies_of_memory(
    task: str, disaster: str, inputs: list[str], expected: dict[str, bytes], tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    disasters = (task, str(tmp_path / "mark"), disaster)
    with (
        ProcessPoolExecutor(1, mp_context=context, initializer=_once, initargs=disasters) as pool,
        pytest.raises(WorkerError, match="memory") as raised,
    ):
        run_import(inputs, tmp_path / "sky", executor=pool, workers=1, **OPTIONS)
    assert ("died" in str(raised.value)) == (disaster == "killed")
    assert not (tmp_path / "sky" / "hats.properties").exists()
    run_import(inputs, tmp_path / "sky", resume=True, **OPTIONS)
    assert files_of(tmp_path / "sky") == expected


def test_a_thread_that_is_out_of_memory(
    inputs: list[str], expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hatsformat.partitioner import reducing

    def failing(*_: Any) -> None:
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    with monkeypatch.context() as patch:
        patch.setattr(reducing, "reduce_tile", failing)
        with pytest.raises(WorkerError, match=r"ran out of memory.*--resume"):
            run_import(inputs, tmp_path / "sky", **OPTIONS)
    run_import(inputs, tmp_path / "sky", resume=True, **OPTIONS)
    assert files_of(tmp_path / "sky") == expected


def test_a_scheduler_without_dask(inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"hatsformat\[dask\]"):
        run_import(inputs, tmp_path / "sky", scheduler="tcp://127.0.0.1:1", **OPTIONS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


def test_a_cluster(cluster: Any, inputs: list[str], expected: dict[str, bytes], tmp_path: Path) -> None:
    run_import(inputs, tmp_path / "sky", scheduler=cluster.scheduler_address, **OPTIONS)
    assert files_of(tmp_path / "sky") == expected


@pytest.mark.parametrize("where", ["cluster", "processes"])
def test_a_collection_made_and_added_to_elsewhere(
    where: str, request: pytest.FixtureRequest, inputs: list[str], tmp_path: Path
) -> None:
    there: dict[str, Any] = {"processes": True, "workers": 2}
    if where == "cluster":
        there = {"scheduler": request.getfixturevalue("cluster").scheduler_address}
    made = {}
    for name, work in (("here", {"workers": 1}), ("there", there)):
        root = tmp_path / name / "sky"
        options = {**OPTIONS, "leaf": "directory", "margins_arcsec": [7200], "indexes": ["id"]}
        import_catalog(inputs[:2], root, **options, **work)
        build_margin(root, 3600, root / "sky_narrow", **work)
        open_collection(root).append(inputs[2:], **work)
        made[name] = files_of(root)
        open_collection(root).rebuild(**work)
        made[f"{name}, rebuilt"] = files_of(root)
    assert "sky_narrow/hats.properties" in made["here"]
    assert made["there"] == made["here"] != made["there, rebuilt"] == made["here, rebuilt"]


def _kill_one_worker_in(task: str, mark: str) -> None:
    """Make this worker die in its next task of a kind, unless another did."""
    from hatsformat.partitioner import tasks

    kind = getattr(tasks, task)
    real = kind.run

    def run(self: Any) -> Any:
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return real(self)
        os._exit(9)

    kind.run = run


@pytest.mark.parametrize("task", ["MapTask", "ReduceTask"])
def test_a_cluster_whose_worker_dies(
    task: str, cluster: Any, inputs: list[str], expected: dict[str, bytes], tmp_path: Path
) -> None:
    from distributed import Client

    mark = tmp_path / "died"
    with Client(cluster) as client:
        client.run(_kill_one_worker_in, task, str(mark))
        run_import(inputs, tmp_path / "sky", scheduler=cluster.scheduler_address, **OPTIONS)
    assert mark.exists()
    assert files_of(tmp_path / "sky") == expected


def test_a_cluster_whose_worker_dies_between_the_stages(
    cluster: Any,
    inputs: list[str],
    expected: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from distributed import Client

    from hatsformat.importing import tables

    real = tables.choose_tiles
    killed = []

    def align(*args: Any, **kwargs: Any) -> Any:
        with Client(cluster) as client:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)
        return real(*args, **kwargs)

    monkeypatch.setattr(tables, "choose_tiles", align)
    run_import(inputs, tmp_path / "sky", scheduler=cluster.scheduler_address, **OPTIONS)
    assert len(killed) == 1
    assert files_of(tmp_path / "sky") == expected


def test_a_scheduler_that_is_not_there(
    inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    from hatsformat.partitioner import executors

    monkeypatch.setattr(executors, "CONNECT_SECONDS", 1)
    with pytest.raises(UsageError, match="does not respond"):
        run_import(inputs, tmp_path / "sky", scheduler="tcp://127.0.0.1:1", **OPTIONS)
    assert not (tmp_path / "sky").exists()


def test_an_interrupted_import_ends_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hatsformat.partitioner import executors

    def endless() -> Iterator[pa.Table]:
        while True:
            yield pa.table({"ra": np.zeros(1000), "dec": np.zeros(1000)})

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    waits = []
    real = executors.wait

    def wait(futures: Any) -> Any:
        waits.append(1)
        return interrupted() if len(waits) == 1 else real(futures)

    monkeypatch.setattr(executors, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        run_import(endless(), tmp_path / "sky", **OPTIONS, memory=400 << 20)
    assert not (tmp_path / "sky").exists()
