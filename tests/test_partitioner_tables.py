"""Inputs that know their types: Parquet, Arrow, pandas, Astropy, FITS, ECSV, VOTable; nothing may change."""

from __future__ import annotations

import decimal
import shutil
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.coordinates import Angle
from astropy.table import MaskedColumn, QTable, Table

import skies
from hatsformat.errors import HatsError, InputError
from hatsformat.partitioner import import_catalog, run_import
from hatsformat.partitioner.options import ImportOptions
from test_inputs import refused, rows_of


def unit_of(field):
    return "deg" if field.name in ("ra", "dec") else "mJy"


def every_type(count=40, seed=0):
    """A column of every type that Parquet can hold, with missing values."""
    rng = np.random.default_rng(seed)
    missing = rng.random(count) < 0.2
    small, words = rng.integers(0, 100, count), [f"wörd {n}" for n in rng.integers(0, 9, count)]

    def column(values, kind):
        values = values.tolist() if isinstance(values, np.ndarray) else values
        return pa.array([None if gone else value for value, gone in zip(values, missing, strict=True)], kind)

    structs = [{"a": int(n), "b": [float(n), None]} for n in small]
    lists = [[int(n)] * (n % 4) for n in small]
    stamp = pa.timestamp
    plain = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
    plain += [
        pa.float32(),
        pa.float64(),
        stamp("s"),
        stamp("ms"),
        stamp("us"),
        stamp("ns"),
        stamp("us", "UTC"),
    ]
    plain += [stamp("ns", "Europe/Paris"), pa.date32(), pa.time32("ms"), pa.time64("ns"), pa.duration("ns")]
    columns = {str(kind): column(small, kind) for kind in plain}
    columns |= {
        "float16": column(small.astype(np.float16), pa.float16()),
        "bool": column(small % 2 == 0, pa.bool_()),
        "string": column(words, pa.string()),
        "large_string": column(words, pa.large_string()),
        "binary": column([word.encode() + b"\x00\xff" for word in words], pa.binary()),
        "large_binary": column([word.encode() for word in words], pa.large_binary()),
        "fixed": column([bytes([n, 0, 255]) for n in small.tolist()], pa.binary(3)),
        "decimal": column([decimal.Decimal(n) / 100 for n in small.tolist()], pa.decimal128(20, 2)),
        "wide decimal": column([decimal.Decimal(n) for n in small.tolist()], pa.decimal256(60, 0)),
        "dictionary": column(words, pa.string()).dictionary_encode(),
        "list": column(lists, pa.list_(pa.int32())),
        "large_list": column(lists, pa.large_list(pa.float32())),
        "array": column([[1.0, float(n), None] for n in small], pa.list_(pa.float64(), 3)),
        "struct": column(structs, pa.struct([("a", pa.int64()), ("b", pa.list_(pa.float32()))])),
        "struct of lists": column(
            [{"t": x, "m": x} for x in lists],
            pa.struct([("t", pa.list_(pa.int8())), ("m", pa.list_(pa.int8()))]),
        ),
        "list of structs": column(
            [[s] * 2 for s in structs],
            pa.list_(pa.struct([("a", pa.int64()), ("b", pa.list_(pa.float32()))])),
        ),
        "map": column([[("k", int(n))] for n in small], pa.map_(pa.string(), pa.int64())),
        "nothing": pa.nulls(count),
    }
    table = pa.table(
        {"id": range(count), "ra": rng.uniform(0, 360, count), "dec": rng.uniform(-90, 90, count), **columns}
    )
    fields = [
        field.with_metadata({"unit": unit_of(field), "description": f"the {field.name}"})
        for field in table.schema
    ]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields, metadata={"origin": "a test"}))


def plain(table):
    """Rows as Python values: nested ones, too."""
    return [repr(row) for row in table.to_pylist()]


