"""Rows that are added to a collection: its margins and indexes are updated, too."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import (
    build_collection,
    build_index,
    build_margin,
    import_catalog,
    open_catalog,
    open_collection,
    validate,
)
from hatsformat.artefacts.parquet_metadata import write_metadata
from hatsformat.errors import HatsError, OutputError, UsageError
from hatsformat.publishing.lock import locked
from hatsformat.publishing.work import changing_folder
from hatsformat.storage import resolve
from hatsformat.updates.appending import append
from hatsformat.updates.rebuilding import rebuild
from tests.support import skies

OVER_THRESHOLD = "HATS-TREE-010"
THRESHOLDS = (3600.0, 36000.0)


def collection(root, table, **options):
    """A collection with two margins and an index."""
    given = {"leaf": "directory", "max_rows": 80, "highest_order": 6, "name": "sky", **options}
    import_catalog(table, root, margins_arcsec=THRESHOLDS, indexes=("id",), **given)


def check(root, table):
    """The validator, which computes margins and indexes again, reports nothing; all ids are found."""
    findings = [found for found in validate(root, level="rows").findings if found.rule != OVER_THRESHOLD]
    assert findings == []
    catalog = open_catalog(root)
    rows = catalog.scan(columns=["id", "ra"]).to_table()
    assert sorted(rows["id"].to_pylist()) == sorted(table["id"].to_pylist())
    some = table["id"].to_pylist()[:: max(1, table.num_rows // 10)]
    assert catalog.lookup("id", some).count_rows() == pc.sum(pc.is_in(table["id"], pa.array(some))).as_py()


def margin_ids(root, number):
    margin = open_catalog(root).margin(open_catalog(root).margins[number])
    return sorted(
        (leaf.order, leaf.pixel, row)
        for leaf in skies.read_leaves(margin.path)
        for row in leaf.table["id"].to_pylist()
    )


def numbered(table, first):
    return table.set_column(0, "id", pa.array(np.arange(first, first + table.num_rows)))


@settings(max_examples=6)
@given(st.data())
def test_margins_and_indexes_are_those_of_all_rows(data):
    tables, first = [], 0
    for seed in range(3):
        ra, dec = data.draw(skies.positions())
        tables.append(numbered(skies.dressed(np.mod(ra, 360) % 360, dec, seed), first))
        first += tables[-1].num_rows
    leaf = data.draw(st.sampled_from(["file", "directory"]))
    with tempfile.TemporaryDirectory() as name:
        root, highest = Path(name) / "sky", data.draw(st.sampled_from([0, 3, 8]))
        collection(root, tables[0], max_rows=500, highest_order=highest, workers=1)
        if leaf == "file":  # of the margins, not of the catalog
            for margin in open_catalog(root).margins:
                as_files(root / margin)
        for table in tables[1:]:
            append(root, table, workers=1, highest_order=highest)
        check(root, pa.concat_tables(tables))


def as_files(folder):
    """Make the leaves of a margin single files."""
    for leaf in skies.read_leaves(folder):
        source = folder / leaf.path
        source.rename(source.parent.with_name(f"{source.parent.name}.parquet.moved"))
        source.parent.rmdir()
        source.parent.with_name(f"{source.parent.name}.parquet.moved").rename(f"{source.parent}.parquet")
    leaves = skies.read_leaves(folder)
    footers = []
    for leaf in leaves:
        footer = pq.read_metadata(folder / leaf.path)
        footers.append((leaf.path.removeprefix("dataset/"), footer))
    schema = pq.read_schema(folder / "dataset/_common_metadata")
    write_metadata(resolve(folder / "dataset/_metadata"), schema, footers)
    for name in ("hats.properties", "properties"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("hats_npix_suffix=/", "hats_npix_suffix=.parquet"))


def test_new_tiles_get_the_old_rows_around_them(tmp_path):
    here = numbered(skies.dressed(np.linspace(40, 44.99, 60), np.linspace(-3, 3, 60)), 0)
    there = numbered(skies.dressed(np.linspace(45.01, 50, 60), np.linspace(-3, 3, 60)), 60)
    root = tmp_path / "sky"
    collection(root, here, highest_order=5, max_rows=20)
    before = {index: margin_ids(root, index) for index in range(2)}
    log = append(root, there)
    assert log.new_tiles > 0
    check(root, pa.concat_tables([here, there]))
    for index, known in before.items():
        now = margin_ids(root, index)
        assert set(known) < set(now)
        new = [number for order, pixel, number in now if (order, pixel, number) not in known]
        assert any(number >= 60 for number in new)
    assert any(number < 60 for number in new)  # in the wider of the two
    assert log.supplements["sky_id"] == 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sky"]


def test_the_properties_of_all_members(tmp_path):
    root = tmp_path / "sky"
    first, second = numbered(skies.stars(300, 1), 0), numbered(skies.stars(300, 2), 300)
    collection(root, first)
    before = open_collection(root)
    names = [*before.margins, "sky_id", "sky"]
    old = {name: open_catalog(root / name).properties for name in names}
    assert before.append(second).primary.properties.hats_nrows == 600
    after = open_collection(root)
    sizes = 0
    for name in names:
        now = open_catalog(root / name).properties
        rows = now.hats_nrows
        assert rows == open_catalog(root / name).scan(columns=["id"]).count_rows()
        assert rows > old[name].hats_nrows
        assert now.obs_collection == old[name].obs_collection
        assert now.hats_creation_date == old[name].hats_creation_date
        sizes += now.hats_estsize
    assert after.properties.hats_estsize == sizes
    assert after.properties.all_margins == before.properties.all_margins


def test_a_rebuild_builds_margins_and_indexes_again(tmp_path):
    root = tmp_path / "sky"
    tables = [numbered(skies.stars(200, seed), 200 * seed) for seed in range(3)]
    collection(root, tables[0])
    for table in tables[1:]:
        append(root, table)
    parts = [path for path in skies.files(root / "sky_id") if "part." in path]
    assert len(parts) == 3
    margins = {index: margin_ids(root, index) for index in range(2)}
    log = rebuild(root)
    assert validate(root, level="rows").findings == ()
    check(root, pa.concat_tables(tables))
    assert [path for path in skies.files(root / "sky_id") if "part." in path] == [
        "dataset/index/part.0.parquet"
    ]
    assert set(log.supplements) == {"sky_id", *open_collection(root).margins}
    # Smaller tiles have more rows around them.
    assert all(len(margin_ids(root, index)) >= len(known) for index, known in margins.items())
    rebuild(root, leaf="file")
    assert validate(root, level="rows").findings == ()


def test_a_failed_update_leaves_the_collection_unchanged(tmp_path, monkeypatch):
    root = tmp_path / "sky"
    collection(root, numbered(skies.stars(200, 1), 0))
    before = {path: (root / path).read_bytes() for path in skies.files(root)}

    def fail(*_):
        raise HatsError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("hatsformat.updates.extending.write_parts", fail)
        with pytest.raises(HatsError, match="full"):
            append(root, numbered(skies.stars(200, 2), 200))
        patch.setattr("hatsformat.updates.rebuilding.rebuild_member", fail)
        with pytest.raises(HatsError, match="full"):
            rebuild(root, max_rows=50)
    assert {path: (root / path).read_bytes() for path in skies.files(root)} == before


@pytest.mark.parametrize("fault", ["extending.write_parts", "metadata.encode_skymap", None])
def test_a_collection_in_an_object_store(fault, monkeypatch):
    root = resolve("memory://appended/collection")
    first, second = numbered(skies.stars(300, 1), 0), numbered(skies.stars(300, 2), 300)
    collection(root, first, max_rows=1000, overwrite=True)
    before = {path: root.fs.cat_file(path) for path in root.fs.find(root.path)}
    if fault is None:
        append(root, second)
        assert validate(root, level="rows").findings == ()
        assert open_catalog(root).lookup("id", [3, 303]).count_rows() == 2
        return

    def fail(*_):
        raise HatsError("the line is cut")

    with monkeypatch.context() as patch:
        patch.setattr(f"hatsformat.updates.{fault}", fail)
        with pytest.raises(HatsError, match="cut"):
            append(root, second)
    assert {path: root.fs.cat_file(path) for path in root.fs.find(root.path)} == before


def test_members_outside_the_collection_are_refused(tmp_path):
    root = tmp_path / "sky"
    table = numbered(skies.stars(100, 1), 0)
    collection(root, table)
    outside = tmp_path / "sky_elsewhere"
    (root / "sky_id").rename(outside)
    text = (root / "collection.properties").read_text()
    (root / "collection.properties").write_text(text.replace("id sky_id", f"id {outside}"))
    with pytest.raises(UsageError, match="outside"):
        append(root, table)


def test_supplements_with_other_columns_are_refused(tmp_path):
    root = tmp_path / "sky"
    collection(root, numbered(skies.stars(100, 1), 0))
    margin = root / open_collection(root).margins[0]
    common = margin / "dataset/_common_metadata"
    schema = pq.read_schema(common)
    pq.write_metadata(schema.append(pa.field("margin_Norder", pa.uint8())), common)
    with pytest.raises(UsageError, match=r"columns.*rebuild"):
        append(root, numbered(skies.stars(100, 2), 100))
    open_collection(root).rebuild().append(numbered(skies.stars(100, 2), 100))
    check(root, pa.concat_tables([numbered(skies.stars(100, 1), 0), numbered(skies.stars(100, 2), 100)]))


def test_supplements_that_were_built_later_are_updated(tmp_path):
    root = tmp_path / "survey"
    table = numbered(skies.stars(200, 1), 0)
    import_catalog(table, root / "stars", leaf="directory", max_rows=90)
    build_collection(root, margins_arcsec=[7200], indexes=["id"])
    build_index(root, "band", extra_columns=["mag"])
    build_margin(root, 60)
    append(root / "stars", numbered(skies.stars(200, 2), 200))
    check(root, pa.concat_tables([table, numbered(skies.stars(200, 2), 200)]))


def test_nothing_is_built_in_a_changing_collection(tmp_path):
    root = tmp_path / "sky"
    table = numbered(skies.stars(100, 1), 0)
    collection(root, table)
    with locked(changing_folder(resolve(root))), pytest.raises(OutputError, match="is changing this catalog"):
        build_margin(root, 60)
    (root / "sky_60arcs" / ".import").mkdir(parents=True)
    with pytest.raises(OutputError, match="sky_60arcs"):
        append(root, table)
