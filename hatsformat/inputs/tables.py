"""Inputs that are tables already: in memory, of any supported type, or in Arrow IPC files and streams."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.arrays import empty_table
from hatsformat.errors import InputError
from hatsformat.inputs.base import (
    Chunk,
    FileSource,
    check_names,
    is_compressed,
    rechunk,
    temporary_copy,
)
from hatsformat.inputs.columns import from_astropy

_IPC_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"
_IPC_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Arrow tables or batches, pandas data frames or Astropy tables, given by the caller."""

    tables: Iterable[Any]
    name: str = "the table"
    fingerprint: str = ""
    estimated_bytes: int = 0
    reading_bytes: int = 0

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Return the rows in chunks of about `target_bytes`."""
        tables = (to_arrow(table, self.name) for table in self.tables)
        for chunk in rechunk(tables, target_bytes):
            check_names(chunk.table.schema, self.name)
            yield chunk


@dataclass(frozen=True, slots=True)
class IpcSource(FileSource):
    """An Arrow IPC file (Feather) or an Arrow IPC stream; compression is detected from the suffix."""

    path: UPath

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the file in chunks of about `target_bytes`; raise an `InputError` if it is broken."""
        with storage.storage_errors(self.path, "reading"), self._open() as file:
            mapped = _map_large_file(file, target_bytes)
            batches = self._batches(file if mapped is None else pa.BufferReader(mapped))
            try:
                for chunk in rechunk(batches, target_bytes):
                    yield chunk
                    if mapped is not None:
                        mapped.madvise(mmap.MADV_DONTNEED)  # pages that were read count as memory
            except pa.ArrowException as error:
                raise InputError(f"cannot be read as Arrow IPC: {error}", path=self.path) from error

    def _open(self) -> Any:
        if is_compressed(self.path):
            return temporary_copy(self.path)
        if storage.is_local(self.path):
            return open(self.path.path, "rb")
        return self.path.fs.open(self.path.path, "rb")

    def _batches(self, stream: Any) -> Iterator[pa.RecordBatch]:
        start = stream.read(len(_IPC_FILE))
        stream.seek(-min(len(_IPC_END), stream.seek(0, os.SEEK_END)), os.SEEK_END)
        end = stream.read()
        stream.seek(0)
        if start == _IPC_FILE:
            reader = pa.ipc.open_file(stream)
            check_names(reader.schema, self.path)
            yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
            return
        if start.startswith(_FEATHER_1):
            raise InputError(
                "Feather version 1 is not supported", path=self.path, hint="convert it to version 2"
            )
        reader = pa.ipc.open_stream(stream)
        check_names(reader.schema, self.path)
        if end != _IPC_END:
            raise InputError(
                "the stream is incomplete", path=self.path, expected="an end marker", hint="write it again"
            )
        # Yield the columns of a stream without batches, too.
        yield empty_table(reader.schema)
        yield from reader


def _map_large_file(file: Any, target_bytes: int) -> mmap.mmap | None:
    """Map a local file larger than a chunk: all its rows may be in one batch."""
    try:
        number = file.fileno()
    except (AttributeError, OSError):
        return None
    if os.fstat(number).st_size <= target_bytes:
        return None
    return mmap.mmap(number, 0, access=mmap.ACCESS_READ)


def to_arrow(table: Any, name: str) -> pa.Table:
    """Convert a table to Arrow; raise an `InputError` if its type is not supported."""
    if isinstance(table, pa.Table):
        return table
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table])
    kind = type(table).__module__.partition(".")[0]
    if kind == "pandas":
        return pa.Table.from_pandas(table).replace_schema_metadata(None)
    if kind == "astropy":
        return from_astropy(table)
    if hasattr(table, "__arrow_c_stream__"):
        return pa.table(table)
    raise InputError(
        "unsupported table type",
        path=name,
        found=type(table).__name__,
        expected="Arrow, pandas or Astropy tables",
    )
