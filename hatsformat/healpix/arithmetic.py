"""HEALPix in the NESTED scheme, orders 0 to 29, in integers (Note, section 3.3).

A tile is an order and a pixel number. At order 29 every tile is a half-open range of pixels, and most of this
package works with those ranges: they sort along the sky, nest exactly and are plain ``int64``. Sky
coordinates go to cdshealpix, which is imported on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hatsformat.errors import UsageError

IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
IntLike: TypeAlias = "int | npt.NDArray[np.integer] | list[int] | list[np.int64]"

MAX_ORDER = 29
"""The deepest order: its pixel numbers still fit a signed 64-bit integer."""

BASE_TILES = 12
DIR_SIZE = 10_000
"""Pixel numbers per ``Dir=`` directory."""

_RADIANS = np.pi / 180


@dataclass(frozen=True, slots=True, order=True)
class HealpixPixel:
    """One tile of the sky.

    Parameters
    ----------
    order : int
        HEALPix order, 0 to 29.
    pixel : int
        NESTED pixel number at that order, 0 to ``12 * 4**order - 1``.

    Raises
    ------
    UsageError
        If the order or the pixel is out of range.
    """

    order: int
    pixel: int

    def __post_init__(self) -> None:
        check_order(self.order)
        if not 0 <= self.pixel < npix(self.order):
            raise UsageError(
                f"invalid pixel for order {self.order}",
                found=self.pixel,
                expected=f"0 to {npix(self.order) - 1}",
            )

    def __str__(self) -> str:
        return f"Norder={self.order}/Npix={self.pixel}"

    @property
    def range29(self) -> tuple[int, int]:
        """The tile's half-open range of order-29 pixels."""
        shift = 2 * (MAX_ORDER - self.order)
        return self.pixel << shift, (self.pixel + 1) << shift

    @property
    def area(self) -> float:
        """The tile's area in square degrees."""
        return float(np.degrees(np.degrees(4 * np.pi))) / npix(self.order)


def check_order(order: Any, name: str = "order") -> int:
    """Return `order` as an int, or raise `UsageError` if it is not an integer from 0 to 29."""
    if not isinstance(order, int | np.integer) or isinstance(order, bool) or not 0 <= order <= MAX_ORDER:
        raise UsageError(f"invalid {name}", found=order, expected=f"0 to {MAX_ORDER}")
    return int(order)


def npix(order: int) -> int:
    """Return the number of pixels on the whole sky at `order`."""
    return BASE_TILES << (2 * order)


def order_of_npix(count: int) -> int:
    """Return the order at which the sky has `count` pixels.

    Raises
    ------
    UsageError
        If no order has `count` pixels.
    """
    for order in range(MAX_ORDER + 1):
        if npix(order) == count:
            return order
    raise UsageError("invalid number of HEALPix pixels", found=count, expected="12 * 4**order")


def pixel_width(order: IntLike) -> FloatArray:
    """Return the square root of the area of a pixel, in radians.

    Parameters
    ----------
    order : int or array_like of int
        0 to 29.
    """
    width: FloatArray = np.sqrt(4 * np.pi / np.ldexp(float(BASE_TILES), 2 * np.asarray(order)))
    return width


def are_tiles(orders: IntArray, pixels: IntArray) -> BoolArray:
    """Return which pairs of numbers are the order and the pixel of a tile.

    Parameters
    ----------
    orders, pixels : ndarray of int64, shape (n,)
        Any values.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    limit = np.left_shift(np.int64(BASE_TILES), 2 * orders.clip(0, MAX_ORDER))
    valid: BoolArray = (orders >= 0) & (orders <= MAX_ORDER) & (pixels >= 0) & (pixels < limit)
    return valid


def range29(orders: IntLike, pixels: IntLike) -> tuple[IntArray, IntArray]:
    """Return the half-open ranges of order-29 pixels of tiles.

    Parameters
    ----------
    orders, pixels : array_like of int, shapes that broadcast
        Orders (0 to 29) and NESTED pixel numbers.

    Returns
    -------
    starts, stops : ndarray of int64
        ``starts <= pixel29 < stops`` is true for exactly the order-29 pixels in the tile.
    """
    shift = 2 * (MAX_ORDER - np.asarray(orders, dtype=np.int64))
    first = np.asarray(pixels, dtype=np.int64)
    return first << shift, (first + 1) << shift


def change_order(pixels: IntLike, order: IntLike, new_order: IntLike) -> IntArray:
    """Return the pixel at `new_order` that contains each pixel, or its first child where that is deeper.

    Parameters
    ----------
    pixels : array_like of int
        NESTED pixel numbers at `order`.
    order, new_order : int or array_like of int
        Orders, 0 to 29.
    """
    step = 2 * (np.asarray(new_order, dtype=np.int64) - np.asarray(order, dtype=np.int64))
    numbers = np.asarray(pixels, dtype=np.int64)
    up, down = np.maximum(-step, 0), np.maximum(step, 0)
    shifted: IntArray = (numbers >> up) << down
    return shifted


def children(pixels: IntLike, levels: int = 1) -> IntArray:
    """Return the children of pixels, `levels` orders deeper.

    Returns
    -------
    ndarray of int64, shape ``pixels.shape + (4**levels,)``
        In ascending order.
    """
    first = np.asarray(pixels, dtype=np.int64)[..., np.newaxis] << (2 * levels)
    kin: IntArray = first + np.arange(1 << (2 * levels), dtype=np.int64)
    return kin


def dir_number(pixels: IntLike) -> IntArray:
    """Return the number in a pixel's ``Dir=`` directory: ``pixel // 10000 * 10000`` (Note, section 3.3)."""
    number: IntArray = np.asarray(pixels, dtype=np.int64) // DIR_SIZE * DIR_SIZE
    return number


