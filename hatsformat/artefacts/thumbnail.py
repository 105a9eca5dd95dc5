"""``data_thumbnail.parquet``: the first row of every leaf, as a sample (Note, section 3.6.4)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from upath import UPath

from hatsformat.artefacts.leaf import LeafFormat, write_leaf
from hatsformat.errors import LeafError

_BATCH = 1_000
"""Tables of one row cost far more than their row: so many are joined into one at a time."""


def write_thumbnail(
    place: UPath, schema: pa.Schema, first_rows: Iterable[pa.Table], max_rows: int, leaf: LeafFormat
) -> int:
    """Write ``data_thumbnail.parquet``.

    Parameters
    ----------
    place : UPath
        The file to write.
    schema : pyarrow.Schema
        The catalog's schema, which the thumbnail shares.
    first_rows : iterable of pyarrow.Table
        One table a leaf, of which the first row is taken; an empty one adds nothing.
    max_rows : int
        The most rows to write: the threshold at which leaves are split, which no thumbnail may pass. Of more
        leaves, evenly spaced ones are chosen.
    leaf : LeafFormat
        How leaves are written; the rows are sorted as theirs are.

    Returns
    -------
    int
        The number of rows written.

    Raises
    ------
    LeafError
        If a row has other columns than the schema.
    StorageError
        If the file cannot be written.
    """
    try:
        rows = _joined(schema, first_rows)
    except (pa.ArrowException, ValueError) as error:
        raise LeafError("the leaves' columns are not the catalog's", path=place, found=str(error)) from error
    if rows.num_rows > max_rows:
        chosen = np.linspace(0, rows.num_rows - 1, max(0, max_rows)).round().astype(np.int64)
        rows = rows.take(chosen)
    order = [(name, "ascending") for name in leaf.sorting if name in schema.names]
    write_leaf(place, rows.sort_by(order) if order else rows, leaf)
    return int(rows.num_rows)


def _joined(schema: pa.Schema, tables: Iterable[pa.Table]) -> pa.Table:
    done, waiting = [schema.empty_table()], []
    for table in tables:
        if table.num_rows == 0:
            continue
        # `take` copies the row: a slice would keep the whole table alive.
        waiting.append(table.take([0]).cast(schema))
        if len(waiting) == _BATCH:
            done.append(pa.concat_tables(waiting).combine_chunks())
            waiting = []
    return pa.concat_tables([*done, *waiting]).combine_chunks()
