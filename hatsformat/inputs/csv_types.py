"""Find text that a number would change: the zeros of 007, the last digits of a long integer.

Arrow's parser infers types from values and does not report how they were written. So `WatchedStream` looks
for leading zeros in the bytes, `inexact_floats` looks for integers too large for a float, and
`narrowest_types` reads suspect columns again, as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

EXACT = 2**53
"""Floats are exact for integers up to this one."""

_DIGITS = 20
_LONGEST = _DIGITS + 2
"""An integer with the bytes before and after it."""

_PIECE_BYTES = 128 * 1024
"""How much to search at a time: it fits in the processor's cache."""

_INTEGER = r"^\s*[+-]?\d+\s*$"
_PADDED = r"^\s*[+-]?0\d+\s*$"
_LONG = r"^\s*[+-]?\d{16,}\s*$"

Bytes = npt.NDArray[np.uint8]


class WatchedStream:
    """A binary stream that looks for integers with leading zeros (`padded`) and counts the quotes."""

    def __init__(self, stream: Any, delimiter: str) -> None:
        self._stream = stream
        self._ends = np.frombuffer((delimiter + '\r\n"').encode(), dtype=np.uint8)
        self._tail = b"\n"
        self.padded = self.closed = False
        self.quotes = 0
        # Arrow reads ahead in another thread, which may be reading when the file is closed.
        self._lock = Lock()

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, count: int = -1) -> bytes:
        """Read a block, and search it together with the end of the block before."""
        with self._lock:
            block: bytes = b"" if self.closed else self._stream.read(count)
        self._search(self._tail + block[:_LONGEST] if block else self._tail + b"\n")
        content = np.frombuffer(block, dtype=np.uint8)
        for first in range(0, len(block), _PIECE_BYTES):
            piece = content[first : first + _PIECE_BYTES + _LONGEST]
            self.quotes += int(np.count_nonzero(piece[:_PIECE_BYTES] == ord('"')))
            self._search(piece)
        self._tail = block[-_LONGEST:] or self._tail
        return block

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.closed = True
            self._stream.close()

    def _search(self, piece: bytes | Bytes) -> None:
        if not self.padded:
            self.padded = self._is_padded(np.frombuffer(piece, dtype=np.uint8))

    def _is_padded(self, block: Bytes) -> bool:
        starts = (block[1:-1] == ord("0")) & _is_digit(block[2:])
        before = block[:-2]
        follows = before == self._ends[0]
        for end in self._ends[1:]:
            follows |= before == end
        stops = np.flatnonzero(starts & follows) + 2
        for _ in range(_DIGITS):
            stops = stops[stops < block.size]
            if not stops.size:
                return False
            digits = _is_digit(block[stops])
            if np.isin(block[stops[~digits]], self._ends).any():
                return True
            stops = stops[digits] + 1
        return False


def _is_digit(values: Bytes) -> npt.NDArray[np.bool_]:
    return (values - np.uint8(ord("0"))) < 10  # smaller values wrap around


def inexact_floats(batch: pa.RecordBatch, known_columns: Iterable[str]) -> Iterator[str]:
    """Yield the float columns with a value so large that it may be a rounded integer."""
    known = set(known_columns)
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_float64(field.type) and field.name not in known:
            ends = pc.min_max(column).as_py()
            if ends["max"] is not None and max(ends["max"], -ends["min"]) >= EXACT:
                yield field.name


def narrowest_types(batches: Iterable[pa.RecordBatch]) -> dict[str, pa.DataType]:
    """Return the narrowest type of each text column that keeps every value: a number type, or text."""
    seen: dict[str, _TextColumn] = {}
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            seen.setdefault(name, _TextColumn()).add(column.filter(pc.not_equal(column, "")))
    return {name: column.narrowest_type() for name, column in seen.items()}


class _TextColumn:
    """What the values of a text column look like so far."""

    def __init__(self) -> None:
        self.padded = self.fractions = False
        self.smallest = self.largest = 0

    def add(self, text: pa.Array) -> None:
        self.padded |= _any(pc.match_substring_regex(text, _PADDED))
        whole = pc.match_substring_regex(text, _INTEGER)
        self.fractions |= _any(pc.invert(whole))
        for value in text.filter(pc.match_substring_regex(text, _LONG)).to_pylist():
            self.smallest, self.largest = min(self.smallest, int(value)), max(self.largest, int(value))

    def narrowest_type(self) -> pa.DataType:
        if self.padded:
            return pa.string()
        if self.fractions:
            exact = max(self.largest, -self.smallest) <= EXACT
            return pa.float64() if exact else pa.string()
        if self.smallest >= -(2**63) and self.largest < 2**63:
            return pa.int64()
        return pa.uint64() if self.smallest >= 0 and self.largest < 2**64 else pa.string()


def _any(mask: pa.Array) -> bool:
    return bool(pc.any(mask).as_py())
