"""Dates, lists and pairs in properties."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from hatsformat.errors import UsageError

BLANKS = " \t\n\r\f"
"""The characters that are ignored around a value, and that separate the members of a list."""

DATE_PATTERN = (
    "([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"(?:[T ]([01][0-9]|2[0-3]):([0-5][0-9])(?::[0-5][0-9](?:\.[0-9]+)?)?"
    " ?(?:Z|UTC|([+-])([01][0-9]|2[0-3]):?([0-5][0-9]))?)?"
)
"""Dates; the groups are year, month, day, hour, minute, and an offset's sign, hours and minutes."""

_DATE = re.compile(DATE_PATTERN)
_MEMBER = re.compile(r"[^ \t\n\r\f,;]+")


class Pairs(Mapping[str, str]):
    """An immutable, ordered mapping of strings that can be hashed and pickled.

    Parameters
    ----------
    items : mapping or iterable of (str, str)
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._items: dict[str, str] = dict(items)

    def __getitem__(self, key: str) -> str:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def parse_date(text: str) -> datetime:
    """Read a date in any form that the note or writers use.

    Parameters
    ----------
    text : str
        ``YYYY-mm-dd``, alone or with a time (``THH:MM`` or ``THH:MM:SS``), optionally followed by ``Z``,
        ``UTC`` or an offset.

    Returns
    -------
    datetime
        In UTC, without seconds, since the format has minutes.

    Raises
    ------
    ValueError
        If the text is not a date.
    """
    match = _DATE.fullmatch(text.strip(BLANKS))
    if match is None:
        raise ValueError(f"not a date: {text!r}")
    year, month, day, hour, minute = (int(part or 0) for part in match.groups()[:5])
    moment = datetime(year, month, day, hour, minute, tzinfo=UTC)
    if match[6]:
        offset = timedelta(hours=int(match[7]), minutes=int(match[8]))
        try:
            moment += -offset if match[6] == "+" else offset
        except OverflowError:
            raise ValueError(f"not a date: {text!r}") from None
    return moment


def format_date(moment: datetime) -> str:
    """Write a date as in the note: ``YYYY-mm-ddTHH:MMZ`` (Note, Table 1).

    Parameters
    ----------
    moment : datetime
        In UTC if it has no time zone.

    Returns
    -------
    str
    """
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    # strftime does not pad years before 1000 with zeros on every platform.
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M}Z"


def split_list(text: str) -> tuple[str, ...]:
    """Split a list as readers do: at blanks, commas and semicolons, any number of them."""
    return tuple(_MEMBER.findall(text))


def check_member(name: object) -> str:
    """Return the name of a column or table if it can be a member of a list.

    Raises
    ------
    UsageError
        If the name is empty or contains a blank, comma or semicolon.
    """
    if not isinstance(name, str):
        raise UsageError("the names in a list must be strings", found=name)
    if _MEMBER.fullmatch(name) is None:
        raise UsageError(
            f"the name {name!r} cannot be in a list: readers split lists at blanks, commas and semicolons",
            hint="rename the column or table, or leave it out of the list",
        )
    return name
