"""Properties of every imported catalog, whatever the sky and the options."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat.errors import ThresholdError
from hatsformat.importing import import_catalog, run_import
from tests.support import skies
from tests.support.imports import content, densest, folder, little_memory


@st.composite
def choices(draw):
    """Options that any sky can be imported with, without the threshold."""
    highest = draw(st.sampled_from([0, 1, 3, 6, 8, 13]))
    return {
        "highest_order": highest,
        "lowest_order": draw(st.integers(0, min(highest, 2))),
        "keep_empty_siblings": draw(st.booleans()),
        "leaf": draw(st.sampled_from(["file", "directory"])),
        "row_group_rows": draw(st.sampled_from([1, 7, 1000])),
        "thumbnail": draw(st.booleans()),
        "workers": draw(st.sampled_from([1, 2])),
    }


def check_catalog(root, table, max_rows, options):
    """The catalog has the table's rows, each once, in its tile, sorted."""
    leaves = skies.read_leaves(root)
    assert sum(len(leaf.table) for leaf in leaves) == len(table)
    stop = 0
    for leaf in leaves:
        assert options["lowest_order"] <= leaf.order <= options["highest_order"]
        assert leaf.dir == leaf.pixel // 10_000 * 10_000
        assert leaf.path.endswith(".parquet" if options["leaf"] == "file" else "/part0.parquet")
        assert 1 <= len(leaf.table) <= max_rows
        start, stop_before = leaf.pixel << 2 * (29 - leaf.order), stop
        stop = (leaf.pixel + 1) << 2 * (29 - leaf.order)
        assert start >= stop_before
        index = leaf.table.column(skies.INDEX).to_numpy()
        assert leaf.table.column_names[0] == skies.INDEX
        assert (np.diff(index) >= 0).all()
        assert (index == skies.healpix(leaf.table["ra"], leaf.table["dec"])).all()
        assert (index >= start).all()
        assert (index < stop).all()
        with pq.ParquetFile(root / leaf.path) as file:
            groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        assert max(groups) <= options["row_group_rows"]
    skies.assert_same_rows(skies.read_rows(root), table)
    csv = (root / "partition_info.csv").read_text().splitlines()
    assert csv == ["Norder,Npix", *(f"{leaf.order},{leaf.pixel}" for leaf in leaves)]
    keywords = skies.read_properties(root)
    assert keywords["hats_nrows"] == str(len(table))
    assert keywords["hats_order"] == str(max(leaf.order for leaf in leaves))


@settings(max_examples=25)
@given(skies.positions(), st.integers(0, 2**32 - 1), st.sampled_from([0, 5, 100]), choices())
def test_every_row_once_in_its_tile_and_sorted(places, seed, more, options):
    table = skies.dressed(*places, seed)
    max_rows = densest(table, options["highest_order"]) + more
    with folder() as parent:
        import_catalog(table, parent / "sky", max_rows=max_rows, **options)
        check_catalog(parent / "sky", table, max_rows, options)
        assert [path.name for path in parent.iterdir()] == ["sky"]


@settings(max_examples=10)
@given(skies.positions(80), st.integers(0, 2**32 - 1), st.data())
def test_workers_and_chunks_do_not_change_the_bytes(places, seed, data):
    """Workers, chunks, batches, scratch: byte for byte the same."""
    table = skies.dressed(*places, seed)
    options = {"max_rows": densest(table, 8) + 3, "highest_order": 8, "row_group_rows": 10, "name": "sky"}
    batch = data.draw(st.integers(1, len(table)), "rows of a batch")
    with folder() as parent:
        import_catalog(table, parent / "plain", workers=1, **options)
        wanted = content(parent / "plain")
        with little_memory(chunk=data.draw(st.sampled_from([1, 300, 5000]), "bytes of a chunk")):
            log = run_import(table.to_batches(batch), parent / "spilled", workers=3, **options)
        assert log.spilled_bytes > 0
        assert content(parent / "spilled") == wanted
        # Several inputs give the same as one.
        cut = data.draw(st.integers(0, len(table)), "rows of the first input")
        inputs = [table.slice(0, cut), table.slice(cut)]
        import_catalog(inputs, parent / "two", workers=2, **options)
        assert content(parent / "two") == wanted
        assert sorted(path.name for path in parent.iterdir()) == ["plain", "spilled", "two"]


