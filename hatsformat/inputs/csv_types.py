"""What text holds that a number would lose: the zeros in front of 007, the last digits of a long integer.

Arrow's parser infers types from values and says nothing of how they were written. So the bytes are watched
as they pass, floats are watched for integers beyond their precision, and columns under suspicion are read
once more as text.
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
"""Integers up to here are floats, too."""

_DIGITS = 20
_LONGEST = _DIGITS + 2
"""An integer with what stands before and behind it."""

_PIECE_BYTES = 128 * 1024
"""What is looked at at a time: it stays in the processor's cache."""

_INTEGER = r"^\s*[+-]?\d+\s*$"
_PADDED = r"^\s*[+-]?0\d+\s*$"
_LONG = r"^\s*[+-]?\d{16,}\s*$"

Bytes = npt.NDArray[np.uint8]


class WatchedStream:
    """A file that is read from the start, watched for integers with zeros in front.

    Parameters
    ----------
    stream : binary file
    delimiter : str

    Attributes
    ----------
    padded : bool
        Whether there was one.
    quotes : int
        How many quotes there were.
    """

    def __init__(self, stream: Any, delimiter: str) -> None:
        self._stream = stream
        self._ends = np.frombuffer((delimiter + '\r\n"').encode(), dtype=np.uint8)
        self._tail = b"\n"
        self.padded = self.closed = False
        self.quotes = 0
        # Arrow reads ahead in a thread of its own, which may be at it when the file is closed.
        self._lock = Lock()

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, count: int = -1) -> bytes:
        """Read, and look at what was read together with the end of what was read before."""
        with self._lock:
            block: bytes = b"" if self.closed else self._stream.read(count)
        self._look(self._tail + block[:_LONGEST] if block else self._tail + b"\n")
        content = np.frombuffer(block, dtype=np.uint8)
        for first in range(0, len(block), _PIECE_BYTES):
            piece = content[first : first + _PIECE_BYTES + _LONGEST]
            self.quotes += int(np.count_nonzero(piece[:_PIECE_BYTES] == ord('"')))
            self._look(piece)
        self._tail = block[-_LONGEST:] or self._tail
        return block

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.closed = True
            self._stream.close()

    def _look(self, piece: bytes | Bytes) -> None:
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
    return (values - np.uint8(ord("0"))) < 10  # what is smaller wraps around


def inexact_floats(batch: pa.RecordBatch, known_columns: Iterable[str]) -> Iterator[str]:
    """Yield the columns of floats that hold a number which might have been a longer integer."""
    known = set(known_columns)
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_float64(field.type) and field.name not in known:
            ends = pc.min_max(column).as_py()
            if ends["max"] is not None and max(ends["max"], -ends["min"]) >= EXACT:
                yield field.name


def narrowest_types(batches: Iterable[pa.RecordBatch]) -> dict[str, pa.DataType]:
    """Return for columns of text the narrowest type of numbers that loses nothing, or text."""
    seen: dict[str, _TextColumn] = {}
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            seen.setdefault(name, _TextColumn()).look(column.filter(pc.not_equal(column, "")))
    return {name: column.narrowest_type() for name, column in seen.items()}


class _TextColumn:
    """What was seen in a column of text."""

    def __init__(self) -> None:
        self.padded = self.fractions = False
        self.smallest = self.largest = 0

    def look(self, text: pa.Array) -> None:
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
