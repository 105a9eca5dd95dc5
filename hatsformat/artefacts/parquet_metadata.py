"""``_metadata`` and ``_common_metadata``: all leaves' footers, and their one schema (Note, section 3.6).

Both are optional. ``_common_metadata`` is small and holds the schema; ``_metadata`` grows with the number of
leaves and is never needed to read a catalog.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf import read_footer
from hatsformat.errors import LeafError


def write_metadata(place: UPath, schema: pa.Schema, footers: Iterable[tuple[str, pq.FileMetaData]]) -> int:
    """Write ``dataset/_metadata``: the row groups of all leaves, each with the path of its file.

    The footers are taken one after the other, so a generator need not hold them all; the time is linear in
    their number.

    Parameters
    ----------
    place : UPath
        The file to write.
    schema : pyarrow.Schema
        The catalog's schema; its metadata becomes the file's key-values.
    footers : iterable of (str, pyarrow.parquet.FileMetaData)
        For every leaf its path relative to ``dataset/``, such as ``Norder=0/Dir=0/Npix=0.parquet``, and its
        footer. The path is set in the footer itself (`FileMetaData.set_file_path`): hand over a copy where
        that matters.

    Returns
    -------
    int
        The number of rows in all leaves.

    Raises
    ------
    LeafError
        If a leaf has another schema.
    StorageError
        If the file cannot be written.
    """
    return _write_merged(place, _footer_without_rows(schema), footers)


def extend_metadata(known: UPath, place: UPath, footers: Iterable[tuple[str, pq.FileMetaData]]) -> int:
    """Write a ``dataset/_metadata`` with the row groups of another and, after them, those of new leaves.

    Parameters
    ----------
    known : UPath
        The one there is.
    place : UPath
        The file to write.
    footers : iterable of (str, pyarrow.parquet.FileMetaData)
        As in `write_metadata`.

    Returns
    -------
    int
        The number of rows in all leaves.

    Raises
    ------
    LeafError
        If a leaf has another schema.
    """
    return _write_merged(place, read_footer(known), footers)


def _write_merged(
    place: UPath, merged: pq.FileMetaData, footers: Iterable[tuple[str, pq.FileMetaData]]
) -> int:
    for path, footer in footers:
        footer.set_file_path(path)
        try:
            merged.append_row_groups(footer)
        except (RuntimeError, pa.ArrowException) as error:
            raise LeafError(
                "the leaf's columns are not the catalog's", path=path, found=str(error).strip()
            ) from error
    with storage.atomic_writer(place) as stream:
        merged.write_metadata_file(stream)
    return int(merged.num_rows)


def write_common_metadata(place: UPath, schema: pa.Schema) -> None:
    """Write ``dataset/_common_metadata``: the full schema and its key-values, no rows.

    Parameters
    ----------
    place : UPath
        The file to write.
    schema : pyarrow.Schema
        The catalog's schema.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    with storage.atomic_writer(place) as stream:
        _footer_without_rows(schema).write_metadata_file(stream)


def read_common_schema(place: UPath) -> pa.Schema:
    """Return the Arrow schema, with its key-values, of ``_common_metadata`` or of any other Parquet file.

    Raises
    ------
    NotFoundError
        If there is no such file.
    LeafError
        If it is not Parquet, or holds columns that Arrow does not know.
    """
    footer = read_footer(place)
    try:
        return footer.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise LeafError("its columns cannot be read", path=place, found=str(error).strip()) from error


def metadata_leaves(footer: pq.FileMetaData) -> list[str]:
    """Return the leaves that a ``_metadata`` names: paths relative to ``dataset/``, in order, each once.

    Parameters
    ----------
    footer : pyarrow.parquet.FileMetaData
        The content of ``_metadata``, from `hatsformat.artefacts.leaf.read_footer`.

    Returns
    -------
    list of str
        As they stand in the file: a broken one may name paths outside the catalog
        (see `hatsformat.layout.is_inside`). Row groups that name no file are left out.
    """
    return list(rows_of_leaves(footer))


def rows_of_leaves(footer: pq.FileMetaData) -> dict[str, int]:
    """Return the leaves that a ``_metadata`` names, as `metadata_leaves`, with the rows of each."""
    rows: dict[str, int] = {}
    if footer.num_columns:
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            if path := group.column(0).file_path:
                rows[path] = rows.get(path, 0) + group.num_rows
    return rows


def _footer_without_rows(schema: pa.Schema) -> pq.FileMetaData:
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema).close()
    return pq.read_metadata(pa.BufferReader(sink.getvalue()))
