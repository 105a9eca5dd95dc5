"""ECSV, some lines at a time: Astropy gets small files of the header and the lines of one piece."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from upath import UPath

from hatsformat.inputs.astropy_files import (
    AstropyFile,
    piece_bytes,
    translate_astropy_errors,
    unify_types,
)
from hatsformat.inputs.base import Chunk, FileSource, read_up_to
from hatsformat.inputs.columns import from_astropy
from hatsformat.inputs.tables import MemorySource

CELL_COPIES = 16
"""How many times its text a piece may take in memory if one line is much longer than others."""

_HEADER = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n)*+[^\n]+\n")
_NO_ROWS = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z))*+")
_COMMAS = re.compile(rb"""^# delimiter: *['"]?,""", re.MULTILINE)
_OBJECTS = re.compile(rb"""subtype['"]?: *['"]?(json|object)\b""")


@dataclass(frozen=True, slots=True)
class EcsvSource(FileSource):
    """One ECSV file; compression is detected from the suffix."""

    path: UPath

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the file in chunks of about `target_bytes`; raise an `InputError` if Astropy cannot."""
        pieces = unify_types(self._pieces(piece_bytes(target_bytes)))
        yield from MemorySource(pieces, self.name).chunks(target_bytes)

    def _pieces(self, size: int) -> Iterator[pa.Table]:
        with translate_astropy_errors(self.path, "ECSV"):
            file = AstropyFile.probe(self.path, size)
        rows_read = 0
        with file.open() as stream:
            texts = split_ecsv(stream, size)
            while True:
                with translate_astropy_errors(self.path, "ECSV", rows_read):
                    text = next(texts, None)
                    table = None if text is None else _to_arrow(text)
                if table is None:
                    return
                yield table
                rows_read += table.num_rows


def _to_arrow(text: bytes) -> pa.Table:
    from astropy.table import Table

    return from_astropy(Table.read(io.BytesIO(text), format="ascii.ecsv"))


def split_ecsv(stream: Any, size: int) -> Iterator[bytes]:
    """Split an ECSV file into smaller ones with about `size` bytes of whole rows each."""
    header, text = _read_header(stream, size)
    if not _can_split(header):
        yield header + text + stream.read()
        return
    delimiter = b"," if _COMMAS.search(header) else b" "
    wanted, more, any_rows = size, True, False
    while text or more:
        if more and len(text) < wanted:
            text += read_up_to(stream, wanted - len(text))
            more = len(text) == wanted
        end = _find_cut(text, size, delimiter, more)
        if end is None:  # the ends of values are unknown
            yield header + text + stream.read()
            return
        if end == 0 and more:
            wanted *= 2
            continue
        rows, text, wanted = text[: end or len(text)], text[end or len(text) :], size
        if not _NO_ROWS.fullmatch(rows):  # without rows, Astropy cannot tell the shape of arrays
            any_rows = True
            yield header + rows
    if not any_rows:
        yield header


def _read_header(stream: Any, size: int) -> tuple[bytes, bytes]:
    """Return the lines before the rows, down to the column names, and what was read of the rows."""
    text = b""
    while block := stream.read(max(size, len(text))):
        text += block
        if found := _HEADER.match(text):
            return text[: found.end()], text[found.end() :]
    return text, b""


def _can_split(header: bytes) -> bool:
    """Return whether rows can be read separately; the type of object columns depends on all rows."""
    names = header[header.rstrip().rfind(b"\n") + 1 :]
    return (
        header.removeprefix(b"\xef\xbb\xbf").startswith(b"# %ECSV")
        and not _OBJECTS.search(header)
        and names.count(b'"') % 2 == 0
    )


def _find_cut(text: bytes, size: int, delimiter: bytes, more: bool) -> int | None:
    """Return the offset of a row's end, 0 if no row ends, None if quotes do not delimit values.

    Astropy keeps every text of a column in as many bytes as the longest one, so a piece with one long line
    may have only a few lines.
    """
    content = np.frombuffer(text, dtype=np.uint8)
    quotes = np.flatnonzero(content == ord('"'))
    ends = np.flatnonzero(content == ord("\n")) + 1
    if not more and text[-1:] != b"\n":
        ends = np.append(ends, len(text))
    ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    if not ends.size:
        return 0
    longest = np.maximum.accumulate(np.diff(ends, prepend=0))
    allowed = longest * np.arange(1, ends.size + 1) <= CELL_COPIES * size
    end = int(ends[max(1, int(allowed.sum())) - 1])
    return end if _quotes_open_values(content, quotes[quotes < end], delimiter) else None


def _quotes_open_values(
    content: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], delimiter: bytes
) -> bool:
    """Return whether every other quote begins a value, or follows another quote."""
    opening = quotes[::2]
    before = content[opening[opening > 0] - 1]
    return bool(np.isin(before, np.frombuffer(delimiter + b'\r\n"', dtype=np.uint8)).all())
