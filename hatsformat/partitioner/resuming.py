"""What makes an import resumable: the plan that it began with, and a note of every input that is mapped.

Both lie beside the scratch files. An input counts as mapped once its rows are on scratch and its note is
written; a tile is reduced once its leaf is there, which appears whole or not at all.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa

from hatsformat import storage
from hatsformat.errors import (
    FormatError,
    HatsError,
    InputError,
    OutputError,
    PartitionError,
    UsageError,
    WorkerError,
)
from hatsformat.inputs import Source
from hatsformat.partitioner.mapping import Mapped
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.pixel_counts import PixelCounts, Tally
from hatsformat.partitioner.runs import Run, SpilledRows

PLAN = "plan.json"
NOT_PLANNED = ("workers", "processes", "scheduler", "memory", "scratch", "log", "overwrite", "resume")
"""Options that may differ when an import is resumed: they do not change the catalog."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import set out to do.

    Attributes
    ----------
    created : datetime
        When it began: the date in the catalog's properties.
    chunk_bytes : int
        Size of the parts that inputs are cut into.
    options : dict
    inputs : list
        Name and fingerprint of every input.
    """

    created: datetime
    chunk_bytes: int
    options: dict[str, Any]
    inputs: list[list[str]]

    @classmethod
    def of(cls, options: ImportOptions, sources: Sequence[Source]) -> Plan:
        """Make the plan of a new import; ``SOURCE_DATE_EPOCH`` sets its date."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
        now = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
        chosen = {name: getattr(options, name) for name in options.__slots__ if name not in NOT_PLANNED}
        chosen |= {name: list(value) for name, value in chosen.items() if isinstance(value, tuple)}
        waits = not all(storage.is_local_name(source.name) for source in sources)
        prints = storage.concurrently(lambda source: source.fingerprint, sources, waits=waits)
        names = [[source.name, found] for source, found in zip(sources, prints, strict=True)]
        return cls(now.replace(second=0, microsecond=0), options.chunk_bytes, chosen, names)

    @property
    def can_resume(self) -> bool:
        """Whether all inputs are files, which can be told from other versions of them."""
        return all(fingerprint for _, fingerprint in self.inputs)

    def write(self, work: Path) -> None:
        """Write the plan."""
        content = {"created": self.created.isoformat(), "chunk_bytes": self.chunk_bytes}
        content |= {"options": self.options, "inputs": self.inputs}
        storage.write_bytes(storage.resolve(work / PLAN), json.dumps(content, indent=1).encode())

    @classmethod
    def read(cls, work: Path) -> Plan | None:
        """Return the plan of an interrupted import, or None where there is none."""
        try:
            content = json.loads((work / PLAN).read_bytes())
            created = datetime.fromisoformat(content["created"])
            return cls(created, int(content["chunk_bytes"]), content["options"], content["inputs"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def check_same(self, other: Plan, path: object, scratch: Path) -> None:
        """Refuse to go on with something else than what was begun.

        An input that is not mapped yet may have changed: it may have been mended.

        Raises
        ------
        OutputError
            With what differs.
        """
        for name, value in other.options.items():
            if self.options.get(name) != value:
                raise OutputError(
                    f"the import that was interrupted here had another {name.replace('_', ' ')}",
                    path=path,
                    found=repr(value),
                    expected=repr(self.options.get(name)),
                    hint="resume with the same options, or start again with --overwrite",
                )
        for index, (before, now) in enumerate(zip_longest(self.inputs, other.inputs, fillvalue=("", ""))):
            if before != now and (before[0] != now[0] or _note_path(scratch, index).exists()):
                raise OutputError(
                    "the inputs are not those of the import that was interrupted here",
                    path=path,
                    found=f"{now[0] or before[0]} differs",
                    hint="resume with the same files in the same order, or start again with --overwrite",
                )


def note(scratch: Path, index: int, mapped: Mapped) -> Mapped:
    """Note that an input is mapped, if all its rows are on scratch.

    Returns
    -------
    Mapped
        The same; its counts are left on scratch with the note, for `counted` to fetch: those of all inputs
        together may be more than memory holds.
    """
    runs = [*mapped.runs, *mapped.rejected]
    if not runs or not all(isinstance(run.rows, SpilledRows) for run in runs):
        return mapped
    counts, weights = mapped.counts, mapped.weights
    content = {
        "runs": [_run_to_dict(run) for run in mapped.runs],
        "rejected": [_run_to_dict(run) for run in mapped.rejected],
        "rows_read": mapped.rows_read,
        "rows_rejected": mapped.rows_rejected,
        "order": counts.order,
        "schema": None
        if mapped.schema is None
        else base64.b64encode(mapped.schema.serialize().to_pybytes()).decode(),
        "inferred": mapped.inferred,
        "long": sorted(mapped.long),
    }
    path = _note_path(scratch, index)
    with storage.explained(scratch, "writing scratch"):
        np.savez(
            path.with_suffix(".npz"),
            pixels=counts.pixels,
            rows=counts.rows,
            weight_pixels=weights.pixels,
            weights=weights.rows,
        )
    storage.write_bytes(storage.resolve(path), json.dumps(content).encode())
    order = counts.order
    return replace(mapped, row_tally=Tally(order), byte_tally=Tally(order), noted=True)


def noted(scratch: Path, index: int) -> Mapped | None:
    """Return what an earlier attempt found in an input, or None where it did not finish it."""
    path = _note_path(scratch, index)
    try:
        content = json.loads(path.read_bytes())
        order, schema = int(content["order"]), content["schema"]
        mapped = Mapped(
            Tally(order),
            Tally(order),
            [_run_of(scratch, item) for item in content["runs"]],
            [_run_of(scratch, item) for item in content["rejected"]],
            content["rows_read"],
            content["rows_rejected"],
            None if schema is None else pa.ipc.read_schema(pa.py_buffer(base64.b64decode(schema))),
            content["inferred"],
            frozenset(content["long"]),
            noted=True,
        )
        counted(scratch, index, mapped)  # whole, or it is mapped again
    except (HatsError, OSError, ValueError, KeyError, TypeError, pa.ArrowException, BadZipFile):
        return None
    return mapped


def counted(scratch: Path, index: int, mapped: Mapped) -> Mapped:
    """Return what was found in an input together with its counts, wherever these are."""
    if not mapped.noted:
        return mapped
    order = mapped.row_tally.order
    with (
        storage.explained(scratch, "reading scratch"),
        np.load(_note_path(scratch, index).with_suffix(".npz"), allow_pickle=False) as arrays,
    ):
        rows = PixelCounts(order, arrays["pixels"], arrays["rows"])
        weights = PixelCounts(order, arrays["weight_pixels"], arrays["weights"])
    return replace(mapped, row_tally=Tally(order, rows), byte_tally=Tally(order, weights))


def forget(scratch: Path, index: int) -> None:
    """Take back the note of an input, before it is mapped again."""
    _note_path(scratch, index).unlink(missing_ok=True)


def is_worth_keeping(scratch: Path, error: BaseException) -> bool:
    """Return whether an import that failed can be resumed: the reason lies outside its inputs and options.

    After an `InputError` it can, too, if any input is mapped: the broken file may be repaired.
    """
    if isinstance(error, InputError):
        return any(scratch.glob("mapped-*.json"))
    return isinstance(error, WorkerError) or not isinstance(error, UsageError | FormatError | PartitionError)


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
