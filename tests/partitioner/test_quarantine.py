"""Rows without a position, put aside: whole, with the catalog or not at all, in bounded memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import CatalogWriter, storage
from hatsformat.errors import CoordinatesError, OutputError, StorageError
from hatsformat.importing import import_catalog, run_import, tables
from hatsformat.partitioner.memory import MemoryBudget
from hatsformat.partitioner.runs import SpilledRows
from tests.support import skies


def sky(count=1000, bad=7):
    """A sky of which every so many rows have no position."""
    rng = np.random.default_rng(0)
    ra = rng.uniform(0, 360, count)
    ra[::bad] = np.nan
    return pa.table({"id": range(count), "ra": ra, "dec": rng.uniform(-90, 90, count)})


@pytest.fixture
def file(tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(sky(), tmp_path / "in" / "sky.parquet", row_group_size=100)
    return tmp_path / "in" / "sky.parquet"


def aside(tmp_path):
    return tmp_path / "sky.quarantine.parquet"


def names(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("spilled", [False, True])
def test_in_the_order_of_the_input(file, tmp_path, monkeypatch, spilled):
    if spilled:
        monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
    monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 2000))
    log = run_import(file, tmp_path / "sky", bad_coordinates="quarantine", max_rows=100)
    found = pq.read_table(aside(tmp_path))
    assert log.quarantine == str(aside(tmp_path))
    assert found["id"].to_pylist() == list(range(0, 1000, 7))
    assert found["_row"].to_pylist() == list(range(1, 1001, 7))
    assert set(found["_file"].to_pylist()) == {str(file)}
    assert names(tmp_path) == ["in", "sky", "sky.quarantine.parquet"]


def test_one_run_in_memory_at_a_time(file, tmp_path, monkeypatch):
    """However many rows are put aside."""
    monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
    monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 2000))
    plain, most = SpilledRows.slice, []

    def watched(self, first, last):
        table = plain(self, first, last)
        if self.path.name.startswith("rejected"):
            most.append(table.num_rows)
        return table

    monkeypatch.setattr(SpilledRows, "slice", watched)
    import_catalog(file, tmp_path / "sky", bad_coordinates="quarantine")
    filled = [count for count in most if count]
    assert len(filled) > 5
    assert sum(filled) == len(range(0, 1000, 7))
    # The schemas of all come first, without rows; then one run after the other.
    assert most[: len(filled)] == [0] * len(filled)


@pytest.mark.parametrize("stage", ["writing", "finish", "publish"])
def test_not_without_the_catalog(file, tmp_path, monkeypatch, stage):
    """A failure at any point leaves neither."""

    def failing(*arguments, **options):
        raise CoordinatesError("something is wrong")

    if stage == "writing":
        monkeypatch.setattr(tables, "write_quarantine", failing)
    elif stage == "finish":
        plain = tables.finish
        monkeypatch.setattr(tables, "finish", lambda *some, **more: (plain(*some, **more), failing()))
    else:
        monkeypatch.setattr("hatsformat.publishing.new_folder._move", failing)
    with pytest.raises(CoordinatesError):
        import_catalog(file, tmp_path / "sky", bad_coordinates="quarantine")
    assert names(tmp_path) == ["in"]


def test_after_an_interruption(file, tmp_path, monkeypatch):
    """Nothing of it is seen before; the same file is there once the import is resumed."""
    monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
    import_catalog(file, tmp_path / "sky", bad_coordinates="quarantine")
    wanted = aside(tmp_path).read_bytes()
    aside(tmp_path).unlink()

    def failing(*arguments, **options):
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("hatsformat.publishing.new_folder._move", failing)
        with pytest.raises(StorageError):
            import_catalog(file, tmp_path / "other", bad_coordinates="quarantine")
    assert "other.quarantine.parquet" not in names(tmp_path)
    import_catalog(file, tmp_path / "other", bad_coordinates="quarantine", resume=True)
    assert (tmp_path / "other.quarantine.parquet").read_bytes() == wanted


def test_an_earlier_one_is_not_replaced(file, tmp_path):
    aside(tmp_path).write_text("mine")
    with pytest.raises(OutputError, match=r"sky\.quarantine\.parquet.*--overwrite"):
        import_catalog(file, tmp_path / "sky", bad_coordinates="quarantine")
    assert names(tmp_path) == ["in", "sky.quarantine.parquet"]
    assert aside(tmp_path).read_text() == "mine"
    import_catalog(file, tmp_path / "sky", bad_coordinates="drop")
    assert aside(tmp_path).read_text() == "mine"


def test_it_goes_with_the_catalog_that_is_replaced(file, tmp_path):
    import_catalog(file, tmp_path / "sky", bad_coordinates="quarantine")
    import_catalog(sky(100, 50), tmp_path / "sky", bad_coordinates="quarantine", overwrite=True)
    assert pq.read_table(aside(tmp_path))["id"].to_pylist() == [0, 50]
    import_catalog(skies.stars(10), tmp_path / "sky", overwrite=True)
    assert names(tmp_path) == ["in", "sky"]


def test_a_failure_leaves_that_of_the_old_catalog(file, tmp_path):
    import_catalog(file, tmp_path / "sky", bad_coordinates="quarantine")
    before = aside(tmp_path).read_bytes()
    with pytest.raises(CoordinatesError):
        import_catalog(file, tmp_path / "sky", overwrite=True)
    assert aside(tmp_path).read_bytes() == before


@pytest.mark.parametrize("fails", [False, True])
def test_in_memory(file, monkeypatch, fails):
    root = storage.resolve("memory://quarantine-test/sky")
    storage.remove_tree(root.parent)
    if fails:
        plain = tables.finish
        monkeypatch.setattr(tables, "finish", lambda *some, **more: (plain(*some, **more), 1 / 0))
        with pytest.raises(ZeroDivisionError):
            import_catalog(pq.read_table(file), root, bad_coordinates="quarantine")
        assert not storage.exists(root.parent) or storage.list_tree(root.parent) == []
        return
    log = run_import(file, root, bad_coordinates="quarantine")
    content = storage.read_bytes(storage.resolve(log.quarantine))
    assert pq.read_table(pa.BufferReader(content)).num_rows == 143


def test_of_a_writer(tmp_path):
    table = sky()
    with CatalogWriter(tmp_path / "sky", table.schema, bad_coordinates="quarantine") as writer:
        assert names(tmp_path) in ([], ["sky"])
        for batch in table.to_batches(100):
            writer.append(batch)
    assert pq.read_table(aside(tmp_path))["id"].to_pylist() == list(range(0, 1000, 7))
    (tmp_path / "other.quarantine.parquet").write_text("mine")
    with pytest.raises(OutputError, match="wrote rejected rows"):
        CatalogWriter(tmp_path / "other", table.schema, bad_coordinates="quarantine")
