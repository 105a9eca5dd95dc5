"""What every input offers the partitioner: a name, and its rows in chunks."""

from __future__ import annotations

import lzma
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.errors import InputError

COMPRESSIONS = (".gz", ".bz2", ".zst", ".lz4", ".xz")
"""Suffixes of compressed files."""

COPY_BYTES = 1024 * 1024

COMPRESSION_RATIO = 5
"""Roughly how much larger a compressed file is in memory."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of an input; `first_row` is the number of the first, from 1 without the header."""

    table: pa.Table
    first_row: int


class Source(Protocol):
    """One input, or a part of one that can be read by itself."""

    @property
    def name(self) -> str:
        """The name in messages: the file's path."""

    @property
    def fingerprint(self) -> str:
        """Text that changes when the input changes; empty if unknown."""

    @property
    def estimated_bytes(self) -> int:
        """Estimated size of the rows in memory; 0 if unknown."""

    @property
    def reading_bytes(self) -> int:
        """Estimated memory for reading, in addition to the rows returned."""

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the input from the start, in chunks of about `target_bytes` in memory."""


class FileSource:
    """The base of all inputs that are files."""

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
        """Estimated size of the file's rows in memory."""
        return storage.size(self.path) * (COMPRESSION_RATIO if is_compressed(self.path) else 1)

    @property
    def reading_bytes(self) -> int:
        """Zero: most formats are read in small pieces."""
        return 0


def is_compressed(path: UPath) -> bool:
    """Return whether a file is compressed, by its name."""
    return str(path.path).lower().endswith(COMPRESSIONS)


def open_stream(path: UPath) -> Any:
    """Open a file for sequential reading, decompressed."""
    with storage.storage_errors(path, "reading"):
        name = str(path.path)
        if name.lower().endswith(".xz"):
            return lzma.open(path.fs.open(name, "rb"))
        kind = pa.Codec.detect(name.lower()).name if is_compressed(path) else None
        if storage.is_local(path):
            return pa.input_stream(name, compression=kind)
        return pa.input_stream(path.fs.open(name, "rb"), compression=kind)


def read_up_to(stream: Any, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end of the stream."""
    blocks = []
    while size > 0 and (block := stream.read(size)):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def temporary_copy(path: UPath, suffix: str = "") -> Any:
    """Copy a file, decompressed, to an open temporary file, for readers that need random access."""
    copy = tempfile.NamedTemporaryFile(prefix="hatsformat-", suffix=suffix)  # noqa: SIM115
    try:
        with storage.storage_errors(path, "reading"), open_stream(path) as stream:
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
    """The types inferred from the start of an input do not fit: read it again, as `source`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        super().__init__(source.name)


def rechunk(
    batches: Iterable[pa.RecordBatch | pa.Table], target_bytes: int, first_row: int = 1
) -> Iterator[Chunk]:
    """Join small batches and split large ones into chunks of about `target_bytes`."""
    for tables in _group(batches, target_bytes):
        chunk = Chunk(tables[0] if len(tables) == 1 else pa.concat_tables(tables), first_row)
        first_row += chunk.table.num_rows
        yield chunk


def _group(batches: Iterable[pa.RecordBatch | pa.Table], target_bytes: int) -> Iterator[list[pa.Table]]:
    """Collect tables with the same schema until they reach `target_bytes`."""
    group: list[pa.Table] = []
    held = 0
    for batch in batches:
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        if group and table.schema != group[0].schema:
            yield group
            group, held = [], 0
        for piece in _split(table, target_bytes):
            group.append(piece)
            held += _size(piece)
            if held >= target_bytes:
                yield group
                group, held = [], 0
    if group:
        yield group


def _split(table: pa.Table, target_bytes: int) -> Iterator[pa.Table]:
    pieces = max(1, -(-_size(table) // target_bytes))
    rows = max(1, -(-table.num_rows // pieces))
    for start in range(0, max(1, table.num_rows), rows):
        yield table.slice(start, rows)


def _size(table: pa.Table) -> int:
    try:
        return int(table.nbytes)
    except pa.ArrowTypeError:  # older versions of Arrow cannot tell the size of views
        return int(table.get_total_buffer_size())


def missing_table(path: UPath, wanted: str | None, tables: Sequence[str]) -> InputError:
    """Return the error for a table that is not in a file, or not chosen among several; `tables` are there."""
    if not tables:
        return InputError("no table in the file", path=path)
    return InputError(
        f"{len(tables)} tables in the file" if wanted is None else f"no table {wanted!r} in the file",
        path=path,
        found=", ".join(tables),
        hint="choose one with --table",
    )


def check_names(schema: pa.Schema, path: object) -> None:
    """Raise an `InputError` if a column name is empty or a duplicate."""
    duplicates = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if duplicates or "" in schema.names:
        raise InputError(
            f"duplicate column {duplicates[0]!r}" if duplicates else "a column without a name",
            path=path,
            found=", ".join(schema.names),
            hint="give every column a unique name",
        )
