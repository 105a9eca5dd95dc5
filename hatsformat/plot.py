"""Plots of sky maps: the density of rows on the sky, and the outlines of the tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hatsformat import storage
from hatsformat.artefacts.skymap import degrade
from hatsformat.catalog import Catalog
from hatsformat.errors import MissingExtraError, UsageError
from hatsformat.healpix import FloatArray, npix, order_of_npix, outlines, radec_to_pixel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

PROJECTIONS = ("mollweide", "aitoff", "hammer")
FORMATS = (".png", ".pdf", ".svg", ".jpg")
MAX_OUTLINES = 50_000
"""The limit of tiles to draw outlines for: more would turn the image black and take minutes."""

_MAP_ORDER = 7
"""Order of the finest pixels to draw, half a degree wide: finer ones are invisible in the image."""

_PIXEL_ROWS = 16
"""The minimum average number of rows per pixel; with fewer, the map shows noise."""


@dataclass(frozen=True, slots=True)
class PlotOptions:
    """How a sky map is drawn.

    Parameters
    ----------
    projection : {"mollweide", "aitoff", "hammer"}
        All show the whole sky, with RA 0 in the middle and increasing to the left.
    tiles : bool
        Whether to draw the outlines of the tiles.
    title : str, optional
        Title; by default the catalog's name and number of tiles.
    width : float
        Width of the image in inches; the height is 0.62 times the width.
    dpi : int
        Dots per inch.

    Raises
    ------
    UsageError
        If the projection is unknown, or the size is out of range.
    """

    projection: str = "mollweide"
    tiles: bool = True
    title: str | None = None
    width: float = 10.0
    dpi: int = 120

    def __post_init__(self) -> None:
        if self.projection not in PROJECTIONS:
            raise UsageError("unknown projection", found=self.projection, expected=", ".join(PROJECTIONS))
        if not (0 < self.width <= 100 and 0 < self.dpi <= 2400):
            raise UsageError(
                "the size of the image is out of range",
                found=f"{self.width} inches at {self.dpi} dpi",
                expected="up to 100 inches at up to 2400 dpi",
            )


def plot_sky(catalog: Catalog, options: PlotOptions | None = None) -> Figure:
    """Draw the sky map of a catalog.

    Parameters
    ----------
    catalog : Catalog
        Only the sky map and the list of tiles are read. Without a sky map, only the tiles are drawn.
    options : PlotOptions, optional

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
    """Draw the sky map of a catalog and save it. The file appears only when it is complete.

    Parameters
    ----------
    catalog : Catalog
    path : path-like
        Output file; the suffix (``.png``, ``.pdf``, ``.svg`` or ``.jpg``) sets the format.
    options : PlotOptions, optional

    Raises
    ------
    UsageError
        If the suffix is unknown.
    MissingExtraError
        If matplotlib is not installed.
    """
    file = storage.resolve(path)
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError("unknown image format", path=file, found=suffix, expected=", ".join(FORMATS))
    figure = plot_sky(catalog, options)
    with storage.atomic_writer(file) as stream:
        figure.savefig(stream, format=suffix[1:])


def _figure(options: PlotOptions) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plotting", "plot") from error
    # Not pyplot, which keeps every figure in memory and looks for a display.
    return Figure(figsize=(options.width, options.width * 0.62), dpi=options.dpi, layout="constrained")


def _counts(catalog: Catalog) -> npt.NDArray[Any] | None:
    """Return rows per pixel, at an order that suits the image; None for a catalog without a sky map."""
    counts = catalog.skymap()
    if counts is None:
        return None
    order, rows = order_of_npix(len(counts)), int(counts.sum())
    while order > _MAP_ORDER or (order > 3 and npix(order) * _PIXEL_ROWS > rows):
        order -= 1
    return degrade(counts, order)


def _draw_density(axes: Axes, counts: npt.NDArray[Any]) -> QuadMesh:
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


def _draw_tiles(axes: Axes, orders: npt.NDArray[Any], pixels: npt.NDArray[Any]) -> None:
    from matplotlib.collections import LineCollection

    for order in np.unique(orders).tolist():
        # The edges of large tiles are curves on the map; those of small tiles are nearly straight.
        ra, dec = outlines(pixels[orders == order], order, max(1, 32 >> order))
        lines = LineCollection(list(_segments(ra, dec)), linewidths=0.5, colors="black", alpha=0.7, zorder=2)
        axes.add_collection(lines, autolim=False)


def _segments(ra: FloatArray, dec: FloatArray) -> FloatArray:
    """Return the segments of closed outlines, in radians, shape (k, 2, 2).

    Segments that cross the edge of the map are left out.
    """
    lon = -np.radians((ra + 180) % 360 - 180)
    points = np.stack((lon, np.radians(dec)), axis=-1)
    pieces = np.stack((points, np.roll(points, -1, axis=1)), axis=2).reshape(-1, 2, 2)
    crossing = np.abs(pieces[:, 0, 0] - pieces[:, 1, 0]) > np.pi
    inside: FloatArray = pieces[~crossing]
    return inside
