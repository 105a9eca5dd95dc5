"""Stage 1, mapping: read every input once, find each row's pixel, count the rows per pixel, and keep the rows
sorted along the sky.

Counting is what the stage is named for. Keeping the sorted rows makes the later stages cheap: whatever tiles
binning chooses, a tile's rows lie side by side in every run, and no input is read or parsed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from hatsformat.arrays import as_integers, from_numbers, without_views
from hatsformat.errors import CoordinatesError, InputError
from hatsformat.healpix import MAX_ORDER, IntArray, radec_to_pixel
from hatsformat.inputs import Chunk, CsvSource, Source
from hatsformat.layout import HIVE_COLUMNS
from hatsformat.partitioner.coordinates import (
    REASONS,
    CoordinateColumns,
    Positions,
    needs_conversion,
    positions,
)
from hatsformat.partitioner.pixel_counts import Counts, PixelCounts, Tally
from hatsformat.partitioner.row_sizes import row_sizes
from hatsformat.partitioner.runs import Run, RunStore
from hatsformat.partitioner.schema import InputSchema, check_storable, long_integers, plan_schema
from hatsformat.partitioner.sorting import stable_sort, take_rows

RA_DEGREES, DEC_DEGREES = "ra_deg", "dec_deg"
"""Columns added where the input's own coordinates are not decimal degrees in ICRS."""

FILE_COLUMN, ROW_COLUMN, REASON_COLUMN = "_file", "_row", "_reason"
"""Columns of a quarantined row beside its own."""

PATH_COLUMNS = frozenset(HIVE_COLUMNS[:3])
"""Columns that older writers repeat from the path of a leaf."""


@dataclass(frozen=True, slots=True)
class MapSettings:
    """How rows are mapped.

    Attributes
    ----------
    columns : CoordinateColumns or None
        Where the positions are. None for leaves of a catalog, whose index column has the pixel of each row.
    order : int
        The order to count at.
    index_column : str
        Name of the index column. An input's own column of this name is dropped, since it is made anew.
    bad_coordinates : str
        ``error``, ``drop`` or ``quarantine``.
    chunk_bytes : int
        Size of the chunks that are held and sorted at a time.
    weigh : bool
        Whether to count bytes as well as rows.
    """

    columns: CoordinateColumns | None
    order: int
    index_column: str
    bad_coordinates: str = "error"
    chunk_bytes: int = 128 * 1024 * 1024
    weigh: bool = False


class InputCounts(Protocol):
    """The counts of one input, in memory or on scratch."""

    def load(self) -> tuple[Counts, Counts]:
        """Return the rows in every pixel, and the bytes if they were asked for."""


@dataclass(frozen=True, slots=True)
class MemoryCounts:
    """The counts of one input, in memory."""

    rows: Counts
    weights: Counts

    def load(self) -> tuple[Counts, Counts]:
        """Return the rows in every pixel, and the bytes if they were asked for."""
        return self.rows, self.weights


@dataclass(frozen=True, slots=True)
class MappedInput:
    """What mapping found in one input.

    Attributes
    ----------
    runs, rejected : tuple of Run
        The rows with a position, sorted along the sky, and those without one if they are kept.
    rows_read, rows_rejected : int
    schema : InputSchema
    counts : InputCounts
    """

    runs: tuple[Run, ...]
    rejected: tuple[Run, ...]
    rows_read: int
    rows_rejected: int
    schema: InputSchema
    counts: InputCounts


@dataclass(frozen=True, slots=True)
class MappedRows:
    """What mapping found in all inputs.

    Attributes
    ----------
    counts, weights : PixelCounts or SkyCounts
        Rows in every pixel, and bytes if they were asked for.
    runs, rejected : list of Run
        In the order of the inputs.
    rows_read, rows_rejected : int
    """

    counts: Counts
    weights: Counts
    runs: list[Run]
    rejected: list[Run]
    rows_read: int
    rows_rejected: int

    def release(self) -> None:
        """Let go of the rows."""
        self.runs.clear()


