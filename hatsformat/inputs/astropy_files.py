"""What the files that Astropy reads have in common: they are handed to it in pieces, each a small file."""

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
from hatsformat.inputs.base import open_stream

MIN_PIECE = 64 * 1024
BLOCK_BYTES = 256 * 1024


def piece_bytes(target_bytes: int) -> int:
    """Return how much to hand to Astropy at a time, for chunks of about `target_bytes`.

    Its readers take many times the memory of what they read.
    """
    return max(MIN_PIECE, target_bytes // 8)


@dataclass(frozen=True, slots=True)
class AstropyFile:
    """A file that is gone through more than once; a small one is held in memory.

    Attributes
    ----------
    path : UPath
        The file; compression is recognised by its suffix.
    start : bytes
        How it begins.
    is_whole : bool
        Whether that is all of it.
    """

    path: UPath
    start: bytes
    is_whole: bool

    @classmethod
    def probe(cls, path: UPath, size: int) -> AstropyFile:
        """Read how a file begins, no more than `size` bytes."""
        start = b""
        with open_stream(path) as stream:
            while len(start) < size and (block := stream.read(size - len(start))):
                start += block
            return cls(path, start, not stream.read(1))

    def begins_with(self, text: bytes) -> bool:
        """Return whether it begins with some text, but for a mark of UTF-8 and white space."""
        return self.start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(text)

    def open(self) -> Any:
        """Open it for reading, from its start."""
        return io.BytesIO(self.start) if self.is_whole else open_stream(self.path)

    def blocks(self) -> Iterator[bytes]:
        """Read all of it, in pieces of any size."""
        with self.open() as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block

    def content(self) -> bytes:
        """Return all of it."""
        return b"".join(self.blocks())


@contextmanager
def translate_astropy_errors(path: UPath, kind: str, behind: int = 0) -> Iterator[None]:
    """Turn what Astropy's readers raise, which is whatever their parsers do, into an `InputError`.

    Parameters
    ----------
    path : UPath
        The file.
    kind : str
        What it is read as.
    behind : int
        How many rows were read before.
    """
    with storage.storage_errors(path, "reading"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of units and headers that do not matter to rows
                yield
        except HatsError as error:
            error.path = error.path or str(path)
            raise
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            where = f" behind row {behind}" if behind else ""
            raise InputError(f"cannot be read as {kind}{where}: {reason}", path=path) from error


def unify_types(pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Return the pieces of a table, such that no piece has another type than the whole has.

    Lists that are all empty say nothing of their items, which Astropy takes for floats: they become lists of
    whatever the others hold, or of nulls, which go with anything. Where all pieces are like that, the types
    that they came with follow at the end, with no rows.
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
    gc.collect(1)  # Astropy's readers refer to themselves, and would hold what they read for a long time
    return piece


def _has_no_items(column: pa.ChunkedArray) -> bool:
    return pt.is_list(column.type) and not any(len(chunk.flatten()) for chunk in column.chunks)
