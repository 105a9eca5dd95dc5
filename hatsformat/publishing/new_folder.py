"""Publishing a catalog in a folder of its own: new, empty, or with a catalog that it replaces.

On a local disk all files are written to a hidden folder inside the output folder and moved out of it when
they are complete, the properties last. Until then the old content stays as it is. An object store cannot
rename, so there the files are written in place, the properties last.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from upath import UPath

from hatsformat import layout, storage
from hatsformat.errors import HatsError, OutputError
from hatsformat.publishing.work import IMPORT, clear, import_folder, is_changing, scratch_name

PROPERTIES = (*layout.CATALOG_PROPERTIES, layout.COLLECTION_PROPERTIES)
"""The files that make a folder a catalog or a collection: removed first and written last."""


class NewFolder:
    """A catalog in a folder of its own on a local disk: a `Publication`.

    Parameters
    ----------
    root : UPath
        The output folder.
    overwrite : bool
        Whether it may replace a catalog.
    resume : bool
        Whether to keep what an interrupted import left in the work folder.
    scratch : str, optional
        The folder to create the scratch folder in.

    Attributes
    ----------
    quarantine, quarantine_staging : UPath
        The file beside the catalog for rows without a position, and the path it is written to meanwhile.
    keep_work : callable
        Takes an error, and returns whether to keep finished work so that the import can be resumed.
    """

    def __init__(
        self, root: UPath, *, overwrite: bool = False, resume: bool = False, scratch: str | None = None
    ) -> None:
        self.root, self.overwrite, self.resume = root, overwrite, resume
        self.work = import_folder(root)
        self.staging = UPath(self.work / "catalog")
        self.scratch = Path(scratch) / scratch_name(root) if scratch else self.work / "runs"
        self.quarantine = root.parent / f"{root.name}.quarantine.parquet"
        self.quarantine_staging = UPath(self.work / "quarantine.parquet")
        self._record = self.work / "moves.json"
        self.keep_work: Callable[[BaseException], bool] = lambda _: False

    @property
    def interrupted(self) -> bool:
        """Whether there is a work folder: an import is running or was interrupted."""
        return self.work.is_dir()

    @property
    def half_published(self) -> bool:
        """Whether an interrupted import has left files in the folder itself."""
        return self._record.exists()

    def stage(self) -> None:
        """Undo a publication that was killed, then remove what it left unless the import is resumed."""
        check_unchanged(self.root)
        self._take_back()
        if self.resume:
            storage.remove_partial_files(self.staging)
        else:
            self._clean()

    def begin(self, added: Sequence[str] = (), replaced: Sequence[str] = ()) -> None:
        """Do nothing: the old files stay as they are until `commit`."""

    def commit(self) -> None:
        """Move the old files out of the folder, and the new ones in."""
        with storage.storage_errors(self.root, "publishing the catalog"):
            (self.work / "replaced").mkdir(exist_ok=True)
            _move_all(list(self._moves()), self._record)
        self._clean()

    def roll_back(self, error: BaseException) -> None:
        """Restore the old files, and keep finished work if `keep_work` says so."""
        self._take_back()
        has_work = self.scratch.is_dir() or os.path.isdir(self.staging.path)
        if not (has_work and self.keep_work(error)):
            self._discard()
        elif isinstance(error, HatsError):
            error.hint = "; ".join(filter(None, (error.hint, "fix it, then rerun with --resume")))

    def _moves(self) -> Iterator[tuple[Path, Path]]:
        root, new, old = Path(self.root.path), Path(self.staging.path), self.work / "replaced"
        names = sorted(name for name in os.listdir(root) if name != IMPORT)
        for name in sorted(names, key=lambda name: name not in PROPERTIES):
            yield root / name, old / name
        quarantine, staged = Path(self.quarantine.path), Path(self.quarantine_staging.path)
        if quarantine.exists() and (self.overwrite or staged.exists()):
            yield quarantine, self.work / "replaced-quarantine.parquet"
        if staged.exists():
            yield staged, quarantine
        for name in sorted(sorted(os.listdir(new)), key=lambda name: name in PROPERTIES):
            yield new / name, root / name

    def _take_back(self) -> None:
        with storage.storage_errors(self.root, "restoring the files"):
            _move_back(self._record)

    def _discard(self) -> None:
        self._clean()

    def _clean(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        clear(self.work)


class NewRemoteFolder(NewFolder):
    """A catalog in a folder of its own in an object store, where files are written in place."""

    def __init__(self, root: UPath, **options: Any) -> None:
        super().__init__(root, **options)
        self.staging, self.quarantine_staging = root, self.quarantine
        self._written: list[UPath] = []

    @property
    def half_published(self) -> bool:
        """Whether an interrupted import may have left files in the folder itself."""
        return self.interrupted

    def begin(self, added: Sequence[str] = (), replaced: Sequence[str] = ()) -> None:  # noqa: ARG002
        """Remove the old content."""
        if not self.resume:
            storage.remove_tree(self.root)
            if self.overwrite:
                storage.remove_file(self.quarantine)
        # A quarantine that still exists belongs to another import.
        self._written = [self.root] if storage.exists(self.quarantine) else [self.root, self.quarantine]

    def commit(self) -> None:
        """Only clean up: the properties, written last, have made the catalog visible."""
        self._clean()

    def _discard(self) -> None:
        super()._discard()
        with suppress(HatsError):  # the error before this one says more
            for path in self._written:
                storage.remove_tree(path)


def check_unchanged(root: UPath) -> None:
    """Raise `OutputError` if an append or a rebuild is changing the folder."""
    if storage.is_local(root) and is_changing(root):
        raise OutputError("another process is changing this catalog", path=root, hint="wait for it to finish")


def _move_all(moves: Sequence[tuple[Path, Path]], record: Path) -> None:
    """Move files and folders; a record allows `_move_back` to undo it until all are moved."""
    content = json.dumps([[str(source), str(target)] for source, target in moves])
    storage.write_bytes(UPath(record), content.encode())
    for source, target in moves:
        _move(source, target)
    record.unlink()


def _move_back(record: Path) -> None:
    """Undo what `_move_all` did, from the last move to the first."""
    if not record.exists():
        return
    for source, target in reversed(json.loads(record.read_bytes())):
        if not os.path.lexists(source):
            os.rename(target, source)
    record.unlink()


def _move(source: Path, target: Path) -> None:
    os.rename(source, target)
