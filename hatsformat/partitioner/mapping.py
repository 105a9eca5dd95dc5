"""Stage 1, mapping: read every input once, find each row's pixel, count, and keep the rows sorted along the
sky.

Counting is what the stage is named for. Keeping what was read, sorted, makes the later stages cheap: a
tile's rows lie side by side in every run, whatever tiles binning chooses, and no input is read or parsed
again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from hatsformat.arrays import from_numbers, settled
from hatsformat.errors import CoordinatesError, InputError
from hatsformat.healpix import MAX_ORDER, IntArray, radec_to_pixel
from hatsformat.inputs import Chunk, CsvSource, ReadAgainError, Source
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
"""Columns that a quarantined row has beside its own."""

HIVE_COLUMNS = frozenset(("Norder", "Dir", "Npix"))


@dataclass(frozen=True, slots=True)
class MapSettings:
    """What mapping needs to know.

    Attributes
    ----------
    columns : CoordinateColumns
    order : int
        The order to count at.
    index_column : str
        Name of the index column; an input's own column of this name is dropped, since it is made anew.
    bad_coordinates : str
        ``error``, ``drop`` or ``quarantine``.
    chunk_bytes : int
        Rows that are held and sorted at a time.
    weigh : bool
        Whether to count bytes beside rows.
    """

    columns: CoordinateColumns
    order: int
    index_column: str
    bad_coordinates: str = "error"
    chunk_bytes: int = 128 * 1024 * 1024
    weigh: bool = False


@dataclass(slots=True)
class Mapped:
    """What mapping found in one input, or in several together.

    `long` names the columns of guessed integers beyond 2**53; `noted` says that the counts are on scratch.
    """

    row_tally: Tally
    byte_tally: Tally
    runs: list[Run] = field(default_factory=list)
    rejected: list[Run] = field(default_factory=list)
    rows_read: int = 0
    rows_rejected: int = 0
    schema: pa.Schema | None = None
    inferred: bool = False
    long: frozenset[str] = frozenset()
    noted: bool = False

    def input_schema(self, name: str) -> InputSchema:
        """Return the schema of the input of this name."""
        schema = pa.schema([]) if self.schema is None else self.schema
        return InputSchema(name, schema, self.inferred, self.long)

    @property
    def counts(self) -> Counts:
        """Rows in every pixel."""
        return self.row_tally.total()

    @property
    def weights(self) -> Counts:
        """Bytes in every pixel, if they were asked for."""
        return self.byte_tally.total()


def map_source(index: int, source: Source, settings: MapSettings, store: RunStore) -> Mapped:
    """Map one input.

    Parameters
    ----------
    index : int
        The input's place among all inputs.
    source : Source
    settings : MapSettings
    store : RunStore
        Where the sorted rows are kept.

    Raises
    ------
    CoordinatesError
        If a row has no position and such rows are errors.
    ColumnError, InputError, NotFoundError, StorageError
        If the input cannot be read.
    """
    for _ in range(1000):
        mapped = empty(settings, inferred=isinstance(source, CsvSource))
        try:
            for number, chunk in enumerate(source.chunks(settings.chunk_bytes)):
                map_chunk((index, number), chunk, source.name, settings, store, mapped)
        except ReadAgainError as request:
            store.release(mapped.runs + mapped.rejected)
            source = request.source
        except BaseException:
            store.release(mapped.runs + mapped.rejected)
            raise
        else:
            return mapped
    raise InputError("the types of its columns cannot be settled", path=source.name)


def merge(parts: Iterable[Mapped], order: int) -> Mapped:
    """Put together what was found in all inputs, one after the other."""
    merged = Mapped(Tally(order), Tally(order))
    for part in parts:
        merged.row_tally.add(part.counts)
        merged.byte_tally.add(part.weights)
        merged.runs += part.runs
        merged.rejected += part.rejected
        merged.rows_read += part.rows_read
        merged.rows_rejected += part.rows_rejected
    merged.runs.sort(key=lambda run: run.sequence)
    merged.rejected.sort(key=lambda run: run.sequence)
    return merged


def empty(settings: MapSettings, *, inferred: bool = False) -> Mapped:
    """Return what is found in no rows."""
    return Mapped(Tally(settings.order), Tally(settings.order), inferred=inferred)


def map_chunk(
    sequence: tuple[int, int], chunk: Chunk, name: str, settings: MapSettings, store: RunStore, mapped: Mapped
) -> None:
    """Map some rows of an input, and add what is found to `mapped`.

    Parameters
    ----------
    sequence : tuple of int
        The input's place among all inputs, and the chunk's place in it.
    chunk : Chunk
    name : str
        The input's name, for messages.
    settings : MapSettings
    store : RunStore
    mapped : Mapped
    """
    if mapped.schema is None:
        check_storable(chunk.table.schema, name)
    chunk = replace(chunk, table=settled(chunk.table))
    where = positions(chunk.table, settings.columns, name)
    mapped.rows_read += chunk.table.num_rows
    bad = np.flatnonzero(where.reasons)
    if bad.size:
        table = _rejected(chunk, where, bad, name, settings)
        mapped.rows_rejected += bad.size
        if settings.bad_coordinates == "quarantine":
            rows = chunk.first_row + bad
            mapped.rejected.append(store.keep(sequence, name, table, rows, "rejected"))
    table, pixels = sorted_rows(chunk.table, where, settings)
    mapped.schema = _common_schema(name, mapped.schema, table.schema)
    if mapped.inferred:
        mapped.long |= long_integers(table)
    if pixels.size:
        mapped.runs.append(store.keep(sequence, name, table, pixels))
        mapped.row_tally.add(PixelCounts.of_sorted(pixels, settings.order))
        if settings.weigh:
            mapped.byte_tally.add(PixelCounts.of_sorted(pixels, settings.order, row_sizes(table)))


def check_columns(schema: pa.Schema, settings: MapSettings, name: object) -> None:
    """Refuse a table that lacks the columns of the coordinates, or has some that cannot be stored.

    Raises
    ------
    ColumnError
    """
    needs_conversion(schema, settings.columns, name)
    check_storable(schema, name)


def check_rows(mapped: Mapped, name: object) -> None:
    """Refuse to make a catalog of nothing.

    Raises
    ------
    InputError
    """
    if not mapped.runs:
        what = "no row has a position on the sky" if mapped.rows_read else "there are no rows in the input"
        raise InputError(what, path=name, hint="check the file and the coordinate columns")


def _common_schema(name: str, known: pa.Schema | None, schema: pa.Schema) -> pa.Schema:
    """Return the schema of all chunks so far; in a stream of tables they may differ."""
    if known is None or known.equals(schema):
        return schema
    return plan_schema([InputSchema(name, known), InputSchema(name, schema)])


def sorted_rows(table: pa.Table, where: Positions, settings: MapSettings) -> tuple[pa.Table, IntArray]:
    """Return the rows with a position, sorted along the sky, and their order-29 pixels.

    Columns that the catalog gets from elsewhere are dropped: the index column, and ``Norder``, ``Dir``,
    ``Npix`` of older catalogs. Columns in degrees are added where the input's are in other units.
    """
    gone = {settings.index_column}
    if set(table.column_names) >= HIVE_COLUMNS:
        gone |= HIVE_COLUMNS
    table = table.select([name for name in table.column_names if name not in gone])
    if where.converted:
        table = _with_degrees(table, where)
    good = where.reasons == 0
    if good.all():
        pixels, by_sky = stable_sort(radec_to_pixel(where.ra, where.dec, MAX_ORDER))
    else:
        kept = np.flatnonzero(good)
        pixels, order = stable_sort(radec_to_pixel(where.ra[kept], where.dec[kept], MAX_ORDER))
        by_sky = kept[order]
    return take_rows(table, by_sky), pixels


def _with_degrees(table: pa.Table, where: Positions) -> pa.Table:
    for name, values in ((RA_DEGREES, where.ra), (DEC_DEGREES, where.dec)):
        if name in table.column_names:
            raise InputError(
                f"there is a column {name!r} already, and the position in degrees needs one of this name",
                hint="rename it, or name it with --ra or --dec",
            )
        table = table.append_column(
            pa.field(name, pa.float64(), metadata={b"unit": b"deg"}), from_numbers(values)
        )
    return table


def _rejected(chunk: Chunk, where: Positions, bad: IntArray, name: str, settings: MapSettings) -> pa.Table:
    """Return the rows without a position, with their file, row and what is wrong; or raise for the first."""
    reasons = [REASONS[code] for code in where.reasons[bad].tolist()]
    rows = chunk.first_row + bad
    if settings.bad_coordinates == "error":
        row = (
            chunk.table.slice(int(bad[0]), 1)
            .select([settings.columns.ra, settings.columns.dec])
            .to_pylist()[0]
        )
        raise CoordinatesError(
            f"row {rows[0]} has no position on the sky: {reasons[0]}",
            path=name,
            found=", ".join(f"{column} = {value}" for column, value in row.items()),
            expected="finite right ascension, declination of -90 to 90",
            hint=f"--bad-coordinates drop or quarantine imports the rest ({bad.size} such rows so far)",
        )
    table = chunk.table.take(pa.array(bad))
    for column, values in (
        (REASON_COLUMN, pa.array(reasons)),
        (ROW_COLUMN, pa.array(rows)),
        (FILE_COLUMN, pa.array([name] * bad.size)),
    ):
        table = table.add_column(0, column, values)
    return table