def map_source(index: int, source: Source, settings: MapSettings, store: RunStore) -> MappedInput:
    """Map one input, the one with this index among all inputs.

    Raises
    ------
    CoordinatesError
        If a row has no position and such rows are errors.
    RereadError
        If the column types guessed from its start do not hold.
    """
    mapper = InputMapper(index, source.name, settings, store, inferred=isinstance(source, CsvSource))
    try:
        for chunk in source.chunks(settings.chunk_bytes):
            mapper.add(chunk)
    except BaseException:
        mapper.discard()
        raise
    return mapper.finish()


def merge(parts: Iterable[MappedInput], order: int) -> MappedRows:
    """Combine what was found in all inputs, counted at `order`."""
    counts, weights = Tally(order), Tally(order)
    runs: list[Run] = []
    rejected: list[Run] = []
    rows_read = rows_rejected = 0
    for part in parts:
        of_rows, of_bytes = part.counts.load()
        counts.add(of_rows)
        weights.add(of_bytes)
        runs += part.runs
        rejected += part.rejected
        rows_read += part.rows_read
        rows_rejected += part.rows_rejected
    runs.sort(key=lambda run: run.sequence)
    rejected.sort(key=lambda run: run.sequence)
    return MappedRows(counts.total(), weights.total(), runs, rejected, rows_read, rows_rejected)


class InputMapper:
    """Maps the chunks of one input, one after the other; `inferred` types were guessed from text."""

    def __init__(
        self, index: int, name: str, settings: MapSettings, store: RunStore, *, inferred: bool = False
    ) -> None:
        self._index, self._name, self._settings, self._store = index, name, settings, store
        self._counts, self._weights = Tally(settings.order), Tally(settings.order)
        self._runs: list[Run] = []
        self._rejected: list[Run] = []
        self._schema: pa.Schema | None = None
        self._inferred, self._long = inferred, frozenset[str]()
        self._chunks = self.rows_read = self._rows_rejected = 0

    def add(self, chunk: Chunk) -> None:
        """Map some more rows."""
        if self._schema is None:
            check_storable(chunk.table.schema, self._name)
        chunk = replace(chunk, table=without_views(chunk.table))
        table, pixels = self._sorted(chunk)
        self.rows_read += chunk.table.num_rows
        self._schema = _common_schema(self._name, self._schema, table.schema)
        if self._inferred:
            self._long |= long_integers(table)
        if pixels.size:
            self._runs.append(self._store.keep(self._sequence, self._name, table, pixels))
            order = self._settings.order
            self._counts.add(PixelCounts.of_sorted(pixels, order))
            if self._settings.weigh:
                self._weights.add(PixelCounts.of_sorted(pixels, order, row_sizes(table)))
        self._chunks += 1

    def finish(self) -> MappedInput:
        """Return what was found."""
        schema = pa.schema([]) if self._schema is None else self._schema
        return MappedInput(
            tuple(self._runs),
            tuple(self._rejected),
            self.rows_read,
            self._rows_rejected,
            InputSchema(self._name, schema, self._inferred, self._long),
            MemoryCounts(self._counts.total(), self._weights.total()),
        )

    def discard(self) -> None:
        """Let go of all rows."""
        self._store.release([*self._runs, *self._rejected])

    @property
    def _sequence(self) -> tuple[int, int]:
        return self._index, self._chunks

    def _sorted(self, chunk: Chunk) -> tuple[pa.Table, IntArray]:
        """Return the rows with a position, sorted along the sky, and their order-29 pixels."""
        settings = self._settings
        if settings.columns is None:
            pixels = as_integers(chunk.table.column(settings.index_column))
            ascending, by_sky = stable_sort(pixels)
            return take_rows(chunk.table.drop_columns([settings.index_column]), by_sky), ascending
        found = positions(chunk.table, settings.columns, self._name)
        bad = np.flatnonzero(found.reasons)
        if bad.size:
            self._reject(chunk, found, bad, settings.columns)
        return sorted_rows(chunk.table, found, settings)

    def _reject(self, chunk: Chunk, found: Positions, bad: IntArray, columns: CoordinateColumns) -> None:
        if self._settings.bad_coordinates == "error":
            raise _no_position(chunk, found, bad, columns, self._name)
        self._rows_rejected += bad.size
        if self._settings.bad_coordinates == "quarantine":
            table = _with_reasons(chunk, found, bad, self._name)
            rows = chunk.first_row + bad
            self._rejected.append(self._store.keep(self._sequence, self._name, table, rows, "rejected"))


