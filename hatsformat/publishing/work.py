"""Work folders: where files are before readers see them, and what a killed process leaves there.

``NAME`` is the output folder, ``TMP`` the system's folder for temporary files, ``KEY`` a hash of the path.

====================================  =====================  ==============================================
Folder                                What is in it          What happens to it after a kill
====================================  =====================  ==============================================
``NAME/.import``                      The lock, rows, all    An import with ``--resume`` goes on with it,
(an import on a local disk)           new files, what they   one with ``--overwrite`` removes it; both
                                      replace, moves.json    first take back a half-done publication.
                                                             Other imports and appends refuse.
``TMP/hatsformat-KEY.import``         The lock and rows;     The same; the files in ``NAME`` are no catalog
(an import to an object store)        files are in place     yet, since the properties come last.
``.NAME.changing`` beside ``NAME``    The lock, rows, the    The next append or rebuild brings ``NAME`` back
(an append or rebuild on a disk)      new and the old tree   if it is missing, and removes the rest.
``TMP/hatsformat-KEY.changing``       The lock and rows      The next append from this machine removes it.
(an append in an object store)
``NAME/.changing``                    journal.json, copies   The next append from this machine undoes what
(the same)                            of replaced files      the journal says; other machines refuse.
``NAME/.members`` (a collection's     The lock               The next change of these properties removes it.
properties on a local disk)
``.partial-*`` (see `storage`)        Half a file            Resumed imports remove them; appends and
                                                             rebuilds leave them out of the new tree.
====================================  =====================  ==============================================

Without a kill, all of this is removed when the work ends, except for what an import keeps to be resumed. A
work folder whose lock nobody holds is what a killed process left.
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
"""How the names of unfinished work inside a local catalog begin."""


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
    """Return the name of the folder for an import's rows where the user names the one above it."""
    return f"hatsformat-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


def real_path(root: UPath) -> Path:
    """Return a local path without links: a link to a folder that is swapped stays a link."""
    return Path(os.path.realpath(root.path))


def is_changing(root: UPath) -> bool:
    """Return whether an append or a rebuild is under way in a local folder, or in the one around it."""
    return any(is_locked(changing_folder(folder)) for folder in (root, root.parent))


def unfinished_imports(root: UPath) -> list[Path]:
    """Return the local folders, of `root` and its members, with an import under way or interrupted."""
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


def _temporary(root: UPath, kind: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{scratch_name(root)}{kind}"
