"""MOCs as regions, and a function that accepts any kind of region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat.errors import RegionError
from hatsformat.healpix import (
    MAX_ORDER,
    BoolArray,
    FloatArray,
    IntArray,
    check_order,
    merge_ranges,
    radec_to_pixel,
)
from hatsformat.regions.base import Region, row


@dataclass(frozen=True, slots=True, eq=False)
class MocRegion(Region):
    """The pixels of a MOC.

    A position is inside if its order-29 pixel is in the MOC.

    Parameters
    ----------
    pixels : ndarray of int64, shape (k, 2)
        Half-open, sorted and disjoint ranges of order-29 NESTED pixels.
    """

    pixels: IntArray

    def contains(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> BoolArray:
        """Return which positions are in a pixel of the MOC (`Region.contains`)."""
        lon, lat = row(ra), row(dec)
        inside = np.isfinite(lon) & (np.abs(lat) <= 90)
        inside[inside] = self.contains_pixels(radec_to_pixel(lon[inside], lat[inside], MAX_ORDER))
        return inside

    def contains_pixels(self, pixels: IntArray) -> BoolArray:
        """Return which order-29 pixels are in the MOC, shape (n,)."""
        # Among all starts and stops in order, an odd number is at or below a pixel that is inside.
        inside: BoolArray = np.searchsorted(self.pixels.ravel(), pixels, side="right") % 2 == 1
        return inside

    def ranges(self, order: int = MAX_ORDER) -> IntArray:
        """Return the MOC's ranges, widened to whole pixels of `order` (`Region.ranges`)."""
        shift = 2 * (MAX_ORDER - check_order(order))
        return merge_ranges(
            self.pixels[:, 0] >> shift << shift, ((self.pixels[:, 1] - 1 >> shift) + 1) << shift
        )

    def _clearance(self, vectors: FloatArray) -> FloatArray:
        raise NotImplementedError("a MOC has its ranges already")


def as_region(region: Any) -> Region:
    """Return a region as a `Region`.

    Parameters
    ----------
    region : Cone, Box, Polygon, mocpy.MOC or Region

    Raises
    ------
    RegionError
        If it is anything else.
    """
    if isinstance(region, Region):
        return region
    # Check an attribute instead of the class, because importing mocpy is slow.
    found = getattr(region, "to_depth29_ranges", None)
    if found is None or callable(found):
        raise RegionError("not a region", found=region, expected="a Cone, a Box, a Polygon or a mocpy.MOC")
    pixels = np.asarray(found).astype(np.int64).reshape(-1, 2)
    return MocRegion(merge_ranges(pixels[:, 0], pixels[:, 1]))
