"""``data_thumbnail.parquet``: the first row of every leaf, as a sample (Note, section 3.6.4)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from upath import UPath

from hatsformat.arrays import empty_table
from hatsformat.artefacts.leaf import LeafFormat, write_leaf
from hatsformat.errors import LeafError

_BATCH = 1_000
"""Tables of one row have a large overhead, so they are concatenated in batches of this size."""


def write_thumbnail(
    path: UPath,
    schema: pa.Schema,
    first_rows: FirstRows | Iterable[pa.Table],
    max_rows: int,
    leaf: LeafFormat,
) -> int:
    """Write ``data_thumbnail.parquet``.

    Parameters
    ----------
    path : UPath
        The file to write.
    schema : pyarrow.Schema
        The catalog's schema, which the thumbnail shares.
    first_rows : FirstRows, or iterable of pyarrow.Table
        One table for each leaf, of which the first row is used; empty tables are skipped.
    max_rows : int
        Maximum number of rows: the threshold at which leaves are split, which also applies to thumbnails. If
        there are more leaves, evenly spaced ones are chosen.
    leaf : LeafFormat
        How leaves are written and sorted; the same is done here.

    Returns
    -------
    int
        The number of rows written.

    Raises
    ------
    LeafError
        If the columns of a row differ from the schema.
    StorageError
        If the file cannot be written.
    """
    if isinstance(first_rows, FirstRows):
        rows = first_rows.table()
    else:
        collected = FirstRows(path, schema)
        for table in first_rows:
            collected.add(table)
        rows = collected.table()
    if rows.num_rows > max_rows:
        chosen = np.linspace(0, rows.num_rows - 1, max(0, max_rows)).round().astype(np.int64)
        rows = rows.take(chosen)
    order = [(name, "ascending") for name in leaf.sorting if name in schema.names]
    write_leaf(path, rows.sort_by(order) if order else rows, leaf)
    return int(rows.num_rows)


class FirstRows:
    """Collect the first rows of many tables.

    Parameters
    ----------
    path : UPath
        The path of the thumbnail, for messages.
    schema : pyarrow.Schema
    """

    def __init__(self, path: UPath, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._done, self._waiting = [empty_table(schema)], list[pa.Table]()

    def add(self, table: pa.Table) -> None:
        """Add the first row of a table, if it has any.

        Raises
        ------
        LeafError
            If its columns differ from the schema.
        """
        if table.num_rows == 0:
            return
        try:
            # `take` copies the row: a slice would keep the whole table alive.
            self._waiting.append(table.take([0]).cast(self._schema))
        except (pa.ArrowException, ValueError) as error:
            raise LeafError(
                "the columns of a leaf differ from the catalog's schema", path=self._path, found=str(error)
            ) from error
        if len(self._waiting) == _BATCH:
            self._done.append(pa.concat_tables(self._waiting).combine_chunks())
            self._waiting = []

    def table(self) -> pa.Table:
        """Return the rows so far, in one table."""
        return pa.concat_tables([*self._done, *self._waiting]).combine_chunks()
