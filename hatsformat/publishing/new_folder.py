"""The place where a catalog is made: checked first, claimed while the work goes on, published at the end.

On a local disk everything is written into a hidden directory inside the output directory, and moved out of
it when it is complete, the properties last: what was there before stays what it was until then, and an
import that is killed leaves nothing that looks like a catalog. A bucket cannot rename, so there the files
are written in place, the properties last.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from upath import UPath

from hatsformat import layout, storage
from hatsformat.errors import (
    BuildError,
    FormatError,
    HatsError,
    InputError,
    OutputError,
    UsageError,
    WorkerError,
)
from hatsformat.publishing.swap import is_changing

WORK = ".import"
"""Name of the hidden directory of an import under way."""

MARKS = (*layout.CATALOG_PROPERTIES, layout.COLLECTION_PROPERTIES)


class Destination:
    """Where a catalog is to be made.

    Parameters
    ----------
    root : UPath
        The catalog's directory.
    overwrite : bool
        Whether a catalog that is there may be replaced.
    resume : bool
        Whether an import that was interrupted here may be continued.
    scratch : str, optional
        Directory for rows that do not fit in memory.

    Attributes
    ----------
    staging : UPath
        Where the catalog's files are to be written.
    quarantine, quarantine_staging : UPath
        The file beside the catalog for rows without a position, and where it is to be written.
    scratch : Path
        Where rows are kept meanwhile.
    keep_unfinished : bool
        Whether finished work is kept if the import fails, so that it can be resumed.
    is_begun : callable
        Tells whether any work is finished.

    Raises
    ------
    OutputError
        If the place is taken.
    UsageError
        If scratch is no place on a disk.
    """

    def __init__(
        self, root: UPath, *, overwrite: bool = False, resume: bool = False, scratch: str | None = None
    ) -> None:
        self.root = root
        self._local = storage.is_local(root)
        if scratch is not None and not storage.is_local(storage.resolve(scratch)):
            raise UsageError(
                "scratch must be on a disk, since parts of its files are read again and again",
                found=scratch,
                hint="name a directory that all workers see",
            )
        self._resume, self._overwrite = resume, overwrite
        key = hashlib.sha256(str(root).encode()).hexdigest()[:12]
        remote_work = Path(tempfile.gettempdir()) / f"hatsformat-{key}.import"
        self.work = Path(root.path) / WORK if self._local else remote_work
        self.staging = UPath(self.work / "catalog") if self._local else root
        self.quarantine = root.parent / f"{root.name}.quarantine.parquet"
        self.quarantine_staging = UPath(self.work / "quarantine.parquet") if self._local else self.quarantine
        self.scratch = Path(scratch) / f"hatsformat-{key}" if scratch else self.work / "runs"
        self.keep_unfinished = False
        self.is_begun: Callable[[], bool] = lambda: False
        self._made_root = False
        self._begun = False
        self._check(overwrite)

    @property
    def interrupted(self) -> bool:
        """Whether an import was interrupted here."""
        return self.work.is_dir()

    def _check(self, overwrite: bool) -> None:
        if self._local and (is_changing(self.root) or is_changing(self.root.parent)):
            raise OutputError("the catalog here is being changed", path=self.root, hint="wait for it")
        if not self.root.path.strip("/"):
            raise OutputError("a catalog cannot be the root of a file system", path=self.root)
        if not storage.exists(self.root):
            return
        if not storage.is_directory(self.root):
            raise OutputError("this is a file, and a catalog is a directory", path=self.root)
        names = [name for name in storage.list_names(self.root) if name != WORK]
        is_ours = any(mark in names for mark in MARKS) or (not self._local and self.interrupted)
        if names and not is_ours:
            raise OutputError(
                "the directory is not empty and is no catalog, so it is left alone",
                path=self.root,
                found=", ".join(names[:5]),
                hint="name another directory",
            )
        if self.interrupted and not (self._resume or overwrite) and not self._is_held():
            raise OutputError(
                "an import was interrupted here",
                path=self.root,
                hint="go on with --resume, or start again with --overwrite",
            )
        if names and not overwrite and not (self._resume and self.interrupted):
            raise OutputError(
                "there is a catalog already",
                path=self.root,
                hint="name another directory, or replace it with --overwrite",
            )

    def check_quarantine(self) -> None:
        """Refuse to replace what an earlier import put aside.

        Raises
        ------
        OutputError
        """
        if not self._overwrite and not self._resume and storage.exists(self.quarantine):
            raise OutputError(
                "an earlier import put rows aside here",
                path=self.quarantine,
                hint="move the file away, or replace it with --overwrite",
            )

    def check_inputs(self, names: list[str]) -> None:
        """Refuse to read an input from the directory that is about to be replaced.

        Raises
        ------
        OutputError
        """
        for name in names:
            if self._is_inside(name):
                raise OutputError(
                    "an input lies in the output directory", path=name, hint="name another directory"
                )

    def beside(self, path: str | None) -> UPath | None:
        """Return the place of another file that the import writes; None for none.

        Raises
        ------
        OutputError
            If it lies in the output directory, where nothing but the catalog belongs.
        """
        if path is None:
            return None
        place = storage.resolve(path)
        if self._is_inside(os.path.realpath(place.path) if storage.is_local(place) else str(place)):
            raise OutputError("the log lies in the output directory", path=path, hint="name a file beside it")
        return place

    def _is_inside(self, name: str) -> bool:
        root = os.path.realpath(self.root.path) if self._local else str(self.root)
        return self._real(name).startswith(root.rstrip("/") + "/")

    def _real(self, name: str) -> str:
        """Return a path by which the same file can be told: without links and detours, if it is local."""
        return os.path.realpath(name) if self._local and os.path.exists(name) else name

    def _is_held(self) -> bool:
        try:
            with open(self.work / "lock", "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the place while the block runs, publish what it made, and clean up.

        Where the block fails for a reason that lies outside the input, such as a full disk, finished work
        is kept so that the import can be resumed; otherwise nothing is left.

        Raises
        ------
        OutputError
            If another import holds the place.
        """
        self._made_root = self._local and not os.path.isdir(self.root.path)
        with storage.explained(self.root, "making the catalog's directory"):
            self.work.mkdir(parents=True, exist_ok=True)
            lock = open(self.work / "lock", "ab")  # noqa: SIM115 - held until the stack below ends
        with ExitStack() as stack:
            stack.enter_context(lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OutputError(
                    "another import is being written here",
                    path=self.root,
                    hint="wait for it, or name another directory",
                ) from None
            if self._resume:
                storage.remove_partial_files(self.staging)
            else:
                self._forget()
            try:
                yield
                with storage.explained(self.root, "publishing the catalog"):
                    self._publish()
            except BaseException as error:
                self._after_failure(error)
                raise

    def begin(self) -> None:
        """Make room for the catalog's files; from here on they are written to `staging`."""
        if not self._local and not self._resume:
            storage.remove_tree(self.root)
            if self._overwrite:
                storage.remove_file(self.quarantine)
        self._begun = True

    def _forget(self) -> None:
        """Remove what an earlier import left, but the lock."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        for path in self.work.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != "lock":
                path.unlink()

    def _publish(self) -> None:
        if self._local:
            cleared, replaced = self.work / "cleared", self.work / "replaced"
            if not cleared.exists():  # a killed publication is taken up where it stood
                replaced.mkdir(exist_ok=True)
                _move(Path(self.root.path), replaced, first=MARKS)
                cleared.touch()
            self._publish_quarantine()
            _move(Path(self.staging.path), Path(self.root.path), last=MARKS)
        self._clean()

    def _publish_quarantine(self) -> None:
        """Bring the rows that were put aside to light; those of the catalog that is replaced go with it."""
        if os.path.exists(self.quarantine_staging.path):
            os.replace(self.quarantine_staging.path, self.quarantine.path)
        elif self._overwrite:
            storage.remove_file(self.quarantine)

    def _after_failure(self, error: BaseException) -> None:
        about_input = isinstance(error, UsageError | FormatError | BuildError)
        about_input = about_input and not isinstance(error, WorkerError)
        if isinstance(error, InputError) and self.is_begun():
            about_input = False  # the file can be mended, and what was read of others is there
        if (
            self.keep_unfinished
            and not about_input
            and (self.scratch.is_dir() or os.path.isdir(self.staging.path))
        ):
            if isinstance(error, HatsError):
                error.hint = "; ".join(filter(None, (error.hint, "go on with --resume once that is mended")))
            return
        self._clean()
        if self._made_root:
            shutil.rmtree(self.root.path, ignore_errors=True)
        elif self._begun and not self._local:
            with suppress(HatsError):  # the error that brought us here says more
                storage.remove_tree(self.root)
                storage.remove_file(self.quarantine)

    def _clean(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)


def _move(source: Path, target: Path, first: tuple[str, ...] = (), last: tuple[str, ...] = ()) -> None:
    """Move everything in a directory but work in progress, some names first or last."""
    names = [name for name in os.listdir(source) if name != WORK]
    for name in sorted(names, key=lambda name: (name not in first, name in last, name)):
        os.rename(source / name, target / name)
