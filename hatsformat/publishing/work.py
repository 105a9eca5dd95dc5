"""Work folders: they hold files until readers see them, and what a killed process leaves behind.

``NAME`` is the output folder, ``TMP`` the system's folder for temporary files, ``KEY`` a hash of the path.

====================================  =====================  ==============================================
Folder                                Content                After a kill
====================================  =====================  ==============================================
``NAME/.import``                      The lock, rows, new    An import with ``--resume`` continues from it,
(an import on a local disk)           and replaced files,    one with ``--overwrite`` removes it; both first
                                      moves.json             undo a half-done publication. Other imports
                                                             and appends refuse to start.
``TMP/hatsformat-KEY.import``         The lock and rows;     The same; the files in ``NAME`` are not yet a
(an import to an object store)        files are in place     catalog, since the properties come last.
``.NAME.changing`` beside ``NAME``    The lock, rows, the    The next append or rebuild restores ``NAME``
(an append or rebuild on a disk)      new and the old tree   if it is missing, and removes the rest.
``TMP/hatsformat-KEY.changing``       The lock and rows      The next append from this machine removes it.
(an append in an object store)
``NAME/.changing``                    journal.json, copies   The next append from this machine undoes what
(the same)                            of replaced files      the journal lists; other machines refuse.
``NAME/.members`` (a collection's     The lock               The next change of these properties removes it.
properties on a local disk)
``.partial-*`` (see `storage`)        Part of a file         Resumed imports remove them; appends and
                                                             rebuilds do not link them into the new tree.
====================================  =====================  ==============================================

Without a kill, all of this is removed when the work ends, except for what an import keeps to be resumed. If
no process holds the lock of a work folder, a killed process left it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from upath import UPath

from hatsformat import storage
from hatsformat.publishing.lock import LOCK, is_locked

IMPORT, CHANGING, MEMBERS = ".import", ".changing", ".members"
JOURNAL = f"{CHANGING}/journal.json"
UNFINISHED = (IMPORT, MEMBERS, ".partial-")
"""Names of unfinished work inside a local catalog start with these."""


def import_folder(root: UPath) -> Path:
    """Return the work folder of an import."""
    return Path(root.path) / IMPORT if storage.is_local(root) else _temporary(root, IMPORT)


def changing_folder(root: UPath) -> Path:
    """Return the work folder of an append or a rebuild."""
    if not storage.is_local(root):
        return _temporary(root, CHANGING)
    folder = real_path(root)
    return folder.parent / f".{folder.name}{CHANGING}"


def scratch_name(root: UPath) -> str:
    """Return the name of the folder for an import's rows in a scratch folder of the user."""
    return f"hatsformat-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


def real_path(root: UPath) -> Path:
    """Return a local path without links, so that a link to a swapped folder stays a link."""
    return Path(os.path.realpath(root.path))


def is_changing(root: UPath) -> bool:
    """Return whether an append or a rebuild is running in a local folder or its parent."""
    return any(is_locked(changing_folder(folder)) for folder in (root, root.parent))


def unfinished_imports(root: UPath) -> list[Path]:
    """Return `root` and members of it in which an import is running or was interrupted."""
    folder = Path(root.path)
    return [found.parent for pattern in (IMPORT, f"*/{IMPORT}") for found in folder.glob(pattern)]


def clear(work: Path) -> None:
    """Remove all but the lock from a work folder, as far as possible."""
    for path in work.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            with suppress(OSError):
                path.unlink()


def _temporary(root: UPath, suffix: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{scratch_name(root)}{suffix}"
