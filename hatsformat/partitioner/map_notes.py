"""Notes of mapped inputs, on scratch beside the rows: a resumed import takes up what is finished.

An input is mapped once its rows are on scratch and its note is written.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa

from hatsformat import storage
from hatsformat.errors import HatsError
from hatsformat.partitioner.mapping import MappedInput
from hatsformat.partitioner.pixel_counts import Counts, PixelCounts
from hatsformat.partitioner.runs import Run, SpilledRows
from hatsformat.partitioner.schema import InputSchema


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """The counts of one input on scratch: those of all inputs together may not fit in memory."""

    path: Path
    order: int

    @classmethod
    def write(cls, path: Path, rows: Counts, weights: Counts) -> StoredCounts:
        """Write counts to a file."""
        with storage.storage_errors(path.parent, "writing a scratch file"):
            np.savez(
                path, pixels=rows.pixels, rows=rows.rows, weight_pixels=weights.pixels, weights=weights.rows
            )
        return cls(path, rows.order)

    def load(self) -> tuple[Counts, Counts]:
        """Return the rows in every pixel, and the bytes if they were asked for."""
        with (
            storage.storage_errors(self.path.parent, "reading a scratch file"),
            np.load(self.path, allow_pickle=False) as arrays,
        ):
            rows = PixelCounts(self.order, arrays["pixels"], arrays["rows"])
            return rows, PixelCounts(self.order, arrays["weight_pixels"], arrays["weights"])


def write_note(scratch: Path, index: int, mapped: MappedInput) -> MappedInput:
    """Note that an input is mapped, if all its rows are on scratch; return it with its counts there, too."""
    runs = [*mapped.runs, *mapped.rejected]
    if not runs or not all(isinstance(run.rows, SpilledRows) for run in runs):
        return mapped
    path = _note_path(scratch, index)
    counts = StoredCounts.write(path.with_suffix(".npz"), *mapped.counts.load())
    content = {
        "name": mapped.schema.name,
        "runs": [_run_to_dict(run) for run in mapped.runs],
        "rejected": [_run_to_dict(run) for run in mapped.rejected],
        "rows_read": mapped.rows_read,
        "rows_rejected": mapped.rows_rejected,
        "order": counts.order,
        "schema": base64.b64encode(mapped.schema.schema.serialize().to_pybytes()).decode(),
        "inferred": mapped.schema.inferred,
        "long": sorted(mapped.schema.long),
    }
    storage.write_bytes(storage.resolve(path), json.dumps(content).encode())
    return replace(mapped, counts=counts)


def read_note(scratch: Path, index: int) -> MappedInput | None:
    """Return what an earlier attempt found in an input, or None if it did not finish it."""
    path = _note_path(scratch, index)
    try:
        content = json.loads(path.read_bytes())
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(content["schema"])))
        counts = StoredCounts(path.with_suffix(".npz"), int(content["order"]))
        counts.load()  # a damaged file means that the input is mapped again
        return MappedInput(
            tuple(_run_of(scratch, item) for item in content["runs"]),
            tuple(_run_of(scratch, item) for item in content["rejected"]),
            content["rows_read"],
            content["rows_rejected"],
            InputSchema(content["name"], schema, content["inferred"], frozenset(content["long"])),
            counts,
        )
    except (HatsError, OSError, ValueError, KeyError, TypeError, pa.ArrowException, BadZipFile):
        return None


def remove_note(scratch: Path, index: int) -> None:
    """Remove the note of an input, before it is mapped again."""
    _note_path(scratch, index).unlink(missing_ok=True)


def has_note(scratch: Path, index: int | None = None) -> bool:
    """Return whether an input, or any if no index is given, is mapped and noted."""
    return any(scratch.glob("mapped-*.json")) if index is None else _note_path(scratch, index).exists()


def _note_path(scratch: Path, index: int) -> Path:
    return scratch / f"mapped-{index:06}.json"


def _run_to_dict(run: Run) -> dict[str, Any]:
    assert isinstance(run.rows, SpilledRows)
    return {
        "sequence": run.sequence,
        "name": run.name,
        "file": run.rows.path.name,
        "batch_rows": run.rows.batch_rows,
        "row_bytes": run.rows.row_bytes,
    }


def _run_of(scratch: Path, item: dict[str, Any]) -> Run:
    first, second = item["sequence"]
    path = scratch / Path(item["file"]).name
    if not path.is_file():
        raise FileNotFoundError(path)
    rows = SpilledRows(path, int(item["batch_rows"]), int(item["row_bytes"]))
    return Run((int(first), int(second)), item["name"], rows)
