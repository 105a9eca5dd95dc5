"""HEALPix in the NESTED scheme.

`arithmetic` has orders, pixel numbers, ranges and positions; `bits` works on the bits of pixel numbers;
`base_tiles` says where the base tiles are; `vectors` has positions as unit vectors; `edges` finds positions
near the border of a tile; `projection` draws the whole sky.
"""

from hatsformat.healpix.arithmetic import (
    BASE_TILES,
    DIR_SIZE,
    MAX_ORDER,
    BoolArray,
    FloatArray,
    HealpixPixel,
    IntArray,
    IntLike,
    are_tiles,
    change_order,
    check_order,
    children,
    dir_number,
    known_radec_to_pixel,
    merge_ranges,
    npix,
    order_of_npix,
    outlines,
    pixel_to_radec,
    pixel_width,
    radec_to_pixel,
    range29,
)
from hatsformat.healpix.bits import pack_xy, touch_border, uniq, unpack_xy
from hatsformat.healpix.vectors import centres, unit_vectors

__all__ = [
    "BASE_TILES",
    "DIR_SIZE",
    "MAX_ORDER",
    "BoolArray",
    "FloatArray",
    "HealpixPixel",
    "IntArray",
    "IntLike",
    "are_tiles",
    "centres",
    "change_order",
    "check_order",
    "children",
    "dir_number",
    "known_radec_to_pixel",
    "merge_ranges",
    "npix",
    "order_of_npix",
    "outlines",
    "pack_xy",
    "pixel_to_radec",
    "pixel_width",
    "radec_to_pixel",
    "range29",
    "touch_border",
    "uniq",
    "unit_vectors",
    "unpack_xy",
]
