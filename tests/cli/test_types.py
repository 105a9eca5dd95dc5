"""What the command line understands as an angle, a size, a list of names, a polygon."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat.cli._types import ANGLE, CHARACTER, NAMES, SIZE, VERTICES


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("0.5", 0.5),
        ("-12", -12.0),
        ("+3.", 3.0),
        (".25deg", 0.25),
        ("30 arcmin", 0.5),
        ("10arcmin", 10 / 60),
        ("36arcsec", 0.01),
        ("36ArcSec", 0.01),
        ("36\"", 0.01),
        ("30'", 0.5),
        ("1000mas", 1 / 3600),
        ("3.141592653589793rad", 180.0),
        ("2h", 30.0),
        ("1e-3", 0.001),
        ("1e2arcmin", 100 / 60),
        ("05h34m31.8s", 83.6325),
        ("+22d00m36s", 22.01),
        ("-00d30m", -0.5),
        ("12h00m", 180.0),
    ],
)  # fmt: skip
def test_angles(text, degrees):
    assert ANGLE.convert(text, None, None) == pytest.approx(degrees, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "deg", "ten", "5 parsecs", "05:34:31", "1 2", "nan", "inf", "--1", "5h70m", "1e999x"]
)
def test_what_is_no_angle(text):
    with pytest.raises(click.BadParameter, match="is not an angle"):
        ANGLE.convert(text, None, None)


@given(st.floats(-360, 360))
def test_a_bare_number_is_degrees(value):
    assert ANGLE.convert(repr(value), None, None) == value


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512MB", 512_000_000),
        ("4GiB", 4 * 2**30),
        ("1.5kB", 1500),
        ("2KiB", 2048),
        ("77", 77),
        ("3T", 3 * 10**12),
    ],
)
def test_sizes(text, count):
    assert SIZE.convert(text, None, None) == count


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1PB", "1.5iB", "0", "0.5", "one GB"])
def test_what_is_no_size(text):
    with pytest.raises(click.BadParameter):
        SIZE.convert(text, None, None)


def test_names():
    assert NAMES.convert("a, b c ,d", None, None) == ["a", "b c", "d"]
    with pytest.raises(click.BadParameter, match="not a list of names"):
        NAMES.convert("a,,b", None, None)


def test_characters():
    assert [CHARACTER.convert(text, None, None) for text in (";", "tab", "\\t", "\t", "\\")] == [
        ";",
        "\t",
        "\t",
        "\t",
        "\\",
    ]
    for text in ("", "ab"):
        with pytest.raises(click.BadParameter, match="not a single character"):
            CHARACTER.convert(text, None, None)


def test_vertices():
    assert VERTICES.convert("10 -20, 11 -20, 11 30arcmin", None, None) == [(10, -20), (11, -20), (11, 0.5)]
    for text in ("10 20, 11 20", "1 2, 3 4, 5", "a b, c d, e f"):
        with pytest.raises(click.BadParameter):
            VERTICES.convert(text, None, None)
