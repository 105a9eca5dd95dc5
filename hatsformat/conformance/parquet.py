"""Encoding and decoding of the Parquet files of the corpus, with plain pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from hatsformat.conformance.tree import Content, Tree, content, leaves
from hatsformat.layout import METADATA

GROUP_ROWS = 10
"""Rows in a row group; few, so that leaves have several row groups."""


@dataclass(frozen=True, slots=True)
class Writing:
    """Options of a Parquet file.

    Attributes
    ----------
    group_rows : int
    statistics : bool
        Whether to write column statistics to the footer.
    plain : bool
        Whether to write the values without compression and encoding.
    sorted_by : str
        The column that the footer declares the rows to be sorted by.
    """

    group_rows: int = GROUP_ROWS
    statistics: bool = True
    plain: bool = False
    sorted_by: str = ""


def encode(table: pa.Table, writing: Writing | None = None) -> bytes:
    """Return the content of a Parquet file."""
    options = writing or Writing()
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=options.group_rows,
        compression="none" if options.plain else "zstd",
        use_dictionary=not options.plain,
        write_statistics=options.statistics,
        sorting_columns=[pq.SortingColumn(table.column_names.index(options.sorted_by))]
        if options.sorted_by
        else None,
    )
    return sink.getvalue()


def decode(data: bytes) -> pa.Table:
    """Return the rows of a Parquet file, without columns from its path."""
    return pq.ParquetFile(pa.BufferReader(data)).read()


def footer_of(data: bytes) -> pq.FileMetaData:
    """Return the footer of a Parquet file."""
    return pq.read_metadata(pa.BufferReader(data))


def schema_only(schema: pa.Schema) -> bytes:
    """Return the content of a ``_common_metadata``."""
    return _joined(schema, [])


def joined_footers(tree: Tree, schema: pa.Schema, prefix: str = "") -> bytes:
    """Return the content of a member's ``_metadata``, from its leaves."""
    start = len(prefix) + METADATA.rindex("/") + 1
    footers = []
    for path in leaves(tree, prefix):
        footer = footer_of(content(tree, path))
        footer.set_file_path(path[start:])
        footers.append(footer)
    return _joined(schema, footers)


def _joined(schema: pa.Schema, footers: Iterable[pq.FileMetaData]) -> bytes:
    sink = io.BytesIO()
    pq.ParquetWriter(sink, schema).close()
    merged = footer_of(sink.getvalue())
    for footer in footers:
        merged.append_row_groups(footer)
    out = io.BytesIO()
    merged.write_metadata_file(out)
    return out.getvalue()


def all_rows(tree: Tree, prefix: str = "") -> pa.Table:
    """Return the rows of all leaves of a member, with the columns of the first leaf."""
    tables = [decode(content(tree, path)) for path in leaves(tree, prefix)]
    return pa.concat_tables([table.select(tables[0].column_names) for table in tables])


def rewritten(data: Content, table: pa.Table, writing: Writing | None = None) -> bytes:
    """Return a Parquet file with other rows, in row groups as large as the largest of the old file."""
    if writing is None and isinstance(data, bytes):
        footer = footer_of(data)
        sizes = [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]
        writing = Writing(group_rows=max([GROUP_ROWS, *sizes]))
    return encode(table, writing)