def merge_ranges(starts: IntLike, stops: IntLike) -> IntArray:
    """Return the union of half-open ranges as sorted, disjoint, non-adjacent ranges.

    Parameters
    ----------
    starts, stops : array_like of int, shape (n,)
        Ranges in any order. They may overlap; empty ones are dropped.

    Returns
    -------
    ndarray of int64, shape (k, 2)
    """
    low, high = np.asarray(starts, dtype=np.int64), np.asarray(stops, dtype=np.int64)
    keep = low < high
    low, high = low[keep], high[keep]
    if low.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    by_start = np.argsort(low, kind="stable")
    low, reach = low[by_start], np.maximum.accumulate(high[by_start])
    opens = np.concatenate(([True], low[1:] > reach[:-1]))
    closes = np.concatenate((opens[1:], [True]))
    return np.stack((low[opens], reach[closes]), axis=1)


def radec_to_pixel(ra: npt.ArrayLike, dec: npt.ArrayLike, order: int, *, threads: int = 1) -> IntArray:
    """Return the NESTED pixel that contains each position.

    Parameters
    ----------
    ra, dec : array_like of float, shapes that broadcast
        Right ascension (any finite value; wrapped into [0, 360)) and declination (-90 to 90), in degrees.
    order : int
        HEALPix order, 0 to 29.
    threads : int
        Threads to use; 0 for all cores.

    Returns
    -------
    ndarray of int64
        Computed in float64, whatever the precision of the input.

    Raises
    ------
    UsageError
        If a declination is not between -90 and 90, a coordinate is not finite, or the order is out of range.
    """
    check_order(order)
    lon, lat = np.broadcast_arrays(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64))
    if lon.size == 0:
        return np.empty(lon.shape, dtype=np.int64)
    # cdshealpix panics on a value outside the sphere, and `except Exception` does not catch a panic.
    is_wrapped = lon.min() >= 0 and lon.max() < 360  # false for NaN
    if not ((is_wrapped or np.isfinite(lon).all()) and lat.min() >= -90 and lat.max() <= 90):
        raise UsageError(
            "invalid coordinates", expected="finite right ascensions, and declinations from -90 to 90"
        )
    if not is_wrapped:
        from astropy.coordinates import Longitude

        lon = Longitude(lon + 0.0, "deg").value  # Astropy wraps in place: not the caller's array
    return known_radec_to_pixel(lon, lat, order, threads=threads)


def known_radec_to_pixel(ra: FloatArray, dec: FloatArray, order: int, *, threads: int = 1) -> IntArray:
    """Do what `radec_to_pixel` does, for positions that are known to be valid.

    Parameters
    ----------
    ra, dec : ndarray of float64, of one shape
        At least one position, in degrees: right ascensions in [0, 360), declinations from -90 to 90.
    order, threads : int
        See `radec_to_pixel`.
    """
    import astropy.units as u
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix.nested import lonlat_to_healpix

    # Astropy neither checks nor converts views; that would double the time.
    longitude = (_in_radians(ra) << u.rad).view(Longitude)
    latitude = (_in_radians(dec) << u.rad).view(Latitude)
    cells = lonlat_to_healpix(longitude, latitude, order, num_threads=threads)
    numbers: IntArray = cells.view(np.int64).reshape(ra.shape)
    return numbers


def _in_radians(degrees: FloatArray) -> FloatArray:
    """Return angles in radians, with 0.0 for -0.0: near the poles cdshealpix puts that west of 0.0."""
    radians: FloatArray = degrees * _RADIANS
    radians += 0.0
    return radians


def pixel_to_radec(pixels: IntLike, order: int) -> tuple[FloatArray, FloatArray]:
    """Return the centres of pixels.

    Parameters
    ----------
    pixels : array_like of int
        NESTED pixel numbers.
    order : int
        Their order, 0 to 29.

    Returns
    -------
    ra, dec : ndarray of float64
        In degrees.

    Raises
    ------
    UsageError
        If a pixel does not exist at this order.
    """
    from cdshealpix.nested import healpix_to_lonlat

    cells = _cells(pixels, order)
    lon, lat = healpix_to_lonlat(cells.ravel(), order)
    return lon.to_value("deg").reshape(cells.shape), lat.to_value("deg").reshape(cells.shape)


def outlines(pixels: IntLike, order: int, step: int = 1) -> tuple[FloatArray, FloatArray]:
    """Return the outlines of pixels as points along their edges.

    Parameters
    ----------
    pixels : array_like of int, shape (n,)
        NESTED pixel numbers.
    order : int
        Their order, 0 to 29.
    step : int
        Points on each of the four edges.

    Returns
    -------
    ra, dec : ndarray of float64, shape (n, 4 * step)
        In degrees.

    Raises
    ------
    UsageError
        If a pixel does not exist at this order.
    """
    from cdshealpix.nested import vertices

    lon, lat = vertices(_cells(pixels, order), order, step=step)
    return lon.to_value("deg"), lat.to_value("deg")


def _cells(pixels: IntLike, order: int) -> npt.NDArray[np.uint64]:
    """Return pixel numbers in the type that cdshealpix takes."""
    numbers = np.asarray(pixels, dtype=np.int64)
    count = npix(check_order(order))
    if ((numbers < 0) | (numbers >= count)).any():
        raise UsageError(f"invalid pixels for order {order}", expected=f"0 to {count - 1}")
    return numbers.astype(np.uint64)
