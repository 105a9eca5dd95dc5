"""Inputs that Astropy reads: its tables, FITS, VOTable and ECSV; nothing may change."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import Angle, SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time

from hatsformat.importing import import_catalog
from tests.support import skies
from tests.support.imports import refused, rows_of


def astropy_table():
    return Table(
        {
            "id": [1, 2, 3],
            "ra": np.array([1.0, 2.0, 3.0]) * units.hourangle,
            "dec": np.array([0.1, 0.2, 0.3]) * units.rad,
            "flux": MaskedColumn(
                np.array([1, 2, 3], "f4"), mask=[False, True, False], unit="mJy", description="how bright"
            ),
            "count": MaskedColumn([7, 8, 9], mask=[True, False, False]),
            "name": ["a", "bb", "ccc"],
            "good": [True, False, True],
            "spectrum": np.arange(12.0).reshape(3, 4),
        }
    )


class TestAstropy:
    """Tables with units, masks and vectors, in memory and in files."""

    def check(self, root, ra=(1.0, 2.0, 3.0)):
        found = skies.read_rows(root).sort_by("id")
        assert found["id"].to_pylist() == [1, 2, 3]
        assert found["flux"].to_pylist() == [1.0, None, 3.0]
        assert found.schema.field("flux").metadata[b"unit"] == b"mJy"
        assert found["count"].to_pylist() == [None, 8, 9]
        assert found["name"].to_pylist() == ["a", "bb", "ccc"]
        assert found["good"].to_pylist() == [True, False, True]
        assert found["spectrum"].to_pylist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
        # Columns in hours and radians, understood by their units.
        assert found["ra"].to_pylist() == list(ra)
        assert found["ra_deg"].to_pylist() == pytest.approx([15.0, 30.0, 45.0], rel=1e-15)
        assert found["dec_deg"].to_pylist() == pytest.approx(np.degrees([0.1, 0.2, 0.3]), rel=1e-15)
        assert found.schema.field("ra_deg").metadata[b"unit"] == b"deg"

    def test_table(self, tmp_path):
        import_catalog(astropy_table(), tmp_path / "sky")
        self.check(tmp_path / "sky")
        field = skies.read_leaves(tmp_path / "sky")[0].table.schema.field("flux")
        assert field.metadata[b"description"] == b"how bright"

    def test_times(self, tmp_path):
        """All digits are kept; times given as text stay text."""
        times = Time(["2020-01-01T00:00:00.123456789", "2021-01-01T00:00:00"], format="isot")
        table = Table({"ra": [1.0, 2.0], "dec": [1.0, 2.0], "t": times, "mjd": Time(times.mjd, format="mjd")})
        import_catalog(table, tmp_path / "sky")
        found = skies.read_rows(tmp_path / "sky").sort_by("ra")
        assert found["t"].to_pylist()[0] == "2020-01-01T00:00:00.123456789"
        assert found["mjd"].to_pylist() == times.mjd.tolist()

    def test_unsupported_columns(self, tmp_path):
        table = Table({"ra": [1.0], "dec": [2.0], "where": SkyCoord([1.0], [2.0], unit="deg")})
        text = refused(tmp_path, table)
        for word in ("'where'", "SkyCoord", "plain columns"):
            assert word in text

    def test_quantities(self, tmp_path):
        import_catalog(
            QTable({"id": [1], "ra": [1.0] * units.hourangle, "dec": [-0.5] * units.deg}), tmp_path / "sky"
        )
        assert skies.read_rows(tmp_path / "sky")["ra_deg"].to_pylist() == [15.0]

    @pytest.mark.parametrize(
        "name", ["stars.fits", "stars.fit", "stars.vot", "stars.xml", "stars.ecsv", "stars.fits.gz"]
    )
    def test_files(self, tmp_path, name):
        file = tmp_path / name
        kind = {"vot": "votable", "xml": "votable", "ecsv": "ascii.ecsv"}.get(name.rsplit(".", 1)[1], "fits")
        table = astropy_table()
        if kind == "fits":
            table["ra"] = table["ra"].to(units.rad)  # FITS has no unit for hours
        table.write(file, format=kind)
        import_catalog(file, tmp_path / "sky")
        self.check(tmp_path / "sky", table["ra"].value.tolist())

    def test_sexagesimal_in_fits(self, tmp_path):
        table = Table({"id": [1, 2], "RA": ["05:34:31.94", "00:42:44"], "DE": ["+22:00:52.2", "-00:16:08.6"]})
        table.write(tmp_path / "stars.fits")
        found = rows_of(tmp_path, tmp_path / "stars.fits", ra="RA", dec="DE")
        assert found["ra_deg"].to_pylist() == pytest.approx(
            [Angle(t, "hourangle").deg for t in table["RA"]], abs=1e-11
        )
        assert found["dec_deg"].to_pylist() == pytest.approx(
            [Angle(t, "deg").deg for t in table["DE"]], abs=1e-11
        )

    def test_big_endian(self, tmp_path):
        values = {
            "id": np.arange(3, dtype=">i8"),
            "ra": np.arange(3, dtype=">f8"),
            "dec": np.arange(3, dtype=">f4"),
            "v": np.arange(6, dtype=">i2").reshape(3, 2),
        }
        import_catalog(Table(values), tmp_path / "sky")
        found = skies.read_rows(tmp_path / "sky").sort_by("id").to_pydict()
        assert found == {"id": [0, 1, 2], "ra": [0, 1, 2], "dec": [0, 1, 2], "v": [[0, 1], [2, 3], [4, 5]]}

    @pytest.mark.parametrize("name", ["stars.fits", "stars.vot", "stars.ecsv"])
    @pytest.mark.parametrize("content", [b"junk" * 1000, b"SIMPLE  =                    T" + b" " * 50])
    def test_broken_files(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        assert name in refused(tmp_path, tmp_path / name)

    def test_a_truncated_fits_file(self, tmp_path):
        Table({"ra": np.zeros(5000), "dec": np.zeros(5000)}).write(tmp_path / "a.fits")
        content = (tmp_path / "a.fits").read_bytes()
        (tmp_path / "a.fits").write_bytes(content[: len(content) // 2])
        assert "a.fits" in refused(tmp_path, tmp_path / "a.fits")

    def test_a_fits_image(self, tmp_path):
        from astropy.io import fits

        fits.PrimaryHDU(np.zeros((5, 5))).writeto(tmp_path / "image.fits")
        assert "image.fits" in refused(tmp_path, tmp_path / "image.fits")
