"""Changing a directory on a local disk in one step.

The new state is built beside the old one, as a tree of hard links to its files: that costs no bytes, and a
file that changes is replaced in the new tree, never written to, so that the old one stays what it was. Then
the two directories change places (``renameat2`` with ``RENAME_EXCHANGE``, one system call) and the old one
is removed. Killed at any moment, this leaves the old state or the new one at the directory's path.

Where the kernel or the file system cannot exchange, two renames take its place, and whoever changes the
directory next puts right what a kill between them left.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

from hatsformat import storage
from hatsformat.publishing.lock import claimed, clear, is_claimed

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_CANNOT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP)
_NOT_LINKED = (".import", ".partial-")
"""How names of work in progress begin."""


class Snapshot:
    """A directory that is about to change.

    Parameters
    ----------
    root : UPath
        The directory, on a local disk.

    Attributes
    ----------
    staging : UPath
        The new tree, once `begin` has made it.
    scratch : Path
        For rows that do not fit in memory.
    """

    def __init__(self, root: UPath) -> None:
        self._root = _real(root)
        self._work = work_place(root)
        self._tree = self._work / "tree"
        self.staging = UPath(self._tree)
        self.scratch = self._work / "runs"

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the directory while the block runs; show the new tree, if there is one, when it ends.

        Nothing changes if the block raises.

        Raises
        ------
        OutputError
            If another process changes the directory.
        StorageError
            If the directory cannot be exchanged: it is a mount point, or its parent cannot be written to.
        """
        with claimed(self._work, self._root):
            _put_right(self._root, self._work)
            clear(self._work)
            try:
                yield
                if self.begun:
                    with storage.explained(self._root, "exchanging the directory for its new state"):
                        exchange(self._tree, self._root, self._work / "old")
            finally:
                _put_right(self._root, self._work)

    @property
    def begun(self) -> bool:
        """Whether there is a new tree."""
        return self._tree.exists()

    def begin(self) -> None:
        """Make the new tree, the same as the old one as yet."""
        with storage.explained(self._work, "linking the files of the directory"):
            _link_tree(self._root, self._tree)


def remove_files(tree: UPath, paths: Iterable[str]) -> None:
    """Remove files of a local tree that are there, and the directories that this leaves empty."""
    top = Path(tree.path)
    places = [top / path for path in paths]
    with storage.explained(tree, "removing files"):
        for place in places:
            place.unlink(missing_ok=True)
        for folder in {place.parent for place in places}:
            _remove_empty(folder, top)


def work_place(root: UPath) -> Path:
    """Return where a local directory is changed: hidden beside it."""
    place = _real(root)
    return place.parent / f".{place.name}.changing"


def is_changing(root: UPath) -> bool:
    """Return whether a process is changing a local directory."""
    return is_claimed(work_place(root))


def recover(root: UPath) -> None:
    """Bring back a local directory that is gone because a change was killed between two renames."""
    if not _real(root).exists() and work_place(root).exists():
        with claimed(work_place(root), root):
            _put_right(_real(root), work_place(root))


def _real(root: UPath) -> Path:
    return Path(os.path.realpath(root.path))  # a link to the directory stays one


def _put_right(root: Path, work: Path) -> None:
    """Bring the old directory back where a change ended between two renames."""
    if not root.exists() and (work / "old").exists():
        with storage.explained(root, "bringing the directory back"):
            (work / "old").rename(root)


def exchange(new: Path, present: Path, aside: Path) -> None:
    """Let two directories change places; `aside` is where the present one goes if they cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        names = (_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(present))
        if libc.renameat2(*names, _RENAME_EXCHANGE) == 0:
            return
        if (code := ctypes.get_errno()) not in _CANNOT_EXCHANGE:
            raise OSError(code, os.strerror(code), str(present))
    present.rename(aside)
    new.rename(present)


def _link_tree(source: Path, target: Path) -> None:
    made = []
    for folder, inner, names in os.walk(source):
        inner[:] = [name for name in inner if not name.startswith(_NOT_LINKED)]
        copy = target / Path(folder).relative_to(source)
        copy.mkdir(parents=True)
        made.append((folder, copy))
        links = [name for name in inner if os.path.islink(os.path.join(folder, name))]
        for name in (*names, *links):
            if not name.startswith(_NOT_LINKED):
                _link(os.path.join(folder, name), os.path.join(copy, name))
    for folder, copy in reversed(made):
        shutil.copystat(folder, copy)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        shutil.copy2(source, target, follow_symlinks=False)


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