class TestEveryType:
    """What goes in comes out: type, values, nulls, units and descriptions."""

    @pytest.fixture
    def table(self):
        return every_type()

    def check(self, root, table):
        found = skies.read_rows(root).sort_by("id")
        # What Parquet itself makes of the table, for types that it has no name for.
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        wanted = pq.read_table(pa.BufferReader(sink.getvalue()))
        assert found.schema.names == wanted.schema.names
        for field in wanted.schema:
            assert found.schema.field(field.name).type == field.type, field.name
            metadata = found.schema.field(field.name).metadata or {}
            assert metadata.get(b"unit") == unit_of(field).encode()
            assert metadata.get(b"description") == f"the {field.name}".encode()
        assert plain(found) == plain(wanted)

    @pytest.mark.parametrize("rows", [1, 7, 1000])
    def test_in_memory(self, tmp_path, table, rows):
        import_catalog(table, tmp_path / "sky", max_rows=15, row_group_rows=rows, thumbnail=True)
        self.check(tmp_path / "sky", table)

    def test_spilled(self, tmp_path, table, monkeypatch):
        monkeypatch.setattr(ImportOptions, "runs_bytes", property(lambda self: 0))
        monkeypatch.setattr(ImportOptions, "chunk_bytes", property(lambda self: 3000))
        log = run_import(table, tmp_path / "sky", max_rows=15, row_group_rows=4)
        assert log.spilled_bytes > 0
        self.check(tmp_path / "sky", table)

    @pytest.mark.parametrize("kind", ["parquet", "arrow", "feather"])
    def test_files(self, tmp_path, table, kind):
        file = tmp_path / f"stars.{kind}"
        if kind == "parquet":
            pq.write_table(table, file, row_group_size=7)
        elif kind == "arrow":
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table, max_chunksize=7)
        else:
            pa.feather.write_feather(table, str(file), compression="zstd", chunksize=7)
        import_catalog(file, tmp_path / "sky", max_rows=15)
        self.check(tmp_path / "sky", table)

    def test_schema_of_the_catalog(self, tmp_path, table):
        catalog = import_catalog(table, tmp_path / "sky", max_rows=15)
        for field in catalog.schema:
            if field.name != skies.INDEX:
                assert field.metadata[b"unit"] == unit_of(field).encode()
        assert catalog.scan(columns="all").to_table().drop_columns([skies.INDEX]).num_rows == len(table)

    def test_a_thousand_columns(self, tmp_path):
        rng = np.random.default_rng(0)
        wide = {f"c{number}": rng.normal(size=20) for number in range(1000)}
        table = pa.table(
            {"id": range(20), "ra": rng.uniform(0, 360, 20), "dec": rng.uniform(-90, 90, 20), **wide}
        )
        import_catalog(table, tmp_path / "sky", max_rows=5)
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    @pytest.mark.parametrize(
        "name", ["a b", "a,b", "a;b", "a.b", "α", "=", "#", "Npix", "a/b", "__index__", "_row"]
    )
    def test_names_of_columns(self, tmp_path, name):
        table = skies.stars(20).append_column(name, pa.array(range(20)))
        import_catalog(table, tmp_path / "sky", max_rows=5)
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    @pytest.mark.parametrize("name", ["r a", "r,a", "α=", "#ra"])
    def test_names_of_coordinate_columns(self, tmp_path, name):
        """Such a name is in the properties as it is, or refused; never another."""
        table = skies.stars(20).rename_columns({"ra": name})
        try:
            catalog = import_catalog(table, tmp_path / "sky", ra=name)
        except HatsError as error:
            assert name in str(error)  # noqa: PT017
            assert not skies.looks_like_a_catalog(tmp_path)
        else:
            assert catalog.properties.hats_col_ra == name
            assert len(catalog.scan().to_table()) == 20


