"""Sky maps as evidence: the counts, and how the file keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.skymap import decode_skymap
from hatsformat.healpix import IntArray

SKYMAP_LIMIT = 1 << 29
"""The largest map that is read, in bytes: one of order 11 fits."""

_HEADERS = 40 * 2_880
_ORDERING = re.compile(rb"ORDERING= *'([A-Za-z]+) *'")


@dataclass(frozen=True)
class Skymap:
    """A sky map.

    Attributes
    ----------
    order : int
    counts : ndarray of int64, shape (12 * 4**order,)
        Dense and NESTED, whatever the file's scheme.
    ordering : str
        The scheme of the file, ``NESTED`` or ``RING``.
    """

    order: int
    counts: IntArray
    ordering: str


def read_map(place: UPath) -> Skymap:
    """Read a sky map; raises `HatsError` where it is none."""
    content = storage.read_bytes(place, limit=SKYMAP_LIMIT)
    order, counts = decode_skymap(content)
    found = _ORDERING.search(content[:_HEADERS])
    ordering = found[1].decode().upper() if found else "NESTED"
    return Skymap(order, counts, "RING" if ordering == "RING" else "NESTED")
