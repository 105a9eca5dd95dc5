"""``skymap.fits``: the number of rows in each HEALPix pixel (Note, section 3.6.3, and later editions).

The FITS binary table follows the HEALPix conventions that healpy, cdshealpix and Aladin share. In Python, a
sky map is a dense ``int64`` array, indexed by the NESTED pixel.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from upath import UPath

from hatsformat import storage
from hatsformat.errors import SkymapError, UsageError
from hatsformat.healpix import IntArray, npix, order_of_npix

MAX_SKYMAP_ORDER = 12
"""The highest order that can be read: 1.6 GB as an array. Writers use 8 to 10."""

DEFAULT_ORDER = 8
"""The highest order that is chosen by default: 3 MB."""

# A small file must not become gigabytes: above order 10 (100 MB), the array is limited by the number of rows.
_SPARSE_ORDER = 10
_SPARSE_FACTOR = 1_000
_FITS_BLOCK = 2_880
_UNSEEN = -1.6375e30
_LARGEST_FILE = 16 * npix(MAX_SKYMAP_ORDER) + 1_000 * _FITS_BLOCK
_PIXEL_NAMES = ("PIXEL", "PIX", "PIXNUM", "IPIX")


def skymap_order(rows: int, tile_order: int, counts_order: int) -> int:
    """Return the order of a catalog's sky map.

    It has about as many pixels as rows and is not coarser than the tiles, but at most of order 8, so that it
    stays small: 3 MB, which readers can keep in memory.

    Parameters
    ----------
    rows : int
        The number of rows in the catalog.
    tile_order : int
        The highest order of its tiles.
    counts_order : int
        The order at which the rows were counted, which is an upper limit.
    """
    order = 0
    while npix(order + 1) <= rows:
        order += 1
    return min(max(order, tile_order), DEFAULT_ORDER, counts_order)


def degrade(counts: npt.NDArray[Any], order: int) -> IntArray:
    """Return the sky map at a lower order; each pixel is the sum of its children.

    Parameters
    ----------
    counts : ndarray of int, shape (npix,)
        A dense NESTED map.
    order : int
        At most the order of `counts`.

    Returns
    -------
    ndarray of int64, shape (12 * 4**order,)
        The map itself if it has that order.

    Raises
    ------
    UsageError
        If `order` is higher than that of the map, or the length of the map is invalid.
    """
    found = order_of_npix(len(counts))
    if not 0 <= order <= found:
        raise UsageError(
            "the order must not be higher than that of the sky map", found=order, expected=f"0 to {found}"
        )
    summed: IntArray = np.asarray(counts, dtype=np.int64)
    for _ in range(2 * (found - order)):
        # Sum pairs: in numpy, sums of four along an axis are several times slower.
        summed = summed[0::2] + summed[1::2]
    return summed


def encode_skymap(counts: npt.NDArray[Any]) -> bytes:
    """Return the content of a ``skymap.fits``.

    It contains all pixels (``INDXSCHM = IMPLICIT``), or only those with rows and their indices
    (``EXPLICIT``), whichever is smaller; in 32 bits if the counts fit.

    Parameters
    ----------
    counts : ndarray of int, shape (npix,)
        Rows per pixel, in NESTED order.

    Returns
    -------
    bytes
        The same bytes for the same counts.

    Raises
    ------
    UsageError
        If the length of `counts` is invalid.
    """
    from astropy.io import fits

    order = order_of_npix(len(counts))
    top = int(counts.max())
    narrow = top <= np.iinfo(np.int32).max and int(counts.min()) >= np.iinfo(np.int32).min
    code, dtype = ("J", np.int32) if narrow else ("K", np.int64)
    filled = np.flatnonzero(counts)
    wide_pixels = npix(order) > np.iinfo(np.int32).max
    pixel_code, pixel_dtype = ("K", np.int64) if wide_pixels else ("J", np.int32)
    width = np.dtype(dtype).itemsize
    sparse = _padded(filled.size * (width + np.dtype(pixel_dtype).itemsize)) < _padded(counts.size * width)
    values = counts[filled] if sparse else counts
    columns = [fits.Column(name="VALUE", format=code, array=values.astype(dtype))]
    if sparse:
        columns.insert(0, fits.Column(name="PIXEL", format=pixel_code, array=filled.astype(pixel_dtype)))
    table = fits.BinTableHDU.from_columns(columns, name="SKYMAP")
    table.header.extend(
        [
            ("PIXTYPE", "HEALPIX", "HEALPix pixelisation"),
            ("ORDERING", "NESTED", "pixel numbering scheme"),
            ("COORDSYS", "C", "celestial (ICRS)"),
            ("NSIDE", 1 << order, "HEALPix resolution, 2**order"),
            ("FIRSTPIX", 0, "first pixel of the map"),
            ("LASTPIX", npix(order) - 1, "last pixel of the map"),
            ("INDXSCHM", "EXPLICIT" if sparse else "IMPLICIT", "are pixel numbers written?"),
            ("OBJECT", "PARTIAL" if sparse else "FULLSKY", "sky coverage of the rows below"),
            ("OBS_NPIX", filled.size, "pixels with rows"),
        ]
    )
    sink = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(sink)
    return sink.getvalue()


def _padded(size: int) -> int:
    return -(-size // _FITS_BLOCK) * _FITS_BLOCK


def read_skymap(path: UPath) -> tuple[int, IntArray]:
    """Read a sky map: NESTED or RING, with all pixels or only some, of integers or integral floats.

    Parameters
    ----------
    path : UPath
        An uncompressed FITS file.

    Returns
    -------
    order : int
        The map's HEALPix order.
    counts : ndarray of int64, shape (12 * 4**order,)
        All pixels, in NESTED order; 0 for pixels that are missing or unseen (NaN or -1.6375e30).

    Raises
    ------
    NotFoundError, StorageError
        If the file cannot be read.
    SkymapError
        If it is not a HEALPix map of counts.
    """
    content = storage.read_bytes(path, limit=_LARGEST_FILE)
    try:
        return decode_skymap(content)
    except SkymapError as error:
        raise SkymapError(
            error.message, path=path, found=error.found, expected=error.expected, hint=error.hint
        ) from error


def decode_skymap(content: bytes) -> tuple[int, IntArray]:
    """Return the order and the counts of a sky map from the content of its file: see `read_skymap`."""
    from astropy.io import fits

    # Astropy would also decompress, and a small file could become huge.
    if not content.startswith(b"SIMPLE"):
        raise SkymapError("not a FITS file", found=content[:8] or "an empty file")
    with warnings.catch_warnings():
        # Astropy warns about files that it can still read.
        warnings.simplefilter("ignore")
        try:
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                return _read_table(hdus, len(content))
        except SkymapError:
            raise
        except Exception as error:  # broken headers surface as errors of nearly any type
            raise SkymapError("the FITS file is broken", found=f"{type(error).__name__}: {error}") from error


def _read_table(hdus: Any, file_size: int) -> tuple[int, IntArray]:
    header = hdus[1].header if len(hdus) > 1 else {}
    if header.get("XTENSION") != "BINTABLE":
        raise SkymapError("the first extension must be a binary table with a HEALPix map")
    if header["NAXIS1"] * header["NAXIS2"] + header.get("PCOUNT", 0) > file_size:
        raise SkymapError("the file is shorter than its header says", found=f"{file_size} bytes")
    ordering = str(header.get("ORDERING", "")).strip().upper()
    if ordering not in ("NESTED", "NEST", "RING"):
        raise SkymapError("invalid ORDERING", found=ordering or "none", expected="NESTED or RING")
    table = hdus[1].data
    first = table.field(0)
    explicit = _is_explicit(header, hdus[1].columns.names)
    order = _map_order(header, None if explicit else first.size)
    if not explicit:
        counts = _whole_counts(first.ravel())
        return order, _nested(counts, order) if ordering == "RING" else counts
    if npix(order) > max(npix(_SPARSE_ORDER), _SPARSE_FACTOR * first.size):
        raise SkymapError(f"the map is too sparse to expand: {first.size} pixels at order {order}")
    pixels = _whole_counts(first.ravel())
    values = _whole_counts(table.field(1).ravel())
    if pixels.size and int(pixels.max()) >= npix(order):
        raise SkymapError(
            f"invalid pixel for order {order}", found=int(pixels.max()), expected=f"0 to {npix(order) - 1}"
        )
    numbers = _from_ring(pixels, order) if ordering == "RING" else pixels
    if np.unique(numbers).size != numbers.size:
        raise SkymapError("duplicate pixel")
    counts = np.zeros(npix(order), dtype=np.int64)
    counts[numbers] = values
    return order, counts


def _is_explicit(header: Any, names: list[str]) -> bool:
    """Return whether the file contains pixel indices, by its keywords or the name of the first column."""
    scheme = str(header.get("INDXSCHM", "")).strip().upper()
    coverage = str(header.get("OBJECT", "")).strip().upper()
    if scheme in ("EXPLICIT", "IMPLICIT"):
        return scheme == "EXPLICIT"
    if scheme:
        raise SkymapError("invalid INDXSCHM", found=scheme, expected="IMPLICIT or EXPLICIT")
    return coverage == "PARTIAL" or names[0].upper() in _PIXEL_NAMES


def _map_order(header: Any, count: int | None) -> int:
    """Return the order by NSIDE; if the map has all pixels, check it against the number of values."""
    nside = header.get("NSIDE", None)
    if nside is None and count is not None and count % 12 == 0:
        nside = round((count // 12) ** 0.5)
    whole = isinstance(nside, int) and not isinstance(nside, bool) and nside > 0
    if not whole or nside & (nside - 1):
        raise SkymapError("NSIDE must be a power of two", found=nside)
    order = int(nside).bit_length() - 1
    if order > MAX_SKYMAP_ORDER:
        raise SkymapError(
            "the order of the map is too high", found=order, expected=f"at most {MAX_SKYMAP_ORDER}"
        )
    if count is not None and count != npix(order):
        raise SkymapError(
            f"the number of pixels does not fit order {order}", found=count, expected=npix(order)
        )
    return order


def _whole_counts(values: npt.NDArray[Any]) -> IntArray:
    """Return a column as integers, 0 or more; unseen pixels are 0."""
    if values.dtype.kind == "f":
        unseen = np.isnan(values) | (np.abs(values - _UNSEEN) <= 1e-5 * abs(_UNSEEN))
        seen = np.where(unseen, 0, values)
        if (seen != np.rint(seen)).any() or (np.abs(seen) >= 2.0**63).any():
            raise SkymapError("the values of the map must be counts", expected="integers")
        values = seen
    elif values.dtype.kind not in "iu":
        raise SkymapError(
            "the values of the map must be counts", found=str(values.dtype), expected="integers"
        )
    counts: IntArray = values.astype(np.int64)
    if counts.size and counts.min() < 0:
        raise SkymapError(
            "the values of the map must be counts", found=int(counts.min()), expected="0 or more"
        )
    return counts


def _nested(ring: IntArray, order: int) -> IntArray:
    counts = np.empty_like(ring)
    counts[_from_ring(np.arange(ring.size), order)] = ring
    return counts


def _from_ring(pixels: IntArray, order: int) -> IntArray:
    from cdshealpix import from_ring

    if pixels.size == 0:
        return pixels
    nested: IntArray = from_ring(pixels.astype(np.uint64), order).astype(np.int64)
    return nested
