"""VOTables, some rows at a time: Astropy gets small documents with the rows of one piece."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from upath import UPath

from hatsformat.errors import InputError
from hatsformat.inputs.astropy_files import (
    AstropyFile,
    piece_bytes,
    translate_astropy_errors,
    unify_types,
)
from hatsformat.inputs.base import Chunk, FileSource, missing_table
from hatsformat.inputs.columns import from_astropy
from hatsformat.inputs.tables import MemorySource
from hatsformat.inputs.votable_outline import CUT_BYTES, Outline, RowSpan, read_outline
from hatsformat.inputs.votable_rows import (
    Layout,
    Limits,
    binary_pieces,
    row_layout,
    text_pieces,
)


@dataclass(frozen=True, slots=True)
class VotableSource(FileSource):
    """One table of a VOTable; compression is detected from the suffix."""

    path: UPath
    table: str | None = None  # number, ID or name of the table; None for the only one

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the table in chunks of about `target_bytes`.

        The file is read twice: first to find its rows, then to read them.

        Raises
        ------
        InputError
            If the file is malformed or truncated, Astropy cannot read it, or the table is missing.
        """
        pieces = unify_types(self._pieces(piece_bytes(target_bytes)))
        yield from MemorySource(pieces, self.name).chunks(target_bytes)

    def _pieces(self, size: int) -> Iterator[pa.Table]:
        with translate_astropy_errors(self.path, "VOTable"):
            file = AstropyFile.probe(self.path, size)
            rows = self._find_rows(file, size)
            table = _to_arrow(self._select(_tables(file.content()))) if rows is None else None
        if rows is None:
            yield table
            return
        rows_read, count = 0, -1
        with file.open() as stream:
            pieces = rows.pieces(stream)
            while count:
                with translate_astropy_errors(self.path, "VOTable", rows_read):
                    content, count = next(pieces, (b"", 0))
                    # Yield the columns of a table without rows, too.
                    table = self._piece(rows, content, count) if count or not rows_read else None
                if table is not None:
                    yield table
                rows_read += count

    def _find_rows(self, file: AstropyFile, size: int) -> _Rows | None:
        """Find the rows of the table; None if the file must be read whole."""
        if not file.begins_with(b"<"):
            return None  # it may be compressed in a way that Astropy understands
        outline = read_outline(file.blocks(), min(size, CUT_BYTES))
        for span in outline.spans:
            tables = _tables(outline.document, span.table)
            if len(tables) != outline.tables:
                return None  # misplaced tables make the numbers differ
            table = self._select(tables)
            if not table.is_empty():
                converters = [field.converter for field in table.all_fields]
                layout = None if span.kind == "TABLEDATA" else row_layout(converters, span.kind)
                row_bytes = table.array.dtype.itemsize + table.array.mask.dtype.itemsize
                limits = Limits(size, max(1, 2 * size // max(1, row_bytes)))
                return _Rows(outline, span, limits, layout)
        return None

    def _piece(self, rows: _Rows, content: bytes, count: int) -> pa.Table:
        table = self._select(_tables(rows.outline.with_rows(rows.span, content, count), rows.span.table))
        if len(table.array) != count:
            raise InputError("rows were lost while reading", found=len(table.array), expected=count)
        return _to_arrow(table)

    def _select(self, tables: list[Any]) -> Any:
        tables = [table for table in tables if table.fields]
        names = {key: table for table in reversed(tables) for key in (table.name, table.ID) if key}
        names |= {str(number): table for number, table in enumerate(tables)}
        if (self.table is None and len(tables) != 1) or self.table not in (None, *names):
            labels = [
                " ".join(filter(None, (str(number), table.ID, table.name)))
                for number, table in enumerate(tables)
            ]
            raise missing_table(self.path, self.table, labels)
        return tables[0] if self.table is None else names[self.table]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where the rows of the table are, and how to split them; binary rows by their layout."""

    outline: Outline
    span: RowSpan
    limits: Limits
    layout: Layout | None

    def pieces(self, stream: Any) -> Iterator[tuple[bytes, int]]:
        if self.layout is None:
            return text_pieces(stream, self.span, self.limits)
        return binary_pieces(stream, self.span, self.layout, self.limits)


def _tables(document: bytes, number: int | None = None) -> list[Any]:
    """Return all tables of a document, in Astropy's order; if `number` is given, only that one has rows."""
    from astropy.io.votable import parse

    return list(parse(io.BytesIO(document), table_number=number).iter_tables())


def _to_arrow(table: Any) -> pa.Table:
    return from_astropy(table.to_table(use_names_over_ids=True))
