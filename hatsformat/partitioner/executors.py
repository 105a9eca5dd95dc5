"""Workers: threads of this process, a pool of processes, or a Dask cluster.

All of them are a `concurrent.futures.Executor`. Threads are the default: an import spends nearly all its time
in libraries that release the interpreter lock, and threads share memory.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from hatsformat.errors import MissingExtraError, UsageError, WorkerError

T = TypeVar("T")
R = TypeVar("R")

LOOK_AHEAD = 2
"""Tasks submitted per worker: enough to keep it busy while results are taken in order."""

CONNECT_SECONDS = 30
"""How long to wait for a scheduler."""

MORE_MEMORY = "give it more, or use fewer workers"

_END: Any = object()


@dataclass(frozen=True, slots=True)
class Workers:
    """An executor and its size.

    Attributes
    ----------
    executor : concurrent.futures.Executor
    count : int
        Tasks that run at the same time.
    share_memory : bool
        Whether workers see this process's memory; if not, rows go through scratch.
    """

    executor: Executor
    count: int
    share_memory: bool

    def in_order(
        self,
        task: Callable[[T], R],
        items: Iterable[T],
        stop: Callable[[], None] | None = None,
        *,
        at_once: int | None = None,
    ) -> Iterator[R]:
        """Run a task for every item and yield the results in order, with a bounded number of tasks in flight.

        The first task that fails ends the work; `stop` is called to make running tasks end soon. `at_once`
        limits how many tasks run at the same time.

        Raises
        ------
        WorkerError
            If a worker died or ran out of memory.
        """
        waiting: deque[Future[R]] = deque()
        is_limited = at_once is not None and at_once < self.count
        in_hand = max(1, at_once or 1) if is_limited else self.count * LOOK_AHEAD
        remaining = iter(items)
        try:
            while True:
                while len(waiting) < in_hand and (item := next(remaining, _END)) is not _END:
                    waiting.append(self.executor.submit(task, item))
                if not waiting:
                    return
                wait((waiting[0],))
                for future in waiting:
                    if future.done():
                        future.result()
                yield waiting.popleft().result()
        except BrokenExecutor as error:
            raise _died(error) from error
        except BaseException as error:
            if stop is not None:
                stop()
            if isinstance(error, MemoryError):
                raise WorkerError("a worker ran out of memory", hint=MORE_MEMORY) from error
            if type(error).__name__ in ("KilledWorker", "CancelledError", "CommClosedError"):
                raise _died(error) from error
            raise
        finally:
            for future in waiting:
                future.cancel()
            wait([future for future in waiting if not future.cancelled()])


def _died(error: BaseException) -> WorkerError:
    return WorkerError(
        f"a worker died: {str(error).strip().partition(chr(10))[0] or type(error).__name__}",
        hint=f"it may have run out of memory: {MORE_MEMORY}",
    )


@contextmanager
def open_workers(
    count: int, *, processes: bool = False, scheduler: str | None = None, executor: Executor | None = None
) -> Iterator[Workers]:
    """Start workers, or connect to existing ones, for the length of the block.

    Parameters
    ----------
    count : int
        Workers to start.
    processes : bool
        Start processes instead of threads.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``.
    executor : concurrent.futures.Executor, optional
        Use this one; it is not shut down.

    Raises
    ------
    MissingExtraError
        If a cluster is asked for and Dask is not installed.
    UsageError
        If the scheduler does not respond.
    """
    if executor is not None:
        yield Workers(executor, count, isinstance(executor, ThreadPoolExecutor))
    elif scheduler is not None:
        with _client(scheduler) as client:
            cores = sum(client.nthreads().values()) or 1
            yield Workers(client.get_executor(pure=False, retries=3), cores, share_memory=False)
    elif processes:
        # Forking a process whose libraries run threads is not safe.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            yield Workers(pool, count, share_memory=False)
    else:
        with ThreadPoolExecutor(count, "hatsformat") as pool:
            yield Workers(pool, count, share_memory=True)


def _client(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("working on a cluster", "dask") from error
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError("the scheduler does not respond", found=scheduler, hint=str(error)) from error
