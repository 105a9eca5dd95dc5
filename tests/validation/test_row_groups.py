"""Batches of rows that cut row groups in two: what is judged of a row group is of all its rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatsformat import storage
from hatsformat.artefacts import leaf_reading
from hatsformat.artefacts.leaf_reading import read_footer
from hatsformat.errors import LeafError
from hatsformat.validation import checks
from hatsformat.validation.evidence import streaming
from hatsformat.validation.evidence.footers import Footer
from hatsformat.validation.evidence.row_batch import RowPlan
from hatsformat.validation.evidence.rows import FileScan, RowJudge
from hatsformat.validation.evidence.streaming import Batch, Part, _read
from hatsformat.validation.registry import ROW_CHECKS

SORTED, COUNTED = "HATS-LEAF-016", "HATS-LEAF-013"
checks.load()


def write(path: Path, groups: list[pa.Table], sorting: list[pq.SortingColumn]) -> Footer:
    with pq.ParquetWriter(path, groups[0].schema, sorting_columns=sorting) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, group.num_rows))
    rows = tuple(group.num_rows for group in groups)
    return Footer(path.name, sum(rows), rows, groups[0].schema, {}, group_bytes=(1 << 20,) * len(rows))


def pieces(footer: Footer, path: Path, rows: int) -> Iterator[Batch]:
    """Yield what a file holds in batches of some rows, which the validator would not make so small."""
    place = storage.resolve(path)
    metadata = read_footer(place)
    bounds = np.cumsum([0, *footer.group_rows])
    first = 0
    for table in leaf_reading.read_batches(place, metadata, range(len(footer.group_rows)), None, rows):
        span = range(first, first + table.num_rows)
        parts = tuple(
            Part(group, max(0, first - low), min(span.stop, high) - max(first, int(low)))
            for group, (low, high) in enumerate(pairwise(bounds.tolist()))
            if max(first, low) < min(span.stop, high)
        )
        yield Batch(first, parts, table, metadata)
        first += table.num_rows


def judged(batches: Iterator[Batch], footer: Footer, rule: str) -> FileScan:
    scan = FileScan(footer.path)
    judge = RowJudge(RowPlan(None, None, "hpx", 29), {rule: ROW_CHECKS[rule]}, [])
    for batch in batches:
        judge.see(batch, footer, None, scan)
    return scan


GROUPS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=12), min_size=1, max_size=4
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=GROUPS, rows=st.integers(1, 9), descending=st.booleans())
def test_sorting_is_judged_across_batches(tmp_path, groups, rows, descending):
    tables = [pa.table({"a": [a for a, _ in group], "b": [b for _, b in group]}) for group in groups]
    sorting = [pq.SortingColumn(0), pq.SortingColumn(1, descending=descending)]
    footer = write(tmp_path / "leaf.parquet", tables, sorting)
    sign = -1 if descending else 1
    keys = [[(a, sign * b) for a, b in group] for group in groups]
    expected = sum(after < before for group in keys for before, after in pairwise(group))
    scan = judged(pieces(footer, tmp_path / "leaf.parquet", rows), footer, SORTED)
    assert scan.wrong.get(SORTED, 0) == expected
    assert scan.missing == {}
    assert scan.failed == {}


VALUES = st.lists(st.lists(st.sampled_from([None, 0]), min_size=1, max_size=12), min_size=1, max_size=4)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=VALUES, rows=st.integers(1, 9), data=st.data())
def test_missing_values_are_counted_across_batches(tmp_path, groups, rows, data):
    """The rows of one file are held against the footer of another, where one more or less is missing."""
    path = tmp_path / "leaf.parquet"
    footer = write(path, [pa.table({"n": pa.array(values, pa.int16())}) for values in groups], [])
    assert not judged(pieces(footer, path, rows), footer, COUNTED).wrong

    group = data.draw(st.integers(0, len(groups) - 1))
    row = data.draw(st.integers(0, len(groups[group]) - 1))
    groups[group][row] = 0 if groups[group][row] is None else None
    other = tmp_path / "other.parquet"
    write(other, [pa.table({"n": pa.array(values, pa.int16())}) for values in groups], [])
    told = read_footer(storage.resolve(other))
    lying = (Batch(batch.first_row, batch.parts, batch.table, told) for batch in pieces(footer, path, rows))
    scan = judged(lying, footer, COUNTED)
    location = scan.first[COUNTED].location
    assert (location.row_group, location.column) == (group, "n")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 4_000), min_size=1, max_size=8))
def test_batches_are_the_rows_of_the_file(tmp_path, sizes):
    ends = np.cumsum(sizes)
    tables = [
        pa.table({"n": np.arange(end - size, end)}) for size, end in zip(sizes, ends.tolist(), strict=True)
    ]
    path = tmp_path / "leaf.parquet"
    footer = write(path, tables, [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "BATCH_CELLS", 1_500)
        found = list(_read(storage.resolve(path), footer, None))
    rows = [value for batch in found for value in batch.table.column("n").to_pylist()]
    assert rows == list(range(int(ends[-1])))
    assert all(batch.table.num_rows <= 1_500 for batch in found)
    for batch in found:
        at = batch.first_row
        assert sum(part.rows for part in batch.parts) == batch.table.num_rows
        for part in batch.parts:
            assert at == ends[part.group] - sizes[part.group] + part.start
            at += part.rows


@pytest.mark.parametrize(("told", "found"), [(90, "more"), (110, "fewer")])
def test_another_number_of_rows(tmp_path, told, found):
    path = tmp_path / "leaf.parquet"
    footer = write(path, [pa.table({"n": np.arange(100)})], [])
    lying = Footer(footer.path, told, (told,), footer.schema, {}, group_bytes=footer.group_bytes)
    with pytest.raises(LeafError, match="number of rows differs") as error:
        list(_read(storage.resolve(path), lying, None))
    assert (error.value.found, error.value.expected) == (found, told)


def test_row_groups_before_one_that_claims_too_much_are_read(tmp_path):
    path = tmp_path / "leaf.parquet"
    footer = write(path, [pa.table({"n": np.arange(10)}), pa.table({"n": np.arange(10)})], [])
    lying = Footer(footer.path, 20, (10, 10), footer.schema, {}, group_bytes=(1 << 20, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "ROWS_FOR_NOTHING", 5)
        batches = _read(storage.resolve(path), lying, None)
        assert next(batches).table.num_rows == 10
        with pytest.raises(LeafError, match="more rows than its size allows"):
            next(batches)


@pytest.mark.parametrize("most", [1, 1 << 30], ids=["as they are needed", "at once"])
def test_bytes_of_remote_files_are_fetched(tmp_path, most, monkeypatch):
    groups = [pa.table({"n": np.arange(first, first + 3_000)}) for first in (0, 3_000)]
    footer = write(tmp_path / "leaf.parquet", groups, [])
    place = storage.resolve("memory://row-groups/leaf.parquet")
    place.write_bytes((tmp_path / "leaf.parquet").read_bytes())
    monkeypatch.setattr(leaf_reading, "FETCHED_BYTES", most)
    monkeypatch.setattr(streaming, "BATCH_CELLS", 2_000)
    found = list(_read(place, footer, ["n"]))
    assert [batch.table.num_rows for batch in found] == [2_000, 2_000, 2_000]
    assert [value for batch in found for value in batch.table.column("n").to_pylist()] == list(range(6_000))


def judged_by(told: pa.Array, found: pa.Array, rule: str, tmp_path: Path, sorting=()) -> FileScan:
    """Judge values by the footer of a file that holds others."""
    path = tmp_path / "leaf.parquet"
    footer = write(path, [pa.table({"x": found})], [])
    write(tmp_path / "other.parquet", [pa.table({"x": told})], list(sorting))
    lying = read_footer(storage.resolve(tmp_path / "other.parquet"))
    batches = (Batch(each.first_row, each.parts, each.table, lying) for each in pieces(footer, path, 100))
    return judged(batches, footer, rule)


def times(*values: int | None) -> pa.Array:
    return pa.array(values, pa.timestamp("us", "UTC"))


LIES = {
    "integer": (pa.array([1, 2]), pa.array([1, 3])),
    "timestamp": (times(1, 2, 3), times(1, 2, 4)),
    "seconds": (pa.array([1, 2], pa.timestamp("s")), pa.array([1, None], pa.timestamp("s"))),
    "year 33658": (pa.array([10**15], pa.timestamp("ms")), pa.array([10**15 + 1], pa.timestamp("ms"))),
    "no such zone": (
        pa.array([1, 2], pa.timestamp("us", "No/Where")),
        pa.array([1, 3], pa.timestamp("us", "No/Where")),
    ),
    "date": (pa.array([1, 2], pa.date32()), pa.array([1, 3], pa.date32())),
    "time of day": (pa.array([1, 2], pa.time64("us")), pa.array([1, 3], pa.time64("us"))),
    "missing time": (times(1, 2, 3), times(1, None, 3)),
    "missing text": (pa.array(["a", None]), pa.array(["a", "b"])),
    "missing flag": (pa.array([True, None]), pa.array([True, False])),
    "missing half float": (
        pa.array([np.float16(1), np.float16(2)], pa.float16()),
        pa.array([np.float16(1), None], pa.float16()),
    ),
    "missing word": (pa.array(["a", "b"]).dictionary_encode(), pa.array(["a", None]).dictionary_encode()),
}


@pytest.mark.parametrize("case", LIES)
def test_statistics_of_every_kind(case, tmp_path):
    told, found = LIES[case]
    scan = judged_by(told, found, COUNTED, tmp_path)
    assert scan.first[COUNTED].location.column == "x"
    for values in (told, found):
        sound = judged_by(values, values, COUNTED, tmp_path)
        assert (sound.wrong, sound.missing, sound.failed) == ({}, {}, {})


ORDERS = {
    "text": (pq.SortingColumn(0), ["a", "b"], ["b", "a"]),
    "descending": (pq.SortingColumn(0, descending=True), ["b", "a"], ["a", "b"]),
    "missing last": (pq.SortingColumn(0), [1, 2, None], [1, None, 2]),
    "missing first": (pq.SortingColumn(0, nulls_first=True), [None, 1, 2], [1, None, 2]),
    "flags": (pq.SortingColumn(0), [False, True], [True, False]),
    "floats": (pq.SortingColumn(0), [1.0, 2.0, None], [2.0, 1.0, None]),
    "times": (pq.SortingColumn(0), times(1, 2, None), times(1, None, 2)),
}


@pytest.mark.parametrize("case", ORDERS)
def test_sorting_of_every_kind(case, tmp_path):
    key, *both = ORDERS[case]
    told, found = (values if isinstance(values, pa.Array) else pa.array(values) for values in both)
    assert judged_by(told, found, SORTED, tmp_path, [key]).wrong == {SORTED: 1}
    sound = judged_by(told, told, SORTED, tmp_path, [key])
    assert (sound.wrong, sound.missing, sound.failed) == ({}, {}, {})
