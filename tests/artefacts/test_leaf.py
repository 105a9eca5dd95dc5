"""Leaf files: every Arrow type comes back, as it was promised to be stored; remote reads ask for little."""

from __future__ import annotations

import datetime as dt
import decimal
import errno
import gc
import uuid
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts import leaf_reading
from hatsformat.artefacts.leaf import LeafFormat, leaf_writer, write_leaf
from hatsformat.artefacts.leaf_reading import chunk_ranges, read_footer, read_row_groups
from hatsformat.errors import LeafError, NotFoundError, StorageError
from tests.support import arrow


@pytest.fixture
def local(tmp_path: Path) -> UPath:
    return storage.resolve(tmp_path)


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, local: UPath) -> UPath:
    return (
        local / "leaf.parquet"
        if request.param == "local"
        else UPath(f"memory://leaf/{uuid.uuid4().hex}.parquet")
    )


def stars(rows: int, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "_healpix_29": np.sort(rng.integers(0, 12 * 4**29, rows)),
            "ra": rng.uniform(0, 360, rows),
            "mag": rng.uniform(5, 20, rows).astype(np.float32),
            "name": [f"star {k % 50}" for k in range(rows)],
        }
    ).replace_schema_metadata({"IVOA.VOTable-Parquet.version": "1.0"})


def column(values: list[object], kind: pa.DataType) -> pa.Array:
    return pa.array([*values, None, *values], kind)


