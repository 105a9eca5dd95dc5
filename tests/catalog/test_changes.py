"""Catalogs that change while they are open."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pytest

from hatsformat import (
    ChangedError,
    Cone,
    NotFoundError,
    build_collection,
    import_catalog,
    open_catalog,
    open_collection,
)
from tests.support import skies

FIRST, SECOND = skies.stars(300, 1), skies.stars(300, 2)


@pytest.fixture
def root(tmp_path):
    import_catalog(FIRST, tmp_path / "sky", leaf="directory", max_rows=60, highest_order=7)
    return tmp_path / "sky"


def test_a_catalog_that_gets_rows_is_up_to_date(root):
    catalog = open_catalog(root)
    assert catalog.scan().count_rows() == 300
    tiles, counts = len(catalog.partitions), catalog.skymap()
    assert catalog.append(SECOND) is catalog
    assert catalog.scan().count_rows() == catalog.properties.hats_nrows == 600
    assert len(catalog.partitions) >= tiles
    assert catalog.skymap().sum() == 2 * counts.sum() == 600


def test_a_catalog_that_is_rebuilt_is_up_to_date(root):
    catalog = open_catalog(root).append(SECOND)
    rows = catalog.scan(columns=["id", "ra"]).to_table()
    tiles = catalog.partitions
    assert catalog.rebuild(max_rows=30) is catalog
    assert catalog.partitions != tiles
    key = [("id", "ascending"), ("ra", "ascending")]
    assert catalog.scan(columns=["id", "ra"]).to_table().sort_by(key).equals(rows.sort_by(key))


def test_others_and_scans_made_before_go_on_reading_after_an_append(root):
    catalog, other = open_catalog(root), open_catalog(root)
    scan, tiles = catalog.scan(), len(other.partitions)
    before = scan.count_rows()
    catalog.append(SECOND)
    assert scan.count_rows() >= before
    assert other.scan().to_table().num_rows >= before
    assert len(other.partitions) == tiles
    assert open_catalog(root).scan().count_rows() == 600


@pytest.mark.parametrize("read", ["to_table", "count_rows", "plan", "to_batches"])
def test_others_and_scans_made_before_say_so_after_a_rebuild(root, read):
    catalog, other = open_catalog(root), open_catalog(root)
    scan, whole = catalog.scan(), other.scan()
    assert len(other.partitions) == len(catalog.partitions)
    catalog.rebuild(leaf="file", max_rows=200)
    for stale in (scan, whole, other.scan(region=Cone(0, 0, 180))):
        with pytest.raises(
            ChangedError, match=r"sky: the catalog changed after it was opened.*open it again"
        ):
            list(stale.to_batches()) if read == "to_batches" else getattr(stale, read)()
    assert open_catalog(root).scan().count_rows() == 300


def test_footers_that_were_read_are_not_used_for_other_files(root):
    other = open_catalog(root)
    assert other.scan().count_rows() == 300
    first = other.scan(columns=["id", "ra"]).to_table()
    open_catalog(root).rebuild(row_group_rows=7, highest_order=7)
    again = other.scan(columns=["id", "ra"])
    assert again.to_table().equals(first)
    assert again.plan().row_groups > len(other.partitions)


def test_a_catalog_that_is_replaced_elsewhere_says_so():
    url = "memory://changes/sky"
    import_catalog(FIRST, url, max_rows=60)
    catalog = open_catalog(url)
    assert len(catalog.partitions) > 8
    import_catalog(SECOND.slice(0, 100), url, max_rows=60, overwrite=True)
    with pytest.raises(ChangedError, match="open it again"):
        catalog.scan().to_table()


def test_a_leaf_that_is_missing_from_an_unchanged_catalog_is_not_found(root):
    catalog = open_catalog(root)
    shutil.rmtree(next((root / "dataset").rglob("Npix=*")))
    with pytest.raises(NotFoundError):
        catalog.scan().to_table()


def test_a_collection_that_gets_rows_is_up_to_date(tmp_path):
    import_catalog(FIRST, tmp_path / "sky", leaf="directory", max_rows=60)
    collection = build_collection(tmp_path, margins_arcsec=[3600], indexes=["id"])
    old = collection.primary
    assert collection.append(SECOND) is collection
    assert collection.primary.scan().count_rows() == collection.primary.properties.hats_nrows == 600
    collection.primary.append(SECOND)
    assert collection.primary.scan().count_rows() == 900
    assert collection.properties.hats_primary_table_url == "sky"
    assert collection.rebuild(leaf="file") is collection
    assert (
        collection.primary.scan().count_rows() == open_collection(tmp_path).primary.scan().count_rows() == 900
    )
    assert collection.primary.lookup("id", pa.array([FIRST["id"][0].as_py()])).count_rows() >= 1
    with pytest.raises(ChangedError):
        old.scan().to_table()
