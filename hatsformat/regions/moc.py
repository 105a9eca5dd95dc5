"""MOCs as regions, and the one function that takes any kind of region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat.errors import RegionError
from hatsformat.healpix import MAX_ORDER, FloatArray, IntArray, check_order, merge_ranges, radec_to_pixel
from hatsformat.regions.base import BoolArray, Region, row


@dataclass(frozen=True, slots=True, eq=False)
class MocRegion(Region):
    """The cells of a MOC.

    A cell belongs to the MOC or does not: a position counts as inside when its order-29 pixel does.

    Parameters
    ----------
    pixels : ndarray of int64, shape (k, 2)
        Half-open, sorted and disjoint ranges of order-29 NESTED pixels.
    """

    pixels: IntArray

    def contains(self, ra: npt.ArrayLike, dec: npt.ArrayLike) -> BoolArray:
        """Return which positions lie in a cell of the MOC (`Region.contains`)."""
        lon, lat = row(ra), row(dec)
        inside = np.isfinite(lon) & (np.abs(lat) <= 90)
        inside[inside] = self.holds(radec_to_pixel(lon[inside], lat[inside], MAX_ORDER))
        return inside

    def holds(self, pixels: IntArray) -> BoolArray:
        """Return which order-29 pixels are in the MOC, shape (n,)."""
        # With starts and stops interleaved, a pixel is inside where an odd number of them is not above it.
        inside: BoolArray = np.searchsorted(self.pixels.ravel(), pixels, side="right") % 2 == 1
        return inside

    def ranges(self, order: int = MAX_ORDER) -> IntArray:
        """Return the MOC's own ranges, widened to whole cells of `order` (`Region.ranges`)."""
        shift = 2 * (MAX_ORDER - check_order(order))
        return merge_ranges(
            self.pixels[:, 0] >> shift << shift, ((self.pixels[:, 1] - 1 >> shift) + 1) << shift
        )

    def _clearance(self, vectors: FloatArray) -> FloatArray:
        raise NotImplementedError("a MOC knows its ranges and needs no descent")


def as_region(region: Any) -> Region:
    """Return a region as this package knows it.

    Parameters
    ----------
    region : Cone, Box, Polygon, mocpy.MOC or Region

    Raises
    ------
    RegionError
        If it is none of them.
    """
    if isinstance(region, Region):
        return region
    # Known by what it offers, so that mocpy is not imported for the sake of a question.
    found = getattr(region, "to_depth29_ranges", None)
    if found is None or callable(found):
        raise RegionError(
            "this is not a region", found=region, expected="a Cone, a Box, a Polygon or a mocpy.MOC"
        )
    pixels = np.asarray(found).astype(np.int64).reshape(-1, 2)
    return MocRegion(merge_ranges(pixels[:, 0], pixels[:, 1]))
