"""Changing a folder of an object store, which can neither link nor rename.

New files are written in place, under new names; the files that describe them are replaced last. Meanwhile a
journal lists the added files, and the replaced files are copied to a folder beside it. A change that fails is
undone at once; a change that was killed is undone by the next one.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from contextlib import suppress

from upath import UPath

from hatsformat import storage
from hatsformat.errors import OutputError, StorageError
from hatsformat.publishing.work import CHANGING, JOURNAL, changing_folder, clear


class Journal:
    """New content for a folder of an object store: a `Publication`.

    The lock keeps out other processes of this machine. The journal keeps out other machines once `begin` has
    written it.
    """

    def __init__(self, root: UPath) -> None:
        self.root = self.staging = root
        self.work = changing_folder(root)
        self.scratch = self.work / "runs"
        self._added: list[str] = []
        self._replaced: list[str] = []

    def stage(self) -> None:
        """Undo what a killed process of this machine did."""
        clear(self.work)
        self._undo(own_only=True)

    def begin(self, added: Sequence[str] = (), replaced: Sequence[str] = ()) -> None:
        """Copy the files that will be replaced, then write the journal."""
        for path in replaced:
            if path in self._added or path in self._replaced:
                continue
            if storage.exists(self.root / path):
                storage.copy_file(self.root / path, self.root / CHANGING / path)
                self._replaced.append(path)
            else:
                self._added.append(path)
        self._added += added
        content = {"host": platform.node(), "added": self._added, "replaced": self._replaced}
        storage.write_bytes(self.root / JOURNAL, json.dumps(content, indent=1).encode())

    def commit(self) -> None:
        """Remove the journal, which makes the change final."""
        storage.remove_file(self.root / JOURNAL)
        with suppress(StorageError):  # the copies are harmless, and the next change removes them
            storage.remove_tree(self.root / CHANGING)
        clear(self.work)

    def roll_back(self, error: BaseException) -> None:  # noqa: ARG002
        """Remove new files, and restore replaced ones."""
        self._undo()
        clear(self.work)

    def _undo(self, *, own_only: bool = False) -> None:
        journal = self.root / JOURNAL
        if storage.exists(journal):
            host, added, replaced = _read(journal)
            if own_only and host != platform.node():
                raise OutputError(
                    "another machine is changing this folder, or was killed while changing it",
                    path=self.root,
                    found=f"the journal {JOURNAL} of {host}",
                    hint="wait for it to finish; if it was killed, run the command again on that machine",
                )
            for path in added:
                storage.remove_file(self.root / path)
            for path in replaced:
                storage.copy_file(self.root / CHANGING / path, self.root / path)
            storage.remove_file(journal)
        storage.remove_tree(self.root / CHANGING)


def _read(journal: UPath) -> tuple[str, list[str], list[str]]:
    try:
        content = json.loads(storage.read_bytes(journal))
        return content["host"], content["added"], content["replaced"]
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"cannot read the journal of a change: {error}", path=journal) from error
