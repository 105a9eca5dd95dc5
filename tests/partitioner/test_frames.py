"""Frames: positions in others are turned into ICRS, against formulae that share no code with Astropy's."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatsformat import Cone, UsageError, open_catalog
from hatsformat.importing import import_catalog
from hatsformat.partitioner.frames import FRAMES, rotation_to_icrs, to_icrs
from tests.support import skies

MAS = np.radians(1 / 3_600_000)


def turned(axis, angle):
    """The matrix that turns the axes by an angle in radians about one of them."""
    cosine, sine = np.cos(angle), np.sin(angle)
    one, two = [index for index in range(3) if index != axis]
    matrix = np.eye(3)
    matrix[[one, two], [one, two]] = cosine
    matrix[one, two], matrix[two, one] = (sine, -sine) if axis != 1 else (-sine, sine)
    return matrix


# ICRS from FK5 at J2000: the orientation of Mignard and Froeschle (2000), in milliarcseconds.
ICRS_TO_FK5 = (turned(0, -19.9 * MAS) @ turned(1, -9.1 * MAS) @ turned(2, 22.9 * MAS)).T
# The galactic pole, and the galactic longitude of the celestial one, in FK5 (IAU 1958, carried to J2000).
POLE_RA, POLE_DEC, LONGITUDE = np.radians([192.8594812065348, 27.12825118085622, 122.9319185680026])
FK5_TO_GALACTIC = turned(2, np.pi - LONGITUDE) @ turned(1, np.pi / 2 - POLE_DEC) @ turned(2, POLE_RA)
# The mean equator of J2000 from ICRS (IERS conventions: the frame bias), and the obliquity of IAU 2006.
BIAS = turned(0, 6.819_2 * MAS) @ turned(1, -16.617 * MAS) @ turned(2, -14.6 * MAS)
ECLIPTIC = turned(0, np.radians(84381.406 / 3600)) @ BIAS

ORACLES = {"fk5": ICRS_TO_FK5, "galactic": FK5_TO_GALACTIC @ ICRS_TO_FK5, "ecliptic": ECLIPTIC}
FRAMES_ELSEWHERE = sorted(ORACLES)


def vector(longitude, latitude):
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def apart(one, two):
    """The angle between unit vectors, in milliarcseconds."""
    return 2 * np.arcsin(np.linalg.norm(one - two, axis=0) / 2) / MAS


def test_all_frames_are_tested():
    assert {*ORACLES, "icrs"} == set(FRAMES)


@pytest.mark.parametrize("frame", FRAMES_ELSEWHERE)
def test_against_rotations(frame):
    rng = np.random.default_rng(1)
    longitude = np.concatenate([rng.uniform(-360, 720, 2000), [0, 0, 90, 180, 359.999_999]])
    latitude = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 2000))), [90, -90, 0, 0, 1e-12]])
    ra, dec = to_icrs(longitude, latitude, frame)
    wanted = ORACLES[frame].T @ vector(longitude, latitude)
    assert apart(vector(ra, dec), wanted).max() < 0.5
    assert ra.min() >= 0
    assert ra.max() < 360
    assert np.abs(dec).max() <= 90


@pytest.mark.parametrize("frame", FRAMES)
def test_a_rotation(frame):
    """Neither mirrored nor stretched, so that no distance on the sky changes."""
    matrix = rotation_to_icrs(frame)
    assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-14)
    assert np.linalg.det(matrix) == pytest.approx(1)


@given(st.sampled_from(FRAMES_ELSEWHERE), st.floats(-720, 720), st.floats(-90, 90))
def test_right_ascensions_are_within_a_turn(frame, longitude, latitude):
    ra, dec = to_icrs(np.array([longitude]), np.array([latitude]), frame)
    assert 0 <= ra[0] < 360
    assert -90 <= dec[0] <= 90


# Sagittarius A* (Reid and Brunthaler 2004), the poles of the Galaxy and of the ecliptic.
KNOWN = [
    ("galactic", 359.944_236, -0.046_160, 266.416_837, -29.007_810),
    ("galactic", 0.0, 90.0, 192.859_48, 27.128_25),
    ("ecliptic", 0.0, 90.0, 270.0, 66.560_709),
    ("ecliptic", 90.0, 0.0, 90.0, 23.439_291),
]


@pytest.mark.parametrize(("frame", "longitude", "latitude", "ra", "dec"), KNOWN)
def test_places_on_the_sky(tmp_path, frame, longitude, latitude, ra, dec):
    """Found in the catalog where they are in ICRS; what was imported is kept."""
    rng = np.random.default_rng(2)
    table = pa.table(
        {
            "id": range(50),
            "lon": np.concatenate([[longitude], rng.uniform(0, 360, 49)]),
            "lat": np.concatenate([[latitude], rng.uniform(-90, 90, 49)]),
        }
    )
    catalog = import_catalog(table, tmp_path / "sky", ra="lon", dec="lat", frame=frame, max_rows=10)
    properties = catalog.properties
    assert (properties.hats_col_ra, properties.hats_col_dec) == ("ra_deg", "dec_deg")
    assert properties.hats_frame == "equatorial"
    assert catalog.scan(["id"], region=Cone(ra, dec, 3e-5)).to_table()["id"].to_pylist() == [0]
    rows = skies.read_rows(tmp_path / "sky").sort_by("id")
    assert rows.select(["id", "lon", "lat"]).equals(table)
    for leaf in skies.read_leaves(tmp_path / "sky"):
        index = skies.healpix(leaf.table["ra_deg"], leaf.table["dec_deg"])
        assert (leaf.table[skies.INDEX].to_numpy() == index).all()


def test_units_and_text_in_another_frame(tmp_path):
    """Galactic longitudes are no hour angles, even in sexagesimal text."""
    texts = pa.table({"l": ["06:24:00", "359:59:59.9"], "b": ["-05:47:00", "+90:00:00"]})
    for row in (
        import_catalog(texts, tmp_path / "a", ra="l", dec="b", frame="galactic").scan().to_table().to_pylist()
    ):
        lon, lat = {"06:24:00": (6.4, -5 - 47 / 60), "359:59:59.9": (359.999_972_2, 90)}[row["l"]]
        wanted = to_icrs(np.array([lon]), np.array([lat]), "galactic")
        assert (row["ra_deg"], row["dec_deg"]) == pytest.approx((wanted[0][0], wanted[1][0]), abs=1e-6)
    radians = pa.table({"l": [0.1], "b": [0.2]})
    catalog = import_catalog(
        radians, tmp_path / "b", ra="l", dec="b", frame="galactic", ra_unit="rad", dec_unit="rad"
    )
    wanted = to_icrs(np.degrees([0.1]), np.degrees([0.2]), "galactic")
    assert catalog.scan().to_table()["ra_deg"].to_pylist() == pytest.approx(wanted[0])


@pytest.mark.parametrize("frame", FRAMES_ELSEWHERE)
def test_bad_rows_are_bad_in_any_frame(tmp_path, frame):
    table = pa.table({"ra": [1.0, None, 3.0, np.nan], "dec": [0.0, 0.0, 90.5, 0.0]})
    catalog = import_catalog(table, tmp_path / "sky", frame=frame, bad_coordinates="drop")
    assert catalog.scan().to_table()["ra"].to_pylist() == [1.0]


def test_the_frame_is_written_for_icrs(tmp_path):
    assert import_catalog(skies.stars(5), tmp_path / "sky").properties.hats_frame == "equatorial"


def test_no_such_frame(tmp_path):
    with pytest.raises(UsageError, match="supergalactic"):
        import_catalog(skies.stars(5), tmp_path / "sky", frame="supergalactic")


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore")
def test_other_readers_find_the_place(tmp_path):
    """hats and LSDB take the coordinates and the index for ICRS, which they are."""
    hats, lsdb = (
        pytest.importorskip("hats", reason="hats is not installed (extra `interop`)"),
        pytest.importorskip("lsdb", reason="lsdb is not installed (extra `interop`)"),
    )
    rng = np.random.default_rng(3)
    table = pa.table({"id": range(2000), "l": rng.uniform(0, 360, 2000), "b": rng.uniform(-90, 90, 2000)})
    import_catalog(table, tmp_path / "sky", ra="l", dec="b", frame="galactic", max_rows=50)
    x, y, z = ORACLES["galactic"].T @ vector(0, 0)
    centre = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z))
    distance = apart(vector(table["l"].to_numpy(), table["b"].to_numpy()), vector(0, 0)[:, None]) * MAS
    near = np.flatnonzero(distance <= np.radians(20)).tolist()
    assert len(near) > 5
    ours = open_catalog(tmp_path / "sky").scan(["id"], region=Cone(*centre, 20))
    assert sorted(ours.to_table()["id"].to_pylist()) == near
    whole = hats.read_hats(tmp_path / "sky")
    assert (
        0
        < len(whole.filter_by_cone(*centre, 20 * 3600).get_healpix_pixels())
        < len(whole.get_healpix_pixels())
    )
    rows = lsdb.open_catalog(str(tmp_path / "sky")).cone_search(*centre, 20 * 3600).compute()
    assert sorted(rows["id"]) == near
