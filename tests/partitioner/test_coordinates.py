"""Positions from whatever columns hold them: units, text, bad rows, right ascensions beyond a turn."""

from __future__ import annotations

import decimal
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.coordinates import Angle
from hypothesis import example, given
from hypothesis import strategies as st

from hatsformat.errors import ColumnError, CoordinatesError, HatsError, InputError, UsageError
from hatsformat.importing import import_catalog, run_import
from hatsformat.partitioner.coordinates import REASONS, CoordinateColumns, needs_conversion, positions
from hatsformat.partitioner.units import DEGREES_PER, declared_unit, unit_name
from tests.support import skies

RADEC = CoordinateColumns("ra", "dec")


def table_of(ra, dec):
    return pa.table({"ra": ra, "dec": dec})


def with_units(ra_unit, dec_unit, ra, dec):
    """A table whose columns declare units."""
    fields = [
        pa.field(name, pa.float64(), metadata={"unit": unit} if unit else None)
        for name, unit in (("ra", ra_unit), ("dec", dec_unit))
    ]
    return pa.table([ra, dec], schema=pa.schema(fields))


def reasons(ra, dec, columns=RADEC):
    return [REASONS[reason] for reason in positions(table_of(ra, dec), columns).reasons]


class TestBadRows:
    """What is wrong with a row is told apart."""

    def test_reasons(self):
        ra = [1.0, None, math.nan, math.inf, 1.0, 1.0, 1.0, -math.inf, 1.0, 1.0]
        dec = [2.0, 2.0, 2.0, 2.0, None, math.nan, 90.0000001, 2.0, -91.0, math.inf]
        found = reasons(pa.array(ra), pa.array(dec))
        beyond = "declination beyond ±90"
        wanted = ["", "missing", "NaN", "infinite", "missing", "NaN", beyond, "infinite", beyond, "infinite"]
        assert found == wanted

    def test_what_is_no_fault(self):
        """Right ascensions are wrapped, poles are positions, and so are zeros of both signs."""
        assert reasons([-0.0, 360.0, -1e6, 1e9, 10], [-90.0, 90.0, 0.0, -0.0, 10]) == [""] * 5

    def test_text(self):
        found = reasons(["00:01:00", "", None, "12:00", "north", "24:00:61"], ["+01:00:00"] * 6)
        assert found[0] == found[3] == ""
        assert found[1] == found[2] == "missing"
        assert found[4] == "not a number"
        assert found[5] == "not a number"

    def test_text_beyond_the_pole(self):
        assert reasons(["1:0:0"] * 3, ["+90:00:00", "-90:00:00.1", "+91:00:00"]) == [
            "",
            "declination beyond ±90",
            "declination beyond ±90",
        ]

    def test_no_rows(self):
        found = positions(table_of(pa.array([], pa.float64()), pa.array([], pa.float64())), RADEC)
        assert found.ra.shape == found.dec.shape == found.reasons.shape == (0,)


