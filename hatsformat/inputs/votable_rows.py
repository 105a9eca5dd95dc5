"""Split the rows of a VOTable into pieces, whether they are text or bytes in base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from hatsformat.errors import InputError
from hatsformat.inputs.base import read_up_to
from hatsformat.inputs.votable_outline import RowSpan

BLOCK_BYTES = 256 * 1024
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a piece may be, unless it is a single row."""

    size: int  # in bytes as written
    rows: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How many bytes the fields of a row take."""

    lists: tuple[tuple[int, int], ...]
    """For each field of variable length: the bytes before it, since the last such field, and the bytes of an
    item. The field starts with the number of its items, in 4 bytes."""
    rest: int
    """The bytes after the last such field; the whole row if there is none."""

    def whole_rows(self, content: bytearray, limits: Limits) -> tuple[int, int]:
        """Return the size in bytes, and the number, of the whole rows at the start of `content`."""
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
    """Return the layout of rows of kind ``BINARY`` or ``BINARY2``, or None if it is unknown.

    `converters` are Astropy's, one per field. Each one is given zeros to read, to count how many bytes it
    will read of each row.
    """
    lists: list[tuple[int, int]] = []
    skipped = (len(converters) + 7) // 8 if kind == "BINARY2" else 0  # a null flag for every field
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
    """Return how many bytes a converter reads of a field that has `count` items if its length varies."""
    asked: list[int] = []

    def read(length: int) -> bytes:
        asked.append(length)
        return count.to_bytes(4) if len(asked) == 1 and length == 4 else bytes(length)

    with suppress(ArithmeticError, LookupError, ValueError):  # invalid values do not matter here
        converter.binparse(read)
    return sum(asked)


def text_pieces(stream: Any, span: RowSpan, limits: Limits) -> Iterator[tuple[bytes, int]]:
    """Yield pieces of a TABLEDATA element as text, and their number of rows; the stream is at its start."""
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
    """Yield pieces of a STREAM element as base64, and their number of rows; the stream is at its start.

    Raises
    ------
    InputError
        If the last row is incomplete, or the base64 is invalid.
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
            wanted = Limits(2 * wanted.size, limits.rows)  # a row is larger than a piece
        elif content:
            raise InputError("the last row is incomplete", found=f"{len(content)} bytes")


def decode_base64(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Decode base64 given in blocks of any size, with line ends anywhere; yield no empty block.

    Raises
    ------
    InputError
        If the data is incomplete, or continues after its padding.
    """
    rest = b""
    for text in texts:
        rest += text.translate(None, _NOT_BASE64)
        whole = len(rest) // 4 * 4
        if b"=" in rest[: max(0, whole - 2)]:
            raise InputError("base64 data continues after its padding")
        if b"=" in rest[:whole]:
            continue  # padding: the end, unless more follows
        if whole:
            yield base64.b64decode(rest[:whole])
            rest = rest[whole:]
    if rest:
        try:
            last = binascii.a2b_base64(rest, strict_mode=True)
        except binascii.Error as error:
            raise InputError(f"invalid base64: {error}") from error
        if last:
            yield last


def _text_of(stream: Any, length: int) -> Iterator[bytes]:
    """Yield the text of a part of an XML file, without comments and markup; base64 is always ASCII."""
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
    content = read_up_to(stream, length)
    if len(content) < length:
        raise InputError("the file shrank while it was being read")
    return content
