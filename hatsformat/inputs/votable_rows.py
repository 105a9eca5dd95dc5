"""Rows of a VOTable in pieces: where they can be cut, as text or as bytes in base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from hatsformat.errors import InputError
from hatsformat.inputs.votable_outline import RowSpan

BLOCK_BYTES = 256 * 1024
_NO_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a piece may be, but for a single row that is larger.

    Attributes
    ----------
    size : int
        Bytes, as they are written.
    rows : int
    """

    size: int
    rows: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bytes of a row are to be understood.

    Attributes
    ----------
    lists : sequence of tuple of int
        Of each field of any length: how many bytes stand before it, from the end of the one before, and how
        large its items are. It begins with their count, in 4 bytes.
    rest : int
        How many bytes follow the last of these; of rows of one size, all.
    """

    lists: tuple[tuple[int, int], ...]
    rest: int

    def whole_rows(self, content: bytearray, limits: Limits) -> tuple[int, int]:
        """Return how many bytes the whole rows that a piece holds take, and how many they are."""
        size = min(len(content), limits.size)
        if not self.lists:
            rows = min(limits.rows, size // self.rest)
            return rows * self.rest, rows
        end, rows = 0, 0
        while rows < limits.rows:
            offset = end
            for skipped, item in self.lists:
                offset += skipped + 4
                if offset > size:
                    return end, rows
                offset += item * int.from_bytes(content[offset - 4 : offset])
            offset += self.rest
            if offset > size:
                break
            end, rows = offset, rows + 1
        return end, rows


def row_layout(converters: Sequence[Any], kind: str) -> Layout | None:
    """Return the layout of rows, or None where it cannot be told.

    Each of Astropy's converters is given zeros to read, and what it asks for is counted: that is how it will
    go through the rows.

    Parameters
    ----------
    converters : sequence of astropy.io.votable.converters.Converter
        Of the fields, in order.
    kind : str
        ``BINARY`` or ``BINARY2``, where a bit for every field comes first.
    """
    lists: list[tuple[int, int]] = []
    skipped = (len(converters) + 7) // 8 if kind == "BINARY2" else 0
    for converter in converters:
        none, one, two = (_bytes_read(converter, count) for count in range(3))
        if none == one == two:
            skipped += none
        elif none == 4 and two - one == one - none:
            lists.append((skipped, one - none))
            skipped = 0
        else:
            return None
    return Layout(tuple(lists), skipped) if lists or skipped else None


def _bytes_read(converter: Any, count: int) -> int:
    """Return how many bytes a converter reads of a field that, if it is of any length, has `count` items."""
    asked: list[int] = []

    def read(length: int) -> bytes:
        asked.append(length)
        return count.to_bytes(4) if len(asked) == 1 and length == 4 else bytes(length)

    with suppress(ArithmeticError, LookupError, ValueError):  # of values, which do not matter here
        converter.binparse(read)
    return sum(asked)


def text_pieces(stream: Any, span: RowSpan, limits: Limits) -> Iterator[tuple[bytes, int]]:
    """Return the rows of a TABLEDATA element, as text, and how many they are; the stream is at its start."""
    _skip(stream, span.cuts[0])
    first, rows = 0, 0
    for index, more in enumerate(span.rows):
        size = span.cuts[index + 1] - span.cuts[first]
        if index > first and (size > limits.size or rows + more > limits.rows):
            yield _read(stream, span.cuts[index] - span.cuts[first]), rows
            first, rows = index, 0
        rows += more
    yield _read(stream, span.cuts[-1] - span.cuts[first]), rows


def binary_pieces(stream: Any, span: RowSpan, layout: Layout, limits: Limits) -> Iterator[tuple[bytes, int]]:
    """Return the rows of a STREAM in base64, and how many they are; the stream is at its start.

    Raises
    ------
    InputError
        If it ends within a row, or is no base64.
    """
    _skip(stream, span.cuts[0])
    blocks = decode_base64(_text_of(stream, span.cuts[-1] - span.cuts[0]))
    content, more, wanted = bytearray(), True, limits
    while more or content:
        while more and len(content) < wanted.size:
            block = next(blocks, b"")
            content += block
            more = bool(block)
        end, rows = layout.whole_rows(content, wanted)
        if rows:
            yield base64.b64encode(content[:end]), rows
            del content[:end]
            wanted = limits
        elif len(content) >= wanted.size:
            wanted = Limits(2 * wanted.size, limits.rows)  # a row that is larger than a piece
        elif content:
            raise InputError("the rows end within a row", found=f"{len(content)} bytes more than whole rows")


def decode_base64(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Decode base64 that comes in blocks of any size, with line ends anywhere; no block is empty.

    Raises
    ------
    InputError
        If it ends too early, or goes on behind its end.
    """
    rest = b""
    for text in texts:
        rest += text.translate(None, _NO_BASE64)
        whole = len(rest) // 4 * 4
        if b"=" in rest[: max(0, whole - 2)]:
            raise InputError("base64 goes on behind its end")
        if b"=" in rest[:whole]:
            continue  # the end, if nothing follows
        if whole:
            yield base64.b64decode(rest[:whole])
            rest = rest[whole:]
    if rest:
        try:
            last = binascii.a2b_base64(rest, strict_mode=True)
        except binascii.Error as error:
            raise InputError(f"this is no base64: {error}") from error
        if last:
            yield last


def _text_of(stream: Any, length: int) -> Iterator[bytes]:
    """Return the text of a part of an XML file, whatever it is written as; it is ASCII, if it is base64."""
    found: list[str] = []
    parser = expat.ParserCreate("iso-8859-1")
    parser.buffer_text, parser.buffer_size = True, BLOCK_BYTES
    parser.CharacterDataHandler = found.append
    parser.Parse(b"<STREAM>", False)
    while length > 0:
        block = _read(stream, min(length, BLOCK_BYTES))
        length -= len(block)
        parser.Parse(block, False)
        yield "".join(found).encode("ascii")
        found.clear()
    parser.Parse(b"</STREAM>", True)
    yield "".join(found).encode("ascii")


def _skip(stream: Any, length: int) -> None:
    while length > 0:
        length -= len(_read(stream, min(length, BLOCK_BYTES)))


def _read(stream: Any, length: int) -> bytes:
    parts = []
    while length > 0:
        part = stream.read(length)
        if not part:
            raise InputError("the file became shorter while it was read")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
