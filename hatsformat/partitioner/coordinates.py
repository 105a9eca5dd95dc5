"""Positions on the sky, from whatever columns hold them: checked, in degrees, float64.

Rows are judged before anything is computed from them: a coordinate that is missing, NaN, infinite or beyond
a pole has no tile. Right ascensions outside [0, 360) are positions all the same; they are wrapped for the
index and stored as they came.
"""

from __future__ import annotations

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

DEGREES_PER = {"deg": 1.0, "hour": 15.0, "rad": 180.0 / np.pi}
"""Units that coordinates may be in."""

SEXAGESIMAL = (
    r"^\s*(?P<sign>[+\-−]?)(?P<whole>\d{1,3})[:hd°\s]\s*(?P<minutes>\d{1,2})"
    r"(?:[:m'′\s]\s*(?P<seconds>\d{1,2}(?:\.\d*)?)[s\"″]?)?\s*$"
)

Reasons: TypeAlias = npt.NDArray[np.uint8]

REASONS = ("", "missing", "NaN", "infinite", "declination beyond ±90", "not a number")
"""What can be wrong with a row's coordinates; 0 is a good row."""

_UNIT_NAMES = {
    "deg": "deg", "degree": "deg", "degrees": "deg", "d": "deg", "°": "deg",
    "hour": "hour", "hours": "hour", "h": "hour", "hr": "hour", "hourangle": "hour",
    "15deg": "hour", "15 deg": "hour",  # VOTable has no hours
    "rad": "rad", "radian": "rad", "radians": "rad",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CoordinateColumns:
    """Where the positions are, and how they are written.

    Attributes
    ----------
    ra, dec : str
        Names of the columns.
    ra_unit, dec_unit : str or None
        ``deg``, ``hour`` or ``rad``. None takes the unit that the column itself declares, else degrees;
        sexagesimal right ascensions are in hours.
    """

    ra: str
    dec: str
    ra_unit: str | None = None
    dec_unit: str | None = None

    def __post_init__(self) -> None:
        for name in ("ra_unit", "dec_unit"):
            unit = getattr(self, name)
            if unit is not None:
                object.__setattr__(self, name, unit_name(unit))


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
        Whether the columns were in other units than decimal degrees, so that the catalog needs columns of
        its own.
    """

    ra: FloatArray
    dec: FloatArray
    reasons: Reasons
    converted: bool


def unit_name(text: str) -> str:
    """Return ``deg``, ``hour`` or ``rad`` for the many ways to write them.

    Raises
    ------
    UsageError
        If the unit is none of these.
    """
    name = _UNIT_NAMES.get(text.strip().lower())
    if name is None:
        raise UsageError("not a unit of coordinates", found=text, expected="deg, hour or rad")
    return name


def declared_unit(column: pa.Field) -> str | None:
    """Return the unit in a column's metadata (key ``unit``), if it is one of coordinates."""
    text = (column.metadata or {}).get(b"unit", b"").decode("utf-8", "replace").strip().strip('"').lower()
    return _UNIT_NAMES.get(text)


def positions(table: pa.Table, columns: CoordinateColumns) -> Positions:
    """Return the positions of a table's rows, with what is wrong with each.

    Raises
    ------
    ColumnError
        If a coordinate column is missing or cannot hold coordinates.
    """
    ra, ra_reasons, ra_converted = _degrees(table, columns.ra, columns.ra_unit, "ra")
    dec, dec_reasons, dec_converted = _degrees(table, columns.dec, columns.dec_unit, "dec")
    reasons = np.maximum(ra_reasons, dec_reasons * (ra_reasons == 0))
    with np.errstate(invalid="ignore"):
        beyond = np.abs(dec) > 90
    if beyond.any():
        reasons[(reasons == 0) & beyond] = REASONS.index("declination beyond ±90")
    return Positions(ra, dec, reasons, ra_converted or dec_converted)


def needs_conversion(schema: pa.Schema, columns: CoordinateColumns) -> bool:
    """Return whether the columns are not decimal degrees as they stand."""
    for name, unit in ((columns.ra, columns.ra_unit), (columns.dec, columns.dec_unit)):
        column = schema.field(name)
        if (unit or declared_unit(column) or "deg") != "deg" or _is_text(column.type):
            return True
    return False


def find_column(schema: pa.Schema, name: str, role: str, path: object = None) -> int:
    """Return the position of a column.

    Raises
    ------
    ColumnError
        If it is not there, with the names that are.
    """
    index: int = schema.get_field_index(name)
    if index < 0:
        close = [other for other in schema.names if other.lower() == name.lower()]
        raise ColumnError(
            f"there is no column {name!r}, which --{role} asks for",
            path=path,
            found=", ".join(schema.names[:20]) + (", …" if len(schema.names) > 20 else ""),
            hint=f"did you mean --{role} {close[0]}?" if close else f"name the right one with --{role}",
        )
    return index


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _degrees(table: pa.Table, name: str, unit: str | None, role: str) -> tuple[FloatArray, Reasons, bool]:
    column = table.column(find_column(table.schema, name, role))
    unit = unit or declared_unit(table.schema.field(name))
    reasons = np.zeros(len(column), dtype=np.uint8)
    if _is_text(column.type):
        column = _blank_as_missing(column)
        values, understood, sexagesimal = _from_text(column)
        reasons[~understood] = REASONS.index("not a number")
        sexagesimal_unit = unit or ("hour" if role == "ra" else "deg")
        factors = np.where(sexagesimal, DEGREES_PER[sexagesimal_unit], DEGREES_PER[unit or "deg"])
        converted = True
    else:
        values = _numbers(column, name)
        factors = np.asarray(DEGREES_PER[unit or "deg"])
        converted = (unit or "deg") != "deg"
    if column.null_count:
        reasons[column.is_null().to_numpy()] = REASONS.index("missing")
    if not np.isfinite(values).all():
        reasons[np.isnan(values) & (reasons == 0)] = REASONS.index("NaN")
        reasons[np.isinf(values)] = REASONS.index("infinite")
    return (values * factors if converted else values), reasons, converted


def _numbers(column: pa.ChunkedArray, name: str) -> FloatArray:
    kind = column.type
    # Arrow would turn truth values and bytes into numbers, too.
    if not (pa.types.is_boolean(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        with suppress(pa.ArrowException):
            values: FloatArray = as_floats(column)
            return values
    raise ColumnError(
        f"the column {name!r} cannot hold coordinates", found=str(kind), expected="numbers or text"
    )


def _blank_as_missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), None, text)


def _from_text(column: pa.ChunkedArray) -> tuple[FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return values, which were understood, and which of them were sexagesimal."""
    text = column.cast(pa.string()).combine_chunks()
    parts = pc.extract_regex(text, SEXAGESIMAL)
    sexagesimal = parts.is_valid().to_numpy(zero_copy_only=False)

    def number(field: str) -> FloatArray:
        digits = pc.struct_field(parts, field)
        digits = pc.if_else(pc.equal(digits, ""), "0", digits)
        values: FloatArray = digits.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        return values

    minutes, seconds = number("minutes"), number("seconds")
    sexagesimal &= (minutes < 60) & (seconds < 60)
    size = number("whole") + minutes / 60 + seconds / 3600
    negative = pc.is_in(pc.struct_field(parts, "sign"), pa.array(["-", "−"])).to_numpy(zero_copy_only=False)
    plain = pc.utf8_trim_whitespace(text)
    decimal = pc.match_substring_regex(
        plain, r"^[+\-]?(\d+\.?\d*|\.\d+)([eE][+\-]?\d+)?$|^[+\-]?(?i:nan|inf)$"
    )
    decimals = pc.if_else(decimal, pc.utf8_ltrim(plain, "+"), None).cast(pa.float64())
    is_decimal = decimals.is_valid().to_numpy(zero_copy_only=False)
    values = np.where(sexagesimal, np.where(negative, -size, size), 0.0)
    values[is_decimal] = decimals.drop_null().to_numpy(zero_copy_only=False)
    return values, sexagesimal | is_decimal, sexagesimal
