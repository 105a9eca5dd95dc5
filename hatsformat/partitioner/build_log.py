"""What an import did, in numbers: for the caller, for a program, for the progress bar."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat._version import __version__
from hatsformat.machine import peak_memory

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with a stage's name, the steps done and the steps in all."""


def silent(stage: str, done: int, total: int) -> None:
    """Say nothing."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _versions() -> dict[str, str]:
    return {
        "hatsformat": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
    }


@dataclass(slots=True)
class InputLog:
    """The account of one input file or table.

    Attributes
    ----------
    name : str
    rows, rows_rejected : int
        Rows that were read, and those of them without a position.
    bytes : int
        About how large it is: uncompressed for Parquet and Arrow, as the file is for others; 0 where that is
        not known.
    """

    name: str
    rows: int = 0
    rows_rejected: int = 0
    bytes: int = 0


@dataclass(slots=True)
class BuildLog:
    """The account of one import; ``spec/schemas/build-log.schema.json`` describes its JSON.

    Attributes
    ----------
    path, name : str
        Where the catalog is, and its name.
    status : str
        ``running``, ``done`` or ``failed``; and `error`, why it failed.
    started, finished : str or None
        Dates, ISO 8601.
    inputs : int
        Input files, or parts of them.
    files : list of InputLog
        By file.
    rows_read, rows_written, rows_rejected : int
    quarantine : str or None
        The Parquet file with the rejected rows.
    tiles : int
    read_bytes, spilled_bytes, size_bytes : int
        Of the inputs, of scratch, and of the catalog.
    seconds : dict of str to float
        By stage.
    peak_memory_bytes, peak_worker_memory_bytes : int
        Most that this process was in memory with since it began, and the largest process that it started.
    notes : list of str
        What the caller should know, though it is no error.
    supplements : dict of str to int
        Rows of the margins and indexes that were built, by directory.
    options : dict
        The import's options.
    versions : dict of str to str
        Of the software.
    """

    path: str
    name: str
    inputs: int = 0
    status: str = "running"
    error: str | None = None
    started: str = field(default_factory=_now)
    finished: str | None = None
    files: list[InputLog] = field(default_factory=list)
    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    quarantine: str | None = None
    tiles: int = 0
    read_bytes: int = 0
    spilled_bytes: int = 0
    size_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    peak_worker_memory_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    supplements: dict[str, int] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=_versions)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)

    @contextmanager
    def recorded(self, path: UPath | None) -> Iterator[None]:
        """Record the block as the build, and write the log to a file at its start and its end.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        self._write(path)  # fail now if the file cannot be written, not after hours of work
        try:
            yield
        except BaseException as error:
            self.status, self.error = "failed", str(error) or type(error).__name__
            raise
        else:
            self.status = "done"
        finally:
            self.finished = _now()
            self.peak_memory_bytes = peak_memory()
            self.peak_worker_memory_bytes = peak_memory(of_children=True)
            self._write(path)

    def add_input(self, name: str, rows: int, rejected: int, size: int) -> None:
        """Record an input, or a part of one; its parts come one after the other."""
        if not self.files or self.files[-1].name != name:
            self.files.append(InputLog(name))
        item = self.files[-1]
        item.rows += rows
        item.rows_rejected += rejected
        item.bytes += size
        self.rows_read += rows
        self.rows_rejected += rejected
        self.read_bytes += size

    def to_dict(self) -> dict[str, Any]:
        """Return the log as JSON values."""
        return asdict(self)

    def _write(self, path: UPath | None) -> None:
        if path is not None:
            text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, default=str)
            storage.write_bytes(path, text.encode("utf-8", "backslashreplace"))