EVERY_TYPE = {
    "null": pa.nulls(5),
    "bool": column([True, False], pa.bool_()),
    **{f"int{n}": column([-3, 2 ** (n - 1) - 1], getattr(pa, f"int{n}")()) for n in (8, 16, 32, 64)},
    **{f"uint{n}": column([0, 2**n - 1], getattr(pa, f"uint{n}")()) for n in (8, 16, 32, 64)},
    "float16": column([np.float16(1.5), np.float16(-2)], pa.float16()),
    "float32": column([1.5, float("inf")], pa.float32()),
    "float64": column([1e300, -0.0], pa.float64()),
    "string": column(["é", ""], pa.string()),
    "large_string": column(["é", ""], pa.large_string()),
    "string_view": column(["é", "a long one, beyond twelve bytes"], pa.string_view()),
    "binary": column([b"\x00\xff", b""], pa.binary()),
    "large_binary": column([b"\x00\xff", b""], pa.large_binary()),
    "fixed_binary": column([b"abc", b"\x00\x01\x02"], pa.binary(3)),
    "decimal128": column([decimal.Decimal("1.23"), decimal.Decimal("-99999.99")], pa.decimal128(20, 2)),
    "decimal256": column([decimal.Decimal("1.23"), decimal.Decimal("-9.99")], pa.decimal256(60, 2)),
    "date32": column([dt.date(2020, 2, 29), dt.date(1850, 1, 1)], pa.date32()),
    "time_ms": column([dt.time(1, 2, 3), dt.time(0)], pa.time32("ms")),
    "time_us": column([dt.time(1, 2, 3, 4), dt.time(0)], pa.time64("us")),
    **{
        f"timestamp_{unit}": column([0, 1_600_000_000], pa.timestamp(unit, tz))
        for unit, tz in (("ms", None), ("us", "UTC"), ("ns", "Europe/Paris"))
    },
    "duration": column([1, -5], pa.duration("us")),
    "dictionary": column(["a", "b"], pa.string()).dictionary_encode(),
    "list": column([[1.0, None], []], pa.list_(pa.field("element", pa.float64()))),
    "large_list": column([[1, 2], []], pa.large_list(pa.field("element", pa.int32()))),
    "fixed_list": pa.array(
        [[1.0, 2.0], [3.0, 4.0], None if arrow.MISSING_FIXED_LISTS else [5.0, 6.0], [1.0, 2.0], [3.0, 4.0]],
        pa.list_(pa.field("element", pa.float32()), 2),
    ),
    "struct": column(
        [{"a": 1, "b": "x"}, {"a": None, "b": "y"}], pa.struct({"a": pa.int64(), "b": pa.string()})
    ),
    "map": column([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    "light_curves": column(
        [[{"mjd": 1.0, "band": "g"}], []],
        pa.list_(pa.field("element", pa.struct({"mjd": pa.float64(), "band": pa.string()}))),
    ),
    "struct_of_lists": column(
        [{"mjd": [1.0, 2.0]}, {"mjd": None}],
        pa.struct({"mjd": pa.list_(pa.field("element", pa.float64()))}),
    ),
}


class TestRoundTrip:
    @pytest.mark.parametrize("kind", list(EVERY_TYPE))
    def test_every_type(self, kind: str, place: UPath) -> None:
        values = EVERY_TYPE[kind]
        table = pa.table({"_healpix_29": np.arange(5), "a.b": values, kind: values})
        sink = write_leaf(place, table, LeafFormat(row_group_rows=2))
        footer = read_footer(place)
        again = read_row_groups(place, footer)
        if kind == "string_view":  # written as told, and read as text
            assert pq.read_schema(pa.BufferReader(storage.read_bytes(place))).field(kind).type == values.type
            table = table.cast(again.schema)
            assert again.schema.field(kind).type == pa.string()
        assert again.schema == table.schema
        assert again.equals(table)
        assert read_row_groups(place, footer, [1], [kind, "a.b"]).equals(
            table.select([kind, "a.b"]).slice(2, 2)
        )
        assert (sink.footer.num_rows, sink.size) == (5, storage.size(place))

    def test_all_types_in_one_file(self, place: UPath) -> None:
        table = pa.table({"_healpix_29": np.arange(5), **EVERY_TYPE})
        write_leaf(place, table, LeafFormat())
        again = read_row_groups(place, read_footer(place))
        assert again.equals(table.cast(again.schema))
        assert [
            name for name in EVERY_TYPE if again.schema.field(name).type != table.schema.field(name).type
        ] == ["string_view"]
        assert pq.read_table(pa.BufferReader(storage.read_bytes(place))).equals(table)

    def test_key_values_and_names(self, place: UPath) -> None:
        table = stars(3).rename_columns(["_healpix_29", "RA (deg), J2000", "", "é;x"])
        write_leaf(place, table, LeafFormat())
        again = read_row_groups(place, read_footer(place))
        assert again.schema.equals(table.schema, check_metadata=True)

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, 50), st.integers(1, 60), st.data())
    def test_any_rows_groups_and_columns(
        self, place: UPath, rows: int, size: int, data: st.DataObject
    ) -> None:
        table = stars(rows)
        write_leaf(place, table, LeafFormat(row_group_rows=size))
        footer = read_footer(place)
        groups = data.draw(st.lists(st.integers(0, footer.num_row_groups - 1), unique=True))
        columns = data.draw(st.none() | st.lists(st.sampled_from(table.column_names), unique=True))
        edges = np.cumsum([0, *(footer.row_group(g).num_rows for g in range(footer.num_row_groups))])
        expected = pa.concat_tables(
            [table.slice(0, 0), *(table.slice(edges[g], edges[g + 1] - edges[g]) for g in groups)]
        )
        found = read_row_groups(place, footer, groups, columns, threads=rows % 2 == 0)
        assert found.num_rows == expected.num_rows
        assert found.equals(expected if columns is None else expected.select(columns))

    def test_without_rows(self, place: UPath) -> None:
        write_leaf(place, stars(0), LeafFormat())
        assert read_row_groups(place, read_footer(place)).equals(stars(0))

    def test_piece_by_piece(self, place: UPath) -> None:
        table = stars(10)
        with leaf_writer(place, table.schema, LeafFormat(row_group_rows=4)) as sink:
            sink.write(table.slice(0, 3))
            assert not storage.exists(place)
            sink.write(table.slice(3))
        assert read_row_groups(place, read_footer(place)).equals(table)
        assert [sink.footer.row_group(k).num_rows for k in range(sink.footer.num_row_groups)] == [3, 4, 3]


