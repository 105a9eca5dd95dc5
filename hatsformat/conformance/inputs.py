"""Tables for the tests of writers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from hatsformat.conformance.sky import stars


def writer_input(kind: str) -> pa.Table:
    """Return a table with the columns id, ra, dec, mag and band.

    Parameters
    ----------
    kind : {"stars", "one", "nulls", "edges", "same position"}
        The stars of the corpus; one of them; only nulls as magnitudes and bands; the poles, the meridian of
        right ascension 0 and the corners of base tiles; a hundred rows at one position.
    """
    table = stars().table
    if kind == "one":
        return table.slice(5, 1)
    if kind == "nulls":
        nulls = [pa.nulls(table.num_rows, table.schema.field(name).type) for name in ("mag", "band")]
        return table.set_column(3, "mag", nulls[0]).set_column(4, "band", nulls[1])
    if kind == "edges":
        ra = np.array([0.0, 360.0 - 1e-9, 45.0, 90.0, 180.0, 0.0, 123.0, 270.0])
        dec = np.array([0.0, 0.0, 41.8103148957786, 0.0, -41.8103148957786, 90.0, -90.0, 89.9999999])
        return _at_positions(table, ra, dec)
    if kind == "same position":
        return _at_positions(table, np.full(100, 56.75), np.full(100, 24.12))
    return table


def _at_positions(table: pa.Table, ra: np.ndarray, dec: np.ndarray) -> pa.Table:
    rows = table.take(np.arange(len(ra)) % table.num_rows)
    columns = {"id": pa.array(np.arange(len(ra))), "ra": pa.array(ra), "dec": pa.array(dec)}
    for name, values in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, values)
    return rows
