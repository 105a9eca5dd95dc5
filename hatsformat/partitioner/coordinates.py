"""Positions on the sky, from the columns of an input: checked, in ICRS, in degrees, float64.

Coordinates are checked first: a row with a missing, NaN or infinite coordinate, or a declination beyond a
pole, has no tile. Right ascensions outside [0, 360) are valid; they are wrapped for the index and stored
unchanged.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.arrays import as_floats
from hatsformat.errors import ColumnError, UsageError
from hatsformat.healpix import FloatArray
from hatsformat.partitioner.common_types import is_text
from hatsformat.partitioner.frames import FRAMES, to_icrs
from hatsformat.partitioner.units import declared_unit, degrees_per, to_degrees, unit_name

SEXAGESIMAL = (
    r"^\s*(?P<sign>[+\-−]?)(?P<whole>\d{1,3})(?P<mark>[:hd°\s])\s*(?P<minutes>\d{1,2})"
    r"(?:[:m'′\s]\s*(?P<seconds>\d{1,2}(?:\.\d*)?)[s\"″]?|[m'′])?\s*$"
)

Reasons: TypeAlias = npt.NDArray[np.uint8]

ROLES = {"ra": 360.0, "dec": 90.0}
"""The coordinate columns, by option, and the largest angle of each in degrees."""

REASONS = ("", "missing", "NaN", "infinite", "declination beyond ±90", "not a number")
"""Why a row has no position, by code; 0 means that it has one."""


@dataclass(frozen=True, slots=True)
class CoordinateColumns:
    """Which columns hold the positions, and in what units and frame.

    Attributes
    ----------
    ra, dec : str
        Names of the columns: right ascension and declination, or longitude and latitude in another frame.
    ra_unit, dec_unit : str or None
        A unit of angle. If None, the unit that the column declares, or degrees; sexagesimal right ascensions
        are in hours.
    frame : str
        One of `frames.FRAMES`.
    """

    ra: str
    dec: str
    ra_unit: str | None = None
    dec_unit: str | None = None
    frame: str = "icrs"

    def __post_init__(self) -> None:
        if self.frame not in FRAMES:
            raise UsageError("no such frame", found=self.frame, expected=", ".join(FRAMES))
        for name in ("ra_unit", "dec_unit"):
            unit = getattr(self, name)
            if unit is not None:
                object.__setattr__(self, name, unit_name(unit))

    def name(self, role: str) -> str:
        """Return the column of a role, ``ra`` or ``dec``."""
        return self.ra if role == "ra" else self.dec

    def unit(self, role: str) -> str | None:
        """Return the given unit of a role."""
        return self.ra_unit if role == "ra" else self.dec_unit


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions of some rows.

    Attributes
    ----------
    ra, dec : ndarray of float64, shape (n,)
        In degrees; meaningless where `reasons` is not 0.
    reasons : ndarray of uint8, shape (n,)
        Index into `REASONS`.
    converted : bool
        Whether the columns hold anything but decimal degrees in ICRS, so that the catalog needs columns of
        its own.
    """

    ra: FloatArray
    dec: FloatArray
    reasons: Reasons
    converted: bool


def positions(table: pa.Table, columns: CoordinateColumns, path: object = None) -> Positions:
    """Return the positions of the rows of a table, and why rows have none; `path` is for messages.

    It raises `ColumnError` if a column is missing, or its type or unit does not suit coordinates.
    """
    converted = needs_conversion(table.schema, columns, path)
    ra, ra_reasons = _degrees(table, columns, "ra", path)
    dec, dec_reasons = _degrees(table, columns, "dec", path)
    reasons = np.maximum(ra_reasons, dec_reasons * (ra_reasons == 0))
    with np.errstate(invalid="ignore"):
        beyond = np.abs(dec) > 90
    if beyond.any():
        reasons[(reasons == 0) & beyond] = REASONS.index("declination beyond ±90")
    if columns.frame != "icrs":
        with np.errstate(invalid="ignore"):
            ra, dec = to_icrs(ra, dec, columns.frame)
    return Positions(ra, dec, reasons, converted)


def needs_conversion(schema: pa.Schema, columns: CoordinateColumns, path: object = None) -> bool:
    """Return whether the columns hold anything but decimal degrees in ICRS.

    It raises `ColumnError` if a column is missing, or its unit is not a unit of angle.
    """
    converted = columns.frame != "icrs"
    for role in ROLES:
        column = schema.field(find_column(schema, columns.name(role), role, path))
        unit = columns.unit(role) or declared_unit(column, role, path) or "deg"
        converted |= unit != "deg" or is_text(column.type)
    return converted


def has_coordinates(schema: pa.Schema, columns: CoordinateColumns) -> bool:
    """Return whether an input can have rows with a position; a header without rows cannot."""
    return bool(schema.names) and not any(
        pa.types.is_null(schema.field(columns.name(role)).type) for role in ROLES
    )


