"""Draw the tiles of a catalog on the sky as a self-contained SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat import healpix
from hatsformat.healpix import FloatArray, IntArray
from hatsformat.healpix.projection import mollweide
from hatsformat.layout import parse_leaf_path
from hatsformat.validation.findings import Finding

SHAPES = 4000
"""The most tiles that are drawn; if there are more, small tiles are merged."""

_CLASSES = ("sound", "info", "warning", "error")
_WIDTH, _HEIGHT, _EDGE = 720.0, 360.0, 4.0
_FINE_EDGE = 16  # points on the edge of a tile of order 0


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """The tiles of one catalog.

    Attributes
    ----------
    member : str
        Its directory in the collection; empty for a single catalog.
    orders : ndarray of uint8, shape (n,)
    pixels : ndarray of int64, shape (n,)
    """

    member: str
    orders: npt.NDArray[Any]
    pixels: npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Tiles to draw, in columns of shape (n,).

    Attributes
    ----------
    orders, pixels : ndarray of int64
    severities : ndarray of int64
        The severity of the worst finding: 0 for none, to 3 for an error.
    counts, faulty : ndarray of int64
        The number of tiles merged into it, and how many of these have findings.
    """

    orders: IntArray
    pixels: IntArray
    severities: IntArray
    counts: IntArray
    faulty: IntArray

    def __len__(self) -> int:
        return len(self.orders)


def mark(footprint: Footprint, findings: Sequence[Finding]) -> Tiles:
    """Return the tiles of a catalog with the severities of the findings at their leaves.

    Parameters
    ----------
    footprint : Footprint
    findings : sequence of Finding
        Those of the whole report.

    Returns
    -------
    Tiles
        Includes tiles that only appear in findings, such as leaves in the wrong folder.
    """
    worst = _worst(footprint.member, findings)
    marked = np.array([(order, pixel, kind) for (order, pixel), kind in worst.items()], dtype=np.int64)
    marked = marked.reshape(-1, 3)
    orders = np.concatenate([footprint.orders.astype(np.int64), marked[:, 0]])
    pixels = np.concatenate([footprint.pixels.astype(np.int64), marked[:, 1]])
    severities = np.concatenate([np.zeros(len(footprint.orders), dtype=np.int64), marked[:, 2]])
    order, pixel, which = _distinct(orders, pixels)
    kind = np.zeros(len(order), dtype=np.int64)
    np.maximum.at(kind, which, severities)
    return Tiles(order, pixel, kind, np.ones_like(kind), (kind > 0).astype(np.int64))


def _worst(member: str, findings: Sequence[Finding]) -> Mapping[tuple[int, int], int]:
    """Return the severity of the worst finding at each tile."""
    prefix = f"{member}/" if member else ""
    worst: dict[tuple[int, int], int] = {}
    for finding in findings:
        kind = _CLASSES.index(finding.severity)
        paths = {departure.location.path for departure in finding.departures}
        for path in paths:
            if path is None or not path.startswith(f"{prefix}dataset/"):
                continue
            leaf = parse_leaf_path(path)
            if leaf is not None:
                tile = (leaf.order, leaf.pixel)
                worst[tile] = max(kind, worst.get(tile, 0))
    return worst


