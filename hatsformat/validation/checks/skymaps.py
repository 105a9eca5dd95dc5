"""Checks of the sky maps and of the area they cover (Note, section 3.6.3)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from hatsformat import layout
from hatsformat.artefacts.skymap import degrade
from hatsformat.healpix import MAX_ORDER, HealpixPixel, change_order, uniq
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.checks.partition_info import rows_by_tile
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.skymaps import Skymap
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check

_FRACTION_SLACK = 1e-5
"""Writers use five decimals."""
_LEAST_DIGITS = 50
"""A fraction with fewer digits may be off by at most 1/50, about two digits."""


@catalog_check("HATS-AUX-101")
def is_there(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that an object catalog has a sky map."""
    if not catalog.files.main_map.is_there:
        yield Departure.of("the sky map is missing", layout.SKYMAP)


@catalog_check("HATS-AUX-102")
def is_readable(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the sky maps are HEALPix maps of counts."""
    maps = (catalog.files.skymap, catalog.files.point_map)
    if not any(file.is_there for file in maps):
        raise NoEvidenceError("the sky map is missing")
    for file in maps:
        file.check_seen()
        if file.error is not None and file.is_there:
            found = "" if file.error.found is None else f": {file.error.found}"
            yield Departure.of("the sky map cannot be read", file.path, actual=f"{file.error.message}{found}")


def _maps(catalog: CatalogEvidence) -> Iterator[tuple[str, Skymap]]:
    """Yield the readable sky maps, the main map first; raise `NoEvidenceError` if that one cannot be read."""
    yield catalog.files.main_map.path, catalog.files.main_map.need()
    others = [catalog.files.point_map] if catalog.files.skymap.is_there else []
    orders = catalog.files.alt_orders if catalog.folder.can_list else ()
    for file in (*others, *map(catalog.files.alt_skymap, orders)):
        if file.value is not None:
            yield file.path, file.value


@catalog_check("HATS-AUX-103")
def is_nested(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the sky maps are in the NESTED scheme, except ``point_map.fits``."""
    catalog.files.skymap.need()
    for path, found in _maps(catalog):
        if found.ordering != "NESTED" and path != layout.POINT_MAP:
            yield Departure.of("the sky map is not NESTED", path, actual=found.ordering, expected="NESTED")


_SYSTEMS = {"equatorial": ("C", "Q"), "galactic": ("G",), "ecliptic": ("E",)}


@catalog_check("HATS-AUX-113")
def header_is_right(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the headers of the sky maps have the right pixel type and frame."""
    for path, found in _maps(catalog):
        if found.pixel_type not in ("", "HEALPIX"):
            message = "PIXTYPE of the sky map must be HEALPIX"
            yield Departure.of(
                message, path, actual=f"PIXTYPE={found.pixel_type}", expected="PIXTYPE=HEALPIX"
            )
        expected = _SYSTEMS.get(catalog.declared.properties.hats_frame or "equatorial", ())
        if found.system and expected and found.system[0] not in expected:
            yield Departure.of(
                "the sky map and the catalog have different frames",
                path,
                actual=f"COORDSYS={found.system}",
                expected=f"COORDSYS={expected[0]}",
            )


@catalog_check("HATS-AUX-104")
def has_its_order(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the order of the sky map is ``hats_skymap_order``."""
    declared, found = catalog.declared.value("hats_skymap_order"), catalog.files.skymap.need().order
    if declared != found:
        message = "hats_skymap_order differs from the order of skymap.fits"
        yield Departure.of(
            message, catalog.declared.properties_path, "hats_skymap_order", actual=declared, expected=found
        )


@catalog_check("HATS-AUX-108")
def exists_if_declared(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the catalog has a sky map if the properties declare its order."""
    declared = catalog.declared.value("hats_skymap_order")
    if not catalog.files.skymap.is_there:
        yield Departure.of(
            "hats_skymap_order is set, but skymap.fits is missing",
            layout.SKYMAP,
            actual=f"hats_skymap_order={declared}",
        )


@catalog_check("HATS-AUX-105")
def counts_all_rows(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the counts of the sky map add up to the number of rows."""
    found = catalog.files.main_map
    total = int(found.need().counts.sum())
    rows = (
        catalog.footers.leaves.rows
        if catalog.scope.reaches("footers")
        else catalog.declared.value("hats_nrows")
    )
    if total != rows:
        yield Departure.of(
            "the total of the sky map differs from the number of rows",
            found.path,
            actual=total,
            expected=rows,
        )


@catalog_check("HATS-AUX-106")
def counts_rows_by_tile(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the counts of the sky map within each tile add up to the rows of its leaf."""
    found = catalog.files.main_map
    skymap = found.need()
    tiles = catalog.files.tiles
    if len(tiles) and tiles.max_order > skymap.order:
        raise NoEvidenceError("the sky map is coarser than the tiles")
    numbers, rows = rows_by_tile(catalog)
    starts = change_order(tiles.starts, MAX_ORDER, skymap.order)
    stops = change_order(tiles.stops - 1, MAX_ORDER, skymap.order) + 1
    sums = np.zeros(skymap.counts.size + 1, dtype=np.int64)
    np.cumsum(skymap.counts, out=sums[1:])
    counted = sums[stops] - sums[starts]
    actual = rows[np.searchsorted(numbers, uniq(tiles.orders, tiles.pixels))]
    for index in np.flatnonzero(counted != actual).tolist():
        yield Departure.of(
            "the sky map and the leaf differ in their number of rows",
            found.path,
            actual=f"{counted[index]} in {_tile(tiles[index])}",
            expected=int(actual[index]),
        )


def _tile(tile: HealpixPixel) -> str:
    return str(tile)


@catalog_check("HATS-AUX-110")
def counts_rows_by_pixel(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that each pixel of the sky map has the number of rows within it."""
    catalog.scope.require("rows")
    file, tally = catalog.files.main_map, catalog.rows.pixels
    skymap = file.need()
    if int(skymap.counts.sum()) != catalog.footers.leaves.rows or _differs_by_tile(catalog):
        raise NoEvidenceError("the sky map and the leaves differ in their number of rows")
    wrong = np.flatnonzero(tally.counts != skymap.counts)
    if wrong.size:
        first = int(wrong[0])
        example = f"{skymap.counts[first]} in {HealpixPixel(skymap.order, first)}"
        yield Departure.of(
            "the sky map has wrong counts",
            file.path,
            actual=f"{example}; {wrong.size} wrong pixels in total",
            expected=int(tally.counts[first]),
        )


def _differs_by_tile(catalog: CatalogEvidence) -> bool:
    try:
        return any(True for _ in counts_rows_by_tile(catalog))
    except NoEvidenceError:
        return False  # the map is coarser than the tiles


@catalog_check("HATS-AUX-107")
def down_sampled_maps(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that every down-sampled map exists and matches the main map, listed or not."""
    listed = set(catalog.declared.properties.hats_skymap_alt_orders or ())
    orders = listed | set(catalog.files.alt_orders if catalog.folder.can_list else ())
    if not orders:
        raise NoEvidenceError("the catalog has no down-sampled sky maps")
    for order in sorted(orders):
        file = catalog.files.alt_skymap(order)
        file.check_seen()
        if not file.is_there:
            yield Departure.of("missing down-sampled sky map", file.path, actual="no such file")
        elif file.error is not None:
            yield Departure.of("a down-sampled sky map cannot be read", file.path, actual=file.error.message)
        elif file.value is not None:
            yield from _compare(file.path, file.value, order, catalog.files.main_map.need())


def _compare(path: str, found: Skymap, order: int, main: Skymap) -> Iterator[Departure]:
    if found.order != order:
        yield Departure.of("wrong order of a down-sampled sky map", path, actual=found.order, expected=order)
        return
    shared = min(order, main.order)
    if not np.array_equal(degrade(found.counts, shared), degrade(main.counts, shared)):
        yield Departure.of("a down-sampled sky map differs from the main map", path)


@catalog_check("HATS-AUX-111")
def all_maps_are_listed(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the order of every down-sampled map is listed."""
    if "hats_skymap_alt_orders" in catalog.declared.document.to_dict():
        listed = catalog.declared.value("hats_skymap_alt_orders")
    else:
        listed = ()
    for order in catalog.files.alt_orders:
        if order not in listed:
            yield Departure.of(
                "the order of a down-sampled sky map is not in hats_skymap_alt_orders",
                layout.skymap_path(order),
                actual=" ".join(map(str, listed)) or "no orders",
                expected=order,
            )


@catalog_check("HATS-AUX-109")
def same_point_map(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``point_map.fits`` and ``skymap.fits`` have the same counts."""
    skymap, points = catalog.files.skymap.need(), catalog.files.point_map.need()
    order = min(skymap.order, points.order)
    if not np.array_equal(degrade(skymap.counts, order), degrade(points.counts, order)):
        yield Departure.of("point_map.fits and skymap.fits differ", layout.POINT_MAP)


@catalog_check("HATS-PROP-403")
def sky_fraction(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``moc_sky_fraction`` is the area of the tiles, or of the sky map's pixels with rows.

    A MOC can be of any order, and so are the pixels.
    """
    declared = catalog.declared.value("moc_sky_fraction")
    if not len(catalog.files.tiles) and declared != 0:
        raise NoEvidenceError("the catalog has no tiles")
    area = catalog.files.tiles.sky_fraction
    found = catalog.files.main_map.value
    areas = np.array([area, *(() if found is None else _areas(found))])
    areas = areas[areas <= area]
    unit = 10.0 ** int(Decimal(repr(float(declared))).as_tuple().exponent)
    if not (np.abs(declared - areas) <= np.minimum(unit / 2, areas / _LEAST_DIGITS) + _FRACTION_SLACK).any():
        yield Departure.of(
            "moc_sky_fraction differs from the area of the tiles",
            catalog.declared.properties_path,
            "moc_sky_fraction",
            actual=declared,
            expected=f"{area:.5f}",
        )


def _areas(skymap: Skymap) -> Iterator[float]:
    """Yield the sky fractions of the pixels with rows, at the map's order and all lower orders."""
    counts = skymap.counts
    yield np.count_nonzero(counts) / counts.size
    for order in reversed(range(skymap.order)):
        counts = degrade(counts, order)
        yield np.count_nonzero(counts) / counts.size
