"""Units of angle: the names people write for them, and how many degrees each is."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from hatsformat.errors import ColumnError, UsageError
from hatsformat.healpix import FloatArray

DEGREES_PER = {
    "deg": 1.0, "hour": 15.0, "rad": 180.0 / np.pi,
    "arcmin": 1 / 60, "arcsec": 1 / 3600, "mas": 1 / 3_600_000,
}  # fmt: skip
"""Units that coordinates are usually in; Astropy knows more."""

_NAMES = {
    "deg": "deg", "degree": "deg", "degrees": "deg", "d": "deg", "°": "deg",
    "hour": "hour", "hours": "hour", "h": "hour", "hr": "hour", "hourangle": "hour",
    "15deg": "hour", "15 deg": "hour",  # VOTable has no hours
    "rad": "rad", "radian": "rad", "radians": "rad",
    "arcmin": "arcmin", "'": "arcmin", "arcsec": "arcsec", '"': "arcsec", "mas": "mas",
}  # fmt: skip

_NONE = ("", "-", "--", "---", "none", "null")
_OF_TEXT = ("h:m:s", "d:m:s", "hms", "dms", "hh:mm:ss", "dd:mm:ss", "sexagesimal")
"""Units that columns of sexagesimal text declare, VizieR's among them; they are ignored."""


def unit_name(text: str) -> str:
    """Return ``deg``, ``hour``, … for the many ways to write a unit of angle, or raise `UsageError`."""
    name = text.strip().lower()
    name = _NAMES.get(name) or text.strip()
    if degrees_per(name) is None:
        raise UsageError("not a unit of coordinates", found=text, expected=", ".join(DEGREES_PER))
    return name


def declared_unit(column: pa.Field, role: str, path: object = None) -> str | None:
    """Return the unit in a column's metadata (key ``unit``), or None if it declares none.

    It raises `ColumnError` if that is not a unit of angle; `role` (``ra`` or ``dec``) and `path` are for the
    message.
    """
    text: str = (column.metadata or {}).get(b"unit", b"").decode("utf-8", "replace").strip()
    text = text.strip('"').strip() or text
    if text.lower() in _NONE or text.lower() in _OF_TEXT:
        return None
    try:
        return unit_name(text)
    except UsageError as error:
        raise ColumnError(
            f"invalid unit of the coordinate column {column.name!r}",
            path=path,
            found=text,
            expected="an angular unit",
            hint=f"choose another column with --{role}, or set the unit with --{role}-unit",
        ) from error


@lru_cache
def same_unit(one: str, two: str) -> bool:
    """Return whether Astropy takes two units for the same: ``Jansky`` is ``Jy``."""
    if one.strip(' "') == two.strip(' "'):
        return True
    from astropy import units

    try:
        return bool(units.Unit(one) == units.Unit(two))
    except (ValueError, TypeError):
        return False


@lru_cache
def degrees_per(name: str) -> float | None:
    """Return the degrees in a unit as `unit_name` names it, or None if it is no unit of angle."""
    if name in DEGREES_PER:
        return DEGREES_PER[name]
    from astropy import units

    try:
        unit = units.Unit(name, parse_strict="silent")
        return float(unit.to(units.deg))
    except (ValueError, TypeError):  # not understood, or of something else
        return None


def to_degrees(values: FloatArray, unit: str) -> FloatArray:
    """Return angles in degrees, from a unit as `unit_name` names it."""
    factor = degrees_per(unit) or 1.0
    if factor >= 1:
        return values if factor == 1 else values * factor
    # 324000 arcseconds are a pole: divided they are exactly that, multiplied they may lie beyond.
    return values / round(1 / factor, 6)
