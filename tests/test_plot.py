"""Sky maps: what is drawn, and where."""

from __future__ import annotations

import numpy as np
import pytest

from hatsformat.errors import UsageError
from hatsformat.healpix import outlines
from hatsformat.plot import PlotOptions, _segments

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
