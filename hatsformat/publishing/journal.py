"""Changing a directory of an object store, which can neither link nor rename.

New files are written in place, under new names; what the files beside them say is replaced last. A journal
tells meanwhile what is added and holds what is replaced, so that a change that fails, or is killed, is
undone: at once, or by whoever changes the directory next.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

from hatsformat import storage
from hatsformat.errors import OutputError, StorageError
from hatsformat.publishing.lock import claimed, clear

WORK = ".changing"
JOURNAL = f"{WORK}/journal.json"


class Journal:
    """A directory of an object store that is about to change.

    Parameters
    ----------
    root : UPath
        The directory.

    Attributes
    ----------
    staging : UPath
        The directory itself: files are written in place.
    scratch : Path
        For rows that do not fit in memory.
    """

    def __init__(self, root: UPath) -> None:
        key = hashlib.sha256(str(root).encode()).hexdigest()[:12]
        self._root = self.staging = root
        self._work = Path(tempfile.gettempdir()) / f"hatsformat-{key}.changing"
        self.scratch = self._work / "runs"
        self._added: list[str] = []
        self._kept: list[str] = []

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the directory while the block runs, and undo what it did if it raises.

        Other machines are kept away by the journal, from `begin` on.

        Raises
        ------
        OutputError
            If it is being changed, or another machine did not finish changing it.
        """
        with claimed(self._work, self._root):
            clear(self._work)
            self._undo(own_only=True)
            try:
                yield
            except BaseException:
                self._undo()
                raise
            # Without its journal a change is final; what it kept is litter from then on.
            storage.remove_file(self._root / JOURNAL)
            storage.remove_tree(self._root / WORK)

    def begin(self, added: Sequence[str], replaced: Sequence[str]) -> None:
        """Note what is about to be done; may be called again for more.

        Parameters
        ----------
        added, replaced : sequence of str
            Paths of files that will be new, and of files that are there and will be written anew.
        """
        for path in replaced:
            if path in self._added or path in self._kept:
                continue
            if storage.exists(self._root / path):
                storage.copy_file(self._root / path, self._root / WORK / path)
                self._kept.append(path)
            else:
                self._added.append(path)
        self._added += added
        content = {"host": platform.node(), "added": self._added, "replaced": self._kept}
        storage.write_bytes(self._root / JOURNAL, json.dumps(content, indent=1).encode())

    def _undo(self, *, own_only: bool = False) -> None:
        place = self._root / JOURNAL
        if not storage.exists(place):
            storage.remove_tree(self._root / WORK)
            return
        try:
            content = json.loads(storage.read_bytes(place))
            host, added, replaced = content["host"], content["added"], content["replaced"]
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"the journal of a change cannot be read: {error}", path=place) from error
        if own_only and host != platform.node():
            raise OutputError(
                "it is being changed by another machine, or was when that stopped",
                path=self._root,
                found=f"the journal {JOURNAL} of {host}",
                hint="wait for it; if it was killed, try again on that machine, which undoes what it did",
            )
        for path in added:
            storage.remove_file(self._root / path)
        for path in replaced:
            storage.copy_file(self._root / WORK / path, self._root / path)
        storage.remove_file(place)
        storage.remove_tree(self._root / WORK)
