"""Regions of the sky: cones, boxes, polygons and MOCs, all of them closed sets on the sphere.

Every bare number is in degrees; an Astropy ``Quantity`` (or ``Angle``) says otherwise. Each region answers
two questions: which positions are inside, exactly (`Region.contains`), and which order-29 ranges cover it
(`Region.ranges`).
"""

from __future__ import annotations

from hatsformat.regions.base import Region
from hatsformat.regions.moc import MocRegion, as_region
from hatsformat.regions.polygon import Polygon
from hatsformat.regions.shapes import Box, Cone

__all__ = ["Box", "Cone", "MocRegion", "Polygon", "Region", "as_region"]
