"""Sky maps: how many rows there are where, and the tiles over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat import storage
from hatsformat.artefacts.skymap import degrade
from hatsformat.catalog import Catalog
from hatsformat.errors import MissingExtraError, UsageError
from hatsformat.healpix import FloatArray, npix, order_of_npix, outlines, radec_to_pixel

PROJECTIONS = ("mollweide", "aitoff", "hammer")
FORMATS = (".png", ".pdf", ".svg", ".jpg")
MAX_OUTLINES = 50_000
"""Outlines of more tiles than this would be a black sky, and take minutes to draw."""

_MAP_ORDER = 7
"""Pixels of half a degree: finer ones are not to be seen in the picture."""

_PIXEL_ROWS = 16
"""Rows that a pixel should hold on average: with fewer, the map would show noise."""


@dataclass(frozen=True, slots=True)
class PlotOptions:
    """How a sky map is drawn.

    Parameters
    ----------
    projection : {"mollweide", "aitoff", "hammer"}
        All three show the whole sky, with RA 0 in the middle and growing to the left.
    tiles : bool
        Whether to draw the outlines of the tiles.
    title : str, optional
        The catalog's name where it is not given.
    width : float
        Of the picture, in inches; the height follows.
    dpi : int
        Dots an inch.

    Raises
    ------
    UsageError
        If there is no such projection, or the size is no size.
    """

    projection: str = "mollweide"
    tiles: bool = True
    title: str | None = None
    width: float = 10.0
    dpi: int = 120

    def __post_init__(self) -> None:
        if self.projection not in PROJECTIONS:
            raise UsageError(
                "there is no such projection", found=self.projection, expected=", ".join(PROJECTIONS)
            )
        if not (0 < self.width <= 100 and 0 < self.dpi <= 2400):
            raise UsageError(
                "the picture cannot have this size",
                found=f"{self.width} inches at {self.dpi} dpi",
                expected="up to 100 inches at 2400 dpi",
            )


def plot_sky(catalog: Catalog, options: PlotOptions | None = None) -> Any:
    """Draw the sky map of a catalog.

    Parameters
    ----------
    catalog : Catalog
        Only its sky map and its tiles are read. Without a sky map, the tiles are drawn alone.
    options : PlotOptions, optional
        How to draw it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    options = options or PlotOptions()
    figure = _figure(options)
    axes = figure.add_subplot(projection=options.projection)
    axes.grid(visible=True, alpha=0.3, linewidth=0.5)
    counts = _counts(catalog)
    if counts is not None:
        mesh = _draw_density(axes, counts)
        figure.colorbar(
            mesh, ax=axes, orientation="horizontal", shrink=0.6, pad=0.06, label="rows per square degree"
        )
    partitions = catalog.partitions
    if options.tiles and len(partitions) <= MAX_OUTLINES:
        _draw_tiles(axes, partitions.orders, partitions.pixels)
    meridians = np.arange(-150, 180, 30)
    axes.set_xticks(np.radians(meridians), [f"{-lon % 360}°" for lon in meridians.tolist()])
    axes.tick_params(labelsize=7, labelcolor="black")
    figure.suptitle(options.title or f"{catalog.name}: {len(partitions)} tiles", fontsize=11)
    return figure


def save_plot(catalog: Catalog, path: storage.PathLike, options: PlotOptions | None = None) -> None:
    """Draw the sky map of a catalog into a file, which appears whole or not at all.

    Parameters
    ----------
    catalog : Catalog
        See `plot_sky`.
    path : path-like
        A file whose name ends in ``.png``, ``.pdf``, ``.svg`` or ``.jpg``.
    options : PlotOptions, optional
        How to draw it.

    Raises
    ------
    UsageError
        If the file's name ends otherwise.
    MissingExtraError
        If matplotlib is not installed.
    """
    place = storage.resolve(path)
    suffix = place.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError("cannot draw into this kind of file", path=place, expected=", ".join(FORMATS))
    figure = plot_sky(catalog, options)
    with storage.atomic_writer(place) as stream:
        figure.savefig(stream, format=suffix[1:])


def _figure(options: PlotOptions) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plotting", "plot") from error
    # Not pyplot: it would keep every figure, and look for a screen.
    return Figure(figsize=(options.width, options.width * 0.62), dpi=options.dpi, layout="constrained")


def _counts(catalog: Catalog) -> npt.NDArray[Any] | None:
    """Return rows per pixel, at an order the picture can show; None for a catalog without a sky map."""
    counts = catalog.skymap()
    if counts is None:
        return None
    order, rows = order_of_npix(len(counts)), int(counts.sum())
    while order > _MAP_ORDER or (order > 3 and npix(order) * _PIXEL_ROWS > rows):
        order -= 1
    return degrade(counts, order)


def _draw_density(axes: Any, counts: npt.NDArray[Any]) -> Any:
    from matplotlib.colors import LogNorm

    lon = np.linspace(-180, 180, 1081)
    lat = np.linspace(-90, 90, 541)
    middle = np.meshgrid((lon[1:] + lon[:-1]) / 2, (lat[1:] + lat[:-1]) / 2)
    pixels = radec_to_pixel(-middle[0], middle[1], order_of_npix(len(counts)))
    square_degrees = np.degrees(np.degrees(4 * np.pi)) / len(counts)
    density = np.ma.masked_less_equal(counts[pixels] / square_degrees, 0)
    low, high = (float(density.min()), float(density.max())) if density.count() else (1.0, 1.0)
    norm = LogNorm(low, max(high, low * 1.01))
    return axes.pcolormesh(
        np.radians(lon), np.radians(lat), density, norm=norm, cmap="YlGnBu", rasterized=True, zorder=0
    )


def _draw_tiles(axes: Any, orders: npt.NDArray[Any], pixels: npt.NDArray[Any]) -> None:
    from matplotlib.collections import LineCollection

    for order in np.unique(orders).tolist():
        # Edges of large tiles are curves on the map; a fine tile's are as good as straight.
        ra, dec = outlines(pixels[orders == order], order, max(1, 32 >> order))
        lines = LineCollection(_segments(ra, dec), linewidths=0.5, colors="black", alpha=0.7, zorder=2)
        axes.add_collection(lines, autolim=False)


def _segments(ra: FloatArray, dec: FloatArray) -> FloatArray:
    """Return the pieces of closed outlines, shape (k, 2, 2), in radians, but those across the map's edge."""
    lon = -np.radians((ra + 180) % 360 - 180)
    points = np.stack((lon, np.radians(dec)), axis=-1)
    pieces = np.stack((points, np.roll(points, -1, axis=1)), axis=2).reshape(-1, 2, 2)
    crossing = np.abs(pieces[:, 0, 0] - pieces[:, 1, 0]) > np.pi
    inside: FloatArray = pieces[~crossing]
    return inside
