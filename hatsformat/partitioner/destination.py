"""The place where a catalog is made: checked first, claimed while the work goes on, restored if it fails.

What was there before is set aside only when the first leaf is about to be written, and is put back if the
import fails. On a local disk it is renamed; in a bucket, where nothing can be renamed, it is removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from upath import UPath

from hatsformat import layout, storage
from hatsformat.errors import HatsError, OutputError

MARKS = (*layout.CATALOG_PROPERTIES, layout.COLLECTION_PROPERTIES)


class Destination:
    """Where a catalog is to be made.

    Parameters
    ----------
    root : UPath
        The catalog's directory.
    overwrite : bool
        Whether a catalog that is there may be replaced.
    scratch : str, optional
        Directory for scratch files.

    Raises
    ------
    OutputError
        If the place is taken.
    """

    def __init__(self, root: UPath, *, overwrite: bool = False, scratch: str | None = None) -> None:
        self.root = root
        self._overwrite = overwrite
        self._aside: Path | None = None
        self._begun = False
        self._local = storage.is_local(root)
        if self._local:
            folder, name = os.path.split(root.path)
            self.work = Path(folder) / f".{name}.import"
        else:
            self.work = Path(tempfile.gettempdir()) / f"hatsformat-{os.getpid()}-{root.name}.import"
        self.scratch = (
            self.work / "runs" if scratch is None else Path(scratch) / f"{self.work.name}-{os.getpid()}"
        )
        self._check()

    def _check(self) -> None:
        if self.root.path.rstrip("/") == "":
            raise OutputError("a catalog cannot be the root of a file system", path=self.root)
        if not storage.exists(self.root):
            return
        if not storage.is_directory(self.root):
            raise OutputError("this is a file, and a catalog is a directory", path=self.root)
        names = storage.list_names(self.root)
        if not names:
            return
        is_ours = any(mark in names for mark in MARKS)
        interrupted = not is_ours and (self.work.exists() or set(names) <= {layout.DATASET})
        if not (is_ours or interrupted):
            raise OutputError(
                "the directory is not empty and is no catalog, so it is left alone",
                path=self.root,
                found=", ".join(names[:5]),
                hint="name another directory",
            )
        if not self._overwrite:
            raise OutputError(
                "there is a catalog already" if is_ours else "there is what an interrupted import left",
                path=self.root,
                hint="name another directory, or replace it with --overwrite",
            )

    def check_inputs(self, names: list[str]) -> None:
        """Refuse to read an input from the directory that is about to be replaced.

        Raises
        ------
        OutputError
        """
        inside = str(self.root).rstrip("/") + "/"
        for name in names:
            if name.startswith(inside):
                raise OutputError(
                    "an input lies in the output directory", path=name, hint="name another output"
                )

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the place while the block runs; clean up after it, and undo everything if it raises.

        Raises
        ------
        OutputError
            If another import holds it.
        """
        with storage.explained(self.work, "making the directory for work in progress"):
            self.work.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.work, ignore_errors=True)
            stack.callback(shutil.rmtree, self.scratch, ignore_errors=True)
            lock = stack.enter_context(open(self.work / "lock", "w", encoding="ascii"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                stack.pop_all()
                raise OutputError(
                    "another import is being written here",
                    path=self.root,
                    hint="wait for it, or name another output",
                ) from None
            shutil.rmtree(self.scratch, ignore_errors=True)
            try:
                yield
            except BaseException:
                self._undo()
                raise

    def begin(self) -> None:
        """Make room: from here on the catalog's files are written."""
        with storage.explained(self.root, "making the catalog's directory"):
            if self._local and os.path.lexists(self.root.path) and os.listdir(self.root.path):
                self._aside = Path(
                    tempfile.mkdtemp(prefix=f".{self.root.name}.replaced-", dir=self.work.parent)
                )
                os.rename(self.root.path, self._aside / self.root.name)
            elif not self._local:
                storage.remove_tree(self.root)
            self._begun = True
            if self._local:
                os.makedirs(self.root.path, exist_ok=True)

    def finish(self) -> None:
        """Keep the complete catalog: what it replaced goes."""
        if self._aside is not None:
            shutil.rmtree(self._aside, ignore_errors=True)
            self._aside = None
        self._begun = False

    def _undo(self) -> None:
        if not self._begun:
            return
        try:
            storage.remove_tree(self.root)
            if self._aside is not None:
                os.rename(self._aside / self.root.name, self.root.path)
                self._aside.rmdir()
        except (HatsError, OSError):
            # The error that brought us here says more; without its properties file this is no catalog.
            return
