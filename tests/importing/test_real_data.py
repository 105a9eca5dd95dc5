"""Real tables, imported and queried, compared with plain NumPy and Astropy on the same files."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from hatsformat import Box, Cone, Polygon
from hatsformat.errors import CoordinatesError
from hatsformat.importing import import_catalog, run_import
from tests.support import skies

COLUMNS = ["hip", "vmag", "ra", "dec", "b_v"]


@pytest.fixture(scope="module")
def stars(shared):
    """The file, parsed by hand: hip, ra and dec of every line."""
    with open(shared / "data" / "hipparcos_v9.csv", encoding="ascii") as stream:
        rows = list(csv.DictReader(stream))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in COLUMNS}


@pytest.fixture(scope="module")
def hipparcos(shared, tmp_path_factory):
    """The catalog of the whole file, tiles of at most 5,000 stars."""
    root = tmp_path_factory.mktemp("real") / "hipparcos"
    return import_catalog(shared / "data" / "hipparcos_v9.csv", root, max_rows=5_000)


@pytest.fixture(scope="module")
def file(shared):
    """Deep-sky objects."""
    return shared / "data" / "openngc.csv"


@pytest.fixture(scope="module")
def lines(file):
    """The lines of that file, parsed by hand."""
    with open(file, encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


class TestHipparcos:
    def test_all_rows(self, hipparcos, stars):
        leaves = skies.read_leaves(hipparcos.path.path)
        assert sum(len(leaf.table) for leaf in leaves) == len(stars["hip"]) == 82_984
        assert max(len(leaf.table) for leaf in leaves) <= 5_000
        found = skies.read_rows(hipparcos.path.path).sort_by("hip")
        by_hip = np.argsort(stars["hip"])
        for name in COLUMNS:
            values = found[name].fill_null(float("nan")) if name == "b_v" else found[name]
            assert np.array_equal(values.to_numpy().astype(float), stars[name][by_hip], equal_nan=True)
        assert found["b_v"].null_count == 106
        for leaf in leaves:
            pixels = skies.healpix(leaf.table["ra"], leaf.table["dec"])
            assert (pixels >> 2 * (29 - leaf.order) == leaf.pixel).all()
            assert (pixels == leaf.table[skies.INDEX].to_numpy()).all()
            assert (np.diff(pixels) >= 0).all()

    def check(self, catalog, stars, region, inside):
        wanted = sorted(stars["hip"][inside].astype(int).tolist())
        assert wanted
        table = catalog.scan(region=region).to_table()
        assert sorted(table["hip"].to_pylist()) == wanted
        assert catalog.scan(region=region).count_rows() == len(wanted)
        return table

    def test_cone_on_the_pleiades(self, hipparcos, stars):
        centre = SkyCoord(56.75, 24.12, unit="deg")
        inside = SkyCoord(stars["ra"], stars["dec"], unit="deg").separation(centre) <= 2 * units.deg
        table = self.check(hipparcos, stars, Cone(56.75, 24.12, 2), inside)
        # Alcyone is there.
        assert 17702 in table["hip"].to_pylist()

    @pytest.mark.parametrize(
        ("ra", "dec"), [((350, 10), (-5, 5)), ((359.5, 0.5), (-90, 90)), ((180, 179), (30, 60))]
    )
    def test_box_across_ra_0(self, hipparcos, stars, ra, dec):
        inside = (stars["ra"] >= ra[0]) | (stars["ra"] <= ra[1])
        inside &= (stars["dec"] >= dec[0]) & (stars["dec"] <= dec[1])
        self.check(hipparcos, stars, Box(ra=ra, dec=dec), inside)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_polygon_at_each_pole(self, hipparcos, stars, sign):
        corners = np.array([(10.0, 80.0), (130.0, 75.0), (200.0, 85.0), (300.0, 78.0)]) * (1, sign)
        # The corners surround the pole, so a star is inside when it is on the pole's side of every edge.
        edges = SkyCoord(corners[:, 0], corners[:, 1], unit="deg").cartesian.xyz.value.T
        positions = SkyCoord(stars["ra"], stars["dec"], unit="deg").cartesian.xyz.value.T
        pole = np.array([0.0, 0.0, float(sign)])
        inside = np.ones(len(positions), dtype=bool)
        for start, stop in zip(edges, np.roll(edges, -1, axis=0), strict=True):
            normal = np.cross(start, stop)
            inside &= positions @ normal * np.sign(pole @ normal) >= 0
        self.check(hipparcos, stars, Polygon(corners), inside)

    def test_moc(self, hipparcos, stars):
        import mocpy

        moc = mocpy.MOC.from_string("3/100 5/4000-4100 7/0 17 90000")
        inside = moc.contains_lonlat(stars["ra"] * units.deg, stars["dec"] * units.deg)
        self.check(hipparcos, stars, moc, inside)

    def test_with_columns_and_a_condition(self, hipparcos, stars):
        table = hipparcos.scan(
            columns=["hip", "b_v"], region=Cone(83.8, -5.4, 10), where="vmag < 5"
        ).to_table()
        near = SkyCoord(stars["ra"], stars["dec"], unit="deg").separation(SkyCoord(83.8, -5.4, unit="deg"))
        inside = (near <= 10 * units.deg) & (stars["vmag"] < 5)
        assert table.column_names == ["hip", "b_v"]
        assert sorted(table["hip"].to_pylist()) == sorted(stars["hip"][inside].astype(int).tolist())

    def test_spilled_is_the_same(self, shared, hipparcos, tmp_path, monkeypatch):
        from hatsformat.partitioner.memory import MemoryBudget

        monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
        monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 500_000))
        log = run_import(
            shared / "data" / "hipparcos_v9.csv", tmp_path / "hipparcos", max_rows=5_000, workers=2
        )
        assert log.spilled_bytes > 0
        for leaf in skies.read_leaves(hipparcos.path.path):
            plain = (hipparcos.path / leaf.path).read_bytes()
            assert (tmp_path / "hipparcos" / leaf.path).read_bytes() == plain


class TestOpenNgc:
    """Semicolons, sexagesimal hours and degrees, seven rows without a position."""

    def test_stops_at_the_first_bad_row(self, file, lines, tmp_path):
        first = next(number for number, line in enumerate(lines, 1) if not line["RA"] or not line["Dec"])
        with pytest.raises(CoordinatesError) as raised:
            import_catalog(file, tmp_path / "ngc", ra="RA", dec="Dec")
        assert f"row {first} " in str(raised.value)
        assert "openngc.csv" in str(raised.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("what", ["drop", "quarantine"])
    def test_the_rest(self, file, lines, tmp_path, what):
        log = run_import(file, tmp_path / "ngc", ra="RA", dec="Dec", bad_coordinates=what, max_rows=1000)
        bad = [number for number, line in enumerate(lines, 1) if not line["RA"] or not line["Dec"]]
        assert len(bad) == 7
        assert (log.rows_read, log.rows_written, log.rows_rejected) == (13_969, 13_962, 7)
        if what == "quarantine":
            found = pq.read_table(log.quarantine).to_pylist()
            assert sorted(row["_row"] for row in found) == bad
            assert {row["_reason"] for row in found} == {"missing"}
            assert {row["Name"] for row in found} == {lines[number - 1]["Name"] for number in bad}
        else:
            assert log.quarantine is None

    def test_values(self, file, lines, tmp_path):
        import_catalog(file, tmp_path / "ngc", ra="RA", dec="Dec", bad_coordinates="drop", max_rows=1000)
        good = {line["Name"]: line for line in lines if line["RA"] and line["Dec"]}
        found = {row["Name"]: row for row in skies.read_rows(tmp_path / "ngc").to_pylist()}
        assert found.keys() == good.keys()
        where = SkyCoord(
            [good[name]["RA"] for name in found],
            [good[name]["Dec"] for name in found],
            unit=("hourangle", "deg"),
        )
        ra, dec = (np.array([row[name] for row in found.values()]) for name in ("ra_deg", "dec_deg"))
        assert ra == pytest.approx(where.ra.deg, abs=1e-10)
        assert dec == pytest.approx(where.dec.deg, abs=1e-10)
        for name, row in found.items():
            for column, text in good[name].items():
                value = row[column]
                if isinstance(value, (int, float)):
                    assert value == float(text)
                else:
                    # Text is kept, empty or not.
                    assert (value or "") == text
        keywords = skies.read_properties(tmp_path / "ngc")
        assert (keywords["hats_col_ra"], keywords["hats_col_dec"]) == ("ra_deg", "dec_deg")
        for leaf in skies.read_leaves(tmp_path / "ngc"):
            index = skies.healpix(leaf.table["ra_deg"], leaf.table["dec_deg"])
            assert (index == leaf.table[skies.INDEX].to_numpy()).all()
            assert (index >> 2 * (29 - leaf.order) == leaf.pixel).all()