class TestTypes:
    """Columns of any type that can hold a number."""

    @pytest.mark.parametrize(
        "kind",
        [pa.int8(), pa.uint8(), pa.int16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64(), pa.float64()],
    )
    def test_numbers(self, kind):
        found = positions(table_of(pa.array([10, 100], kind), pa.array([80, 0], kind)), RADEC)
        assert (found.ra.tolist(), found.dec.tolist()) == ([10.0, 100.0], [80.0, 0.0])
        assert found.ra.dtype == found.dec.dtype == np.float64
        assert not found.converted

    @pytest.mark.parametrize("kind", [np.float16, np.float32])
    def test_short_floats_are_widened_exactly(self, kind):
        ra, dec = np.array([123.456, 359.9], kind), np.array([-45.678, 89.9], kind)
        found = positions(table_of(ra, dec), RADEC)
        assert (found.ra == ra.astype(np.float64)).all()
        assert (found.dec == dec.astype(np.float64)).all()

    def test_decimals(self):
        ra = pa.array([decimal.Decimal("123.4567890123"), None], pa.decimal128(18, 10))
        dec = pa.array([decimal.Decimal("-45.1"), decimal.Decimal("0")], pa.decimal128(10, 1))
        found = positions(table_of(ra, dec), RADEC)
        assert found.ra[0] == 123.4567890123
        assert found.dec[0] == -45.1
        assert [REASONS[reason] for reason in found.reasons] == ["", "missing"]

    def test_text_with_decimal_degrees(self):
        found = positions(table_of(["123.25", " 10.5 ", "1e1"], ["-45.5", "+0.25", "90"]), RADEC)
        assert found.ra.tolist() == [123.25, 10.5, 10.0]
        assert found.dec.tolist() == [-45.5, 0.25, 90.0]

    @pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
    def test_kinds_of_text(self, kind):
        found = positions(table_of(pa.array(["06:00:00"], kind), pa.array(["-00:30:00"], kind)), RADEC)
        assert (found.ra[0], found.dec[0]) == (90.0, -0.5)

    def test_chunks(self):
        ra = pa.chunked_array([[1.0, 2.0], [], [3.0]])
        dec = pa.chunked_array([[4.0], [5.0, 6.0]])
        found = positions(table_of(ra, dec), RADEC)
        assert (found.ra.tolist(), found.dec.tolist()) == ([1, 2, 3], [4, 5, 6])

    @pytest.mark.parametrize(
        "kind",
        [
            pa.bool_(),
            pa.binary(),
            pa.timestamp("s"),
            pa.list_(pa.float64()),
            pa.struct([("a", pa.float64())]),
        ],
    )
    def test_types_that_hold_no_numbers(self, kind):
        table = table_of(pa.nulls(1, kind), [0.0])
        with pytest.raises(ColumnError, match="ra"):
            positions(table, RADEC)

    def test_no_such_column(self):
        with pytest.raises(ColumnError, match="RAJ2000") as raised:
            positions(pa.table({"ra": [1.0], "dec": [1.0]}), CoordinateColumns("RAJ2000", "dec"))
        assert "ra" in str(raised.value)


def sexagesimal(sign, whole, minutes, seconds, places, style):
    text = f"{seconds:0{places + 3 if places else 2}.{places}f}"
    marks = {":": "::", " ": "  ", "hms": "hms", "dms": "dms"}[style]
    return f"{sign}{whole:02d}{marks[0]}{minutes:02d}{marks[1]}{text}{marks[2:]}"


parts = st.tuples(st.integers(0, 59), st.integers(0, 59), st.integers(0, 10**6 - 1), st.integers(0, 6))


class TestSexagesimal:
    """Against Astropy's own reading of the same text."""

    @given(st.integers(0, 23), parts, st.sampled_from([":", " ", "hms"]))
    @example(0, (0, 0, 0, 0), ":")
    @example(23, (59, 59, 999_999, 6), ":")
    def test_hours(self, whole, rest, style):
        minutes, seconds, fraction, places = rest
        # Truncated, so that 59.9999 is never written as 60.
        value = seconds + math.floor(fraction / 10 ** (6 - places)) / 10**places
        text = sexagesimal("", whole, minutes, value, places, style)
        found = positions(table_of([text], ["+00:00:00"]), RADEC)
        assert found.converted
        assert found.ra[0] == pytest.approx(Angle(text, "hourangle").degree, abs=1e-11)

    @given(st.sampled_from(["", "+", "-"]), st.integers(0, 89), parts, st.sampled_from([":", " ", "dms"]))
    @example("-", 0, (0, 1, 0, 0), ":")
    @example("-", 0, (0, 0, 1, 6), ":")
    def test_degrees(self, sign, whole, rest, style):
        minutes, seconds, fraction, places = rest
        value = seconds + math.floor(fraction / 10 ** (6 - places)) / 10**places
        text = sexagesimal(sign, whole, minutes, value, places, style)
        found = positions(table_of(["00:00:00"], [text]), RADEC)
        assert found.dec[0] == pytest.approx(Angle(text, "deg").degree, abs=1e-11)
        if sign == "-" and found.dec[0]:
            assert found.dec[0] < 0

    @pytest.mark.parametrize(
        ("ra", "dec", "degrees"),
        [
            ("05h34m31.94s", "+22d00m52.2s", (83.63308333333333, 22.0145)),
            ("5:34:31.94", "22:00:52.2", (83.63308333333333, 22.0145)),
            ("05 34 31.94", "+22 00 52.2", (83.63308333333333, 22.0145)),
            (" 05:34:31.94 ", "−22:00:52.2", (83.63308333333333, -22.0145)),
            ("05:34", "+22°00′52.2″", (83.5, 22.0145)),
            ("12:30", "-00:30", (187.5, -0.5)),
        ],
    )
    def test_ways_to_write_it(self, ra, dec, degrees):
        found = positions(table_of([ra], [dec]), RADEC)
        assert (found.ra[0], found.dec[0]) == pytest.approx(degrees, abs=1e-11)

    def test_right_ascensions_in_degrees_on_request(self):
        columns = CoordinateColumns("ra", "dec", ra_unit="deg")
        assert positions(table_of(["083:37:59.1"], ["+22:00:52.2"]), columns).ra[0] == pytest.approx(
            Angle("083d37m59.1s").degree, abs=1e-11
        )

    @pytest.mark.parametrize(
        "text", ["5:60:00", "5:00:60.5", "5:-1:00", "a:b:c", "5:00:00:00", "::", "1:2:3x"]
    )
    def test_nonsense(self, text):
        assert reasons([text], ["+00:00:00"]) == ["not a number"]