def _distinct(orders: IntArray, pixels: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the distinct tiles, sorted, and the index of each tile in them."""
    _, first, which = np.unique(healpix.uniq(orders, pixels), return_index=True, return_inverse=True)
    return orders[first], pixels[first], which


def coarsen(tiles: Tiles, limit: int = SHAPES) -> Tiles:
    """Return at most about `limit` tiles, by merging small tiles into their parents."""
    for order in range(int(tiles.orders.max(initial=0)), -1, -1):
        if len(tiles) <= limit:
            break
        tiles = _at_most(tiles, order)
    return tiles


def _at_most(tiles: Tiles, order: int) -> Tiles:
    up = 2 * (tiles.orders - order).clip(0)
    orders, pixels, which = _distinct(tiles.orders.clip(max=order), tiles.pixels >> up)
    severities, counts, faulty = (np.zeros(len(orders), dtype=np.int64) for _ in range(3))
    np.maximum.at(severities, which, tiles.severities)
    np.add.at(counts, which, tiles.counts)
    np.add.at(faulty, which, tiles.faulty)
    return Tiles(orders, pixels, severities, counts, faulty)


def draw_sky(tiles: Tiles, title: str, number: int = 0) -> str:
    """Return an SVG element: the tiles in a Mollweide projection of the sky, those with findings marked.

    Parameters
    ----------
    tiles : Tiles
        The tiles to draw; see `coarsen`.
    title : str
        The description for screen readers, without markup.
    number : int
        The number of the picture on its page.

    Returns
    -------
    str
        Without scripts and styles: the classes ``sound``, ``info``, ``warning`` and ``error`` are the page's
        to colour.
    """
    from html import escape

    shapes = []
    drawing = np.argsort(tiles.severities, kind="stable")  # tiles with findings on top
    severities = tiles.severities[drawing]
    for kind, name in enumerate(_CLASSES):
        at = drawing[severities == kind]
        if len(at):
            shapes.append(f'<g class="{name}">{"".join(_shapes(tiles, at))}</g>')
    box = f"{-_EDGE:g} {-_EDGE:g} {_WIDTH + 2 * _EDGE:g} {_HEIGHT + 2 * _EDGE:g}"
    ellipse = f'cx="{_WIDTH / 2:g}" cy="{_HEIGHT / 2:g}" rx="{_WIDTH / 2:g}" ry="{_HEIGHT / 2:g}"'
    return (
        f'<svg class="sky" viewBox="{box}" role="img" aria-label="{escape(title)}">'
        f'<clipPath id="rim{number}"><ellipse {ellipse}/></clipPath><ellipse class="rim" {ellipse}/>'
        f'<g clip-path="url(#rim{number})">{"".join(shapes)}<path class="grid" d="{_grid()}"/></g></svg>'
    )


def _shapes(tiles: Tiles, at: IntArray) -> list[str]:
    """Return one path element per tile."""
    found = []
    for order in np.unique(tiles.orders[at]).tolist():
        these = at[tiles.orders[at] == order]
        lines = _paths(tiles.pixels[these], order)
        rows = zip(
            lines,
            tiles.pixels[these].tolist(),
            tiles.counts[these].tolist(),
            tiles.faulty[these].tolist(),
            strict=True,
        )
        for line, pixel, count, faulty in rows:
            label = f"Norder={order}/Npix={pixel}"
            if count > 1:
                label += f": {count} tiles, {faulty} with findings"
            found.append(f'<path d="{line}"><title>{label}</title></path>')
    return found


def _paths(pixels: IntArray, order: int) -> list[str]:
    """Return the outline of each pixel; pixels across the edge of the map are drawn on both sides."""
    step = max(1, _FINE_EDGE >> order)
    ra, dec = healpix.outlines(pixels, order, step)
    centre, _ = healpix.pixel_to_radec(pixels, order)
    middle = ((centre + 180.0) % 360.0 - 180.0)[:, None]
    longitude = middle + (ra - middle + 180.0) % 360.0 - 180.0
    shift = np.where(longitude.max(axis=1) > 180.0, -360.0, 0.0)
    shift = np.where(longitude.min(axis=1) < -180.0, 360.0, shift)
    x, y = _on_picture(longitude, dec)
    twice, _ = _on_picture(longitude + shift[:, None], dec)
    lines = [_line(*points) for points in zip(x.tolist(), y.tolist(), strict=True)]
    for index in np.flatnonzero(shift):
        lines[index] += _line(twice[index].tolist(), y[index].tolist())
    return lines


def _line(xs: Sequence[float], ys: Sequence[float], end: str = "Z") -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    return f"M{points}{end}"


def _on_picture(longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return x and y on the picture, with east to the left, of positions in degrees."""
    x, y = mollweide(longitude, latitude)
    return _WIDTH / 2 * (1 - x), _HEIGHT / 2 * (1 - y)


def _grid() -> str:
    """Return lines every 60 degrees of right ascension and 30 of declination."""
    along = np.linspace(-90.0, 90.0, 61)
    lines = [_on_picture(np.full_like(along, longitude), along) for longitude in range(-120, 121, 60)]
    lines += [
        _on_picture(np.array([-180.0, 180.0]), np.full(2, float(latitude))) for latitude in range(-60, 61, 30)
    ]
    return "".join(_line(x.tolist(), y.tolist(), "") for x, y in lines)
