"""Row groups: cut at sub-tiles, by rows and by bytes, the same however the catalog is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import Cone, open_catalog
from hatsformat.importing import run_import
from hatsformat.partitioner.memory import MemoryBudget
from tests.support import skies
from tests.support.imports import content, densest, folder, little_memory
from tests.support.row_weights import weight


def groups_of(root: Path) -> list[tuple[skies.LeafFile, list[pa.Table]]]:
    """Every leaf of a catalog, and the tables that its row groups hold."""
    found = []
    for leaf in skies.read_leaves(root):
        with (root / leaf.path).open("rb") as stream, pq.ParquetFile(stream) as file:
            found.append((leaf, [file.read_row_group(number) for number in range(file.num_row_groups)]))
    return found


def subtile(leaf: skies.LeafFile, group: pa.Table, delta: int) -> list[int]:
    """The sub-tiles of a row group's rows, from their positions."""
    order = min(29, leaf.order + delta)
    return sorted(set(skies.healpix(group["ra"], group["dec"], order).tolist()))


@settings(max_examples=20)
@given(skies.positions(), st.integers(0, 4), st.sampled_from([1, 7, 1000]), st.booleans())
def test_a_row_group_holds_one_sub_tile_and_a_small_sub_tile_is_one_row_group(places, delta, most, deep):
    table = skies.dressed(*places)
    highest = 29 if deep else 6
    options = {"max_rows": densest(table, highest) + 5, "highest_order": highest}
    with folder() as parent:
        run_import(table, parent / "sky", subtile_order_delta=delta, row_group_rows=most, **options)
        for leaf, groups in groups_of(parent / "sky"):
            tiles = [subtile(leaf, group, delta) for group in groups]
            assert all(len(inside) == 1 for inside in tiles)
            assert all(0 < len(group) <= most for group in groups)
            order = min(29, leaf.order + delta)
            pixels, rows = np.unique(
                skies.healpix(leaf.table["ra"], leaf.table["dec"], order), return_counts=True
            )
            expected = [
                [pixel] for pixel, count in zip(pixels, rows, strict=True) for _ in range(-(-count // most))
            ]
            assert tiles == expected
        skies.assert_same_rows(skies.read_rows(parent / "sky"), table)


@st.composite
def texts(draw):
    """Positions with texts and lists of very different lengths."""
    ra, dec = draw(skies.positions(60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = rng.integers(0, draw(st.sampled_from([5, 500])), len(ra))
    lists = [list(rng.normal(size=length // 7)) if length % 3 else None for length in lengths]
    notes = ["x" * int(length) if length % 5 else None for length in lengths]
    return pa.table(
        {
            "ra": ra,
            "dec": dec,
            "note": pa.array(notes, pa.string()),
            "curve": pa.array(lists, pa.list_(pa.float64())),
        }
    )


@settings(max_examples=20)
@given(texts(), st.sampled_from([1, 60, 400, 3000]), st.sampled_from([3, 1000]), st.sampled_from([None, 1]))
def test_no_row_group_is_larger_than_it_may_be_nor_smaller_than_it_must(table, limit, most, delta):
    options = {"max_rows": densest(table, 6) + 20, "highest_order": 6, "row_group_rows": most, "name": "sky"}
    options |= {"row_group_bytes": limit, "subtile_order_delta": delta}
    with folder() as parent:
        run_import(table, parent / "sky", **options)
        for leaf, groups in groups_of(parent / "sky"):
            bytes_of = [
                [8 + sum(weight(row[c.name], c.type) for c in table.schema) for row in group.to_pylist()]
                for group in groups
            ]
            for number, sizes in enumerate(bytes_of):
                assert sum(sizes) <= limit or len(sizes) == 1
                # The least that a row weighs is 32 bytes: so many rows are planned for a group at most.
                if number and delta is None and min(most, limit // 32) > len(leaf.table):
                    assert sum(bytes_of[number - 1]) + sizes[0] > limit
        skies.assert_same_rows(
            skies.read_rows(parent / "sky").drop_columns("curve"), table.drop_columns("curve")
        )
        with little_memory(chunk=700):
            run_import(table.to_batches(7), parent / "other", workers=2, memory=400 << 20, **options)
        assert content(parent / "other") == content(parent / "sky")


def test_rows_of_one_size_are_counted_beforehand(tmp_path: Path) -> None:
    count, columns = 5000, 30
    rng = np.random.default_rng(3)
    table = pa.table({"ra": rng.uniform(0, 9, count), "dec": rng.uniform(0, 9, count)})
    for number in range(columns):
        table = table.append_column(f"c{number}", pa.array(rng.normal(size=count)))
    run_import(table, tmp_path / "sky", row_group_bytes=100 * 8 * (columns + 3))
    (_, groups), *more = groups_of(tmp_path / "sky")
    assert not more
    assert [len(group) for group in groups] == [100] * 50


@pytest.mark.parametrize("piece", [1, 50_000, 10_000_000])
def test_large_values_make_the_same_bytes_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """Data pages end after a megabyte, which must not depend on how rows were brought together."""
    rng = np.random.default_rng(1)
    count = 120
    notes = [rng.bytes(60_000) for _ in range(count)]
    codes = pa.array(rng.choice(["a", "b", "c"], count)).dictionary_encode()
    table = pa.table(
        {"ra": rng.uniform(0, 1, count), "dec": rng.uniform(0, 1, count), "note": notes, "code": codes}
    )
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    options = {"name": "sky", "row_group_bytes": 4_000_000}
    run_import(table, tmp_path / "sky", workers=1, **options)
    assert len(groups_of(tmp_path / "sky")[0][1]) == 2
    monkeypatch.setattr(MemoryBudget, "piece_bytes", property(lambda self: piece))
    run_import(table.to_batches(17), tmp_path / "again", **options)
    with little_memory(chunk=500_000):
        run_import([table.slice(0, 50), table.slice(50)], tmp_path / "spilled", **options)
    for name in ("again", "spilled"):
        assert content(tmp_path / name) == content(tmp_path / "sky")


def test_a_small_cone_reads_fewer_rows_of_sub_tiles(tmp_path: Path) -> None:
    table = skies.stars(20_000, seed=2)
    run_import(table, tmp_path / "plain")
    run_import(table, tmp_path / "cut", subtile_order_delta=4)
    cone = Cone(200.0, 30.0, 2.0)
    plans, found = [], []
    for name in ("plain", "cut"):
        scan = open_catalog(tmp_path / name).scan(region=cone)
        plans.append(scan.plan())
        found.append(scan.to_table())
    plain, cut = plans
    assert found[0] == found[1]
    assert found[0].num_rows > 0
    assert cut.rows < plain.rows / 20
    (leaf, groups), *_ = groups_of(tmp_path / "cut")
    assert cut.row_groups < len(groups) / 10
    assert leaf.order == 0


def test_the_index_column_weighs_once():
    texts = ["xxxx", "xxx", "xx", "x", "x", None, None, None, None, "xxxx"]
    rows = pa.table({"ra": [320.0 + 1e-4 * i for i in range(10)], "dec": [-8.0] * 10, "note": texts})
    rows_bytes = sum(8 + 8 + 8 + 4 + len(text or "") for text in texts)
    for limit, groups in ((rows_bytes, 1), (rows_bytes - 1, 2)):
        with folder() as parent:
            run_import(rows, parent / "sky", row_group_bytes=limit)
            assert [len(groups_of_leaf) for _, groups_of_leaf in groups_of(parent / "sky")] == [groups]
