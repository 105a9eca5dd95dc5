"""The files below the validated path: one listing, and bounded reads that stay inside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.errors import FormatError, HatsError, NotFoundError, StorageError, UnavailableError
from hatsformat.validation.check_api import NoEvidenceError, outage
from hatsformat.validation.sanitizing import error_text

T = TypeVar("T")


BROKEN_DATA = (
    HatsError,
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
)
"""The errors that readers raise on broken data."""


MOST_OUTAGES = 50
"""After so many storage failures no more requests are made, since each may take a minute."""

_SIZE_SAMPLE = 20_000
"""The number of files that are sampled to estimate a size."""


class OutsideError(FormatError):
    """Raised for a file that is a link out of the validated path."""


@dataclass(frozen=True)
class Artefact(Generic[T]):
    """A file that may be missing or broken.

    Attributes
    ----------
    path : str
        Relative to the catalog.
    value : object or None
        The content.
    error : HatsError or None
        Why it could not be read; `NotFoundError` if it is missing.
    """

    path: str
    value: T | None = None
    error: HatsError | None = None

    @property
    def is_there(self) -> bool:
        """Whether the file exists, readable or not."""
        return not isinstance(self.error, NotFoundError)

    @property
    def is_broken(self) -> bool:
        """Whether the file exists and cannot be read."""
        return self.is_there and self.error is not None

    @property
    def is_unseen(self) -> bool:
        """Whether nothing is known of the file: a link out of the validated path, or a storage failure."""
        return isinstance(self.error, OutsideError | UnavailableError)

    def check_seen(self) -> None:
        """Raise `NoEvidenceError` if nothing is known of the file."""
        if isinstance(self.error, UnavailableError):
            raise outage(self.error)
        if isinstance(self.error, OutsideError):
            raise NoEvidenceError(f"{self.path} is a link out of the catalog and was not opened")

    def need(self) -> T:
        """Return the content of the file, or raise `NoEvidenceError`."""
        self.check_seen()
        if self.value is None:
            raise NoEvidenceError(
                f"{self.path} cannot be read" if self.is_there else f"{self.path} is missing"
            )
        return self.value


class Tree:
    """The files below a folder.

    Parameters
    ----------
    root : UPath
        The catalog or collection that is validated.

    Attributes
    ----------
    outages : int
        How often the storage failed.
    """

    def __init__(self, root: UPath) -> None:
        self.root = root
        self.outages = 0
        self._links: list[str] = []
        self._linked_folders: list[str] = []

    @property
    def is_http(self) -> bool:
        """Whether the files are behind a web server."""
        return self.root.protocol in ("http", "https")

    @cached_property
    def listing(self) -> Mapping[str, int] | StorageError:
        """All files with their sizes (-1 if the listing has none), or why they cannot be listed."""
        try:
            if storage.is_local(self.root):
                return _list_local(self.root.path, self._links, self._linked_folders)
            entries = storage.list_tree(self.root)
        except StorageError as error:
            return error
        except OSError as error:
            return StorageError(f"listing failed: {error}", path=self.root)
        if not entries and self.is_http:
            # A server that does not list directories returns a page without links.
            return StorageError("this server does not list directories", path=self.root)
        if self.is_http:
            # Listings in HTML have encoded names and no sizes.
            return {unquote(entry.path): -1 for entry in entries}
        return {entry.path: entry.size for entry in entries}

    @property
    def can_list(self) -> bool:
        """Whether the storage can list its files."""
        return not isinstance(self.listing, StorageError)

    def files(self) -> Mapping[str, int]:
        """Return `listing`, or raise `NoEvidenceError` if the storage cannot list."""
        if isinstance(self.listing, UnavailableError):
            raise outage(self.listing)
        if isinstance(self.listing, StorageError):
            raise NoEvidenceError(f"the files cannot be listed: {self.listing.message}")
        return self.listing

    def total_size(self, paths: Sequence[str]) -> float:
        """Return the size of files in bytes, estimated from a sample if there are many."""
        listing = self.files()
        if storage.is_local(self.root):
            # Files of one folder have similar sizes, so every n-th sorted path is a fair sample.
            step = max(1, len(paths) // _SIZE_SAMPLE)
            return float(sum(map(self._size, paths[::step]))) * len(paths) / max(1, len(paths[::step]))
        sizes = [listing[path] for path in paths]
        if min(sizes, default=0) < 0:
            raise NoEvidenceError("the server does not report file sizes")
        return float(sum(sizes))

    def _size(self, path: str) -> int:
        try:
            return os.stat(f"{self.root.path}/{path}").st_size
        except OSError:
            return 0  # a link to nothing

    @property
    def linked_folders(self) -> list[str]:
        """The directories that are links, which are not followed."""
        _ = self.listing
        return sorted(self._linked_folders)

    @cached_property
    def links_out(self) -> frozenset[str]:
        """The files that are links to somewhere outside the root."""
        if not storage.is_local(self.root) or isinstance(self.listing, StorageError):
            return frozenset()
        root = os.path.realpath(self.root.path)
        inside = root.rstrip(os.sep) + os.sep
        return frozenset(
            path for path in self._links if not os.path.realpath(os.path.join(root, path)).startswith(inside)
        )

    def resolve(self, path: str) -> UPath:
        """Return the full path of a file, for reading.

        Raises
        ------
        NotFoundError
            If it is not in the listing.
        OutsideError
            If it is a link that leads out of the root.
        FormatError
            If it is not a regular file but a pipe or device, which may never end.
        UnavailableError
            If the storage has failed too often.
        """
        full = self.root / path
        if self.outages >= MOST_OUTAGES:
            raise UnavailableError("not requested because the storage failed too often", path=full)
        if not isinstance(self.listing, StorageError) and path not in self.listing:
            raise NotFoundError("no such file", path=full)
        if path in self.links_out:
            raise OutsideError("the file is a link out of the catalog and was not opened", path=full)
        if storage.is_local(self.root):
            with storage.storage_errors(full, "inspecting the file"):
                if not stat.S_ISREG(os.stat(full.path).st_mode):
                    raise FormatError("not a regular file", path=full)
        return full

    def read(self, path: str, limit: int) -> Artefact[bytes]:
        """Read a file of at most `limit` bytes."""
        return self.attempt(path, lambda full: storage.read_bytes(full, limit=limit))

    def attempt(self, path: str, read: Callable[[UPath], T], name: str | None = None) -> Artefact[T]:
        """Read a file with a function that raises `HatsError` on failure.

        Parameters
        ----------
        path : str
            The file, relative to the root.
        read : callable
            Takes the full path of the file.
        name : str, optional
            The name of the file in errors; its path by default.
        """
        label = path if name is None else name
        try:
            return Artefact(label, read(self.resolve(path)))
        except HatsError as error:
            self.outages += isinstance(error, UnavailableError)
            return Artefact(label, error=error)
        except BROKEN_DATA as error:
            message = f"invalid content: {error_text(error)}"
            return Artefact(label, error=FormatError(message, path=path))


def _list_local(root: str, links: list[str], folders: list[str]) -> dict[str, int]:
    """Return all files below a directory, and which files and folders are links.

    A million files are listed in seconds, without a look at each. Links to directories are not followed, so
    loops end.
    """
    found: list[str] = []
    waiting = [""]
    while waiting:
        above = waiting.pop()
        with storage.storage_errors(f"{root}/{above}", "listing"), os.scandir(f"{root}/{above}") as entries:
            for entry in entries:
                path = above + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                elif not entry.is_symlink():
                    found.append(path)
                elif _leads_to_folder(entry):
                    folders.append(path)
                else:
                    links.append(path)
                    found.append(path)
    found.sort()
    return dict.fromkeys(found, -1)


def _leads_to_folder(link: os.DirEntry[str]) -> bool:
    try:
        return link.is_dir()
    except OSError:
        return False  # a link to itself
