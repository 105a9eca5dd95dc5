"""Tiles in arrays, with plain dictionaries and intervals as the oracle."""

from __future__ import annotations

import copy
import csv
import io
import pickle
import random
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hatsformat.errors import PartitionInfoError
from hatsformat.healpix import HealpixPixel
from hatsformat.partition_info import PartitionInfo

SKY = 12 * 4**29


@st.composite
def disjoint_tiles(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Split the sky at random, then keep some of the tiles, in any order."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    kept, waiting = [], [(0, pixel) for pixel in range(12)]
    while waiting:
        order, pixel = waiting.pop()
        if order < 29 and chance.random() < 0.23:
            waiting += [(order + 1, 4 * pixel + k) for k in range(4)]
        elif chance.random() < 0.5:
            kept.append((order, pixel))
    chance.shuffle(kept)
    return kept


@st.composite
def any_tiles(draw: st.DrawFn, max_order: int = 29) -> list[tuple[int, int]]:
    """Tiles that may well overlap: all lie near one another."""
    deep = draw(st.integers(0, 12 * 4**max_order - 1))
    many = []
    for order, shift in draw(st.lists(st.tuples(st.integers(0, max_order), st.integers(0, 2)), max_size=12)):
        pixel = (deep >> 2 * (max_order - order)) + shift
        many.append((order, min(pixel, 12 * 4**order - 1)))
    return many


def interval(tile: tuple[int, int]) -> tuple[int, int]:
    order, pixel = tile
    return pixel * 4 ** (29 - order), (pixel + 1) * 4 ** (29 - order)


def pairs(info: PartitionInfo) -> list[tuple[int, int]]:
    return list(zip(info.orders.tolist(), info.pixels.tolist(), strict=True))


def along_the_sky(many: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted(many, key=lambda tile: (interval(tile)[0], tile[0]))


class TestTiles:
    @given(any_tiles())
    def test_sorted_along_the_sky(self, many: list[tuple[int, int]]) -> None:
        info = PartitionInfo.of_tiles(many)
        assert pairs(info) == along_the_sky(many)
        assert list(zip(info.starts.tolist(), info.stops.tolist(), strict=True)) == [
            interval(tile) for tile in along_the_sky(many)
        ]
        assert (info.orders.dtype, info.pixels.dtype, info.starts.dtype) == (np.uint8, np.int64, np.int64)
        assert list(info) == [HealpixPixel(*tile) for tile in along_the_sky(many)]
        assert len(info) == len(many)
        assert info.max_order == max((order for order, _ in many), default=0)
        assert PartitionInfo.of_tiles(HealpixPixel(*tile) for tile in many) == info

    @given(any_tiles(), st.integers(0, 29), st.integers(0, SKY - 1))
    def test_position(self, many: list[tuple[int, int]], order: int, deep: int) -> None:
        info = PartitionInfo.of_tiles(many)
        for tile in [*many, (order, deep >> 2 * (29 - order))]:
            where = info.position(HealpixPixel(*tile))
            assert (where is not None) == (tile in many) == (HealpixPixel(*tile) in info)
            if where is not None:
                assert (info[where].order, info[where].pixel) == tile
        assert "x" not in info

    @given(disjoint_tiles())
    def test_sky_fraction_of_disjoint_tiles(self, many: list[tuple[int, int]]) -> None:
        info = PartitionInfo.of_tiles(many)
        assert info.sky_fraction == pytest.approx(sum(1 / (12 * 4**order) for order, _ in many))
        assert len(info.overlaps()) == 0

    def test_overlaps_count_once(self) -> None:
        assert PartitionInfo.of_tiles([(0, 0), (0, 0), (1, 1), (5, 1)]).sky_fraction == pytest.approx(1 / 12)
        assert PartitionInfo.of_tiles([(0, k) for k in range(12)]).sky_fraction == 1
        assert PartitionInfo.of_tiles([]).sky_fraction == 0

    @pytest.mark.parametrize("tile", [(-1, 0), (30, 0), (0, 12), (0, -1), (29, SKY), (255, 0), (256, 0)])
    def test_no_such_tile(self, tile: tuple[int, int]) -> None:
        with pytest.raises(PartitionInfoError, match="invalid tile"):
            PartitionInfo.of_tiles([(1, 1), tile])

    def test_lengths_must_agree(self) -> None:
        with pytest.raises(PartitionInfoError, match="length"):
            PartitionInfo([0, 1], [0])
        with pytest.raises(PartitionInfoError, match="num_rows"):
            PartitionInfo([0, 1], [0, 1], {"num_rows": np.arange(3)})

    def test_is_immutable_and_keeps_the_callers_arrays(self) -> None:
        orders, pixels, rows = np.array([1, 0]), np.array([9, 0]), np.array([5, 6])
        info = PartitionInfo(orders, pixels, {"num_rows": rows})
        for array in (info.orders, info.pixels, info.extra["num_rows"]):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        with pytest.raises(TypeError):
            info.extra["x"] = rows  # type: ignore[index]
        orders[0] = pixels[0] = rows[0] = 7
        assert (pairs(info), info.extra["num_rows"].tolist()) == ([(0, 0), (1, 9)], [6, 5])
        with pytest.raises(TypeError):
            hash(info)

    def test_equality(self) -> None:
        assert PartitionInfo.of_tiles([(0, 1), (1, 0)]) == PartitionInfo.of_tiles([(1, 0), (0, 1)])
        assert PartitionInfo.of_tiles([(0, 1)]) != PartitionInfo.of_tiles([(1, 1)])
        assert PartitionInfo.of_tiles([(0, 1)]) != [(0, 1)]

    @pytest.mark.parametrize(
        "clone", [lambda info: pickle.loads(pickle.dumps(info)), copy.copy, copy.deepcopy]
    )
    def test_travels_between_processes(self, clone) -> None:
        info = PartitionInfo([1, 0], [9, 0], {"num_rows": np.array([5, 6])})
        twin = clone(info)
        assert twin == info
        assert twin.extra["num_rows"].tolist() == [6, 5]

    def test_select(self) -> None:
        info = PartitionInfo([0, 1, 2], [0, 9, 100], {"num_rows": np.array([5, 6, 7])})
        for keep in (np.array([True, False, True]), np.array([0, 2])):
            part = info.select(keep)
            assert (pairs(part), part.extra["num_rows"].tolist()) == ([(0, 0), (2, 100)], [5, 7])

    def test_repr_is_short(self) -> None:
        assert repr(PartitionInfo.of_tiles([(0, 1), (3, 0)])) == "PartitionInfo(2 tiles, orders 0 to 3)"
        assert repr(PartitionInfo.of_tiles([])) == "PartitionInfo(0 tiles, no tiles)"


class TestLookups:
    @given(st.one_of(disjoint_tiles(), any_tiles()), st.lists(st.integers(0, SKY - 1), max_size=10))
    def test_find(self, many: list[tuple[int, int]], pixels: list[int]) -> None:
        info = PartitionInfo.of_tiles(many)
        for start, stop in map(interval, many):
            pixels += [start, stop - 1, max(start - 1, 0), min(stop, SKY - 1)]
        found = info.find(pixels)
        assert found.dtype == np.int64
        for pixel, index in zip(pixels, found.tolist(), strict=True):
            holders = [tile for tile in many if interval(tile)[0] <= pixel < interval(tile)[1]]
            if holders:
                assert index >= 0
                assert pairs(info)[index] == max(holders)  # the deepest: holders of one pixel nest
            else:
                assert index == -1

    @given(disjoint_tiles(), st.integers(0, 29), st.integers(0, SKY - 1))
    def test_find_at_another_order(self, many: list[tuple[int, int]], order: int, deep: int) -> None:
        info = PartitionInfo.of_tiles(many)
        pixel = deep >> 2 * (29 - order)
        assert info.find([pixel], order).tolist() == info.find([pixel << 2 * (29 - order)]).tolist()

    @given(
        st.one_of(disjoint_tiles(), any_tiles()),
        st.lists(st.tuples(any_tiles().filter(bool), st.integers(-2, 2), st.integers(-2, 2)), max_size=4),
    )
    def test_overlapping(self, many: list[tuple[int, int]], seeds) -> None:
        ends = sorted(
            {
                min(max(end + shift, 0), SKY)
                for some, a, b in seeds
                for t in some
                for end in interval(t)
                for shift in (a, b)
            }
        )
        ranges = np.array(ends[: len(ends) // 2 * 2], dtype=np.int64).reshape(-1, 2)
        info = PartitionInfo.of_tiles(many)
        brute = [
            any(start < stop2 and start2 < stop for start2, stop2 in ranges.tolist())
            for start, stop in map(interval, along_the_sky(many))
        ]
        assert info.overlapping(ranges).tolist() == brute

    @given(any_tiles(max_order=5))
    def test_overlaps(self, many: list[tuple[int, int]]) -> None:
        info = PartitionInfo.of_tiles(many)
        spans = [interval(tile) for tile in along_the_sky(many)]
        brute = []
        for k, (start, stop) in enumerate(spans):
            covers = [j for j in range(k) if spans[j][0] <= start and stop <= spans[j][1]]
            if covers:
                brute.append([covers[0], k])
        assert info.overlaps().tolist() == brute

    def test_nothing_in_nothing(self) -> None:
        info = PartitionInfo.of_tiles([])
        assert info.find([0, 5]).tolist() == [-1, -1]
        assert info.overlapping(np.array([[0, SKY]])).tolist() == []
        assert PartitionInfo.of_tiles([(0, 0)]).overlapping(np.empty((0, 2), dtype=np.int64)).tolist() == [
            False
        ]


class TestCsv:
    def test_worked_example_exactly(self) -> None:
        info = PartitionInfo.of_tiles([(3, 578), (3, 184), (0, 0), (3, 409), (3, 253), (3, 305)])
        assert info.to_csv() == b"Norder,Npix\n0,0\n3,184\n3,253\n3,305\n3,409\n3,578\n"

    @given(any_tiles(), st.booleans())
    def test_round_trip(self, many: list[tuple[int, int]], with_rows: bool) -> None:
        extra = {"num_rows": np.arange(len(many)), 'a,b "c"': np.arange(len(many)) / 4} if with_rows else None
        info = PartitionInfo([o for o, _ in many], [p for _, p in many], extra)
        again = PartitionInfo.from_csv(info.to_csv())
        assert again == info
        assert list(again.extra) == list(info.extra)
        for name in info.extra:
            assert again.extra[name].tolist() == info.extra[name].tolist()
        # Any other CSV reader sees the same.
        rows = list(csv.reader(io.StringIO(info.to_csv().decode())))
        assert [(int(row[0]), int(row[1])) for row in rows[1:]] == pairs(info)
        assert rows[0] == ["Norder", "Npix", *info.extra]

    @pytest.mark.parametrize(
        "content",
        [
            "Norder,Npix\n0,1\n2,5\n",
            "Norder,Npix\n0,1\n2,5",
            "Norder,Npix\r\n0,1\r\n2,5\r\n",
            "Norder,Npix\r0,1\r2,5\r",
            "\ufeffNorder,Npix\n0,1\n2,5\n",
            "\ufeff\"Norder\",\"Npix\"\r\n0,1\r\n2,5\r\n",
            "Norder,Npix\n\n0,1\n\n2,5\n\n\n",
            '"Norder","Npix"\n"0","1"\n"2","5"\n',
            " Norder , Npix \n 0, 1\n2 ,5\n",
            "Npix,Norder\n5,2\n1,0\n",
            "Norder,Npix\n0.0,1.0\n2.0,5.0\n",
            "Norder,Npix\n0,1\n2.0,5.0\n",
            "Norder,Dir,Npix,num_rows\n0,0,1,7\n2,0,5,8\n",
            "Norder,Npix,note\n0,1,\"a, \"\"b\"\"\"\n2,5,\n",
            "Norder,Npix,empty\n0,1,\n2,5,\n",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("encode", [str, str.encode])
    def test_what_writers_write(self, content: str, encode) -> None:
        assert pairs(PartitionInfo.from_csv(encode(content))) in ([(0, 1), (2, 5)], [(2, 5), (0, 1)])

    @pytest.mark.parametrize("content", ["Norder,Npix", "Norder,Npix\n", "Norder,Npix,num_rows\r\n\r\n"])
    def test_a_header_alone_is_no_tiles(self, content: str) -> None:
        assert len(PartitionInfo.from_csv(content)) == 0

    def test_extra_columns_follow_their_tiles(self) -> None:
        info = PartitionInfo.from_csv("Norder,Npix,num_rows,name\n1,40,7,x\n0,0,8,y\n")
        assert info.extra["num_rows"].tolist() == [8, 7]
        assert info.extra["name"].tolist() == ["y", "x"]

    def test_numbers_that_change_their_kind_late(self) -> None:
        # Readers that decide on a column's type from its first megabyte refuse this.
        lines = [f"9,{pixel},,1" for pixel in range(200_000)] + ["9.0,200000.0,7,1.5"]
        info = PartitionInfo.from_csv("Norder,Npix,late,kind\n" + "\n".join(lines))
        assert len(info) == 200_001
        assert info.extra["late"][-1] == 7

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "empty"),
            (" \r\n\n", "empty"),
            ("Norder\n1\n", "missing column: Npix"),
            ("a,b\n1,2\n", "missing column: Norder and Npix"),
            ("norder,npix\n1,2\n", "missing"),
            ("0,1\n2,5\n", "missing"),
            ("Norder,Npix\n1\n", "invalid CSV"),
            ("Norder,Npix\n1,2,3\n", "invalid CSV"),
            ("Norder,Npix\n-1,2\n", "invalid tile"),
            ("Norder,Npix\n1,-2\n", "invalid tile"),
            ("Norder,Npix\n30,0\n", "invalid tile"),
            ("Norder,Npix\n0,12\n", "invalid tile"),
            ("Norder,Npix\n286,0\n", "invalid tile"),
            ("Norder,Npix\n1,99999999999999999999999\n", "must contain integers"),
            ("Norder,Npix\n1,1e300\n", "must contain integers"),
            ("Norder,Npix\n1,inf\n", "must contain integers"),
            ("Norder,Npix\n1,2.5\n", "must contain integers"),
            ("Norder,Npix\n1,\n", "must contain integers"),
            ("Norder,Npix\n1,nan\n", "must contain integers"),
            ("Norder,Npix\n1,x\n", "must contain integers"),
            ("Norder,Npix\n1,true\n2,false\n", "must contain integers"),
            ("Norder,Npix\n1,2020-01-01\n", "must contain integers"),
            ("Norder,Npix,Npix\n1,2,3\n", "duplicate column"),
            ('Norder,Npix\n1,"2\n', "must contain integers"),
        ],
    )
    def test_what_is_none(self, content: str, message: str) -> None:
        with pytest.raises(PartitionInfoError, match=message) as caught:
            PartitionInfo.from_csv(content, path="some/partition_info.csv")
        assert str(caught.value).startswith("some/partition_info.csv: ")
        assert "\n" not in str(caught.value)

    @given(st.binary(max_size=200))
    @example(b"\xff\xfe,\xff\n1,2\n")
    @example(b"Norder,Npix,\xff\n1,2,3\n")
    @example(b"Norder,Npix,x\n1,2,\xff\n")
    @example(b"\x00")
    @example(b"\xef\xbb\xbf")
    @example(b"\x1f\x8b\x08\x00")
    def test_garbage_is_refused_or_read(self, content: bytes) -> None:
        for text in (content, b"Norder,Npix\n" + content, b"Norder,Npix," + content):
            with suppress(PartitionInfoError):
                PartitionInfo.from_csv(text)

    def test_real_catalogs(self, shared: Path) -> None:
        files = sorted((shared / "third_party" / "catalogs").rglob("partition_info.csv"))
        assert files
        for file in files:
            rows = list(csv.DictReader(file.read_text().splitlines()))
            info = PartitionInfo.from_csv(file.read_bytes(), file)
            assert sorted(pairs(info)) == sorted((int(row["Norder"]), int(row["Npix"])) for row in rows)


def test_a_million_tiles_fit_into_200_megabytes() -> None:
    order, count = 10, 1_000_000
    pixels = np.random.default_rng(1).permutation(12 * 4**order)[:count]
    content = b"Norder,Npix\n" + b"".join(b"10,%d\n" % pixel for pixel in pixels.tolist())
    before = pa.default_memory_pool().max_memory()
    tracemalloc.start()
    try:
        info = PartitionInfo.from_csv(content)
        found = info.find(pixels, order)
        ranges = np.stack((info.starts[::3], info.stops[::3]), axis=1)
        shared = info.overlapping(ranges)
        assert len(info.overlaps()) == 0
        assert info.position(info[5]) == 5
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    arrow = max(0, pa.default_memory_pool().max_memory() - before)
    assert peak + arrow < 200e6
    assert (info.pixels[found] == pixels).all()
    assert shared.sum() == len(ranges)
    assert info.sky_fraction == pytest.approx(count / (12 * 4**order))
