"""The plan of an import: what a resumed import must be the same in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from hatsformat import storage
from hatsformat.errors import BuildError, FormatError, InputError, OutputError, UsageError, WorkerError
from hatsformat.inputs import Source
from hatsformat.partitioner import map_notes
from hatsformat.partitioner.context import build_date
from hatsformat.partitioner.options import ImportOptions

PLAN = "plan.json"
MAY_DIFFER = ("workers", "processes", "scheduler", "memory", "scratch", "log", "overwrite", "resume")
"""Options that may differ when an import is resumed: they do not change the catalog."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """The options of an import, and the name and fingerprint of every input."""

    created: datetime  # the date in the catalog's properties
    chunk_bytes: int  # inputs are cut into parts of this size
    options: dict[str, Any]
    inputs: list[list[str]]

    @classmethod
    def of(cls, options: ImportOptions, sources: Sequence[Source], chunk_bytes: int) -> ImportPlan:
        """Make the plan of a new import."""
        chosen = {name: getattr(options, name) for name in options.__slots__ if name not in MAY_DIFFER}
        chosen |= {name: list(value) for name, value in chosen.items() if isinstance(value, tuple)}
        waits = not all(storage.is_local_name(source.name) for source in sources)
        prints = storage.map_concurrently(lambda source: source.fingerprint, sources, waits=waits)
        names = [[source.name, found] for source, found in zip(sources, prints, strict=True)]
        return cls(build_date(), chunk_bytes, chosen, names)

    @property
    def can_resume(self) -> bool:
        """Whether all inputs are files: only these have a fingerprint."""
        return all(fingerprint for _, fingerprint in self.inputs)

    def write(self, folder: Path) -> None:
        """Write the plan."""
        content = {"created": self.created.isoformat(), "chunk_bytes": self.chunk_bytes}
        content |= {"options": self.options, "inputs": self.inputs}
        storage.write_bytes(storage.resolve(folder / PLAN), json.dumps(content, indent=1).encode())

    @classmethod
    def read(cls, folder: Path) -> ImportPlan | None:
        """Return the plan of an interrupted import, or None if there is none."""
        try:
            content = json.loads((folder / PLAN).read_bytes())
            created = datetime.fromisoformat(content["created"])
            return cls(created, int(content["chunk_bytes"]), content["options"], content["inputs"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def check_same(self, other: ImportPlan, path: object, scratch: Path) -> None:
        """Raise `OutputError` if options or inputs differ, except for inputs that are not mapped yet."""
        for name, value in other.options.items():
            if self.options.get(name) != value:
                raise OutputError(
                    f"the option {name!r} differs from that of the interrupted import",
                    path=path,
                    found=repr(value),
                    expected=repr(self.options.get(name)),
                    hint="resume with the same options, or start again with --overwrite",
                )
        for index, (before, now) in enumerate(zip_longest(self.inputs, other.inputs, fillvalue=("", ""))):
            if before != now and (before[0] != now[0] or map_notes.has_note(scratch, index)):
                raise OutputError(
                    "the inputs differ from those of the interrupted import",
                    path=path,
                    found=f"{now[0] or before[0]} differs",
                    hint="resume with the same files in the same order, or start again with --overwrite",
                )


def can_resume_after(scratch: Path, error: BaseException) -> bool:
    """Return whether a failed import can be resumed: the cause is not its options, and if it is an input,
    others are mapped already.
    """
    if isinstance(error, InputError):
        return map_notes.has_note(scratch)
    return isinstance(error, WorkerError) or not isinstance(error, UsageError | FormatError | BuildError)
