"""Find the rows of a VOTable: the document without them, and their offsets in the file.

An XML parser reports the offsets of tags, so that comments, CDATA sections, namespaces and encodings are
handled correctly, and a truncated or malformed file is found before a row is read. Rows are dropped while
parsing: only the rest of the document is kept in memory.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.parsers import expat

from hatsformat.errors import InputError

CUT_BYTES = 64 * 1024
CUT_ROWS = 256
"""TABLEDATA can be split after this many bytes or rows, whichever come first."""

_TAG = re.compile(rb"""(<[^<>"'\s/]+)(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_NROWS = re.compile(rb"""\snrows\s*=\s*("\s*\d+\s*"|'\s*\d+\s*')""")
_PARENTS = ["RESOURCE", "TABLE", "DATA"]


@dataclass(frozen=True, slots=True)
class RowSpan:
    """The rows of one table, which are not in the document."""

    table: int  # number of the table in document order, from 0
    kind: str  # TABLEDATA, BINARY or BINARY2
    table_tag: int  # offset in the document of the end of the TABLE tag's name
    offset: int  # offset of the rows in the document
    cuts: array[int] = field(default_factory=lambda: array("q"))
    """Offsets in the file: the start of the rows, where to split them, and their end."""
    rows: array[int] = field(default_factory=lambda: array("q"))
    """Number of rows between two cuts; empty for binary rows."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A VOTable without its rows; rows in an unknown form stay in the document."""

    document: bytes  # without the rows of `spans`, and without `nrows`
    spans: tuple[RowSpan, ...]
    tables: int  # number of TABLE elements

    def with_rows(self, span: RowSpan, rows: bytes, count: int) -> bytes:
        """Return the document with `count` rows, as written in the file, at the offset of a span."""
        parts = (
            self.document[: span.table_tag],
            b' nrows="%d"' % count,  # the parser allocates exactly this many rows
            self.document[span.table_tag : span.offset],
            rows,
            self.document[span.offset :],
        )
        return b"".join(parts)


def read_outline(blocks: Iterable[bytes], cut_bytes: int = CUT_BYTES) -> Outline:
    """Return the outline of a VOTable given in blocks of any size.

    Raises
    ------
    xml.parsers.expat.ExpatError
        If the document is malformed or truncated.
    InputError
        If the base64 data of a STREAM contains elements.
    """
    reader = _Reader(cut_bytes)
    for block in blocks:
        reader.feed(block)
    return reader.finish()


class _Reader:
    """Feeds a document to the parser, notes where the rows are, and drops them."""

    def __init__(self, cut_bytes: int) -> None:
        self._document = bytearray()
        self._spans: list[RowSpan] = []
        self._tables = 0
        self._cut_bytes = cut_bytes
        self._dropped = 0  # offset in the file minus offset in the document
        self._open: list[str] = []
        self._span: RowSpan | None = None  # the span whose rows are being parsed
        self._count = 0
        self._table_tag = 0
        self._inside = ""  # name, with prefix, of the element with the rows
        self._row_name = ""
        self._has_entities = False
        self._parser = expat.ParserCreate()
        self._parser.EntityDeclHandler = self._entity_declared
        self._watch_all()

    def feed(self, block: bytes) -> None:
        self._document += block
        self._parser.Parse(block, False)
        if self._span is not None:
            self._drop(self._span, self._parser.CurrentByteIndex)

    def finish(self) -> Outline:
        self._parser.Parse(b"", True)
        return Outline(bytes(self._document), tuple(self._spans), self._tables)

    def _entity_declared(self, *_: object) -> None:
        self._has_entities = True  # tags inside entities have no offset of their own

    def _watch_all(self) -> None:
        self._parser.StartElementHandler = self._started
        self._parser.EndElementHandler = self._ended

    def _watch_rows(self, name: str) -> None:
        self._inside, self._row_name = name, name.removesuffix("TABLEDATA") + "TR"
        self._parser.StartElementHandler = self._started_in_rows
        self._parser.EndElementHandler = self._ended_in_rows

    def _watch_stream(self, name: str) -> None:
        self._inside = name
        self._parser.StartElementHandler = _refuse_element
        self._parser.EndElementHandler = self._ended_in_rows

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name.rpartition(":")[2])
        if self._open[-1] == "TABLE":
            self._tables += 1
            self._note_table()
        elif self._has_entities or b"\0" in self._document[:4]:  # UTF-16
            return
        elif self._open[-4:] == [*_PARENTS, "TABLEDATA"] and self._is_new():
            self._watch_rows(name)
        elif self._open[-5:-2] == _PARENTS and self._open[-1] == "STREAM" and self._is_new():
            tag = self._tag()
            plain = attributes.get("encoding") == "base64" and "href" not in attributes
            if plain and self._open[-2] in ("BINARY", "BINARY2") and tag and not tag[0].endswith(b"/>"):
                self._begin(self._open[-2], tag.end() + self._dropped)
                self._watch_stream(name)

    def _ended(self, _: str) -> None:
        self._open.pop()

    def _started_in_rows(self, name: str, _: dict[str, str]) -> None:
        if name != self._row_name:
            return
        offset = self._parser.CurrentByteIndex
        if self._span is None:
            self._begin("TABLEDATA", offset)
        elif offset - self._span.cuts[-1] >= self._cut_bytes or self._count == CUT_ROWS:
            self._cut(self._span, offset)
        self._count += 1

    def _ended_in_rows(self, name: str) -> None:
        if name != self._inside:
            return
        if self._span is not None:
            offset = self._parser.CurrentByteIndex
            self._cut(self._span, offset)
            self._drop(self._span, offset)
            self._spans.append(self._span)
            self._span = None
        self._open.pop()
        self._watch_all()

    def _is_new(self) -> bool:
        """Return whether this is the first DATA element of the table."""
        return not self._spans or self._spans[-1].table < self._tables - 1

    def _note_table(self) -> None:
        """Note where the TABLE tag is, and blank out its number of rows, which pieces do not have."""
        if tag := self._tag():
            self._document[tag.start() : tag.end()] = _NROWS.sub(lambda found: b" " * len(found[0]), tag[0])
            self._table_tag = tag.end(1)

    def _tag(self) -> re.Match[bytes] | None:
        return _TAG.match(self._document, self._parser.CurrentByteIndex - self._dropped)

    def _begin(self, kind: str, start: int) -> None:
        self._span = RowSpan(self._tables - 1, kind, self._table_tag, start - self._dropped)
        self._span.cuts.append(start)
        self._count = 0

    def _cut(self, span: RowSpan, offset: int) -> None:
        span.cuts.append(offset)
        if span.kind == "TABLEDATA":
            span.rows.append(self._count)
        self._count = 0

    def _drop(self, span: RowSpan, end: int) -> None:
        """Drop the rows already parsed, up to an offset in the file."""
        size = max(0, end - self._dropped - span.offset)
        del self._document[span.offset : span.offset + size]
        self._dropped += size


def _refuse_element(name: str, _: dict[str, str]) -> None:
    raise InputError("unexpected element in base64 data", found=f"<{name}>", expected="only base64 in STREAM")
