"""VOTables, some rows at a time: Astropy reads documents that have the rows of one piece each."""

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
from hatsformat.inputs.base import Chunk, FileSource
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
    """One table of a VOTable.

    Attributes
    ----------
    path : UPath
        The file; compression is recognised by its suffix.
    table : str or None
        The number, ID or name of the table; None for the only one.
    """

    path: UPath
    table: str | None = None

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the table, in tables of about `target_bytes`.

        The file is gone through twice: for where its rows are, and for the rows.

        Raises
        ------
        InputError
            If it is malformed or cut short, Astropy cannot read it, or there is no such table.
        """
        pieces = unify_types(self._pieces(piece_bytes(target_bytes)))
        yield from MemorySource(pieces, self.name).chunks(target_bytes)

    def _pieces(self, size: int) -> Iterator[pa.Table]:
        with translate_astropy_errors(self.path, "votable"):
            file = AstropyFile.probe(self.path, size)
            rows = self._rows(file, size)
            table = self._whole(file) if rows is None else None
        if rows is None:
            yield table
            return
        read, count = 0, -1
        with file.open() as stream:
            pieces = rows.pieces(stream)
            while count:
                with translate_astropy_errors(self.path, "votable", behind=read):
                    content, count = next(pieces, (b"", 0))
                    # A table without rows has its columns all the same.
                    table = self._piece(rows, content, count) if count or not read else None
                if table is not None:
                    yield table
                read += count

    def _rows(self, file: AstropyFile, size: int) -> _Rows | None:
        """Return the rows of the table, or None where it cannot be told where they are."""
        if not file.begins_with(b"<"):
            return None  # it may still be something that Astropy decompresses
        outline = read_outline(file.blocks(), min(size, CUT_BYTES))
        for span in outline.spans:
            tables = _tables(outline.document, span.table)
            if len(tables) != outline.tables:
                return None  # some are where no table belongs, and numbers mean nothing
            table = self._chosen(tables)
            if not table.is_empty():
                converters = [field.converter for field in table.all_fields]
                layout = None if span.kind == "TABLEDATA" else row_layout(converters, span.kind)
                row_bytes = table.array.dtype.itemsize + table.array.mask.dtype.itemsize
                limits = Limits(size, max(1, 2 * size // max(1, row_bytes)))
                return _Rows(outline, span, limits, layout)
        return None

    def _whole(self, file: AstropyFile) -> pa.Table:
        return _to_arrow(self._chosen(_tables(file.content())))

    def _piece(self, rows: _Rows, content: bytes, count: int) -> pa.Table:
        table = self._chosen(_tables(rows.outline.with_rows(rows.span, content, count), rows.span.table))
        if len(table.array) != count:
            raise InputError("rows were lost in reading", found=len(table.array), expected=count)
        return _to_arrow(table)

    def _chosen(self, tables: list[Any]) -> Any:
        tables = [table for table in tables if table.fields]
        names = {key: table for table in reversed(tables) for key in (table.name, table.ID) if key}
        names |= {str(number): table for number, table in enumerate(tables)}
        if (self.table is None and len(tables) != 1) or self.table not in (None, *names):
            what = "there is no such table" if self.table else f"there are {len(tables)} tables in the file"
            raise InputError(
                what,
                path=self.path,
                found=self.table,
                hint=f"name one with --table: {', '.join(sorted(names))}" if tables else None,
            )
        return tables[0] if self.table is None else names[self.table]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where the rows of the table are, and how to cut them; binary ones by their layout."""

    outline: Outline
    span: RowSpan
    limits: Limits
    layout: Layout | None

    def pieces(self, stream: Any) -> Iterator[tuple[bytes, int]]:
        if self.layout is None:
            return text_pieces(stream, self.span, self.limits)
        return binary_pieces(stream, self.span, self.layout, self.limits)


def _tables(document: bytes, number: int | None = None) -> list[Any]:
    """Return all tables of a document, in Astropy's order; only the one of a number has rows."""
    from astropy.io.votable import parse

    return list(parse(io.BytesIO(document), table_number=number).iter_tables())


def _to_arrow(table: Any) -> pa.Table:
    return from_astropy(table.to_table(use_names_over_ids=True))