def check_columns(schema: pa.Schema, columns: CoordinateColumns, name: object) -> None:
    """Raise `ColumnError` or `SchemaError` if coordinate columns are missing or a column cannot be stored."""
    needs_conversion(schema, columns, name)
    check_storable(schema, name)


def check_rows(mapped: MappedRows, name: object) -> None:
    """Raise `InputError` if there are no rows to make a catalog of."""
    if not mapped.runs:
        what = "no row has a position on the sky" if mapped.rows_read else "there are no rows in the input"
        raise InputError(what, path=name, hint="check the file and the coordinate columns")


def _common_schema(name: str, known: pa.Schema | None, schema: pa.Schema) -> pa.Schema:
    """Return the schema of all chunks so far; in a stream of tables they may differ."""
    if known is None or known.equals(schema):
        return schema
    return plan_schema([InputSchema(name, known), InputSchema(name, schema)])


def sorted_rows(table: pa.Table, found: Positions, settings: MapSettings) -> tuple[pa.Table, IntArray]:
    """Return the rows with a position, sorted along the sky, and their order-29 pixels.

    The index column is dropped, and so are ``Norder``, ``Dir`` and ``Npix`` of older catalogs: the catalog
    gets its own. Columns in degrees are added where the input has other units.
    """
    dropped = {settings.index_column}
    if set(table.column_names) >= PATH_COLUMNS:
        dropped |= PATH_COLUMNS
    table = table.select([name for name in table.column_names if name not in dropped])
    if found.converted:
        table = _with_degrees(table, found)
    good = found.reasons == 0
    if good.all():
        pixels, by_sky = stable_sort(radec_to_pixel(found.ra, found.dec, MAX_ORDER))
    else:
        kept = np.flatnonzero(good)
        pixels, order = stable_sort(radec_to_pixel(found.ra[kept], found.dec[kept], MAX_ORDER))
        by_sky = kept[order]
    return take_rows(table, by_sky), pixels


def _with_degrees(table: pa.Table, found: Positions) -> pa.Table:
    for name, values in ((RA_DEGREES, found.ra), (DEC_DEGREES, found.dec)):
        if name in table.column_names:
            raise InputError(
                f"the input already has a column {name!r}, and the import must add one of that name",
                hint="rename it, or use it with --ra or --dec",
            )
        table = table.append_column(
            pa.field(name, pa.float64(), metadata={b"unit": b"deg"}), from_numbers(values)
        )
    return table


def _no_position(
    chunk: Chunk, found: Positions, bad: IntArray, columns: CoordinateColumns, name: str
) -> CoordinatesError:
    first = int(bad[0])
    (row,) = chunk.table.slice(first, 1).select([columns.ra, columns.dec]).to_pylist()
    return CoordinatesError(
        f"row {chunk.first_row + first} has no position on the sky: {REASONS[int(found.reasons[first])]}",
        path=name,
        found=", ".join(f"{column} = {value}" for column, value in row.items()),
        expected="finite right ascension, declination of -90 to 90",
        hint=f"use --bad-coordinates drop or quarantine to skip such rows ({bad.size} so far)",
    )


def _with_reasons(chunk: Chunk, found: Positions, bad: IntArray, name: str) -> pa.Table:
    """Return the rows without a position, with their file, row and what is wrong."""
    table = chunk.table.take(pa.array(bad))
    reasons = [REASONS[code] for code in found.reasons[bad].tolist()]
    for column, values in (
        (REASON_COLUMN, pa.array(reasons)),
        (ROW_COLUMN, pa.array(chunk.first_row + bad)),
        (FILE_COLUMN, pa.array([name] * bad.size)),
    ):
        table = table.add_column(0, column, values)
    return table