class TestFormat:
    def written(self, local: UPath, table: pa.Table, leaf: LeafFormat) -> pq.FileMetaData:
        write_leaf(local / "x.parquet", table, leaf)
        return read_footer(local / "x.parquet")

    @pytest.mark.parametrize(
        ("rows", "most", "sizes"),
        [(10, 10, [10]), (11, 10, [6, 5]), (25, 10, [9, 9, 7]), (3, 1, [1, 1, 1]), (0, 5, [0])],
    )
    def test_row_groups_are_about_equal(self, local: UPath, rows: int, most: int, sizes: list[int]) -> None:
        footer = self.written(local, stars(rows), LeafFormat(row_group_rows=most))
        assert [footer.row_group(k).num_rows for k in range(footer.num_row_groups)] == sizes

    def test_encodings_statistics_and_indexes(self, local: UPath) -> None:
        table = stars(5000)
        footer = self.written(local, table, LeafFormat(row_group_rows=1000))
        for group in range(footer.num_row_groups):
            chunks = {
                c.path_in_schema: c for c in map(footer.row_group(group).column, range(footer.num_columns))
            }
            assert "DELTA_BINARY_PACKED" in chunks["_healpix_29"].encodings
            assert "BYTE_STREAM_SPLIT" in chunks["ra"].encodings
            assert "BYTE_STREAM_SPLIT" in chunks["mag"].encodings
            assert "RLE_DICTIONARY" in chunks["name"].encodings
            part = table.slice(group * 1000, 1000)
            for name, chunk in chunks.items():
                assert chunk.compression == "ZSTD"
                assert (chunk.has_column_index, chunk.has_offset_index) == (True, True)
                assert chunk.statistics.min == min(part[name].to_pylist())
                assert chunk.statistics.max == max(part[name].to_pylist())
                assert chunk.statistics.null_count == 0

    @pytest.mark.parametrize("first", [[], ["s"], ["s", "l", "m"]])
    def test_sorting_columns_count_primitive_columns(self, local: UPath, first: list[str]) -> None:
        nested = {
            "s": pa.array([{"a": 1, "b": 2.0}] * 3),
            "l": pa.array([[{"x": 1, "y": "z"}]] * 3),
            "m": pa.array([[("k", 1)]] * 3, pa.map_(pa.string(), pa.int64())),
        }
        table = pa.table(
            {**{name: nested[name] for name in first}, "_healpix_29": [1, 2, 3], "time": [4, 5, 6]}
        )
        footer = self.written(local, table, LeafFormat(sorting=("_healpix_29", "time")))
        group = footer.row_group(0)
        named = [group.column(sort.column_index).path_in_schema for sort in group.sorting_columns]
        assert named == ["_healpix_29", "time"]
        assert not any(sort.descending for sort in group.sorting_columns)

    def test_without_its_sorting_column(self, local: UPath) -> None:
        footer = self.written(local, pa.table({"x": [3, 1, 2]}), LeafFormat())
        assert footer.row_group(0).sorting_columns == ()

    @pytest.mark.parametrize("kind", [pa.uint64(), pa.int32(), pa.float64(), pa.string()])
    def test_other_index_columns(self, local: UPath, kind: pa.DataType) -> None:
        table = pa.table({"_healpix_29": pa.array([1, 2, 3]).cast(kind)})
        self.written(local, table, LeafFormat())
        assert pq.read_table(local.path + "/x.parquet").equals(table)

    def test_nested_text_keeps_its_dictionary(self, local: UPath) -> None:
        bands = pa.array([[{"band": "g" * 100}] * 5] * 100)
        footer = self.written(local, pa.table({"_healpix_29": np.arange(100), "lc": bands}), LeafFormat())
        chunk = footer.row_group(0).column(1)
        assert (chunk.path_in_schema, chunk.has_dictionary_page) == ("lc.list.element.band", True)


