"""The bits of NESTED pixel numbers.

A NESTED number is its base tile, followed by two bits per order: the even bits hold the pixel's x within the
base tile, which grows to the north-east, and the odd bits hold y, which grows to the north-west (Gorski et
al. 2005, section 4.1).
"""

from __future__ import annotations

import numpy as np

from hatsformat.healpix.arithmetic import BoolArray, IntArray, IntLike

_EVEN_BITS = 0x5555_5555_5555_5555
_SPREADING = (
    (16, 0x0000_FFFF_0000_FFFF),
    (8, 0x00FF_00FF_00FF_00FF),
    (4, 0x0F0F_0F0F_0F0F_0F0F),
    (2, 0x3333_3333_3333_3333),
    (1, _EVEN_BITS),
)
"""Steps that spread 32 bits over the even bits of 64: how far bits move, and which bits are kept."""

_PACKING = (
    (1, 0x3333_3333_3333_3333),
    (2, 0x0F0F_0F0F_0F0F_0F0F),
    (4, 0x00FF_00FF_00FF_00FF),
    (8, 0x0000_FFFF_0000_FFFF),
    (16, 0x0000_0000_FFFF_FFFF),
)
"""The same steps backwards."""


def unpack_xy(numbers: IntArray) -> tuple[IntArray, IntArray]:
    """Return x and y of pixels within their base tile.

    Parameters
    ----------
    numbers : ndarray of int64
        Pixel numbers counted from the first pixel of the base tile, 0 to ``4**order - 1``.

    Returns
    -------
    x, y : ndarray of int64
        0 to ``2**order - 1``.
    """
    return _even_bits(numbers), _even_bits(numbers >> 1)


def pack_xy(x: IntLike, y: IntLike) -> IntArray:
    """Return the pixel numbers within a base tile that have these x and y: the inverse of `unpack_xy`.

    Parameters
    ----------
    x, y : array_like of int, shapes that broadcast
        0 to ``2**29 - 1``.

    Returns
    -------
    ndarray of int64
    """
    packed: IntArray = _spread_bits(x) | (_spread_bits(y) << 1)
    return packed


def touch_border(pixels: IntArray, levels: IntArray) -> BoolArray:
    """Return which pixels touch the border of the tile they lie in.

    Parameters
    ----------
    pixels : ndarray of int64, shape (n,)
        NESTED pixel numbers.
    levels : ndarray of int64, shape (n,)
        How many orders each pixel is deeper than its tile. At 0 the pixel is the tile.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    last = ((np.int64(1) << (2 * levels)) - 1) & _EVEN_BITS
    # The bits can stay where they are: only the lowest and the highest x and y matter.
    x, y = pixels & last, (pixels >> 1) & last
    touching: BoolArray = (x == 0) | (x == last) | (y == 0) | (y == last)
    return touching


def uniq(orders: IntLike, pixels: IntLike) -> IntArray:
    """Return one number for each tile: ``4 * 4**order + pixel``, the ``uniq`` of the MOC standard.

    Parameters
    ----------
    orders, pixels : array_like of int, shapes that broadcast
        Orders (0 to 29) and NESTED pixel numbers.

    Returns
    -------
    ndarray of int64
        Different for different tiles; ascending with the order, then with the pixel.
    """
    wide = np.asarray(orders, dtype=np.int64)
    numbers: IntArray = np.left_shift(np.int64(4), 2 * wide) + np.asarray(pixels, dtype=np.int64)
    return numbers


def _even_bits(numbers: IntArray) -> IntArray:
    """Return bits 0, 2, 4, … of numbers, packed together."""
    bits = numbers & _EVEN_BITS
    for shift, mask in _PACKING:
        bits = (bits | (bits >> shift)) & mask
    return bits


def _spread_bits(values: IntLike) -> IntArray:
    """Return numbers whose bits 0, 2, 4, … are the bits of `values`."""
    bits = np.asarray(values, dtype=np.int64)
    for shift, mask in _SPREADING:
        bits = (bits | (bits << shift)) & mask
    return bits