@settings(max_examples=10)
@given(skies.positions(80), st.integers(0, 2**32 - 1))
def test_the_order_of_the_input_matters_only_for_ties(places, seed):
    table = skies.dressed(*places, seed)
    mixed = table.take(np.random.default_rng(seed).permutation(len(table)))
    options = {"max_rows": densest(table, 8) + 3, "highest_order": 8, "row_group_rows": 10, "name": "sky"}
    with folder() as parent:
        import_catalog(table, parent / "a", **options)
        import_catalog(mixed, parent / "b", **options)
        for ours, theirs in zip(
            skies.read_leaves(parent / "a"), skies.read_leaves(parent / "b"), strict=True
        ):
            assert ours.path == theirs.path
            assert ours.table[skies.INDEX] == theirs.table[skies.INDEX]
            by_index = [(skies.INDEX, "ascending"), ("id", "ascending")]
            # Rows at one position keep the order of the input, in which ids ascend.
            assert skies.bits(ours.table) == skies.bits(ours.table.sort_by(by_index))
            assert skies.bits(ours.table) == skies.bits(theirs.table.sort_by(by_index))
        # A column that breaks ties leaves only one order.
        for name, rows in (("c", table), ("d", mixed)):
            import_catalog(rows, parent / name, sort_by=["id"], **options)
        assert content(parent / "c") == content(parent / "d")


@settings(max_examples=20)
@given(skies.positions(40), st.integers(0, 5))
def test_a_threshold_that_cannot_be_met(places, highest):
    table = skies.dressed(*places)
    most = densest(table, highest)
    pixels, counts = np.unique(skies.healpix(table["ra"], table["dec"], highest), return_counts=True)
    with folder() as parent:
        if most > 1:
            with pytest.raises(ThresholdError) as raised:
                import_catalog(table, parent / "sky", max_rows=most - 1, highest_order=highest)
            text = str(raised.value)
            assert str(most) in text
            assert any(str(pixel) in text for pixel in pixels[counts == most])
            assert list(parent.iterdir()) == []
        import_catalog(table, parent / "sky", max_rows=most, highest_order=highest)
        assert skies.read_properties(parent / "sky")["hats_nrows"] == str(len(table))


def test_tiles_of_the_deepest_order(tmp_path):
    """Two stars that are in different tiles only at order 28 or 29."""
    pixels = skies.healpix([10.0, 10.0 + 1e-7, 200.0], [20.0, 20.0, -40.0])
    assert pixels[0] != pixels[1]
    table = skies.dressed([10.0, 10.0 + 1e-7, 200.0], [20.0, 20.0, -40.0])
    import_catalog(table, tmp_path / "sky", max_rows=1, highest_order=29)
    leaves = skies.read_leaves(tmp_path / "sky")
    assert [len(leaf.table) for leaf in leaves] == [1, 1, 1]
    assert max(leaf.order for leaf in leaves) > 20
    skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)


@pytest.mark.parametrize("spill", [False, True])
def test_a_larger_sky(tmp_path, spill):
    """Many chunks, many tiles, many row groups; some of it in memory and the rest on scratch."""
    table = skies.stars(30_000, seed=3)
    batches = table.take(np.random.default_rng(0).permutation(len(table))).to_batches(1000)
    options = {"max_rows": 700, "row_group_rows": 100, "lowest_order": 1, "name": "sky"}
    with little_memory(1_000_000 if spill else 1 << 30, 60_000):
        log = run_import(iter(batches), tmp_path / "sky", **options)
    assert (log.spilled_bytes > 0) == spill
    assert log.rows_written == len(table)
    assert log.size_bytes == sum(
        (tmp_path / "sky" / path).stat().st_size for path in skies.files(tmp_path / "sky")
    )
    options |= {"highest_order": 10, "leaf": "file"}
    check_catalog(tmp_path / "sky", table, 700, options)


