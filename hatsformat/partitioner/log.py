"""What an import did, in numbers: for the caller, for a program, for the progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with a stage's name, the steps done and the steps in all."""


@dataclass(slots=True)
class BuildLog:
    """The account of one import.

    Attributes
    ----------
    path, name : str
        Where the catalog is, and its name.
    inputs : int
        Input files, or parts of them.
    rows_read, rows_written, rows_rejected : int
    quarantine : str or None
        The Parquet file with the rejected rows.
    tiles : int
    size_bytes, spilled_bytes : int
        Of the catalog, and of scratch.
    seconds : dict of str to float
        By stage.
    notes : list of str
        What the caller should know, though it is no error.
    supplements : dict of str to int
        Rows of the margins and indexes that were built, by directory.
    """

    path: str
    name: str
    inputs: int = 0
    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    quarantine: str | None = None
    tiles: int = 0
    size_bytes: int = 0
    spilled_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    supplements: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's time as that of a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)
