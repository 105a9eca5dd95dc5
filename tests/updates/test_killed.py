"""A change of a catalog that is killed, wherever it stands, leaves the old state or the new one."""

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

def cannot_exchange():
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
    "before the exchange": "die_at(swap, 'swap', 0)",
}
NEW = {
    "after the exchange": "die_after(swap, 'swap')",
    "while the old tree is removed": "die_at(work.shutil, 'rmtree', 0)",
    # The first call removes what an earlier process left.
    "before the lock is removed": "die_at(swap, 'clear', 1)",
}
REBUILD = {
    "among the links": "die_at(swap, '_link', 7)",
    "between leaves": "die_at(reducing, 'reduce_tile', 1)",
    "before files are removed": "die_at(rebuilding, 'remove_files', 0)",
    "before the properties": "die_at(rebuilding, 'write_properties', 0)",
    "before the exchange": "die_at(swap, 'swap', 0)",
    "after the exchange": "die_after(swap, 'swap')",
}


@pytest.fixture
def standing(tmp_path, monkeypatch):
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
def test_killed_before_the_exchange_nothing_has_changed(fault, standing, tmp_path):
    before = skies.contents(standing)
    night = str(tmp_path / "night.parquet")
    killed(standing, [night], fault)
    assert skies.contents(standing) == before
    append(standing, night)
    assert open_catalog(standing).properties.hats_nrows == 700
    skies.assert_same_rows(
        skies.read_rows(standing), pa.concat_tables([skies.stars(400, 1), skies.stars(300, 2)])
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.parquet", "sky"]


@pytest.mark.parametrize("fault", NEW.values(), ids=NEW)
def test_killed_after_the_exchange_everything_has_changed(fault, standing, tmp_path):
    killed(standing, [str(tmp_path / "night.parquet")], fault)
    assert open_catalog(standing).properties.hats_nrows == 700
    assert {found.rule for found in validate(standing).findings} <= {"HATS-TREE-010"}
    append(standing, skies.stars(10, 3))
    assert open_catalog(standing).scan().count_rows() == 710
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.parquet", "sky"]


def test_without_the_exchange_two_renames_do(standing, tmp_path):
    night = str(tmp_path / "night.parquet")
    assert run(standing, [night], "cannot_exchange()").returncode == 0
    assert open_catalog(standing).scan().count_rows() == 700
    before = skies.contents(standing)
    killed(standing, [night], "cannot_exchange()\ndie_at(pathlib.Path, 'rename', 1)")
    with pytest.raises(NotFoundError):
        open_catalog(standing)
    append(standing, skies.stars(10, 3).slice(0, 0))
    assert skies.contents(standing) == before


@pytest.mark.parametrize("fault", REBUILD.values(), ids=REBUILD)
def test_a_killed_rebuild(fault, standing, tmp_path):
    append(standing, tmp_path / "night.parquet")
    before = skies.contents(standing)
    killed(standing, None, fault)
    after = skies.contents(standing)
    if "after" not in fault:
        assert after == before
    catalog = open_catalog(standing).rebuild()
    assert validate(standing).findings == ()
    assert catalog.scan().count_rows() == 700
    if "after" in fault:
        assert skies.contents(standing) == after
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.parquet", "sky"]


def test_a_full_disk_changes_nothing(standing, tmp_path):
    before = skies.contents(standing)
    # A limit on the size of files stands in for the disk.
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
    done = run_python(code, str(standing), str(tmp_path / "night.parquet"))
    assert "File too large" in done.stdout, done.stderr
    assert skies.contents(standing) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.parquet", "sky"]


def test_readers_never_see_anything_between(standing, tmp_path):
    """While rows are added again and again, every look at the catalog finds one of the states."""
    night = str(tmp_path / "night.parquet")
    code = """
        import json, sys
        from hatsformat.updates.appending import append
        root, night = json.loads(sys.argv[1])
        for _ in range(3):
            append(root, night, workers=1)
        """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), json.dumps([str(standing), night])]
    )
    seen = set()
    while writer.poll() is None:
        catalog = open_catalog(standing)
        rows = pq.read_metadata(standing / "dataset/_metadata").num_rows
        seen |= {catalog.properties.hats_nrows, rows}
    assert writer.returncode == 0
    assert seen <= {400, 700, 1000, 1300}
    assert open_catalog(standing).scan().count_rows() == 1300
