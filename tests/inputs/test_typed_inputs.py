"""Inputs with types of their own: Parquet, Arrow, pandas; nothing may change."""

from __future__ import annotations

import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from hatsformat import CatalogWriter
from hatsformat.errors import HatsError, SchemaError
from hatsformat.importing import import_catalog, run_import
from hatsformat.partitioner.memory import MemoryBudget
from tests.support import arrow, skies
from tests.support.imports import refused


def unit_of(field):
    return "deg" if field.name in ("ra", "dec") else "mJy"


def fixed_lists(column):
    """Return the column, without missing lists if Arrow cannot read them back."""
    if arrow.MISSING_FIXED_LISTS:
        return column
    return pa.array([value or [0.0] * column.type.list_size for value in column.to_pylist()], column.type)


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
        "array": fixed_lists(column([[1.0, float(n), None] for n in small], pa.list_(pa.float64(), 3))),
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


class TestEveryType:
    """What goes in comes out: type, values, nulls, units and descriptions."""

    @pytest.fixture
    def table(self):
        return every_type()

    def check(self, root, table):
        found = skies.read_rows(root).sort_by("id")
        # Parquet itself converts types that it does not have.
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        wanted = pq.read_table(pa.BufferReader(sink.getvalue()))
        assert found.schema.names == wanted.schema.names
        for field in wanted.schema:
            assert found.schema.field(field.name).type == field.type, field.name
            metadata = found.schema.field(field.name).metadata or {}
            assert metadata.get(b"unit") == unit_of(field).encode()
            assert metadata.get(b"description") == f"the {field.name}".encode()
        assert skies.plain(found) == skies.plain(wanted)

    @pytest.mark.parametrize("rows", [1, 7, 1000])
    def test_in_memory(self, tmp_path, table, rows):
        import_catalog(table, tmp_path / "sky", max_rows=15, row_group_rows=rows, thumbnail=True)
        self.check(tmp_path / "sky", table)

    def test_spilled(self, tmp_path, table, monkeypatch):
        monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
        monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 3000))
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
        "column",
        [
            pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
            pytest.param(
                pa.array([[1, 2]], pa.list_view(pa.int64())),
                marks=pytest.mark.skipif(
                    not arrow.SIZE_OF_LIST_VIEWS, reason="Arrow before 24 cannot tell the size of a list view"
                ),
                id="list_view",
            ),
            pa.array([{}], pa.struct([])),
            pa.RunEndEncodedArray.from_arrays([1], [5]),
        ],
        ids=lambda column: str(column.type),
    )
    def test_types_that_parquet_does_not_have(self, tmp_path, column):
        table = pa.table({"ra": [1.0], "dec": [2.0], "odd": column})
        text = refused(tmp_path, table, error=SchemaError)
        for word in ("'odd'", str(column.type).split("<")[0], "Parquet", "the table"):
            assert word in text
        with pytest.raises(SchemaError, match="'odd'"):
            CatalogWriter(tmp_path / "sky", table.schema)

    @pytest.mark.parametrize(
        "name", ["a b", "a,b", "a;b", "a.b", "α", "=", "#", "Npix", "a/b", "__index__", "_row"]
    )
    def test_names_of_columns(self, tmp_path, name):
        table = skies.stars(20).append_column(name, pa.array(range(20)))
        import_catalog(table, tmp_path / "sky", max_rows=5)
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    @pytest.mark.parametrize("name", ["r a", "r,a", "α=", "#ra"])
    def test_names_of_coordinate_columns(self, tmp_path, name):
        """Such a name is written to the properties unchanged, or refused."""
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
        monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 2000))
        table = skies.stars(500)
        pq.write_table(table, tmp_path / "stars.parquet", row_group_size=30)
        log = run_import(tmp_path / "stars.parquet", tmp_path / "sky", max_rows=100)
        assert log.inputs > 1
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    def test_rows_are_counted_over_parts(self, tmp_path, monkeypatch):
        monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 2000))
        ra = np.arange(500.0) % 360
        ra[432] = np.nan
        pq.write_table(
            pa.table({"ra": ra, "dec": np.zeros(500)}), tmp_path / "stars.parquet", row_group_size=30
        )
        assert "row 433" in refused(tmp_path, tmp_path / "stars.parquet", error=HatsError)

    @pytest.mark.parametrize("keep", [0.05, 0.5, 0.99])
    def test_truncated(self, tmp_path, keep):
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
        """Folder names add no columns if the files are named one by one."""
        table = skies.stars(20)
        for part in range(2):
            file = tmp_path / "in" / f"year={part}" / "part.parquet"
            file.parent.mkdir(parents=True)
            pq.write_table(table.slice(part * 10, 10), file)
        import_catalog(str(tmp_path / "in" / "*" / "*.parquet"), tmp_path / "sky")
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
        """Types are widened if possible, whichever comes first."""
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

    def test_truncated(self, tmp_path):
        with pa.ipc.new_file(tmp_path / "a.arrow", skies.stars(1).schema) as writer:
            writer.write_table(skies.stars(1000))
        content = (tmp_path / "a.arrow").read_bytes()
        (tmp_path / "a.arrow").write_bytes(content[: len(content) // 2])
        assert "a.arrow" in refused(tmp_path, tmp_path / "a.arrow")

    def test_duplicate_columns(self, tmp_path):
        table = pa.Table.from_arrays([pa.array([1.0])] * 3, names=["ra", "dec", "ra"])
        assert "ra" in refused(tmp_path, table)


class TestPandas:
    """Data frames with NumPy and Arrow types."""

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

    def test_the_default_index_is_dropped(self, tmp_path):
        frame = pd.DataFrame({"ra": np.arange(9.0), "dec": np.arange(9.0)})
        import_catalog(frame.iloc[5:], tmp_path / "sky")
        assert skies.read_rows(tmp_path / "sky").column_names == ["ra", "dec"]

    def test_a_list_of_frames(self, tmp_path):
        table = skies.stars(30)
        frames = [table.slice(start, 10).to_pandas(types_mapper=pd.ArrowDtype) for start in (0, 10, 20)]
        import_catalog(frames, tmp_path / "sky")
        assert skies.read_rows(tmp_path / "sky")["id"].sort().to_pylist() == list(range(30))
