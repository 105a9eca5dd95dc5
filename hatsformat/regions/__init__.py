"""Regions of the sky: cones, boxes, polygons and MOCs.

Plain numbers are in degrees; other units need an Astropy ``Quantity`` or ``Angle``. `Region.contains` says
exactly which positions are inside (edges included), and `Region.ranges` returns order-29 ranges that cover
the region.
"""

from __future__ import annotations

from hatsformat.regions.base import Region
from hatsformat.regions.moc import MocRegion, as_region
from hatsformat.regions.polygon import Polygon
from hatsformat.regions.shapes import Box, Cone

__all__ = ["Box", "Cone", "MocRegion", "Polygon", "Region", "as_region"]
