"""Changing a folder on a local disk in one step.

The new state is built beside the old one, as a tree of hard links to its files. This costs no disk space,
and files that change are replaced in the new tree, never written to, so the old tree stays as it was. Then
the two folders are swapped with one system call (``renameat2`` on Linux, ``renamex_np`` on macOS), and the
old one is removed. If the process is killed at any time, the folder has the old state or the new one.

If the system or the file system cannot swap, two renames do it, and the next change restores the old folder
if the process was killed between them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from upath import UPath

from hatsformat import storage
from hatsformat.errors import OutputError
from hatsformat.publishing.lock import locked
from hatsformat.publishing.work import UNFINISHED, changing_folder, clear, real_path, unfinished_imports

_AT_FDCWD, _RENAME_EXCHANGE, _RENAME_SWAP = -100, 2, 2
_CANNOT_SWAP = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP)


class FolderSwap:
    """New content for a folder on a local disk: a `Publication`.

    Its parent must be writable, and it cannot be a mount point.
    """

    def __init__(self, root: UPath) -> None:
        self.root = root
        self.work = changing_folder(root)
        self.scratch = self.work / "runs"
        self._folder, self._tree = real_path(root), self.work / "tree"
        self.staging = UPath(self._tree)
        self._begun = False

    def stage(self) -> None:
        """Restore the folder if a killed process left it renamed, and remove what else it left."""
        if imports := unfinished_imports(self.root):
            raise OutputError("an import is running here, or was interrupted", path=imports[0])
        self._clean()

    def begin(self, added: Sequence[str] = (), replaced: Sequence[str] = ()) -> None:  # noqa: ARG002
        """Create the new tree with the same content as the old one."""
        if not self._begun:
            with storage.storage_errors(self.work, "linking the files of the folder"):
                _link_tree(self._folder, self._tree)
            self._begun = True

    def commit(self) -> None:
        """Swap the folders if there is a new tree, and remove the old tree."""
        if self._begun:
            with storage.storage_errors(self.root, "replacing the folder"):
                swap(self._tree, self._folder, self.work / "old")
        self._clean()

    def roll_back(self, error: BaseException) -> None:  # noqa: ARG002
        """Remove the new tree."""
        self._clean()

    def _clean(self) -> None:
        _restore(self._folder, self.work)
        clear(self.work)


def recover(root: UPath) -> None:
    """Restore a local folder that is missing because a change was killed between two renames."""
    work = changing_folder(root)
    if not real_path(root).exists() and work.exists():
        with locked(work, busy=OutputError("another process is changing this folder", path=root)):
            _restore(real_path(root), work)


def remove_files(tree: UPath, paths: Iterable[str]) -> None:
    """Remove files of a local tree if they exist, and folders that are empty then."""
    top = Path(tree.path)
    files = [top / path for path in paths]
    with storage.storage_errors(tree, "removing files"):
        for file in files:
            file.unlink(missing_ok=True)
        for folder in {file.parent for file in files}:
            _remove_empty(folder, top)


def swap(new: Path, present: Path, aside: Path) -> None:
    """Swap two folders; if that is impossible, rename the present one to `aside` and the new one to it."""
    libc = ctypes.CDLL(None, use_errno=True)
    one, other = os.fsencode(new), os.fsencode(present)
    if hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE)
    elif hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(one, other, _RENAME_SWAP)
    else:
        return _rename_both(new, present, aside)
    if failed and (code := ctypes.get_errno()) not in _CANNOT_SWAP:
        raise OSError(code, os.strerror(code), str(present))
    return _rename_both(new, present, aside) if failed else None


def _rename_both(new: Path, present: Path, aside: Path) -> None:
    present.rename(aside)
    new.rename(present)


def _restore(folder: Path, work: Path) -> None:
    if not folder.exists() and (work / "old").exists():
        with storage.storage_errors(folder, "restoring the folder"):
            (work / "old").rename(folder)


def _link_tree(source: Path, target: Path) -> None:
    made = []
    for folder, inner, names in os.walk(source):
        inner[:] = [name for name in inner if not name.startswith(UNFINISHED)]
        copy = target / Path(folder).relative_to(source)
        copy.mkdir(parents=True)
        made.append((folder, copy))
        links = [name for name in inner if os.path.islink(os.path.join(folder, name))]
        for name in (*names, *links):
            if not name.startswith(UNFINISHED):
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