class TestUnits:
    """From the columns themselves, or as the caller says."""

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("deg", "deg"),
            ("degrees", "deg"),
            ("Degree", "deg"),
            ("rad", "rad"),
            ("radians", "rad"),
            ("hourangle", "hour"),
            ("h", "hour"),
        ],
    )
    def test_names(self, text, name):
        assert unit_name(text) == name

    def test_no_unit_of_angle(self):
        with pytest.raises(UsageError, match="parsec"):
            unit_name("parsec")
        with pytest.raises(UsageError):
            import_catalog(table_of([1.0], [1.0]), "memory://nowhere/units", ra_unit="parsec")

    @pytest.mark.parametrize(("unit", "factor"), [("deg", 1.0), ("hour", 15.0), ("rad", 180 / math.pi)])
    @pytest.mark.parametrize("how", ["option", "metadata"])
    def test_right_ascensions(self, unit, factor, how):
        values = np.array([0.0, 0.1, 3.0])
        field = pa.field("ra", pa.float64(), metadata={"unit": unit} if how == "metadata" else None)
        schema = pa.schema([field, pa.field("dec", pa.float64())])
        table = pa.table([values, np.zeros(3)], schema=schema)
        columns = CoordinateColumns("ra", "dec", ra_unit=unit if how == "option" else None)
        found = positions(table, columns)
        assert found.ra == pytest.approx(values * factor, rel=1e-15)
        assert found.converted == needs_conversion(schema, columns) == (unit != "deg")

    def test_the_caller_overrules_the_column(self):
        schema = pa.schema(
            [pa.field("ra", pa.float64(), metadata={"unit": "hourangle"}), ("dec", pa.float64())]
        )
        table = pa.table([[90.0], [1.0]], schema=schema)
        assert declared_unit(schema.field("ra"), "ra") == "hour"
        assert positions(table, CoordinateColumns("ra", "dec", ra_unit="deg")).ra[0] == 90.0

    @pytest.mark.parametrize("unit", ["mJy", "deg2", "pix", "s", "furlong", "deg/h"])
    def test_a_column_in_no_unit_of_angle(self, tmp_path, unit):
        """Refused, rather than taken for degrees; unless the caller says what it is."""
        table = with_units("", unit, [1.0], [2.0])
        with pytest.raises(ColumnError) as raised:
            import_catalog(table, tmp_path / "sky")
        for word in ("'dec'", unit, "--dec-unit", "the table"):
            assert word in str(raised.value)
        assert list(tmp_path.iterdir()) == []
        import_catalog(table, tmp_path / "sky", dec_unit="deg")
        assert skies.read_properties(tmp_path / "sky")["hats_col_dec"] == "dec"

    @pytest.mark.parametrize("unit", ["", "-", "---", "h:m:s", '"d:m:s"', "none"])
    def test_no_unit(self, unit):
        assert declared_unit(pa.field("ra", pa.float64(), metadata={"unit": unit}), "ra") is None
        assert declared_unit(pa.field("ra", pa.float64()), "ra") is None

    @pytest.mark.parametrize(
        "unit", [*DEGREES_PER, "uas", "microarcsecond", "hourangle", "'", '"', "0.1 arcsec"]
    )
    def test_units_against_astropy(self, unit):
        """As the columns declare them, to the last digit or two."""
        known = {"'": units.arcmin, '"': units.arcsec, "hour": units.hourangle, "hourangle": units.hourangle}
        factor = (known.get(unit) or units.Unit(unit)).to(units.deg)
        ra, dec = np.array([0.0, 123.456, 359.9]), np.array([-89.9, 12.5, 89.9])
        table = with_units(unit, unit, ra / factor, dec / factor)
        found = positions(table, RADEC)
        assert found.ra == pytest.approx(ra, rel=1e-15)
        assert found.dec == pytest.approx(dec, rel=1e-15)
        assert found.reasons.tolist() == [0, 0, 0]
        assert found.converted == (unit != "deg")

    @pytest.mark.parametrize(("unit", "pole"), [("arcmin", 5400), ("arcsec", 324_000), ("mas", 324_000_000)])
    def test_poles_in_small_units(self, unit, pole):
        columns = CoordinateColumns("ra", "dec", ra_unit=unit, dec_unit=unit)
        found = positions(table_of([0.0, 0.0], [float(pole), -float(pole)]), columns)
        assert found.dec.tolist() == [90.0, -90.0]
        assert found.reasons.tolist() == [0, 0]

    def test_marks_overrule_the_role(self):
        """83d38m is no hour angle, though it stands in the column of right ascensions."""
        found = positions(table_of(["83d38m00s", "083°38′", "5h34m32s"], ["+22:00:00"] * 3), RADEC)
        assert found.ra == pytest.approx([83 + 38 / 60, 83 + 38 / 60, Angle("5h34m32s").degree], rel=1e-15)

    def test_radians_up_to_the_pole(self):
        """The float nearest to a quarter turn is still a declination."""
        columns = CoordinateColumns("ra", "dec", ra_unit="rad", dec_unit="rad")
        found = positions(table_of([0.0] * 2, [math.pi / 2, -math.pi / 2]), columns)
        assert found.reasons.tolist() == [0, 0]
        assert found.dec.tolist() == [90.0, -90.0]


