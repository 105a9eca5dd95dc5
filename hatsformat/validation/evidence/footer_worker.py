"""The program that reads footers in a separate process, with its requests and answers.

Arrow aborts the whole process on some maliciously broken footers; `footer_sandbox` reports that as a broken
file. This module imports nothing from the package, so that it starts fast. Requests and answers are pickled,
since schemas and statistics have no simpler form. After each source, one byte is sent to a second pipe, so
that `footer_sandbox` knows which source crashed the process.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

MEMORY_LIMIT = 8 << 30
"""The address space of this process in bytes; a footer that needs more is malicious."""

THRIFT_STRING_LIMIT = 256 << 20
THRIFT_LIST_LIMIT = 4_000_000
"""Limits on a string and a list in a footer; enough for a ``_metadata`` with a million row groups."""

BROKEN = (
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
"""The errors that Arrow raises on a broken footer."""

PRIVATE_KEYS = ("ARROW:schema", "pandas")

Source: TypeAlias = str | bytes
"""A local file, or the last bytes of another."""


# Requests and answers. Without slots, which would make pickling slower.


@dataclass(frozen=True)
class Failure:
    """Why a footer could not be read: missing, unreadable or invalid."""

    kind: Literal["missing", "unreadable", "invalid"]
    reason: str = ""


@dataclass(frozen=True)
class Statistics:
    """The statistics of an integer column in one row group; None if missing."""

    low: int | None = None
    high: int | None = None
    nulls: int | None = None


@dataclass(frozen=True)
class FooterSummary:
    """The parts of a footer that the checks need.

    Attributes
    ----------
    rows : int
    group_rows, group_bytes : tuple of int
        Rows of each row group, and its bytes in the file.
    schema : pyarrow.Schema
        Without metadata.
    keys : mapping of str to str
        The key-value metadata, without entries of Arrow and pandas.
    statistics : tuple of Statistics
        Of the requested column, one per row group; empty without the column.
    files : tuple of str
        The file of each row group, if requested.
    """

    rows: int
    group_rows: tuple[int, ...]
    group_bytes: tuple[int, ...]
    schema: pa.Schema
    keys: Mapping[str, str]
    statistics: tuple[Statistics, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class ChunkStatistics:
    """All statistics of one column in one row group; None if missing."""

    min_value: Any
    max_value: Any
    null_count: int | None
    row_count: int
    disk_bytes: int
    memory_bytes: int


class Question(Protocol[T_co]):
    """A question about footers."""

    @property
    def limit(self) -> int:
        """The most bytes of a footer that are read."""

    def answer(self, source: Source) -> T_co | Failure:
        """Open a footer and answer the question, or return a failure."""


@dataclass(frozen=True)
class SummaryQuestion:
    """Asks for a `FooterSummary`, with the statistics of one column and maybe the files of the row groups."""

    limit: int
    column: str | None = None
    with_files: bool = False

    def answer(self, source: Source) -> FooterSummary | Failure:
        """Return the summary of the footer."""
        try:
            footer = _open(source, self.limit)
        except FileNotFoundError:
            return Failure("missing")
        except BROKEN as error:
            return Failure("unreadable", str(error).strip().partition("\n")[0] or type(error).__name__)
        try:
            return _summary(footer, self.column, self.with_files)
        except BROKEN as error:
            return Failure("invalid", str(error))


@dataclass(frozen=True)
class StatisticsQuestion:
    """Asks for a list for each row group, with the `ChunkStatistics` of each of some flat columns or None."""

    limit: int
    names: tuple[str, ...]

    def answer(self, source: Source) -> list[list[ChunkStatistics | None]] | Failure:
        """Return the statistics of the columns."""
        try:
            footer = _open(source, self.limit)
            paths = [footer.schema.column(index).path for index in range(footer.num_columns)]
            # Statistics name values inside lists only by their fields.
            at = {path.replace(".list.element", ""): index for index, path in enumerate(paths)}
            numbers = [at.get(name) for name in self.names]
            return [
                [None if number is None else _chunk_statistics(group.column(number)) for number in numbers]
                for group in map(footer.row_group, range(footer.num_row_groups))
            ]
        except BROKEN as error:
            return Failure("unreadable", str(error))


@dataclass(frozen=True)
class Request(Generic[T]):
    """A question about some sources; it is answered by a list of shape (n,)."""

    question: Question[T]
    sources: Sequence[Source]


# Reading one footer


def _open(source: Source, limit: int) -> Any:
    with pa.OSFile(source, "rb") if isinstance(source, str) else pa.BufferReader(source) as stream:
        size = stream.size()
        if size >= 8:
            stream.seek(size - 8)
            ending = stream.read(8)
            length = int.from_bytes(ending[:4], "little")
            if ending[4:] == b"PAR1" and min(length, size) > limit:
                raise ValueError(f"the footer is larger than {limit} bytes and was not read")
        stream.seek(0)
        return pq.ParquetFile(stream, **_LIMITS).metadata


_LIMITS = {
    "thrift_string_size_limit": THRIFT_STRING_LIMIT,
    "thrift_container_size_limit": THRIFT_LIST_LIMIT,
    "pre_buffer": False,
}
_known_schemas: list[pa.Schema] = []


def _shared(schema: pa.Schema) -> pa.Schema:
    """Return one object for equal schemas, so that it is pickled only once."""
    for other in reversed(_known_schemas):
        if schema.equals(other):
            return other
    _known_schemas.append(schema)
    del _known_schemas[:-50]
    return schema


def _summary(footer: Any, column: str | None, with_files: bool) -> FooterSummary:
    schema = footer.schema.to_arrow_schema()
    keys = {
        name: raw.decode("utf-8", "replace")
        for key, raw in (schema.metadata or {}).items()
        if (name := key.decode("utf-8", "replace")) not in PRIVATE_KEYS
    }
    schema = _shared(schema.remove_metadata())
    _ = schema.names  # raises for names that are not UTF-8
    width = footer.num_columns
    names = [footer.schema.column(index).path for index in range(width)]
    number = names.index(column) if column in names else None
    rows, sizes, files, statistics = [], [], [], []
    for index in range(footer.num_row_groups):
        group = footer.row_group(index)
        chunks = [group.column(at) for at in range(width)]
        rows.append(group.num_rows)
        sizes.append(sum(chunk.total_compressed_size for chunk in chunks))
        if number is not None:
            statistics.append(_statistics(chunks[number]))
        if with_files:
            files.append(chunks[0].file_path if chunks else "")
    if min(rows, default=0) < 0 or sum(rows) != footer.num_rows:
        raise ValueError(f"it declares {footer.num_rows} rows, but its row groups have {sum(rows)}")
    return FooterSummary(
        footer.num_rows, tuple(rows), tuple(sizes), schema, keys, tuple(statistics), tuple(files)
    )


def _statistics(chunk: Any) -> Statistics:
    found = chunk.statistics
    if found is None:
        return Statistics()
    nulls = found.null_count if found.has_null_count else None
    if not found.has_min_max or not isinstance(found.min, int) or not isinstance(found.max, int):
        return Statistics(nulls=nulls)
    return Statistics(found.min, found.max, nulls)


def _chunk_statistics(chunk: Any) -> ChunkStatistics:
    found = chunk.statistics
    low = high = nulls = None
    if found is not None:
        nulls = found.null_count if found.has_null_count else None
        if found.has_min_max:
            low, high = found.min, found.max
    return ChunkStatistics(
        low, high, nulls, chunk.num_values, chunk.total_compressed_size, chunk.total_uncompressed_size
    )


# Between the processes

_HEADER = struct.Struct("<Q")
_OWN_NAMES = ("__main__", "hatsformat.validation.evidence.footer_worker")
"""The name of this module in the worker process, and in the process that imports it."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return globals()[name] if module in _OWN_NAMES else super().find_class(module, name)


def send(stream: IO[bytes], message: object) -> None:
    """Write a `Request`, or the list of answers to one."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(_HEADER.pack(len(content)))
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read what `send` wrote; raises `EOFError` if the other process has ended."""
    head = stream.read(_HEADER.size)
    if len(head) < _HEADER.size:
        raise EOFError
    size = _HEADER.unpack(head)[0]
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return _Unpickler(BytesIO(content)).load()


def _serve(requests: IO[bytes], answers: IO[bytes], progress: int) -> None:
    while True:
        try:
            request = receive(requests)
        except EOFError:
            return
        found = []
        for source in request.sources:
            try:
                found.append(request.question.answer(source))
            except MemoryError:
                found.append(Failure("unreadable", "it needs too much memory"))
            os.write(progress, b".")
        send(answers, found)


def _bound_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return  # the system has no such limits


if __name__ == "__main__":
    _bound_memory()
    pa.set_cpu_count(1)
    _serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