class TestFailures:
    def test_nothing_there(self, place: UPath) -> None:
        with pytest.raises(NotFoundError):
            read_footer(place)

    @pytest.mark.parametrize(
        "content", [b"", b"PAR1", b"PAR1PAR1", b"x" * 1000, b"PAR1" + b"\xff" * 100 + b"PAR1"]
    )
    def test_not_parquet(self, place: UPath, content: bytes) -> None:
        storage.write_bytes(place, content)
        with pytest.raises(LeafError, match="cannot be read as Parquet") as caught:
            read_footer(place)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
    def test_cut_off(self, place: UPath, part: float) -> None:
        write_leaf(place, stars(1000), LeafFormat(row_group_rows=100))
        content, footer = storage.read_bytes(place), read_footer(place)
        storage.write_bytes(place, content[: int(len(content) * part)])
        with pytest.raises(LeafError):
            read_footer(place)
        if part < 0.9:
            with pytest.raises(LeafError):
                read_row_groups(place, footer)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_flipped_bytes_are_refused_or_read(self, place: UPath, data: st.DataObject) -> None:
        write_leaf(place, stars(200), LeafFormat(row_group_rows=50))
        content = bytearray(storage.read_bytes(place))
        # Not in the footer: a few bits there, in the statistics of sizes, make Arrow itself end the process.
        pages = len(content) - 8 - read_footer(place).serialized_size
        for at in data.draw(st.lists(st.integers(0, pages - 1), min_size=1, max_size=5)):
            content[at] ^= data.draw(st.integers(1, 255))
        storage.write_bytes(place, bytes(content))
        with suppress(LeafError):
            read_row_groups(place, read_footer(place))

    def test_a_name_that_is_no_text(self, place: UPath) -> None:
        write_leaf(place, stars(5).rename_columns(["_healpix_29", "ra", "mag", "QQQQ"]), LeafFormat())
        storage.write_bytes(place, storage.read_bytes(place).replace(b"QQQQ", b"QQ\xb8Q"))
        with pytest.raises(LeafError):
            read_row_groups(place, read_footer(place))

    def test_a_missing_column_is_named(self, place: UPath) -> None:
        write_leaf(place, stars(5), LeafFormat())
        with pytest.raises(LeafError, match="the column dec is missing"):
            read_row_groups(place, read_footer(place), None, ["ra", "dec"])

    @pytest.mark.parametrize("stage", ["after a write", "in the footer"])
    def test_a_failed_write_leaves_nothing(
        self, place: UPath, stage: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_args: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def write() -> None:
            with leaf_writer(place, stars(5).schema, LeafFormat()) as sink:
                sink.write(stars(5))
                if stage == "after a write":
                    fail()
                monkeypatch.setattr(sink._writer, "writer", Broken())

        class Broken:
            close = fail

        with pytest.raises(StorageError, match="No space left"):
            write()
        gc.collect()
        assert not storage.exists(place)

    def test_a_table_of_another_schema(self, place: UPath) -> None:
        with (
            pytest.raises(ValueError, match="schema"),
            leaf_writer(place, stars(1).schema, LeafFormat()) as sink,
        ):
            sink.write(pa.table({"x": [1]}))
        gc.collect()
        assert not storage.exists(place)


class TestRemote:
    @pytest.fixture
    def counted(self, monkeypatch: pytest.MonkeyPatch) -> tuple[UPath, list[tuple[int, int]]]:
        """A leaf in memory, and the ranges that are asked of it."""
        place = UPath(f"memory://leaf/{uuid.uuid4().hex}.parquet")
        write_leaf(place, stars(200_000), LeafFormat(row_group_rows=20_000))
        length = storage.size(place)
        asked: list[tuple[int, int]] = []
        whole = place.fs.cat_file

        def cat_file(path, start=None, end=None, **options):
            asked.append(slice(start, end).indices(length)[:2])
            return whole(path, start, end, **options)

        def cat_ranges(paths, starts, ends, **options):
            asked.extend(zip(starts, ends, strict=True))
            return [whole(*one) for one in zip(paths, starts, ends, strict=True)]

        def no_other_way(*_args: object, **_options: object) -> None:
            raise AssertionError("a remote leaf is read by ranges")

        monkeypatch.setattr(place.fs, "cat_file", cat_file)
        monkeypatch.setattr(place.fs, "cat_ranges", cat_ranges)
        monkeypatch.setattr(place.fs, "open", no_other_way)
        return place, asked

    def test_only_what_is_needed_is_fetched(self, counted: tuple[UPath, list[tuple[int, int]]]) -> None:
        place, asked = counted
        footer = read_footer(place)
        assert len(asked) == 1
        assert asked[0][1] - asked[0][0] == leaf_reading.FOOTER_GUESS
        asked.clear()
        table = read_row_groups(place, footer, [3], ["mag", "ra"])
        assert table.equals(stars(200_000).select(["mag", "ra"]).slice(60_000, 20_000))
        needed = chunk_ranges(footer, [3], ["mag", "ra"])
        assert len(needed) == 2
        # The two columns lie side by side: one request, and not a byte more than their chunks.
        assert asked == [(min(a for a, _ in needed), max(b for _, b in needed))]
        assert asked[0][1] - asked[0][0] == sum(b - a for a, b in needed)
        asked.clear()
        assert read_row_groups(place, footer, [], ["ra"]).num_rows == 0
        assert read_row_groups(place, footer, [0, 1], []).num_rows == 40_000
        assert asked == []

    def test_far_groups_are_fetched_apart(self, counted: tuple[UPath, list[tuple[int, int]]]) -> None:
        place, asked = counted
        footer = read_footer(place)
        asked.clear()
        table = read_row_groups(place, footer, [8, 1], ["_healpix_29"], threads=True)
        expected = stars(200_000).select(["_healpix_29"])
        assert table.equals(
            pa.concat_tables([expected.slice(160_000, 20_000), expected.slice(20_000, 20_000)])
        )
        assert len(asked) == 2
        assert sum(b - a for a, b in asked) < storage.size(place) / 10

    def test_a_large_footer_takes_two_requests(
        self, counted: tuple[UPath, list[tuple[int, int]]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place, asked = counted
        whole = read_footer(place)
        asked.clear()
        monkeypatch.setattr(leaf_reading, "FOOTER_GUESS", 100)
        assert read_footer(place).equals(whole)
        assert len(asked) == 2
        assert asked[1][1] - asked[1][0] == whole.serialized_size + 8

    def test_columns_with_dots(self) -> None:
        place = UPath(f"memory://leaf/{uuid.uuid4().hex}.parquet")
        table = pa.table({"a.b": pa.array([{"c.d": 1, "e": [1.0]}]), "a": [1], "a.b.c": [2], "ab": [3]})
        write_leaf(place, table, LeafFormat())
        footer = read_footer(place)
        for name in table.column_names:
            assert len(chunk_ranges(footer, [0], [name])) >= 1
            assert read_row_groups(place, footer, None, [name]).equals(table.select([name]))
        assert len(chunk_ranges(footer, [0], ["ab"])) == 1
        assert chunk_ranges(footer, [0], ["c"]) == []


@pytest.mark.server
def test_over_http(http, local: UPath) -> None:
    table = stars(50_000)
    folder = http.root / uuid.uuid4().hex / "Norder=0" / "Dir=0"
    write_leaf(storage.resolve(folder / "Npix=4.parquet"), table, LeafFormat(row_group_rows=5_000))
    place = storage.resolve(http.url_of(folder / "Npix=4.parquet"))
    http.forget()
    found = read_row_groups(place, read_footer(place), [2], ["ra"])
    assert found.equals(table.select(["ra"]).slice(10_000, 5_000))
    requests = http.requests()
    assert [request.status for request in requests] == [206, 206]
    assert sum(request.body_bytes for request in requests) < 150_000


def test_other_writers_leaves(shared: Path) -> None:
    files = sorted((shared / "third_party" / "catalogs").rglob("Npix=*/*.parquet")) + sorted(
        (shared / "third_party" / "catalogs").rglob("Npix=*.parquet")
    )
    assert files
    for file in files:
        if file.is_dir():
            continue
        copy = UPath("memory://leaf/other.parquet")
        storage.write_bytes(copy, file.read_bytes())
        # The oracle must not take the file's folders for columns.
        expected = pq.ParquetFile(file).read()
        for place in (storage.resolve(file), copy):
            assert read_row_groups(place, read_footer(place)).equals(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_that_repeat_get_a_dictionary(dtype: type) -> None:
    rng, count = np.random.default_rng(3), 20_000
    bits = np.uint32 if dtype is np.float32 else np.uint64
    nan = np.array([np.nan], dtype=dtype).view(bits)
    special = np.concatenate([np.array([0.0, -0.0, 2.5], dtype=dtype).view(bits), nan, nan + bits(1)])
    magnitudes = rng.normal(12, 2, count).round(2).astype(dtype)
    magnitudes[:5000] = rng.choice(special.astype(bits), 5000).view(dtype)
    table = pa.table({"mag": magnitudes, "ra": rng.uniform(0, 360, count).astype(dtype)})
    place = storage.resolve("memory://leaf/floats.parquet")
    sink = write_leaf(place, table, LeafFormat())
    mag, ra = (sink.footer.row_group(0).column(index) for index in range(2))
    assert "RLE_DICTIONARY" in mag.encodings
    assert "BYTE_STREAM_SPLIT" in ra.encodings
    assert 2 * mag.total_compressed_size < ra.total_compressed_size
    read = read_row_groups(place, sink.footer).column("mag").to_numpy()
    assert (read.view(bits) == magnitudes.view(bits)).all(), "each zero and each NaN stays itself"


def test_integers_that_repeat_get_a_dictionary() -> None:
    rng = np.random.default_rng(3)
    count = 20_000
    table = pa.table(
        {
            "_healpix_29": np.arange(count) * 7,
            "id": rng.integers(0, 1 << 60, count),
            "field": rng.choice(rng.integers(0, 1 << 60, 5), count),
        }
    )
    place = storage.resolve("memory://leaf/dictionary.parquet")
    sink = write_leaf(place, table, LeafFormat())
    encodings = [set(sink.footer.row_group(0).column(index).encodings) for index in range(3)]
    assert "DELTA_BINARY_PACKED" in encodings[0] & encodings[1]
    assert "RLE_DICTIONARY" in encodings[2]
    assert read_row_groups(place, sink.footer).equals(table)


def test_a_missing_remote_file_is_not_found():
    from hatsformat import NotFoundError, storage
    from hatsformat.artefacts.leaf_reading import read_footer

    with pytest.raises(NotFoundError, match="no such file") as raised:
        read_footer(storage.resolve("memory://leaf-reading/missing.parquet"))
    assert not isinstance(raised.value.__cause__, NotFoundError)
