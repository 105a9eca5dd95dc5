"""Convert Arrow tables to pandas, Astropy, Polars and DuckDB."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.errors import MissingExtraError
from hatsformat.outputs.descriptions import column_descriptions

if TYPE_CHECKING:
    import duckdb
    import polars as pl


def to_pandas(table: pa.Table, **options: Any) -> Any:
    """Return a `pandas.DataFrame`, with all columns of the table as columns."""
    try:
        # Files written by pandas may declare a column as the index; keep it as a column.
        return table.to_pandas(ignore_metadata=True, **options)
    except ImportError as error:
        raise MissingExtraError("a pandas data frame", "pandas") from error


_OLDEST_DUCKDB = (1, 5)


class ArrowStream(Protocol):
    """Rows that can be read as an Arrow C stream, such as a table or a scan."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the stream, a PyCapsule."""


def to_polars(table: pa.Table) -> pl.DataFrame:
    """Return a `polars.DataFrame`."""
    try:
        import polars as pl
    except ImportError as error:
        raise MissingExtraError("a polars data frame", "polars") from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # only an array makes a series
    return frame


def to_duckdb(
    rows: ArrowStream, connection: duckdb.DuckDBPyConnection | None = None
) -> duckdb.DuckDBPyRelation:
    """Return a `duckdb.DuckDBPyRelation`, which reads the stream each time it is executed."""
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("a DuckDB relation", "duckdb") from error
    # Older versions read the stream only once, and fail when a relation is executed again.
    if tuple(map(int, duckdb.__version__.split(".")[:2])) < _OLDEST_DUCKDB:
        raise MissingExtraError(f"a DuckDB relation (found DuckDB {duckdb.__version__})", "duckdb")
    return duckdb.from_arrow(rows) if connection is None else connection.from_arrow(rows)


def to_astropy(table: pa.Table) -> Any:
    """Return an `astropy.table.Table` with units and descriptions; missing values are masked."""
    from astropy.table import Column, MaskedColumn, Table

    described = column_descriptions(table.schema)
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        about = described.get(field.name, {})
        values, mask = _to_numpy(column)
        options = {
            "name": field.name,
            "description": about.get("description"),
            "unit": _unit(about.get("unit")),
        }
        if mask is None:
            columns.append(Column(values, **options))
        else:
            columns.append(MaskedColumn(values, mask=mask, **options))
    return Table(columns, copy=False)


def _unit(text: str | None) -> Any:
    from astropy.units import Unit, UnitsWarning

    if not text:
        return None
    with warnings.catch_warnings():
        # Keep units that Astropy does not know.
        warnings.simplefilter("ignore", UnitsWarning)
        return Unit(text, parse_strict="warn")


def _to_numpy(column: pa.ChunkedArray) -> tuple[Any, Any]:
    """Return values, and a mask if some are missing."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    mask = pc.is_null(column).to_numpy() if column.null_count else None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.fill_null(column, "").to_numpy().astype(str), mask
    if pa.types.is_boolean(kind):
        return pc.fill_null(column, False).to_numpy().astype(bool), mask
    if mask is not None and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        column = pc.fill_null(column, pa.scalar(0, type=kind))
    values = column.to_numpy()
    if values.dtype == object:
        # Lists and structs stay Python objects; NumPy must not stack lists of equal length.
        objects = np.empty(len(values), dtype=object)
        objects[:] = list(values)
        values = objects
    return values, mask
