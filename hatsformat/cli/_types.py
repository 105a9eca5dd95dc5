"""Types of option values: angles, sizes, lists of names, polygons."""

from __future__ import annotations

import math
import re
from typing import Any

import click

_UNITS = {
    "": 1.0,
    "deg": 1.0,
    "d": 1.0,
    "°": 1.0,
    "arcmin": 1 / 60,
    "'": 1 / 60,
    "′": 1 / 60,
    "arcsec": 1 / 3600,
    '"': 1 / 3600,
    "″": 1 / 3600,
    "mas": 1 / 3_600_000,
    "rad": math.degrees(1),
    "h": 15.0,
}
_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_ANGLE = re.compile(rf"([+-]?(?:{_NUMBER})(?:e[+-]?[0-9]+)?) ?([^0-9.\s]*)", re.IGNORECASE)
# 05h34m31.9s and -05d23m28s. With colons it could be hours or degrees, so that is rejected.
_SEXAGESIMAL = re.compile(
    rf"([+-]?)([0-9]+)([hd°])([0-5]?[0-9])[m'′](?:((?:{_NUMBER}))[s\"″])?", re.IGNORECASE
)
_SIZE = re.compile(rf"({_NUMBER}) ?([kmgt]?)(i?)b?", re.IGNORECASE)


# The classes below give no type argument: ParamType takes one only from click 8.4 on.
class Angle(click.ParamType):  # type: ignore[type-arg]
    """An angle in degrees, given in any unit."""

    name = "angle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the angle in degrees: ``10arcmin``, ``0.5deg``, ``05h34m31.9s``, or a bare number."""
        if isinstance(value, int | float):
            return float(value)
        text = value.strip()
        if found := _SEXAGESIMAL.fullmatch(text):
            sign, whole, unit, minutes, seconds = found.groups()
            size = int(whole) + int(minutes) / 60 + float(seconds or 0) / 3600
            return (-size if sign == "-" else size) * (15.0 if unit in "hH" else 1.0)
        found = _ANGLE.fullmatch(text)
        factor = _UNITS.get(found[2].lower()) if found else None
        if found is None or factor is None:
            self.fail(f"{value!r} is not an angle: use 10arcmin, 36arcsec, 0.5deg or 05h34m31.9s", param, ctx)
        return float(found[1]) * factor


class Arcseconds(Angle):
    """An angle in arcseconds, given in any unit; a bare number is in arcseconds."""

    name = "angle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the angle in arcseconds: ``10``, ``10arcsec``, ``1arcmin``."""
        try:
            return float(value)
        except ValueError:
            return round(super().convert(value, param, ctx) * 3600, 9)


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes: ``512MB`` (powers of 1000), ``4GiB`` (of 1024), or a bare number."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(value.strip())
        if found is None or (found[3] and not found[2]):
            self.fail(f"{value!r} is not a size: use 512MB or 4GiB", param, ctx)
        base = 1024 if found[3] else 1000
        size = float(found[1]) * base ** " kmgt".index(found[2].lower() or " ")
        if size < 1:
            self.fail(f"{value!r} is less than one byte", param, ctx)
        return int(size)


class Names(click.ParamType):  # type: ignore[type-arg]
    """A list of names, separated by commas; an option of this type may be given more than once."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Return the names, without the spaces around them."""
        if isinstance(value, list):
            return value
        names = [name.strip() for name in value.split(",")]
        if not all(names):
            self.fail(f"{value!r} is not a list of names: use a,b,c", param, ctx)
        return names


class Vertices(click.ParamType):  # type: ignore[type-arg]
    """The vertices of a polygon."""

    name = "vertices"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[tuple[float, float]]:
        """Return pairs of RA and Dec in degrees, from ``RA DEC, RA DEC, RA DEC``."""
        if isinstance(value, list):
            return value
        numbers = [ANGLE.convert(word, param, ctx) for word in value.replace(",", " ").split()]
        if len(numbers) < 6 or len(numbers) % 2:
            self.fail(
                f"{value!r} is not a polygon: use three or more vertices, as in '10 20, 11 20, 11 21'",
                param,
                ctx,
            )
        return list(zip(numbers[::2], numbers[1::2], strict=True))


class Character(click.ParamType):  # type: ignore[type-arg]
    """One character, or the word ``tab``."""

    name = "character"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the character."""
        text: str = "\t" if value in ("tab", "\\t") else value
        if len(text) != 1:
            self.fail(f"{value!r} is not a single character", param, ctx)
        return text


ANGLE = Angle()
ARCSECONDS = Arcseconds()
CHARACTER = Character()
SIZE = Size()
NAMES = Names()
VERTICES = Vertices()


def flatten(lists: tuple[list[str], ...]) -> list[str] | None:
    """Return the names of a repeatable option as one list, or None if it was not given."""
    return [name for names in lists for name in names] or None
