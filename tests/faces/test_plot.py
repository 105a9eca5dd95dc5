"""Sky maps: what is drawn, and where."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from click.testing import CliRunner

from hatsformat import open_catalog
from hatsformat.cli import main
from hatsformat.errors import MissingExtraError, UsageError
from hatsformat.healpix import outlines
from hatsformat.plot import PlotOptions, _segments, plot_sky, save_plot

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")


def test_no_outline_crosses_the_map():
    for order in (0, 1, 3):
        pieces = _segments(*outlines(np.arange(12 * 4**order), order, 8))
        assert pieces.shape[1:] == (2, 2)
        assert np.abs(pieces[..., 0]).max() <= np.pi
        assert np.abs(pieces[..., 1]).max() <= np.pi / 2 + 1e-9
        assert np.abs(pieces[:, 0, 0] - pieces[:, 1, 0]).max() <= np.pi


def test_right_ascension_grows_to_the_left():
    (pieces,) = [_segments(np.array([[10.0, 20.0, 20.0, 10.0]]), np.array([[0.0, 0.0, 5.0, 5.0]]))]
    assert len(pieces) == 4
    assert np.allclose(pieces[0], np.radians([[-10, 0], [-20, 0]]))
    (crossing,) = [_segments(np.array([[179.0, 181.0, 181.0, 179.0]]), np.array([[0.0, 0.0, 5.0, 5.0]]))]
    assert len(crossing) == 2


@pytest.mark.parametrize("options", [{"projection": "mercator"}, {"width": 0}, {"dpi": 100_000}])
def test_what_cannot_be_drawn(options):
    with pytest.raises(UsageError):
        PlotOptions(**options)


def pixels(figure):
    """A figure's pixels, shape (height, width, 4)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def test_the_map_is_dark_where_the_sky_is_dense(sky_catalog):
    figure = plot_sky(open_catalog(sky_catalog), PlotOptions(tiles=False, dpi=60))
    image = pixels(figure)[..., :3].sum(axis=2).astype(float)
    axes = figure.axes[0]

    def brightness(ra, dec):
        column, line = axes.transData.transform((-np.radians((ra + 180) % 360 - 180), np.radians(dec)))
        line = image.shape[0] - int(line)
        return image[line - 3 : line + 4, int(column) - 3 : int(column) + 4].mean()

    centre, pole, anticentre = brightness(266.4, -29), brightness(192.9, 27), brightness(86.4, 29)
    assert centre < anticentre < pole


@pytest.mark.parametrize("projection", ["mollweide", "aitoff", "hammer"])
def test_every_tile_is_outlined(sky_catalog, projection):
    catalog = open_catalog(sky_catalog)
    figure = plot_sky(catalog, PlotOptions(projection=projection, title="A sky"))
    lines = [one for one in figure.axes[0].collections if hasattr(one, "get_segments")]
    assert len(lines) == len(set(catalog.partitions.orders.tolist()))
    assert sum(len(one.get_segments()) for one in lines) >= 4 * len(catalog.partitions)
    assert figure.get_suptitle() == "A sky"


def test_a_catalog_without_a_sky_map_shows_its_tiles(shared):
    catalog = open_catalog(shared / "third_party" / "catalogs" / "small_sky_object_source_association")
    assert catalog.skymap() is None
    figure = plot_sky(catalog)
    assert len(figure.axes) == 1  # no colour bar


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "jpg"])
def test_the_command_draws_every_kind_of_picture(sky_catalog, tmp_path, suffix):
    file = tmp_path / f"sky.{suffix}"
    result = CliRunner().invoke(main, ["plot", str(sky_catalog), "-o", str(file), "--dpi", "40"])
    assert (result.exit_code, result.stdout) == (0, f"{file}\n")
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml", "jpg": b"\xff\xd8"}[suffix]
    assert file.read_bytes().startswith(start)
    again = CliRunner().invoke(main, ["plot", str(sky_catalog), "-o", str(file)])
    assert (again.exit_code, "--overwrite" in again.stderr) == (2, True)


def test_without_matplotlib_the_extra_is_named(sky_catalog, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"hatsformat\[plot\]"):
        save_plot(open_catalog(sky_catalog), tmp_path / "sky.png")
    assert list(tmp_path.iterdir()) == []
