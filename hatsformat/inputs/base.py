"""What an input is to the partitioner: a name, and tables that come one after the other."""

from __future__ import annotations

import lzma
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.errors import InputError

COMPRESSIONS = (".gz", ".bz2", ".zst", ".lz4", ".xz")
"""Endings of the names of compressed files."""

COPY_BYTES = 1024 * 1024

COMPRESSION_RATIO = 5
"""How much larger compressed files are once they are read, roughly."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some consecutive rows of an input.

    Attributes
    ----------
    table : pyarrow.Table
        The rows.
    first_row : int
        Number of the first of them in the input, from 1; a header is not a row.
    """

    table: pa.Table
    first_row: int


class Source(Protocol):
    """One input, or a part of one that can be read by itself."""

    @property
    def name(self) -> str:
        """What messages call it: the file's path."""

    @property
    def fingerprint(self) -> str:
        """What tells this version of the input from another; empty where nothing does."""

    @property
    def estimated_bytes(self) -> int:
        """About how large its rows are in memory; 0 where that is not known."""

    @property
    def reading_bytes(self) -> int:
        """About how much memory reading it takes beside the rows that it gives."""

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read it from the start, in tables of about `target_bytes` in memory."""


class FileSource:
    """The base of all inputs that are files; their name is the path."""

    __slots__ = ()
    path: UPath

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def fingerprint(self) -> str:
        """The file's size, and its date or tag."""
        return storage.fingerprint(self.path)

    @property
    def estimated_bytes(self) -> int:
        """About how large the file's rows are in memory."""
        return storage.size(self.path) * (COMPRESSION_RATIO if is_compressed(self.path) else 1)

    @property
    def reading_bytes(self) -> int:
        """Nothing that matters: most formats are read in small pieces."""
        return 0


def is_compressed(path: UPath) -> bool:
    """Return whether a file is compressed, by its name."""
    return str(path.path).lower().endswith(COMPRESSIONS)


def open_stream(path: UPath) -> Any:
    """Open a file for reading from its start to its end, decompressed."""
    with storage.explained(path, "reading"):
        name = str(path.path)
        if name.lower().endswith(".xz"):
            return lzma.open(path.fs.open(name, "rb"))
        kind = pa.Codec.detect(name.lower()).name if is_compressed(path) else None
        if storage.is_local(path):
            return pa.input_stream(name, compression=kind)
        return pa.input_stream(path.fs.open(name, "rb"), compression=kind)


def temporary_copy(path: UPath, suffix: str = "") -> Any:
    """Return an open temporary file with a file's content, decompressed: for readers that go back and forth.

    Raises
    ------
    InputError
        If it cannot be decompressed.
    """
    copy = tempfile.NamedTemporaryFile(prefix="hatsformat-", suffix=suffix)  # noqa: SIM115
    try:
        with storage.explained(path, "reading"), open_stream(path) as stream:
            shutil.copyfileobj(stream, copy, COPY_BYTES)
        copy.seek(0)
    except (EOFError, lzma.LZMAError) as error:
        copy.close()
        raise InputError(f"cannot be decompressed: {error}", path=path) from error
    except BaseException:
        copy.close()
        raise
    return copy


class RereadError(Exception):
    """What was inferred from an input's start does not hold: it has to be read again, as `source`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        super().__init__(source.name)


def rechunk(
    batches: Iterable[pa.RecordBatch | pa.Table], target_bytes: int, first_row: int = 1
) -> Iterator[Chunk]:
    """Join small batches, and cut large ones, into chunks of about `target_bytes`."""
    waiting: list[pa.Table] = []
    held = 0
    for batch in batches:
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        if waiting and table.schema != waiting[0].schema:
            chunk = Chunk(_joined(waiting), first_row)
            first_row += chunk.table.num_rows
            waiting, held = [], 0
            yield chunk
        for piece in _cut(table, target_bytes):
            waiting.append(piece)
            held += _size(piece)
            if held >= target_bytes:
                chunk = Chunk(_joined(waiting), first_row)
                first_row += chunk.table.num_rows
                waiting, held = [], 0
                yield chunk
    if waiting:
        yield Chunk(_joined(waiting), first_row)


def _cut(table: pa.Table, target_bytes: int) -> Iterator[pa.Table]:
    pieces = max(1, -(-_size(table) // target_bytes))
    rows = max(1, -(-table.num_rows // pieces))
    for start in range(0, max(1, table.num_rows), rows):
        yield table.slice(start, rows)


def _size(table: pa.Table) -> int:
    try:
        return int(table.nbytes)
    except pa.ArrowTypeError:  # older Arrow cannot tell the size of views and of slices of them
        return int(table.get_total_buffer_size())


def _joined(tables: list[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)


def check_names(schema: pa.Schema, path: object) -> None:
    """Refuse a header that names a column twice, or not at all.

    Raises
    ------
    InputError
    """
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice or "" in schema.names:
        what = f"the column {twice[0]!r} is there more than once" if twice else "a column has no name"
        raise InputError(
            what, path=path, found=", ".join(schema.names), hint="give every column its own name"
        )