class TestParquet:
    """Parquet files, in one piece and many, whole and broken."""

    def test_many_row_groups(self, tmp_path):
        table = skies.stars(500)
        pq.write_table(table, tmp_path / "stars.parquet", row_group_size=7)
        log = run_import(tmp_path / "stars.parquet", tmp_path / "sky", max_rows=100)
        assert log.rows_read == 500
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    def test_parts_of_one_file(self, tmp_path, monkeypatch):
        monkeypatch.setattr(ImportOptions, "chunk_bytes", property(lambda self: 2000))
        table = skies.stars(500)
        pq.write_table(table, tmp_path / "stars.parquet", row_group_size=30)
        log = run_import(tmp_path / "stars.parquet", tmp_path / "sky", max_rows=100)
        assert log.inputs > 1
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    def test_rows_are_counted_over_parts(self, tmp_path, monkeypatch):
        monkeypatch.setattr(ImportOptions, "chunk_bytes", property(lambda self: 2000))
        ra = np.arange(500.0) % 360
        ra[432] = np.nan
        pq.write_table(
            pa.table({"ra": ra, "dec": np.zeros(500)}), tmp_path / "stars.parquet", row_group_size=30
        )
        assert "row 433" in refused(tmp_path, tmp_path / "stars.parquet", error=HatsError)

    @pytest.mark.parametrize("keep", [0.05, 0.5, 0.99])
    def test_cut_short(self, tmp_path, keep):
        pq.write_table(skies.stars(2000), tmp_path / "a.parquet")
        content = (tmp_path / "a.parquet").read_bytes()
        (tmp_path / "b.parquet").write_bytes(content[: int(len(content) * keep)])
        assert "b.parquet" in refused(tmp_path, tmp_path / "a.parquet", tmp_path / "b.parquet")

    def test_damaged_pages(self, tmp_path):
        pq.write_table(skies.stars(2000), tmp_path / "a.parquet")
        content = bytearray((tmp_path / "a.parquet").read_bytes())
        content[100:20_000] = bytes(19_900)
        (tmp_path / "a.parquet").write_bytes(content)
        assert "a.parquet" in refused(tmp_path, tmp_path / "a.parquet")

    def test_not_parquet(self, tmp_path):
        (tmp_path / "a.parquet").write_text("id,ra,dec\n" * 100)
        assert "a.parquet" in refused(tmp_path, tmp_path / "a.parquet")

    def test_no_rows(self, tmp_path):
        pq.write_table(skies.stars(5).slice(0, 0), tmp_path / "empty.parquet")
        assert "no rows" in refused(tmp_path, tmp_path / "empty.parquet")
        pq.write_table(skies.stars(5), tmp_path / "full.parquet")
        import_catalog([tmp_path / "empty.parquet", tmp_path / "full.parquet"], tmp_path / "sky")
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), skies.stars(5))

    def test_folders_that_look_like_partitions(self, tmp_path):
        """Nothing is added to the rows from the names of folders."""
        table = skies.stars(20)
        for part in range(2):
            file = tmp_path / "in" / f"year={part}" / "part.parquet"
            file.parent.mkdir(parents=True)
            pq.write_table(table.slice(part * 10, 10), file)
        import_catalog(tmp_path / "in", tmp_path / "sky")
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)


