"""Sky maps of the corpus, encoded as FITS binary tables without a FITS library."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hatsformat.errors import UsageError

BLOCK = 2880
CARD = 80


def card(keyword: str, value: object) -> bytes:
    """Return one header card of 80 characters."""
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = f"'{value:<8}'"
    else:
        text = f"{value!s:>20}"
    return f"{keyword:<8}= {text}".ljust(CARD).encode("ascii")


def _header(cards: dict[str, object]) -> bytes:
    text = b"".join(card(keyword, value) for keyword, value in cards.items()) + b"END".ljust(CARD)
    return _padded(text, b" ")


def _padded(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % BLOCK)


def encode_map(order: int, counts: npt.NDArray[np.int64], *, sparse: bool, ordering: str = "NESTED") -> bytes:
    """Return a HEALPix map of counts.

    Parameters
    ----------
    order : int
    counts : ndarray of int64, shape (12 * 4**order,)
        In the pixel order given by `ordering`.
    sparse : bool
        Whether to write only the pixels that have rows, with a column of their numbers.
    ordering : {"NESTED", "RING"}
    """
    primary = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}
    pixels = np.flatnonzero(counts) if sparse else np.arange(counts.size)
    names = {"PIXEL": pixels, "VALUE": counts[pixels]} if sparse else {"VALUE": counts[pixels]}
    rows = np.empty(pixels.size, dtype=[(name, ">i4") for name in names])
    for name, column in names.items():
        rows[name] = column
    table: dict[str, object] = {
        "XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": rows.dtype.itemsize, "NAXIS2": rows.size,
        "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": len(names),
    }  # fmt: skip
    for number, name in enumerate(names, 1):
        table |= {f"TTYPE{number}": name, f"TFORM{number}": "J"}
    table |= {
        "PIXTYPE": "HEALPIX", "ORDERING": ordering, "COORDSYS": "C", "NSIDE": 1 << order, "FIRSTPIX": 0,
        "LASTPIX": counts.size - 1, "INDXSCHM": "EXPLICIT" if sparse else "IMPLICIT",
        "OBJECT": "PARTIAL" if sparse else "FULLSKY",
    }  # fmt: skip
    return _header(dict(primary)) + _header(table) + _padded(rows.tobytes(), b"\0")


def set_card(data: bytes, keyword: str, value: object) -> bytes:
    """Return a FITS file with another value in the last card of a keyword, which is in the table's header.

    Raises
    ------
    UsageError
        If no header has the keyword.
    """
    start = data.rfind(f"{keyword:<8}=".encode())
    if start < 0 or start % CARD:
        raise UsageError("no header has this keyword", found=keyword)
    return data[:start] + card(keyword, value) + data[start + CARD :]