class TestImported:
    """What becomes of the positions in a catalog."""

    def test_stored_as_they_came(self, tmp_path):
        """Wrapped for the index, but not in the column."""
        table = pa.table(
            {"ra": [-10.0, 350.0, 710.0, 360.0, 0.0, -0.0], "dec": [80.0, 80.0, 80.0, 5.0, 5.0, 5.0]}
        )
        import_catalog(table, tmp_path / "sky")
        rows = skies.read_leaves(tmp_path / "sky")
        index = {row["ra"]: row[skies.INDEX] for leaf in rows for row in leaf.table.to_pylist()}
        assert index[-10.0] == index[350.0] == index[710.0]
        assert index[360.0] == index[0.0]
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    @pytest.mark.parametrize("dec", [-89.9, -45.0, 0.0, 45.0, 89.9])
    def test_zeros_of_both_signs_are_one_place(self, tmp_path, dec):
        table = pa.table({"ra": [0.0, -0.0, 360.0, -360.0], "dec": [dec] * 4})
        for name, rows in (("all", table), ("signed", table.slice(1, 1))):
            import_catalog(rows, tmp_path / name)
            found = {
                index
                for leaf in skies.read_leaves(tmp_path / name)
                for index in leaf.table[skies.INDEX].to_pylist()
            }
            assert found == {skies.healpix(0.0, dec).item()}

    def test_short_floats_stay_short(self, tmp_path):
        rng = np.random.default_rng(0)
        table = pa.table(
            {"ra": rng.uniform(0, 360, 100).astype("f4"), "dec": rng.uniform(-90, 90, 100).astype("f4")}
        )
        import_catalog(table, tmp_path / "sky", max_rows=30)
        for leaf in skies.read_leaves(tmp_path / "sky"):
            found = leaf.table.column(skies.INDEX).to_numpy()
            ra, dec = (leaf.table.column(name).to_numpy().astype(np.float64) for name in ("ra", "dec"))
            assert (found == skies.healpix(ra, dec)).all()
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    def test_short_floats_are_noted(self, tmp_path):
        """With the distance of two neighbouring values where they are coarsest."""
        ra = pa.array([359.99, 1.0], pa.float32())
        files = [tmp_path / name for name in ("a.parquet", "b.parquet", "c.parquet")]
        pq.write_table(pa.table({"ra": ra, "dec": ra}).slice(1), files[0])
        pq.write_table(pa.table({"ra": ra, "dec": [0.0, 1.0]}), files[1], row_group_size=1)
        pq.write_table(pa.table({"ra": [0.0, 1.0], "dec": [0.0, 1.0]}), files[2])
        notes = run_import(files, tmp_path / "sky").notes
        step = float(np.spacing(np.float32(359.99))) * 3600
        assert len(notes) == 2
        assert "a.parquet and 1 more: column 'ra' is float32" in notes[0]
        assert f"{step:.2g} arcsec" in notes[0]
        assert "a.parquet: column 'dec' is float32" in notes[1]
        assert f"{float(np.spacing(np.float32(89.9))) * 3600:.2g} arcsec" in notes[1]
        table = pa.table({"ra": pa.array([1.0], pa.float32()), "dec": [1.0]})
        hours = run_import(table, tmp_path / "hours", ra_unit="hour").notes
        assert f"{float(np.spacing(np.float32(23.9))) * 15 * 3600:.2g} arcsec" in hours[0]
        assert run_import(skies.stars(5), tmp_path / "fine").notes == []

    def test_columns_of_the_same_name_as_those_that_are_made(self, tmp_path):
        """An input's own ``ra_deg`` is nothing special where its coordinates are degrees."""
        table = pa.table({"ra": [1.0], "dec": [2.0], "ra_deg": [77.0], "dec_deg": [88.0]})
        properties = import_catalog(table, tmp_path / "sky").properties
        assert (properties.hats_col_ra, properties.hats_col_dec) == ("ra", "dec")

    def test_other_units_get_columns_of_their_own(self, tmp_path):
        table = pa.table(
            {"id": [1, 2], "RA": ["05:34:31.94", "00:42:44.35"], "DE": ["+22:00:52.2", "+41:16:08.6"]}
        )
        catalog = import_catalog(table, tmp_path / "sky", ra="RA", dec="DE")
        assert (catalog.properties.hats_col_ra, catalog.properties.hats_col_dec) == ("ra_deg", "dec_deg")
        rows = skies.read_rows(tmp_path / "sky").sort_by("id").to_pylist()
        for row, text in zip(rows, table.to_pylist(), strict=True):
            assert (row["RA"], row["DE"]) == (text["RA"], text["DE"])
            assert row["ra_deg"] == pytest.approx(Angle(text["RA"], "hourangle").degree, abs=1e-12)
            assert row["dec_deg"] == pytest.approx(Angle(text["DE"], "deg").degree, abs=1e-12)
        for leaf in skies.read_leaves(tmp_path / "sky"):
            found = leaf.table.column(skies.INDEX).to_numpy()
            assert (found == skies.healpix(leaf.table["ra_deg"], leaf.table["dec_deg"])).all()

    def test_other_units_beside_columns_of_that_name(self, tmp_path):
        """The input's own ``ra_deg`` is not lost, or the import is refused."""
        table = pa.table({"ra": [1.0], "dec": [0.5], "ra_deg": ["mine"], "dec_deg": [7]})
        try:
            import_catalog(table, tmp_path / "sky", ra_unit="rad", dec_unit="rad")
        except HatsError as error:
            assert "ra_deg" in str(error)  # noqa: PT017
            assert skies.files(tmp_path) == set()
        else:
            found = skies.read_rows(tmp_path / "sky")
            assert found["ra_deg"].to_pylist() == ["mine"]
            assert found["dec_deg"].to_pylist() == [7]

    @pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf, 90.5, -1e9])
    def test_a_bad_row_stops_the_import(self, tmp_path, bad):
        file = tmp_path / "stars.parquet"
        table = pa.table({"ra": [1.0, 2.0, 3.0, 4.0], "dec": [0.0, 0.0, bad, 0.0]})
        pq.write_table(table, file, row_group_size=2)
        with pytest.raises(CoordinatesError) as raised:
            import_catalog(file, tmp_path / "sky")
        text = str(raised.value)
        assert "stars.parquet" in text
        assert "row 3" in text
        assert "\n" not in text
        assert skies.files(tmp_path) == {"stars.parquet"}
        assert not (tmp_path / "sky").exists()

    def test_the_row_is_counted_over_chunks(self, tmp_path):
        """In a text file, too, where rows are counted without the header."""
        file = tmp_path / "stars.csv"
        lines = [f"{row},{row % 360},{row % 90}" for row in range(1, 5001)]
        lines[4320] = "4321,nan,5"
        file.write_text("id,ra,dec\n" + "\n".join(lines) + "\n")
        with pytest.raises(CoordinatesError, match="row 4321"):
            import_catalog(file, tmp_path / "sky")
        batches = pa.table(
            {"ra": np.where(np.arange(5000) == 4320, np.nan, 1.0), "dec": np.zeros(5000)}
        ).to_batches(999)
        with pytest.raises(CoordinatesError, match="row 4321"):
            import_catalog(batches, tmp_path / "sky")