class TestArrow:
    """Arrow in memory, all at once or as a stream."""

    def test_tables_batches_and_readers(self, tmp_path):
        table = skies.stars(200)
        batches = table.to_batches(30)
        inputs = {
            "table": table,
            "batch": table.combine_chunks().to_batches()[0],
            "list": batches,
            "tables": [table.slice(0, 50), table.slice(50)],
            "generator": (batch for batch in batches),
            "reader": pa.RecordBatchReader.from_batches(table.schema, batches),
            "generator of tables": (table.slice(start, 9) for start in range(0, 200, 9)),
        }
        for name, given in inputs.items():
            log = run_import(given, tmp_path / name, max_rows=50)
            assert log.rows_read == 200, name
            skies.assert_same_rows(skies.read_rows(tmp_path / name), table)

    def test_a_stream_that_breaks(self, tmp_path):
        def batches():
            yield from skies.stars(100).to_batches(10)
            raise RuntimeError("the simulator stopped")

        with pytest.raises(RuntimeError, match="the simulator stopped"):
            import_catalog(batches(), tmp_path / "sky")
        assert not skies.looks_like_a_catalog(tmp_path)

    def test_an_empty_table(self, tmp_path):
        assert "no rows" in refused(tmp_path, skies.stars(5).slice(0, 0))

    def test_batches_of_different_columns(self, tmp_path):
        tables = [skies.stars(5), skies.stars(5).drop_columns(["mag"])]
        for inputs in (tables, iter(tables)):
            with pytest.raises(HatsError, match="mag"):
                import_catalog(inputs, tmp_path / "sky")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("stream", [False, True])
    def test_batches_of_different_types(self, tmp_path, stream):
        """What can be widened is, whichever comes first."""
        narrow = pa.table({"id": pa.array([1, 2], pa.int32()), "ra": [1.0, 2.0], "dec": [1.0, 2.0]})
        wide = pa.table({"id": pa.array([2**40], pa.int64()), "ra": [3.0], "dec": [3.0]})
        for name, tables in (("a", [narrow, wide]), ("b", [wide, narrow])):
            import_catalog(iter(tables) if stream else tables, tmp_path / name)
            found = skies.read_rows(tmp_path / name)["id"]
            assert found.type == pa.int64()
            assert sorted(found.to_pylist()) == [1, 2, 2**40]

    def test_columns_in_another_order(self, tmp_path):
        table = skies.stars(10)
        mixed = table.select(table.column_names[::-1])
        import_catalog([table.slice(0, 5), mixed.slice(5)], tmp_path / "sky")
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    def test_not_an_arrow_file(self, tmp_path):
        (tmp_path / "a.arrow").write_text("id,ra,dec\n" * 100)
        assert "a.arrow" in refused(tmp_path, tmp_path / "a.arrow")

    def test_cut_short(self, tmp_path):
        with pa.ipc.new_file(tmp_path / "a.arrow", skies.stars(1).schema) as writer:
            writer.write_table(skies.stars(1000))
        content = (tmp_path / "a.arrow").read_bytes()
        (tmp_path / "a.arrow").write_bytes(content[: len(content) // 2])
        assert "a.arrow" in refused(tmp_path, tmp_path / "a.arrow")

    def test_columns_twice(self, tmp_path):
        table = pa.Table.from_arrays([pa.array([1.0])] * 3, names=["ra", "dec", "ra"])
        assert "ra" in refused(tmp_path, table)


class TestPandas:
    """Data frames, of the old types and of the new ones."""

    def test_plain(self, tmp_path):
        frame = pd.DataFrame(
            {
                "id": [1, 2],
                "ra": [1.0, 2.0],
                "dec": [3, 4],
                "name": ["a", None],
                "when": pd.to_datetime(["2020-01-01", None]),
            }
        )
        import_catalog(frame, tmp_path / "sky")
        found = skies.read_rows(tmp_path / "sky").sort_by("id")
        assert found.column_names == list(frame.columns)
        assert found["name"].to_pylist() == ["a", None]
        assert found["when"].to_pylist()[1] is None
        assert found["dec"].to_pylist() == [3, 4]

    def test_missing_integers(self, tmp_path):
        frame = pd.DataFrame(
            {
                "id": pd.array([1, None], dtype="Int64"),
                "ra": [1.0, 2.0],
                "dec": [3.0, 4.0],
                "ok": pd.array([True, None], dtype="boolean"),
            }
        )
        import_catalog(frame, tmp_path / "sky")
        found = skies.read_rows(tmp_path / "sky").sort_by("ra")
        assert (found["id"].type, found["id"].to_pylist()) == (pa.int64(), [1, None])
        assert found["ok"].to_pylist() == [True, None]

    def test_an_index_with_a_name_is_a_column(self, tmp_path):
        frame = pd.DataFrame({"ra": [1.0, 2.0], "dec": [3.0, 4.0]}, index=pd.Index(["x", "y"], name="obj"))
        import_catalog(frame, tmp_path / "sky")
        assert sorted(skies.read_rows(tmp_path / "sky")["obj"].to_pylist()) == ["x", "y"]

    def test_the_default_index_is_none(self, tmp_path):
        frame = pd.DataFrame({"ra": np.arange(9.0), "dec": np.arange(9.0)})
        import_catalog(frame[frame["ra"] > 4], tmp_path / "sky")
        assert skies.read_rows(tmp_path / "sky").column_names == ["ra", "dec"]

    def test_a_list_of_frames(self, tmp_path):
        table = skies.stars(30)
        frames = [table.slice(start, 10).to_pandas(types_mapper=pd.ArrowDtype) for start in (0, 10, 20)]
        import_catalog(frames, tmp_path / "sky")
        assert skies.read_rows(tmp_path / "sky")["id"].sort().to_pylist() == list(range(30))


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

    def test_a_fits_file_cut_short(self, tmp_path):
        Table({"ra": np.zeros(5000), "dec": np.zeros(5000)}).write(tmp_path / "a.fits")
        content = (tmp_path / "a.fits").read_bytes()
        (tmp_path / "a.fits").write_bytes(content[: len(content) // 2])
        assert "a.fits" in refused(tmp_path, tmp_path / "a.fits")

    def test_a_fits_image(self, tmp_path):
        from astropy.io import fits

        fits.PrimaryHDU(np.zeros((5, 5))).writeto(tmp_path / "image.fits")
        assert "image.fits" in refused(tmp_path, tmp_path / "image.fits")


class TestThirdParty:
    """Inputs that another project's tests are made of."""

    @pytest.fixture
    def inputs(self, shared):
        return shared / "third_party" / "inputs"

    def objects(self, inputs):
        """The 131 objects that most of these files hold."""
        parts = sorted((inputs / "small_sky_parts").glob("catalog_0[0-4]*.csv"))
        return pd.concat([pd.read_csv(part) for part in parts]).sort_values("id")

    def check_objects(self, root, wanted, **names):
        found = skies.read_rows(root).to_pandas().sort_values(names.get("id", "id"))
        for name in ("id", "ra", "dec", "ra_error", "dec_error"):
            assert found[names.get(name, name)].tolist() == wanted[name].tolist()
        keywords = skies.read_properties(root)
        assert keywords["hats_nrows"] == str(len(wanted))

    @pytest.mark.parametrize(
        "name",
        [
            "catalog.csv.gz",
            "small_sky.fits",
            "multi_row_group.parquet",
            "small_sky_lumpy.csv",
            "small_sky_healpix13.csv",
        ],
    )
    def test_small_sky(self, inputs, tmp_path, name):
        import_catalog(inputs / "test_formats" / name, tmp_path / "sky", max_rows=50)
        self.check_objects(tmp_path / "sky", self.objects(inputs))

    def test_parts(self, inputs, tmp_path):
        import_catalog(
            str(inputs / "small_sky_parts" / "catalog_0?_of_05.csv"), tmp_path / "sky", max_rows=50
        )
        self.check_objects(tmp_path / "sky", self.objects(inputs))

    def test_another_suffix(self, inputs, tmp_path):
        file = inputs / "test_formats" / "catalog.starr"
        import_catalog(file, tmp_path / "sky", format="csv")
        self.check_objects(tmp_path / "sky", self.objects(inputs))

    def test_other_names(self, inputs, tmp_path):
        import_catalog(
            inputs / "test_formats" / "headers.csv", tmp_path / "sky", ra="ra_mean", dec="dec_mean"
        )
        wanted = pd.read_csv(inputs / "test_formats" / "headers.csv")
        found = skies.read_rows(tmp_path / "sky").to_pandas().sort_values("object_id")
        assert found["object_id"].tolist() == sorted(wanted["object_id"])
        assert skies.read_properties(tmp_path / "sky")["hats_col_ra"] == "ra_mean"

    def test_sources(self, inputs, tmp_path):
        file = inputs / "small_sky_source" / "small_sky_source.csv"
        log = run_import(
            file, tmp_path / "sky", ra="source_ra", dec="source_dec", catalog_type="source", max_rows=3000
        )
        wanted = pd.read_csv(file).sort_values("source_id")
        assert log.rows_written == len(wanted) == 17161
        found = skies.read_rows(tmp_path / "sky").to_pandas().sort_values("source_id")
        for name in wanted.columns:
            assert found[name].tolist() == wanted[name].tolist()
        assert skies.read_properties(tmp_path / "sky")["dataproduct_type"] == "source"

    def test_mixed_schema(self, inputs, tmp_path):
        """Integers in one file and text in the next; a column that is empty in the first; a bare header."""
        files = sorted((inputs / "mixed_schema").glob("*.csv"))
        assert len(files) == 3
        for name, order in (("a", files), ("b", files[::-1])):
            import_catalog(order, tmp_path / name)
            found = skies.read_rows(tmp_path / name).sort_by("id").to_pydict()
            assert found["id"] == list(range(700, 708))
            assert found["code"] == ["1", "2", "3", "4", "good", "bad", "just-ok", "unknown"]
            assert found["comment"] == [None] * 4 + ["star", "galaxy", "satellite", "comet"]

    def test_nested_light_curves(self, inputs, tmp_path):
        file = inputs / "test_formats" / "lightcurve.parquet"
        import_catalog(file, tmp_path / "sky", ra="objra", dec="objdec")
        wanted = pq.read_table(file).drop_columns([skies.INDEX])
        found = skies.read_rows(tmp_path / "sky")
        assert found.schema.types == wanted.schema.types
        assert sorted(plain(found)) == sorted(plain(wanted))

    def test_pandas_index(self, inputs, tmp_path):
        file = inputs / "test_formats" / "pandasindex.parquet"
        import_catalog(file, tmp_path / "sky")
        wanted = pq.read_table(file)
        assert sorted(plain(skies.read_rows(tmp_path / "sky"))) == sorted(plain(wanted))

    def test_desi_redshifts(self, inputs, tmp_path):
        """160 columns, strings, vectors, in big-endian."""
        file = inputs / "test_formats" / "zall-pix-iron_10rows.fits"
        import_catalog(file, tmp_path / "sky", ra="TARGET_RA", dec="TARGET_DEC")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nanomaggies are no unit of the FITS standard
            wanted = Table.read(file)
        found = skies.read_rows(tmp_path / "sky").sort_by("TARGETID")
        wanted.sort("TARGETID")
        assert found.column_names == wanted.colnames
        for name in ("TARGET_RA", "Z", "COEFF", "FLUX_G", "MAIN_PRIMARY", "TARGETID"):
            assert np.array_equal(np.array(found[name].to_pylist()), np.asarray(wanted[name]), equal_nan=True)
        assert found["PROGRAM"].to_pylist() == [str(text).strip() for text in wanted["PROGRAM"]]
        assert found.schema.field("FLUX_G").metadata[b"unit"].decode() == str(wanted["FLUX_G"].unit)

    def test_gaia_epoch_photometry(self, inputs, tmp_path):
        """ECSV with lists of any length."""
        file = inputs / "test_formats" / "gaia_epoch.ecsv"
        import_catalog(file, tmp_path / "sky")
        wanted = Table.read(file, format="ascii.ecsv")
        wanted.sort("source_id")
        found = skies.read_rows(tmp_path / "sky").sort_by("source_id")
        assert found["source_id"].to_pylist() == wanted["source_id"].tolist()
        for row in range(3):
            assert found["transit_id"][row].as_py() == np.asarray(wanted["transit_id"][row]).tolist()
            mags = np.array(found["g_transit_mag"][row].as_py(), dtype=float)
            assert np.array_equal(
                mags,
                np.ma.filled(np.ma.asarray(wanted["g_transit_mag"][row], dtype=float), np.nan),
                equal_nan=True,
            )
        assert found.schema.field("g_transit_mag").metadata[b"unit"] == b"mag"

    def test_gaia_with_comments(self, inputs, tmp_path):
        """Lines that begin with a hash before the header."""
        import_catalog(inputs / "test_formats" / "gaia_minimum.csv", tmp_path / "sky")
        wanted = pd.read_csv(inputs / "test_formats" / "gaia_minimum.csv", comment="#")
        found = skies.read_rows(tmp_path / "sky").to_pandas().sort_values("designation")
        assert found["solution_id"].tolist() == wanted.sort_values("designation")["solution_id"].tolist()

    @pytest.mark.parametrize(
        ("name", "missing"),
        [
            ("spatial_index.csv", "ra"),
            ("healpix_29_index.parquet", "ra"),
            ("pipe_delimited.csv", ""),
            ("tess_gam02_10rows.fits", "ra"),
            ("gaia_minimum_schema.parquet", ""),
            ("catalog.zip", ""),
            ("macauff_metadata.yaml", ""),
        ],
    )
    def test_files_that_cannot_be_imported(self, inputs, tmp_path, name, missing):
        """Without coordinates, without a header, without rows, or no table at all."""
        file = tmp_path / name
        shutil.copy(inputs / "test_formats" / name, file)
        text = refused(tmp_path, file, error=HatsError)
        assert name in text
        assert missing in text

    def test_an_empty_list(self, inputs, tmp_path):
        shutil.copy(inputs / "indexed_files" / "csv_list_empty.txt", tmp_path)
        assert "empty" in refused(tmp_path, tmp_path / "csv_list_empty.txt", error=InputError)