def coarse_notes(inputs: Iterable[tuple[str, pa.Schema]], columns: CoordinateColumns) -> list[str]:
    """Return a note for each coordinate column of short floats: the input, the column and its largest step.

    Positions are computed in float64. The step is the distance of two neighbouring values near a full turn or
    a pole.
    """
    named: dict[str, dict[str, None]] = {}  # an input in parts is named once
    for name, schema in inputs:
        for role, largest in ROLES.items():
            column = schema.field(columns.name(role))
            if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
                factor = degrees_per(columns.unit(role) or declared_unit(column, role) or "deg") or 1.0
                short = np.float32 if pa.types.is_float32(column.type) else np.float16
                below = np.nextafter(short(largest / factor), short(0))
                step = float(np.spacing(below)) * factor * 3600
                note = f"column {column.name!r} is {short.__name__}, with steps of up to {step:.2g} arcsec"
                named.setdefault(note, {})[name] = None
    return [
        f"{next(iter(names))}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}"
        for note, names in named.items()
    ]


def find_column(schema: pa.Schema, name: str, role: str, path: object = None) -> int:
    """Return the index of a column, or raise `ColumnError` with the columns that there are."""
    index: int = schema.get_field_index(name)
    if index < 0:
        close = [other for other in schema.names if other.strip().lower() == name.strip().lower()]
        raise ColumnError(
            f"column {name!r} (--{role}) not found",
            path=path,
            found=", ".join(schema.names[:20]) + (", …" if len(schema.names) > 20 else ""),
            hint=f"did you mean --{role} {shlex.quote(close[0])}?" if close else f"set --{role}",
        )
    return index


def _degrees(
    table: pa.Table, columns: CoordinateColumns, role: str, path: object
) -> tuple[FloatArray, Reasons]:
    name = columns.name(role)
    column = table.column(name)
    unit = columns.unit(role) or declared_unit(table.schema.field(name), role, path)
    reasons = np.zeros(len(column), dtype=np.uint8)
    if is_text(column.type):
        column = _blank_as_missing(column)
        hours = role == "ra" and columns.frame in ("icrs", "fk5")
        values, understood = _from_text(column, unit or ("hour" if hours else "deg"), unit or "deg")
        reasons[~understood] = REASONS.index("not a number")
    else:
        values = to_degrees(_numbers(column, name, path), unit or "deg")
    if column.null_count:
        reasons[column.is_null().to_numpy()] = REASONS.index("missing")
    if not np.isfinite(values).all():
        reasons[np.isnan(values) & (reasons == 0)] = REASONS.index("NaN")
        reasons[np.isinf(values)] = REASONS.index("infinite")
    return values, reasons


def _numbers(column: pa.ChunkedArray, name: str, path: object) -> FloatArray:
    kind = column.type
    # Arrow would cast Booleans and bytes to numbers, too.
    if not (pa.types.is_boolean(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        with suppress(pa.ArrowException):
            values: FloatArray = as_floats(column)
            return values
    raise ColumnError(
        f"column {name!r} does not hold coordinates",
        path=path,
        found=str(kind),
        expected="numbers or text",
    )


def _blank_as_missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), None, text)


def _from_text(
    column: pa.ChunkedArray, sexagesimal_unit: str, decimal_unit: str
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return degrees, and which values were parsed; marks such as 5h30m override the units."""
    text = column.cast(pa.string()).combine_chunks()
    parts = pc.extract_regex(text, SEXAGESIMAL)
    sexagesimal = parts.is_valid().to_numpy(zero_copy_only=False)

    def number(field: str) -> FloatArray:
        digits = pc.struct_field(parts, field)
        digits = pc.if_else(pc.equal(digits, ""), "0", digits)
        values: FloatArray = digits.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        return values

    def written_with(field: str, *signs: str) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = pc.is_in(pc.struct_field(parts, field), pa.array(signs)).to_numpy(
            zero_copy_only=False
        )
        return found

    minutes, seconds = number("minutes"), number("seconds")
    sexagesimal &= (minutes < 60) & (seconds < 60)
    size = number("whole") + minutes / 60 + seconds / 3600
    angles = np.where(written_with("sign", "-", "−"), -size, size)
    degrees = np.select(
        [written_with("mark", "h"), written_with("mark", "d", "°")],
        [to_degrees(angles, "hour"), angles],
        to_degrees(angles, sexagesimal_unit),
    )
    plain = pc.utf8_trim_whitespace(text)
    decimal = pc.match_substring_regex(
        plain, r"^[+\-]?(\d+\.?\d*|\.\d+)([eE][+\-]?\d+)?$|^[+\-]?(?i:nan|inf)$"
    )
    decimals = pc.if_else(decimal, pc.utf8_ltrim(plain, "+"), None).cast(pa.float64())
    is_decimal = decimals.is_valid().to_numpy(zero_copy_only=False)
    values = np.where(sexagesimal, degrees, 0.0)
    values[is_decimal] = to_degrees(decimals.drop_null().to_numpy(zero_copy_only=False), decimal_unit)
    return values, sexagesimal | is_decimal
