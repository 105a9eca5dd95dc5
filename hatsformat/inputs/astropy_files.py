"""Shared by the formats that Astropy reads: it is given one piece at a time, each a small file."""

from __future__ import annotations

import gc
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from upath import UPath

from hatsformat import storage
from hatsformat.arrays import empty_table
from hatsformat.errors import HatsError, InputError
from hatsformat.inputs.base import open_stream, read_up_to

MIN_PIECE = 64 * 1024
BLOCK_BYTES = 256 * 1024


def piece_bytes(target_bytes: int) -> int:
    """Return the size of the pieces to give Astropy, for chunks of about `target_bytes`."""
    return max(MIN_PIECE, target_bytes // 8)  # its readers need many times the memory of what they read


@dataclass(frozen=True, slots=True)
class AstropyFile:
    """A file that is read more than once; a small one is kept in memory."""

    path: UPath
    start: bytes
    is_whole: bool  # whether `start` is the whole file

    @classmethod
    def probe(cls, path: UPath, size: int) -> AstropyFile:
        """Read the first `size` bytes of a file."""
        with open_stream(path) as stream:
            return cls(path, read_up_to(stream, size), not stream.read(1))

    def begins_with(self, text: bytes) -> bool:
        """Return whether the file begins with `text`, after any byte order mark and white space."""
        return self.start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(text)

    def open(self) -> Any:
        """Open the file at its start."""
        return io.BytesIO(self.start) if self.is_whole else open_stream(self.path)

    def blocks(self) -> Iterator[bytes]:
        """Read the whole file, in blocks of any size."""
        with self.open() as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block

    def content(self) -> bytes:
        """Read the whole file."""
        return b"".join(self.blocks())


@contextmanager
def translate_astropy_errors(path: UPath, kind: str, rows_read: int = 0) -> Iterator[None]:
    """Turn any error of Astropy's readers into an `InputError` that says where in the file it happened."""
    with storage.storage_errors(path, "reading"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about units and headers, which do not affect rows
                yield
        except HatsError as error:
            error.path = error.path or str(path)
            raise
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            where = f" after row {rows_read}" if rows_read else ""
            raise InputError(f"cannot be read as {kind}{where}: {reason}", path=path) from error


def unify_types(pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield the pieces of a table with the types that the whole table has.

    Astropy assumes floats for the items of a column whose lists are all empty. Such a column gets the type
    that earlier pieces have, or lists of nulls, which fit any type. If no piece has items, an empty table at
    the end has Astropy's types.
    """
    types: dict[str, pa.DataType] = {}
    piece, following = _next(pieces), _next(pieces)
    if piece is not None and following is None:
        yield piece
        return
    while piece is not None:
        schema = piece.schema
        for index, column in enumerate(schema):
            if not _has_no_items(piece[column.name]):
                types.setdefault(column.name, column.type)
                continue
            kind = types.get(column.name, pa.list_(pa.null()))
            empty = pc.if_else(piece[column.name].is_valid(), pa.scalar([], kind), pa.scalar(None, kind))
            piece = piece.set_column(index, column.with_type(kind), empty)
        yield piece
        piece, following = following, _next(pieces)
    if set(schema.names) - types.keys():
        yield empty_table(pa.schema([field.with_type(types.get(field.name, field.type)) for field in schema]))


def _next(pieces: Iterator[pa.Table]) -> pa.Table | None:
    piece = next(pieces, None)
    gc.collect(1)  # Astropy's readers have reference cycles, which would keep what they read in memory
    return piece


def _has_no_items(column: pa.ChunkedArray) -> bool:
    return pt.is_list(column.type) and not any(len(chunk.flatten()) for chunk in column.chunks)
