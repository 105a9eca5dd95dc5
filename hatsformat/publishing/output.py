"""The output folder of a new catalog, and what is checked about it before any work."""

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
    """Return the output folder of a new catalog; see `NewFolder` for the arguments.

    Raises `OutputError` if the folder cannot be used, and `UsageError` if `scratch` is not on a local disk.
    """
    if scratch is not None and not storage.is_local(storage.resolve(scratch)):
        raise UsageError(
            "scratch must be on a local disk, since its files are read in many small pieces",
            found=scratch,
            hint="choose a folder that all workers can read and write",
        )
    new_folder = NewFolder if storage.is_local(root) else NewRemoteFolder
    folder = new_folder(root, overwrite=overwrite, resume=resume, scratch=scratch)
    check_unchanged(root)
    if not root.path.strip("/"):
        raise OutputError("the output folder cannot be the root of a file system", path=root)
    if storage.exists(root):
        _check_content(folder)
    return folder


def _check_content(folder: NewFolder) -> None:
    root, resume, overwrite = folder.root, folder.resume, folder.overwrite
    if not storage.is_directory(root):
        raise OutputError("the output must be a folder, but this is a file", path=root)
    names = [name for name in storage.list_names(root) if name != IMPORT]
    if names and not (folder.half_published or any(name in names for name in PROPERTIES)):
        raise OutputError(
            "the output folder is not empty and not a catalog",
            path=root,
            found=", ".join(names[:5]),
            hint="choose another folder",
        )
    if folder.interrupted and not (resume or overwrite) and not is_locked(folder.work):
        raise OutputError(
            "an import was interrupted here",
            path=root,
            hint="continue it with --resume, or start again with --overwrite",
        )
    if names and not overwrite and not (resume and folder.interrupted):
        raise OutputError(
            "a catalog already exists here",
            path=root,
            hint="choose another folder, or replace it with --overwrite",
        )


def check_quarantine(folder: NewFolder) -> None:
    """Raise `OutputError` if the quarantine of an earlier import exists and may not be replaced."""
    if not folder.overwrite and not folder.resume and storage.exists(folder.quarantine):
        raise OutputError(
            "an earlier import wrote rejected rows to this file",
            path=folder.quarantine,
            hint="move the file away, or replace it with --overwrite",
        )


def check_inputs(folder: NewFolder, names: Iterable[str]) -> None:
    """Raise `OutputError` if an input is in the folder that is about to be replaced."""
    for name in names:
        if _is_inside(name, folder.root):
            raise OutputError("this input is in the output folder", path=name, hint="choose another folder")


def log_path(folder: NewFolder, path: str | None) -> UPath | None:
    """Return the path of an import's log; raise `OutputError` if it is in the output folder."""
    if path is None:
        return None
    found = storage.resolve(path)
    if _is_inside(os.path.realpath(found.path) if storage.is_local(found) else str(found), folder.root):
        raise OutputError("the log is in the output folder", path=path, hint="choose a path outside it")
    return found


def _is_inside(name: str, root: UPath) -> bool:
    if storage.is_local(root):  # compare paths without links and ".."
        name = os.path.realpath(name) if os.path.exists(name) else name
        return name.startswith(os.path.realpath(root.path).rstrip("/") + "/")
    return name.startswith(str(root).rstrip("/") + "/")
