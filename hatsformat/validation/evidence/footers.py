"""The footers of the data files: read together, once, and boiled down to what the checks need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf_reading import FOOTER_GUESS
from hatsformat.errors import HatsError, LeafError, NotFoundError
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.footer_sandbox import Source, read_all
from hatsformat.validation.evidence.tree import Artefact

REMOTE_THREADS = 32
FOOTER_LIMIT = 64 << 20
METADATA_LIMIT = 512 << 20
"""The most bytes of a data file's footer, and of a ``_metadata``."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the footer says of one column in one row group; None where it does not say.

    Attributes
    ----------
    low, high : object or None
    nulls : int or None
    """

    low: Any = None
    high: Any = None
    nulls: int | None = None


@dataclass(frozen=True, slots=True)
class Footer:
    """A Parquet footer.

    Attributes
    ----------
    path : str
        The file, relative to the catalog.
    rows : int
    group_rows, group_bytes : tuple of int
        Rows of each row group, and its bytes in the file.
    schema : pyarrow.Schema
        One object for all files that have the same.
    keys : mapping of str to str
        Its key-values, without what Arrow and pandas keep for themselves.
    statistics : tuple of Statistics
        Of the index column, one a row group; empty where there is no such column.
    files : tuple of str
        The file that each row group of a ``_metadata`` is in; empty for data files.
    """

    path: str
    rows: int
    group_rows: tuple[int, ...]
    schema: pa.Schema
    keys: Mapping[str, str]
    statistics: tuple[Statistics, ...] = ()
    group_bytes: tuple[int, ...] = ()
    files: tuple[str, ...] = ()


@dataclass
class SchemaPool:
    """What is the same in many files becomes one object, so that 20,000 leaves are compared and held once."""

    known: list[pa.Schema] = field(default_factory=list)
    known_keys: dict[frozenset[tuple[str, str]], Mapping[str, str]] = field(default_factory=dict)

    def share(self, schema: pa.Schema) -> pa.Schema:
        """Return the known schema that equals this one."""
        for other in reversed(self.known):
            if schema is other or schema.equals(other):
                return other
        self.known.append(schema)
        return schema

    def share_keys(self, keys: Mapping[str, str]) -> Mapping[str, str]:
        """Return the known key-values that equal these: a VOTable among them may be long."""
        return self.known_keys.setdefault(frozenset(keys.items()), keys)


@dataclass(frozen=True)
class FooterSet:
    """The footers of many files.

    Attributes
    ----------
    readable : list of Footer
        In the order of the paths.
    broken : list of Artefact
        The files that cannot be opened, or are not there.
    """

    readable: list[Footer]
    broken: list[Artefact[Footer]]

    def each(self) -> Iterator[Footer]:
        """Yield the footers that can be read, and raise `NoEvidenceError` at the end if that is not all."""
        if not self.readable and not self.broken:
            raise NoEvidenceError("there are no data files")
        yield from self.readable
        self.check_complete()

    def check_complete(self, prefix: str = "") -> None:
        """Raise `NoEvidenceError` where a file cannot be read; `prefix` is the catalog's, to name it."""
        if self.broken:
            total = len(self.readable) + len(self.broken)
            of = f" of {prefix.rstrip('/')}" if prefix else ""
            raise NoEvidenceError(f"{len(self.broken)} of {total} data files{of} cannot be read")

    @property
    def rows(self) -> int:
        """The number of rows; raises `NoEvidenceError` where there is no file, or one cannot be read."""
        if not self.readable and not self.broken:
            raise NoEvidenceError("there are no data files")
        self.check_complete()
        return sum(footer.rows for footer in self.readable)


def read_footers(
    folder: CatalogFolder, paths: Sequence[str], pool: SchemaPool, column: str | None
) -> FooterSet:
    """Read footers, away from this process; see `guard`.

    Parameters
    ----------
    folder : CatalogFolder
    paths : sequence of str
        Relative to the folder.
    pool : SchemaPool
    column : str or None
        The index column.
    """
    readable: list[Footer] = []
    broken: list[Artefact[Footer]] = []
    options = {"column": column, "files": False}
    for path, told in ask_footers(folder, paths, "describe", options):
        if isinstance(told, HatsError):
            broken.append(Artefact(path, error=told))
        else:
            readable.append(_footer(path, told, pool))
    return FooterSet(readable, broken)


def read_one_footer(
    folder: CatalogFolder, path: str, pool: SchemaPool, column: str | None = None
) -> Artefact[Footer]:
    """Read the footer of one file, with the files that its row groups are in."""
    options = {"column": column, "files": True}
    ((_, told),) = ask_footers(folder, [path], "describe", options, METADATA_LIMIT)
    return (
        Artefact(path, error=told)
        if isinstance(told, HatsError)
        else Artefact(path, _footer(path, told, pool))
    )


def ask_footers(
    folder: CatalogFolder,
    paths: Sequence[str],
    operation: str,
    options: Mapping[str, Any],
    limit: int = FOOTER_LIMIT,
) -> Iterator[tuple[str, dict[str, Any] | HatsError]]:
    """Yield what the footers of files say, or why they cannot be read."""
    local = storage.is_local(folder.tree.root)
    # In steps: a `map` over all of them would hold everything at once.
    step = 4_000 if local else 400

    def look(path: str) -> Artefact[Source]:
        return folder.read(path, lambda file: file.path if local else _tail(file, limit))

    with ThreadPoolExecutor(REMOTE_THREADS) as threads:
        for start in range(0, len(paths), step):
            some = paths[start : start + step]
            places = [look(path) for path in some] if local else list(threads.map(look, some))
            sources = [place.value for place in places if place.value is not None]
            results = iter(read_all(operation, sources, options, limit))
            for path, place in zip(some, places, strict=True):
                if place.value is None:
                    yield path, place.error or NotFoundError("no such file", path=path)
                else:
                    yield path, _judged(path, next(results))


def _tail(place: UPath, limit: int) -> bytes:
    """Return the end of a remote file, with the footer."""
    tail = storage.read_tail(place, FOOTER_GUESS)
    needed = int.from_bytes(tail[-8:-4], "little") + 8
    if needed > len(tail) and tail[-4:] == b"PAR1":
        if needed > limit:
            raise LeafError(f"the footer is larger than {limit} bytes, and is not read", path=place)
        tail = storage.read_tail(place, needed)
    return tail


def _judged(path: str, told: dict[str, Any]) -> dict[str, Any] | HatsError:
    if "gone" in told:
        return NotFoundError("no such file", path=path)
    if "error" in told:
        return LeafError(f"cannot be read as Parquet: {told['error']}", path=path)
    if "broken" in told:
        return LeafError(f"the footer cannot be understood: {told['broken']}", path=path)
    return told


def _footer(path: str, told: Mapping[str, Any], pool: SchemaPool) -> Footer:
    return Footer(
        path,
        told["rows"],
        told["group_rows"],
        pool.share(told["schema"]),
        pool.share_keys(told["keys"]),
        tuple(Statistics(*values) for values in told["statistics"]),
        told["group_bytes"],
        told["files"],
    )
