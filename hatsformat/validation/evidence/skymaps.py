"""Sky maps: the counts, and how the file stores them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.skymap import decode_skymap
from hatsformat.healpix import IntArray

SKYMAP_LIMIT = 1 << 29
"""The largest map that is read, in bytes; enough for order 11."""

_HEADERS = 40 * 2_880
_CARD = re.compile(rb"(ORDERING|PIXTYPE |COORDSYS)= *'([ -~]*?) *'")


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
    pixel_type, system : str
        Its ``PIXTYPE`` and ``COORDSYS``; empty if missing.
    """

    order: int
    counts: IntArray
    ordering: str
    pixel_type: str = ""
    system: str = ""


def read_map(path: UPath, known: dict[bytes, Skymap] | None = None) -> Skymap:
    """Read a sky map.

    Parameters
    ----------
    path : UPath
    known : dict of bytes to Skymap, optional
        The maps read before, by the digests of their files; the same file under two names is decoded once.

    Raises
    ------
    HatsError
        If it is not a valid sky map.
    """
    content = storage.read_bytes(path, limit=SKYMAP_LIMIT)
    known = {} if known is None else known
    digest = hashlib.blake2b(content).digest()
    if digest not in known:
        order, counts = decode_skymap(content)
        cards = {name.strip(): text.decode().upper() for name, text in _CARD.findall(content[:_HEADERS])}
        ordering = "RING" if cards.get(b"ORDERING") == "RING" else "NESTED"
        pixel_type, system = cards.get(b"PIXTYPE", ""), cards.get(b"COORDSYS", "")
        known[digest] = Skymap(order, counts, ordering, pixel_type, system)
    return known[digest]