class TestDropAndQuarantine:
    """Rows without a position, when they are not errors."""

    @pytest.fixture
    def inputs(self, tmp_path):
        (tmp_path / "in").mkdir()
        a = pa.table(
            {"id": [1, 2, 3], "ra": [1.0, math.nan, 3.0], "dec": [0.0, 0.0, 90.1], "name": ["a", None, "c"]}
        )
        b = pa.table(
            {"id": [4, 5, 6], "ra": [4.0, 5.0, math.inf], "dec": [None, 0.0, 0.0], "name": ["d", "e", "f"]}
        )
        for name, table in (("a", a), ("b", b)):
            pq.write_table(table, tmp_path / "in" / f"{name}.parquet")
        return tmp_path / "in"

    def test_drop(self, inputs, tmp_path):
        log = run_import(inputs, tmp_path / "sky", bad_coordinates="drop")
        assert (log.rows_read, log.rows_written, log.rows_rejected) == (6, 2, 4)
        assert log.quarantine is None
        assert sorted(skies.read_rows(tmp_path / "sky")["id"].to_pylist()) == [1, 5]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "sky"]

    @pytest.mark.parametrize("workers", [1, 2])
    def test_quarantine(self, inputs, tmp_path, workers):
        log = run_import(inputs, tmp_path / "sky", bad_coordinates="quarantine", workers=workers)
        assert (log.rows_read, log.rows_written, log.rows_rejected) == (6, 2, 4)
        assert log.quarantine is not None
        found = (
            pq.read_table(log.quarantine).sort_by([("_file", "ascending"), ("_row", "ascending")]).to_pylist()
        )
        assert [row["id"] for row in found] == [2, 3, 4, 6]
        assert [row["_row"] for row in found] == [2, 3, 1, 3]
        assert [row["_file"].rsplit("/", 1)[-1] for row in found] == ["a.parquet"] * 2 + ["b.parquet"] * 2
        beyond = "declination beyond ±90"
        assert [row["_reason"] for row in found] == ["NaN", beyond, "missing", "infinite"]
        # The rows themselves are whole.
        assert [row["name"] for row in found] == [None, "c", "d", "f"]
        assert math.isnan(found[0]["ra"])
        assert found[2]["dec"] is None
        assert sorted(skies.read_rows(tmp_path / "sky")["id"].to_pylist()) == [1, 5]

    def test_nothing_to_quarantine(self, tmp_path):
        log = run_import(skies.stars(10), tmp_path / "sky", bad_coordinates="quarantine")
        assert (log.rows_rejected, log.quarantine) == (0, None)
        assert [path.name for path in tmp_path.iterdir()] == ["sky"]

    @pytest.mark.parametrize("what", ["drop", "quarantine", "error"])
    def test_no_good_row(self, tmp_path, what):
        table = pa.table({"ra": [math.nan, 1.0], "dec": [1.0, math.inf]})
        with pytest.raises((CoordinatesError, InputError)):
            import_catalog(table, tmp_path / "sky", bad_coordinates=what)
        assert not skies.looks_like_a_catalog(tmp_path)

    def test_bad_text(self, tmp_path):
        table = pa.table({"id": [1, 2, 3], "ra": ["01:00:00", "", "??"], "dec": ["+01:00:00"] * 3})
        log = run_import(table, tmp_path / "sky", bad_coordinates="quarantine")
        found = pq.read_table(log.quarantine).to_pylist()
        assert [(row["id"], row["_reason"], row["ra"]) for row in found] == [
            (2, "missing", ""),
            (3, "not a number", "??"),
        ]
        assert skies.read_rows(tmp_path / "sky")["id"].to_pylist() == [1]

    def test_the_quarantine_of_an_empty_column(self, tmp_path):
        """Types that only one input tells are the types of all."""
        (tmp_path / "a.csv").write_text("ra,dec,note\n1,2,\n,3,\n")
        (tmp_path / "b.csv").write_text("ra,dec,note\n4,5,hot\n6,,cold\n")
        log = run_import(
            [tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "sky", bad_coordinates="quarantine"
        )
        assert log.rows_rejected == 2
        assert [row["note"] for row in pq.read_table(log.quarantine).to_pylist()] == [None, "cold"]
