"""An update that is killed at any step leaves the old state or the new one."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import import_catalog, open_catalog, validate
from hatsformat.errors import NotFoundError
from hatsformat.updates.appending import append
from tests.support import skies
from tests.support.killing import EPOCH, run_killed, run_python

SCRIPT = """
import json, pathlib, sys
from hatsformat.partitioner import mapping, reducing
from hatsformat.publishing import swap, work
from hatsformat.updates import appending, metadata, rebuilding
from tests.support.killing import die_after, die_at

def cannot_swap():
    swap.ctypes.CDLL = lambda *args, **kwargs: object()

root, inputs = json.loads(sys.argv[1])
{fault}
if inputs:
    appending.append(root, inputs, workers=1)
else:
    rebuilding.rebuild(root, workers=1)
"""

OLD = {
    "before any input": "die_at(mapping, 'map_source', 0)",
    "before the links": "die_at(swap, '_link_tree', 0)",
    "among the links": "die_at(swap, '_link', 7)",
    "before the first part": "die_at(reducing, 'reduce_tile', 0)",
    "between parts": "die_at(reducing, 'reduce_tile', 2)",
    "before the metadata": "die_at(metadata, 'extend_metadata', 0)",
    "before the sky map": "die_at(metadata, 'encode_skymap', 0)",
    "before the properties": "die_at(metadata, 'write_properties', 0)",
    "before the swap": "die_at(swap, 'swap', 0)",
}
NEW = {
    "after the swap": "die_after(swap, 'swap')",
    "while the old tree is removed": "die_at(work.shutil, 'rmtree', 0)",
    # The first call removes what an earlier process left.
    "before the lock is removed": "die_at(swap, 'clear', 1)",
}
REBUILD = {
    "among the links": "die_at(swap, '_link', 7)",
    "between leaves": "die_at(reducing, 'reduce_tile', 1)",
    "before files are removed": "die_at(rebuilding, 'remove_files', 0)",
    "before the properties": "die_at(rebuilding, 'write_properties', 0)",
    "before the swap": "die_at(swap, 'swap', 0)",
    "after the swap": "die_after(swap, 'swap')",
}


@pytest.fixture
def catalog_path(tmp_path, monkeypatch):
    """A catalog, and a file with rows to add."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    root = tmp_path / "sky"
    import_catalog(skies.stars(400, 1), root, leaf="directory", max_rows=300, highest_order=6)
    pq.write_table(skies.stars(300, 2), tmp_path / "night.parquet")
    return root


def run(root, inputs, fault):
    return run_python(SCRIPT.replace("{fault}", fault), str(root), inputs)


def killed(root, inputs, fault):
    run_killed(SCRIPT.replace("{fault}", fault), str(root), inputs)


@pytest.mark.parametrize("fault", OLD.values(), ids=OLD)
def test_killed_before_the_swap_nothing_has_changed(fault, catalog_path, tmp_path):
    before = skies.contents(catalog_path)
    night = str(tmp_path / "night.parquet")
    killed(catalog_path, [night], fault)
    assert skies.contents(catalog_path) == before
    append(catalog_path, night)
    assert open_catalog(catalog_path).properties.hats_nrows == 700
    skies.assert_same_rows(
        skies.read_rows(catalog_path), pa.concat_tables([skies.stars(400, 1), skies.stars(300, 2)])
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.parquet", "sky"]


@pytest.mark.parametrize("fault", NEW.values(), ids=NEW)
def test_killed_after_the_swap_everything_has_changed(fault, catalog_path, tmp_path):
    killed(catalog_path, [str(tmp_path / "night.parquet")], fault)
    assert open_catalog(catalog_path).properties.hats_nrows == 700
    assert {found.rule for found in validate(catalog_path).findings} <= {"HATS-TREE-010"}
    append(catalog_path, skies.stars(10, 3))
    assert open_catalog(catalog_path).scan().count_rows() == 710
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.parquet", "sky"]


def test_without_a_swap_two_renames_are_used(catalog_path, tmp_path):
    night = str(tmp_path / "night.parquet")
    assert run(catalog_path, [night], "cannot_swap()").returncode == 0
    assert open_catalog(catalog_path).scan().count_rows() == 700
    before = skies.contents(catalog_path)
    killed(catalog_path, [night], "cannot_swap()\ndie_at(pathlib.Path, 'rename', 1)")
    with pytest.raises(NotFoundError):
        open_catalog(catalog_path)
    append(catalog_path, skies.stars(10, 3).slice(0, 0))
    assert skies.contents(catalog_path) == before


@pytest.mark.parametrize("fault", REBUILD.values(), ids=REBUILD)
def test_a_killed_rebuild(fault, catalog_path, tmp_path):
    append(catalog_path, tmp_path / "night.parquet")
    before = skies.contents(catalog_path)
    killed(catalog_path, None, fault)
    after = skies.contents(catalog_path)
    if "after" not in fault:
        assert after == before
    catalog = open_catalog(catalog_path).rebuild()
    assert validate(catalog_path).findings == ()
    assert catalog.scan().count_rows() == 700
    if "after" in fault:
        assert skies.contents(catalog_path) == after
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.parquet", "sky"]


def test_a_full_disk_changes_nothing(catalog_path, tmp_path):
    before = skies.contents(catalog_path)
    # A limit on the size of files simulates a full disk.
    code = """
        import json, resource, signal, sys
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, resource.RLIM_INFINITY))
        from hatsformat.updates.appending import append
        from hatsformat.errors import StorageError
        try:
            append(*json.loads(sys.argv[1]))
        except StorageError as error:
            print(error)
        """
    done = run_python(code, str(catalog_path), str(tmp_path / "night.parquet"))
    assert "File too large" in done.stdout, done.stderr
    assert skies.contents(catalog_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.parquet", "sky"]


def test_readers_see_the_old_state_or_the_new_one(catalog_path, tmp_path):
    """While rows are added repeatedly, every read of the catalog finds one of the states."""
    night = str(tmp_path / "night.parquet")
    code = """
        import json, sys
        from hatsformat.updates.appending import append
        root, night = json.loads(sys.argv[1])
        for _ in range(3):
            append(root, night, workers=1)
        """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), json.dumps([str(catalog_path), night])]
    )
    seen = set()
    while writer.poll() is None:
        catalog = open_catalog(catalog_path)
        rows = pq.read_metadata(catalog_path / "dataset/_metadata").num_rows
        seen |= {catalog.properties.hats_nrows, rows}
    assert writer.returncode == 0
    assert seen <= {400, 700, 1000, 1300}
    assert open_catalog(catalog_path).scan().count_rows() == 1300
