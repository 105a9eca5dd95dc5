"""Queries of real stars: the rows are those that a look at every line of the file gives."""

from __future__ import annotations

import numpy as np
import pyarrow.csv
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from hatsformat import Box, Cone, Polygon, open_catalog
from tests.support.catalog_trees import Tree


@pytest.fixture(scope="module")
def stars(shared):
    return pyarrow.csv.read_csv(shared / "data" / "hipparcos_v9.csv")


@pytest.fixture(scope="module")
def catalog(stars, tmp_path_factory):
    root = tmp_path_factory.mktemp("hipparcos")
    Tree(threshold=5000, group_rows=1000).write(root, stars)
    return open_catalog(root)


@pytest.fixture(scope="module")
def places(stars):
    return SkyCoord(stars.column("ra").to_numpy(), stars.column("dec").to_numpy(), unit="deg")


def check(catalog, stars, region, inside):
    found = catalog.scan(columns=stars.column_names, region=region).to_table().sort_by("hip")
    assert found.equals(stars.filter(inside).sort_by("hip").combine_chunks())
    assert found.num_rows > 10
    assert catalog.scan(region=region).count_rows() == found.num_rows


@pytest.mark.parametrize(
    "cone", [(56.75, 24.12, 2), (0, 90, 3), (0, -90, 5), (180, 0, 90), (266.4, -29, 170)]
)
def test_cones(catalog, stars, places, cone):
    ra, dec, radius = cone
    near = places.separation(SkyCoord(ra, dec, unit="deg")) <= radius * u.deg
    check(catalog, stars, Cone(*cone), near)


def test_a_box_across_ra_0(catalog, stars, places):
    ra, dec = places.ra.deg, places.dec.deg
    check(catalog, stars, Box((350, 10), (-5, 5)), ((ra >= 350) | (ra <= 10)) & (np.abs(dec) <= 5))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_polygon_around_a_pole(catalog, stars, places, sign):
    corners = [(0, sign * 82), (90, sign * 78), (180, sign * 84), (270, sign * 75)]
    # Seen from the pole in the gnomonic projection the edges are straight, and the polygon is convex.
    height = np.abs(np.sin(places.dec.rad))
    x, y = (np.cos(places.dec.rad) / height * f(places.ra.rad) for f in (np.cos, np.sin))
    tangent = [
        np.array([np.cos(np.radians(ra)), np.sin(np.radians(ra))]) / np.tan(np.radians(abs(dec)))
        for ra, dec in corners
    ]
    inside = sign * places.dec.deg > 0
    for (x0, y0), (x1, y1) in zip(tangent, [*tangent[1:], tangent[0]], strict=True):
        inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
    check(catalog, stars, Polygon(corners), inside)


def test_a_moc(catalog, stars, places):
    import mocpy

    moc = mocpy.MOC.from_cone(
        56.75 * u.deg, 24.12 * u.deg, radius=5 * u.deg, max_depth=9, delta_depth=2
    ).union(mocpy.MOC.from_string("2/5 100"))
    check(catalog, stars, moc, moc.contains_lonlat(places.ra, places.dec))
