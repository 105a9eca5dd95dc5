"""Where a new catalog may be written: what is checked before any work."""

from __future__ import annotations

import os
from collections.abc import Iterable

from upath import UPath

from hatsformat import storage
from hatsformat.errors import OutputError, UsageError
from hatsformat.publishing.lock import is_locked
from hatsformat.publishing.new_folder import PROPERTIES, NewFolder, NewRemoteFolder, check_unchanged
from hatsformat.publishing.work import IMPORT


def open_output(
    root: UPath, *, overwrite: bool = False, resume: bool = False, scratch: str | None = None
) -> NewFolder:
    """Return the output folder of a new catalog, once it is clear that it may be written.

    Parameters
    ----------
    root : UPath
        The output folder.
    overwrite, resume, scratch
        As in `NewFolder`.

    Raises
    ------
    OutputError
        If something is in the way.
    UsageError
        If `scratch` is not on a local disk.
    """
    if scratch is not None and not storage.is_local(storage.resolve(scratch)):
        raise UsageError(
            "scratch must be on a local disk, since parts of its files are read again and again",
            found=scratch,
            hint="name a folder that all workers can read and write",
        )
    kind = NewFolder if storage.is_local(root) else NewRemoteFolder
    folder = kind(root, overwrite=overwrite, resume=resume, scratch=scratch)
    check_unchanged(root)
    if not root.path.strip("/"):
        raise OutputError("a catalog cannot be the root of a file system", path=root)
    if storage.exists(root):
        _check_content(folder)
    return folder


def _check_content(folder: NewFolder) -> None:
    root, resume, overwrite = folder.root, folder.resume, folder.overwrite
    if not storage.is_directory(root):
        raise OutputError("this is a file, but a catalog is a folder", path=root)
    names = [name for name in storage.list_names(root) if name != IMPORT]
    if names and not (folder.half_published or any(name in names for name in PROPERTIES)):
        raise OutputError(
            "the folder is not empty and not a catalog, so it is left alone",
            path=root,
            found=", ".join(names[:5]),
            hint="name another folder",
        )
    if folder.interrupted and not (resume or overwrite) and not is_locked(folder.work):
        raise OutputError(
            "an import was interrupted here",
            path=root,
            hint="continue it with --resume, or start again with --overwrite",
        )
    if names and not overwrite and not (resume and folder.interrupted):
        raise OutputError(
            "there is a catalog already",
            path=root,
            hint="name another folder, or replace it with --overwrite",
        )


def check_quarantine(folder: NewFolder) -> None:
    """Refuse to replace the quarantine of an earlier import.

    Raises
    ------
    OutputError
    """
    if not folder.overwrite and not folder.resume and storage.exists(folder.quarantine):
        raise OutputError(
            "an earlier import put rows aside here",
            path=folder.quarantine,
            hint="move the file away, or replace it with --overwrite",
        )


def check_inputs(folder: NewFolder, names: Iterable[str]) -> None:
    """Refuse inputs that lie in the folder that is about to be replaced.

    Raises
    ------
    OutputError
    """
    for name in names:
        if _is_inside(name, folder.root):
            raise OutputError("an input lies in the output folder", path=name, hint="name another folder")


def log_path(folder: NewFolder, path: str | None) -> UPath | None:
    """Return the path of the log that an import writes; None for none.

    Raises
    ------
    OutputError
        If it lies in the output folder, where only the catalog belongs.
    """
    if path is None:
        return None
    found = storage.resolve(path)
    if _is_inside(os.path.realpath(found.path) if storage.is_local(found) else str(found), folder.root):
        raise OutputError("the log lies in the output folder", path=path, hint="name a file beside it")
    return found


def _is_inside(name: str, root: UPath) -> bool:
    if storage.is_local(root):  # without links and detours
        name = os.path.realpath(name) if os.path.exists(name) else name
        return name.startswith(os.path.realpath(root.path).rstrip("/") + "/")
    return name.startswith(str(root).rstrip("/") + "/")