class TestSorting:
    """``sort_by`` sorts the rows at one position."""

    def make(self, tmp_path, table, *names, **options):
        import_catalog(table, tmp_path / "sky", sort_by=names, **options)
        return skies.read_leaves(tmp_path / "sky")[0].table

    @pytest.mark.parametrize("rows", [1, 7, 1000])
    def test_two_columns(self, tmp_path, rows):
        rng = np.random.default_rng(0)
        table = pa.table(
            {
                "ra": np.full(300, 10.0),
                "dec": np.repeat([5.0, 5.001, 4.999], 100),
                "band": rng.choice(["g", "r"], 300),
                "time": rng.integers(0, 50, 300),
                "id": np.arange(300),
            }
        ).take(rng.permutation(300))
        found = self.make(tmp_path, table, "band", "time", row_group_rows=rows)
        keys = [(name, "ascending") for name in (skies.INDEX, "band", "time")]
        names = [name for name, _ in keys]
        assert found.select(names) == found.sort_by(keys).select(names)
        skies.assert_same_rows(found.drop_columns([skies.INDEX]), table)
        with pq.ParquetFile(next((tmp_path / "sky").rglob("Npix=*.parquet"))) as file:
            sorting = file.metadata.row_group(0).sorting_columns
            columns = [file.schema_arrow.names[key.column_index] for key in sorting]
        assert columns == names
        assert skies.read_properties(tmp_path / "sky")["hats_cols_sort"].split() == ["band", "time"]

    def test_ties_keep_the_order_of_the_input(self, tmp_path):
        table = pa.table({"ra": [1.0] * 6, "dec": [2.0] * 6, "key": [1, 0, 1, 0, 1, 0], "id": range(6)})
        assert self.make(tmp_path, table, "key")["id"].to_pylist() == [1, 3, 5, 0, 2, 4]

    def test_nulls_and_nan_come_last(self, tmp_path):
        values = pa.array([None, 3.0, float("nan"), 1.0, None, 2.0])
        table = pa.table({"ra": [1.0] * 6, "dec": [2.0] * 6, "key": values, "id": range(6)})
        assert self.make(tmp_path, table, "key")["id"].to_pylist()[:3] == [3, 5, 1]

    def test_over_several_inputs(self, tmp_path):
        table = pa.table({"ra": [1.0] * 9, "dec": [2.0] * 9, "time": [5, 1, 7, 3, 9, 2, 8, 4, 6]})
        pieces = [table.slice(start, 3) for start in (0, 3, 6)]
        found = self.make(tmp_path, pieces, "time", row_group_rows=2)
        assert found["time"].to_pylist() == list(range(1, 10))


class TestOwnColumns:
    """Columns that the import writes."""

    @pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.string()])
    def test_an_existing_index_column_is_replaced(self, tmp_path, kind):
        table = skies.stars(50)
        stale = table.add_column(2, skies.INDEX, pc.cast(pa.array(np.zeros(50, dtype=np.int64)), kind))
        import_catalog(stale, tmp_path / "sky", max_rows=20)
        options = {"lowest_order": 0, "highest_order": 10, "leaf": "file", "row_group_rows": 100_000}
        check_catalog(tmp_path / "sky", table, 20, options)

    def test_columns_of_older_catalogs_are_dropped(self, tmp_path):
        table = skies.stars(50)
        older = table
        for name in ("Norder", "Dir", "Npix"):
            older = older.append_column(name, pa.array(np.zeros(50, dtype=np.int32)))
        import_catalog(older, tmp_path / "sky", max_rows=20)
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)
