"""A rebuild makes the leaves that an import makes, and does not change the rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import import_catalog, open_catalog, validate
from hatsformat.errors import ThresholdError, UsageError
from hatsformat.updates.appending import append
from hatsformat.updates.rebuilding import rebuild
from tests.support import skies


def state(root):
    return {path: (Path(root) / path).read_bytes() for path in skies.files(root)}


def drifted(root, nights=3, rows=200, **options):
    """A catalog whose leaves have drifted, and its rows."""
    given = {"leaf": "directory", "max_rows": 150, "highest_order": 7, **options}
    tables = [skies.stars(rows, seed) for seed in range(nights)]
    import_catalog(tables[0], root, **given)
    for table in tables[1:]:
        append(root, table)
    return pa.concat_tables(tables)


@settings(max_examples=12)
@given(st.data())
def test_a_rebuild_makes_the_tiles_of_an_import(data):
    tables = [skies.dressed(*data.draw(skies.positions()), seed) for seed in range(2)]
    everything = pa.concat_tables(tables)
    highest = data.draw(st.sampled_from([1, 5, 9]))
    options = {"max_rows": 300, "highest_order": highest, "workers": 1}
    options["keep_empty_siblings"] = data.draw(st.booleans())
    leaf = data.draw(st.sampled_from(["file", "directory"]))
    with tempfile.TemporaryDirectory() as name:
        root, wanted = Path(name) / "sky", Path(name) / "wanted"
        import_catalog(tables[0], root, leaf="directory", **options)
        append(root, tables[1], workers=1)
        options["max_rows"] = max(data.draw(st.sampled_from([30, 300])), densest(everything, highest))
        rebuild(root, leaf=leaf, **options)
        import_catalog(everything, wanted, leaf=leaf, **options)
        skies.assert_same_rows(skies.read_rows(root), everything)
        assert open_catalog(root).partitions == open_catalog(wanted).partitions
        ours, theirs = ([len(leaf.table) for leaf in skies.read_leaves(each)] for each in (root, wanted))
        assert ours == theirs
        counts = open_catalog(wanted).skymap()
        order = open_catalog(wanted).properties.hats_skymap_order
        assert (open_catalog(root).skymap(order) == counts).all()


def densest(table, order):
    return int(np.unique(skies.healpix(table["ra"], table["dec"], order), return_counts=True)[1].max())


def test_drifted_leaves_are_rebuilt(tmp_path):
    rows = drifted(tmp_path / "sky", thumbnail=True)
    catalog = open_catalog(tmp_path / "sky")
    assert {found.rule for found in validate(catalog.path).findings} == {"HATS-TREE-010"}
    rebuilt = catalog.rebuild()
    assert validate(catalog.path, level="rows").findings == ()
    skies.assert_same_rows(skies.read_rows(catalog.path), rows)
    assert max(len(leaf.table) for leaf in skies.read_leaves(catalog.path)) <= 150
    assert rebuilt.properties.hats_creation_date == catalog.properties.hats_creation_date
    assert rebuilt.properties.hats_nrows == 600
    assert (rebuilt.skymap() == catalog.skymap()).all()
    assert list(tmp_path.iterdir()) == [tmp_path / "sky"]
    before = state(catalog.path)
    assert rebuild(catalog.path).written == 0
    assert {path: text for path, text in state(catalog.path).items() if "properties" not in path} == {
        path: text for path, text in before.items() if "properties" not in path
    }


def test_good_leaves_are_kept(tmp_path):
    root = tmp_path / "sky"
    import_catalog(skies.stars(600, 1), root, leaf="directory", max_rows=300)
    append(root, skies.dressed([1.0, 1.1], [1.0, 1.1]))
    inodes = {path: (root / path).stat().st_ino for path in skies.files(root) if "Npix" in path}
    log = rebuild(root)
    kept = [path for path, inode in inodes.items() if (root / path).exists()
            and (root / path).stat().st_ino == inode]  # fmt: skip
    assert log.written == 1
    assert len(kept) == log.tiles - 1


@pytest.mark.parametrize("leaf", ["file", "directory"])
def test_the_threshold_and_the_leaf_layout_may_change(tmp_path, leaf):
    rows = drifted(tmp_path / "sky")
    catalog = open_catalog(tmp_path / "sky").rebuild(max_rows=1000, leaf=leaf, row_group_rows=50)
    assert catalog.properties.hats_max_rows == 1000
    assert catalog.properties.has_leaf_directories == (leaf == "directory")
    assert validate(catalog.path, level="rows").findings == ()
    skies.assert_same_rows(skies.read_rows(catalog.path), rows)
    assert len(catalog.partitions) < 13
    first = catalog.path / skies.read_leaves(catalog.path)[0].path
    assert pq.read_metadata(first).row_group(0).num_rows <= 50
    by_bytes = catalog.rebuild(max_bytes=8000)
    assert (by_bytes.properties.hats_max_bytes, by_bytes.properties.hats_max_rows) == (8000, None)
    assert validate(catalog.path, level="rows").findings == ()
    assert by_bytes.rebuild(max_rows=150).properties.hats_max_bytes is None


def test_other_properties_are_kept(tmp_path):
    drifted(tmp_path / "sky")
    for name in ("hats.properties", "properties"):
        with (tmp_path / "sky" / name).open("a") as stream:
            stream.write("# a comment\nmission=Gaia\nobs_title=A title\nhats_cols_default=id ra dec\n")
    properties = open_catalog(tmp_path / "sky").rebuild().properties
    assert (properties.get("mission"), properties.obs_title) == ("Gaia", "A title")
    assert properties.hats_cols_default == ("id", "ra", "dec")
    assert "# a comment" in properties.comments


def test_a_threshold_that_cannot_be_met_changes_nothing(tmp_path):
    root = tmp_path / "sky"
    import_catalog(skies.dressed([1.0] * 9, [2.0] * 9), root)
    before = state(root)
    with pytest.raises(ThresholdError):
        rebuild(root, max_rows=3)
    assert state(root) == before
    assert list(tmp_path.iterdir()) == [root]


def test_unsorted_leaves_are_sorted(tmp_path):
    root = tmp_path / "sky"
    import_catalog(skies.stars(50), root)
    leaf = root / skies.read_leaves(root)[0].path
    table = pq.read_table(leaf, partitioning=None)
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), leaf)
    assert rebuild(root).written == 1
    assert validate(root, level="rows").findings == ()
    assert pq.read_table(leaf, partitioning=None).equals(table)


def test_catalogs_that_cannot_be_rebuilt_are_refused(tmp_path):
    import_catalog(skies.stars(50), "memory://rebuilt/sky")
    with pytest.raises(UsageError, match="local disk"):
        rebuild("memory://rebuilt/sky")
    import_catalog(skies.stars(50), tmp_path / "sky")
    with pytest.raises(UsageError, match="'ra'"):
        rebuild(tmp_path / "sky", ra="id")


@pytest.mark.parametrize("processes", [False, True])
def test_workers_do_not_change_the_result(tmp_path, processes, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    drifted(tmp_path / "one" / "sky")
    drifted(tmp_path / "two" / "sky")
    rebuild(tmp_path / "one" / "sky", workers=1)
    rebuild(tmp_path / "two" / "sky", workers=2, processes=processes)
    assert state(tmp_path / "one" / "sky") == state(tmp_path / "two" / "sky")


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore")
def test_lsdb_reads_what_was_added_and_rebuilt(tmp_path):
    import dask

    lsdb = pytest.importorskip("lsdb", reason="lsdb is not installed (extra `interop`)")
    rows = drifted(tmp_path / "sky").drop_columns(["good"])
    wanted = sorted(rows["flux"].to_pylist())
    with dask.config.set(scheduler="synchronous"):
        for _ in range(2):
            found = lsdb.open_catalog(tmp_path / "sky", columns=["id", "flux"]).compute()
            assert sorted(found["flux"].tolist()) == wanted
            open_catalog(tmp_path / "sky").rebuild()
