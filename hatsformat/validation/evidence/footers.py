"""The footers of the data files, read once and reduced to what the checks need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf_reading import FOOTER_GUESS
from hatsformat.errors import HatsError, LeafError, NotFoundError
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.footer_sandbox import read_all
from hatsformat.validation.evidence.footer_worker import (
    Failure,
    FooterSummary,
    Question,
    Source,
    Statistics,
    SummaryQuestion,
)
from hatsformat.validation.evidence.tree import Artefact

T = TypeVar("T")

REMOTE_THREADS = 32
FOOTER_LIMIT = 64 << 20
METADATA_LIMIT = 512 << 20
"""The most bytes of a data file's footer, and of a ``_metadata``."""


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
        Equal schemas are one object.
    keys : mapping of str to str
        Its key-value metadata, without entries of Arrow and pandas.
    statistics : tuple of Statistics
        Of the index column, one per row group; empty without the column.
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
    """Makes equal schemas and key-values one object, so that 20,000 leaves are compared and stored once."""

    known: list[pa.Schema] = field(default_factory=list)
    known_keys: dict[frozenset[tuple[str, str]], Mapping[str, str]] = field(default_factory=dict)

    def share(self, schema: pa.Schema) -> pa.Schema:
        """Return the pooled schema that equals this one."""
        for other in reversed(self.known):
            if schema is other or schema.equals(other):
                return other
        self.known.append(schema)
        return schema

    def share_keys(self, keys: Mapping[str, str]) -> Mapping[str, str]:
        """Return the pooled key-values that equal these; a VOTable among them may be long."""
        return self.known_keys.setdefault(frozenset(keys.items()), keys)


@dataclass(frozen=True)
class FooterSet:
    """The footers of many files.

    Attributes
    ----------
    readable : list of Footer
        In the order of the paths.
    broken : list of Artefact
        The files that are missing or cannot be opened.
    """

    readable: list[Footer]
    broken: list[Artefact[Footer]]

    def each(self) -> Iterator[Footer]:
        """Yield the readable footers, then raise `NoEvidenceError` if there are others."""
        if not self.readable and not self.broken:
            raise NoEvidenceError("the catalog has no data files")
        yield from self.readable
        self.check_complete()

    def check_complete(self, prefix: str = "") -> None:
        """Raise `NoEvidenceError` if a file cannot be read; `prefix` names the catalog."""
        if self.broken:
            total = len(self.readable) + len(self.broken)
            of = f" of {prefix.rstrip('/')}" if prefix else ""
            raise NoEvidenceError(f"{len(self.broken)} of {total} data files{of} cannot be read")

    @property
    def rows(self) -> int:
        """The number of rows; raises `NoEvidenceError` if there is no file, or a file cannot be read."""
        if not self.readable and not self.broken:
            raise NoEvidenceError("the catalog has no data files")
        self.check_complete()
        return sum(footer.rows for footer in self.readable)


def read_footers(
    folder: CatalogFolder, paths: Sequence[str], pool: SchemaPool, column: str | None
) -> FooterSet:
    """Read footers in another process; see `footer_sandbox`.

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
    for path, found in ask_footers(folder, paths, SummaryQuestion(FOOTER_LIMIT, column)):
        if isinstance(found, HatsError):
            broken.append(Artefact(path, error=found))
        else:
            readable.append(_footer(path, found, pool))
    return FooterSet(readable, broken)


def read_one_footer(
    folder: CatalogFolder, path: str, pool: SchemaPool, column: str | None = None
) -> Artefact[Footer]:
    """Read the footer of one file, with the file paths of its row groups."""
    question = SummaryQuestion(METADATA_LIMIT, column, with_files=True)
    ((_, found),) = ask_footers(folder, [path], question)
    if isinstance(found, HatsError):
        return Artefact(path, error=found)
    return Artefact(path, _footer(path, found, pool))


def ask_footers(
    folder: CatalogFolder, paths: Sequence[str], question: Question[T]
) -> Iterator[tuple[str, T | HatsError]]:
    """Yield the answer about each footer, or why it cannot be read."""
    local = storage.is_local(folder.tree.root)
    # In steps, since a `map` over all files would keep everything in memory.
    step = 4_000 if local else 400

    def look(path: str) -> Artefact[Source]:
        return folder.read(path, lambda file: file.path if local else _tail(file, question.limit))

    with ThreadPoolExecutor(REMOTE_THREADS) as threads:
        for start in range(0, len(paths), step):
            some = paths[start : start + step]
            files = [look(path) for path in some] if local else list(threads.map(look, some))
            answers = iter(read_all(question, [file.value for file in files if file.value is not None]))
            for path, file in zip(some, files, strict=True):
                if file.value is None:
                    yield path, file.error or NotFoundError("no such file", path=path)
                else:
                    answer = next(answers)
                    yield path, _error(path, answer) if isinstance(answer, Failure) else answer


def _tail(file: UPath, limit: int) -> bytes:
    """Return the end of a remote file, with the footer."""
    tail = storage.read_tail(file, FOOTER_GUESS)
    needed = int.from_bytes(tail[-8:-4], "little") + 8
    if needed > len(tail) and tail[-4:] == b"PAR1":
        if needed > limit:
            raise LeafError(f"the footer is larger than {limit} bytes and was not read", path=file)
        tail = storage.read_tail(file, needed)
    return tail


def _error(path: str, failure: Failure) -> HatsError:
    if failure.kind == "missing":
        return NotFoundError("no such file", path=path)
    if failure.kind == "unreadable":
        return LeafError(f"cannot be read as Parquet: {failure.reason}", path=path)
    return LeafError(f"invalid footer: {failure.reason}", path=path)


def _footer(path: str, found: FooterSummary, pool: SchemaPool) -> Footer:
    return Footer(
        path,
        found.rows,
        found.group_rows,
        pool.share(found.schema),
        pool.share_keys(found.keys),
        found.statistics,
        found.group_bytes,
        found.files,
    )
