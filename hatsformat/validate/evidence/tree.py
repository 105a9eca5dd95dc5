"""The files below what is validated: one listing, and reads that stay inside and within bounds."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.errors import FormatError, HatsError, NotFoundError, StorageError
from hatsformat.validate.faults import NoEvidenceError

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
"""What readers raise on files that are not what they seem."""


class OutsideError(FormatError):
    """A file that is a link out of what is validated."""


@dataclass(frozen=True)
class Artefact(Generic[T]):
    """A file that may be there, may not, and may be broken.

    Attributes
    ----------
    path : str
        Relative to the catalog.
    value : object or None
        What it holds.
    error : HatsError or None
        Why it could not be read; `NotFoundError` where it is not there.
    """

    path: str
    value: T | None = None
    error: HatsError | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is such a file, readable or not."""
        return not isinstance(self.error, NotFoundError)

    @property
    def is_broken(self) -> bool:
        """Whether there is such a file and it cannot be read."""
        return self.is_there and self.error is not None

    def need(self) -> T:
        """Return what the file holds, or raise `NoEvidenceError`."""
        if self.value is None:
            raise NoEvidenceError(
                f"{self.path} cannot be read" if self.is_there else f"there is no {self.path}"
            )
        return self.value


class Tree:
    """The files below a place.

    Parameters
    ----------
    root : UPath
        The catalog or collection that is validated.
    """

    def __init__(self, root: UPath) -> None:
        self.root = root
        self._links: list[str] = []

    @property
    def is_http(self) -> bool:
        """Whether the files are behind a web server."""
        return self.root.protocol in ("http", "https")

    @cached_property
    def listing(self) -> Mapping[str, int] | StorageError:
        """Sizes by path, or why the place cannot be listed."""
        try:
            if storage.is_local(self.root):
                return _list_local(self.root.path, self._links)
            entries = storage.list_tree(self.root)
        except StorageError as error:
            return error
        except OSError as error:
            return StorageError(f"listing failed: {error}", path=self.root)
        if not entries and self.is_http:
            # A page without links is what a server shows that does not list.
            return StorageError("this server does not list", path=self.root)
        if self.is_http:
            # Listings in HTML have encoded names and no sizes.
            return {unquote(entry.path): -1 for entry in entries}
        return {entry.path: entry.size for entry in entries}

    @property
    def can_list(self) -> bool:
        """Whether the storage tells which files there are."""
        return not isinstance(self.listing, StorageError)

    def files(self) -> Mapping[str, int]:
        """Return sizes by path, or raise `NoEvidenceError` where the storage cannot list."""
        if isinstance(self.listing, StorageError):
            raise NoEvidenceError(f"the files cannot be listed: {self.listing.message}")
        return self.listing

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

    def place(self, path: str) -> UPath:
        """Return the place of a file, for reading.

        Raises
        ------
        NotFoundError
            If the listing does not have it.
        OutsideError
            If it is a link that leads out of the root.
        FormatError
            If it is no file at all, but a pipe or a device, which may never end.
        """
        place = self.root / path
        if not isinstance(self.listing, StorageError) and path not in self.listing:
            raise NotFoundError("no such file", path=place)
        if path in self.links_out:
            raise OutsideError("the file is a link out of the catalog, and is not opened", path=place)
        if storage.is_local(self.root):
            with storage.explained(place, "looking at it"):
                if not stat.S_ISREG(os.stat(place.path).st_mode):
                    raise FormatError("this is no file", path=place)
        return place

    def read(self, path: str, limit: int) -> Artefact[bytes]:
        """Read a file of at most `limit` bytes."""
        return self.attempt(path, lambda place: storage.read_bytes(place, limit=limit))

    def attempt(self, path: str, read: Callable[[UPath], T], name: str | None = None) -> Artefact[T]:
        """Read a file with a function that raises `HatsError` where it cannot.

        Parameters
        ----------
        path : str
            The file, relative to the root.
        read : callable
            Takes the file's place.
        name : str, optional
            What to call the file; its path by default.
        """
        label = path if name is None else name
        try:
            return Artefact(label, read(self.place(path)))
        except HatsError as error:
            return Artefact(label, error=error)
        except BROKEN_DATA as error:
            told = f"it cannot be understood: {type(error).__name__}: {error}"
            return Artefact(label, error=FormatError(told, path=path))


def _list_local(root: str, links: list[str]) -> dict[str, int]:
    """Return the sizes of all files below a directory, and add those that are links to `links`.

    A million files are listed in seconds: each costs one call to the system. Links to directories are not
    followed, so loops end.
    """
    found: dict[str, int] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        with (
            storage.explained(os.path.join(root, folder), "listing"),
            os.scandir(f"{root}/{folder}") as entries,
        ):
            for entry in entries:
                path = folder + entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{path}/")
                    continue
                if entry.is_symlink():
                    links.append(path)
                    if entry.is_dir():
                        continue
                try:
                    found[path] = entry.stat().st_size
                except OSError:
                    found[path] = 0  # a link to nothing or to itself: who opens it reports it
    return dict(sorted(found.items()))


def shown(value: Any, limit: int = 120) -> str:
    """Return a value as one short line, for `actual` and `expected`."""
    text = value if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
