"""Catalogs behind real servers, and in memory: the same rows as on the disk, for few requests and few
bytes."""

from __future__ import annotations

import uuid

import fsspec
import numpy as np
import pyarrow as pa
import pytest

from hatsformat import Cone, NotFoundError, StorageError, open_catalog, open_collection
from tests.support.catalog_trees import Tree, stars, write_index

SKY = stars(3000)
REGION = Cone(56.75, 24.12, 1)

TREES = {
    "all headers": Tree(),
    "no partition_info": Tree(partition_info=False),
    "no _metadata": Tree(metadata=False),
    "no _metadata, no _common_metadata": Tree(metadata=False, common_metadata=False),
    "leaf directories": Tree(suffix="/", parts=2),
}


def ids(scan):
    return sorted(scan.to_table().column("id").to_pylist())


def write(root, tree):
    """A catalog in a new folder below `root`, and the ids of its rows in the region."""
    folder = root / f"sky-{uuid.uuid4().hex[:8]}" / "stars"
    tree.write(folder, SKY)
    expected = ids(open_catalog(folder).scan(region=REGION))
    assert len(expected) > 20
    return folder, expected


@pytest.mark.server
class TestHttp:
    @pytest.mark.parametrize("listed", [False, True], ids=["no listing", "listing"])
    @pytest.mark.parametrize("tree", TREES)
    def test_gives_the_same_rows(self, http, tree, listed):
        folder, expected = write(http.root, TREES[tree])
        catalog = open_catalog(http.url_of(folder, listed=listed))
        assert ids(catalog.scan(region=REGION)) == expected
        assert catalog.scan().count_rows() == len(SKY)
        assert ids(catalog.scan()) == list(range(len(SKY)))

    def test_without_any_header_needs_a_listing(self, http):
        folder, expected = write(http.root, Tree(partition_info=False, metadata=False))
        assert ids(open_catalog(http.url_of(folder, listed=True)).scan(region=REGION)) == expected
        with pytest.raises(
            NotFoundError, match=r"cannot be listed.*partition_info\.csv or dataset/_metadata"
        ):
            ids(open_catalog(http.url_of(folder)).scan(region=REGION))

    def test_leaf_directories_without_metadata_need_a_listing(self, http):
        folder, expected = write(http.root, Tree(suffix="/", metadata=False))
        assert ids(open_catalog(http.url_of(folder, listed=True)).scan(region=REGION)) == expected
        with pytest.raises(NotFoundError, match=r"cannot be listed"):
            ids(open_catalog(http.url_of(folder)).scan(region=REGION))

    def test_a_small_cone_is_a_handful_of_requests(self, http):
        rng = np.random.default_rng(3)
        count = 200_000
        wide = {f"c{number}": rng.normal(size=count) for number in range(8)}
        ra, dec = rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
        ra[:2000], dec[:2000] = 56.75 + rng.normal(0, 0.5, 2000), 24.12 + rng.normal(0, 0.5, 2000)
        folder = http.root / "large" / "stars"
        Tree(threshold=50_000, group_rows=5_000).write(
            folder, pa.table({"id": np.arange(count), "ra": ra, "dec": dec, **wide})
        )
        expected = ids(open_catalog(folder).scan(region=Cone(56.75, 24.12, 10 / 60)))
        http.forget()
        assert ids(open_catalog(http.url_of(folder)).scan(region=Cone(56.75, 24.12, 10 / 60))) == expected
        requests = http.requests()
        assert len(expected) > 10
        assert len(requests) <= 8, requests
        assert sum(request.body_bytes for request in requests) < 1_000_000
        assert sum(file.stat().st_size for file in folder.rglob("*.parquet")) > 15_000_000

    def test_rows_are_counted_from_footers(self, http):
        folder, _ = write(http.root, Tree(group_rows=50))
        http.forget()
        assert open_catalog(http.url_of(folder)).scan().count_rows() == len(SKY)
        paths = [request.path for request in http.requests()]
        assert len(paths) == len(set(paths))

    def test_a_collection_and_its_index(self, http):
        folder = http.root / f"survey-{uuid.uuid4().hex[:8]}"
        tiles = Tree(suffix="/").write(folder / "stars", SKY)
        write_index(folder / "stars_id", SKY, tiles)
        (folder / "collection.properties").write_text(
            "obs_collection=survey\nhats_primary_table_url=stars\nall_indexes=id stars_id\n"
        )
        with pytest.raises(NotFoundError, match="cannot be listed"):
            open_catalog(http.url_of(folder)).lookup("id", [5, 6]).to_table()
        for url in (
            http.url_of(folder, listed=True),
            http.url_of(folder, listed=True) + "/collection.properties",
        ):
            assert open_catalog(url).lookup("id", [5, 6]).count_rows() == 2
        assert open_collection(http.url_of(folder)).name == "survey"
        assert open_catalog(http.url_of(folder / "stars")).indexes == ("id",)

    def test_nothing_there_and_nobody_there(self, http):
        with pytest.raises(NotFoundError, match="no HATS catalog"):
            open_catalog(f"{http.url}/nosuch")
        with pytest.raises(StorageError, match=r"hats\.properties"):
            open_catalog("http://127.0.0.1:9/stars")

    def test_properties_alone_are_refused_when_tiles_are_needed(self, http):
        folder = http.root / "alone"
        folder.mkdir()
        (folder / "properties").write_text(
            "obs_collection=alone\ndataproduct_type=object\nhats_nrows=1\nhats_col_ra=ra\nhats_col_dec=dec\n"
        )
        with pytest.raises(NotFoundError, match="alone"):
            open_catalog(http.url_of(folder)).scan()


@pytest.mark.server
@pytest.mark.parametrize("tree", [*TREES, "nothing but leaves", "leaf directories, no _metadata"])
def test_s3_gives_the_same_rows(s3, tree):
    trees = {
        **TREES,
        "nothing but leaves": Tree(partition_info=False, metadata=False, common_metadata=False),
        "leaf directories, no _metadata": Tree(suffix="/", metadata=False, threshold=1000),
    }
    folder, expected = write(s3.root, trees[tree])
    catalog = open_catalog(s3.url_of(folder), **s3.storage_options)
    assert ids(catalog.scan(region=REGION)) == expected
    assert catalog.scan().count_rows() == len(SKY)


@pytest.mark.server
def test_s3_collection(s3):
    folder = s3.root / f"survey-{uuid.uuid4().hex[:8]}"
    tiles = Tree().write(folder / "stars", SKY)
    write_index(folder / "stars_id", SKY, tiles)
    (folder / "collection.properties").write_text(
        "obs_collection=survey\nhats_primary_table_url=stars\nall_indexes=id stars_id\n"
    )
    catalog = open_catalog(s3.url_of(folder), **s3.storage_options)
    assert catalog.lookup("id", [5, 6]).count_rows() == 2
    with pytest.raises(NotFoundError, match="no HATS catalog"):
        open_catalog(s3.url_of(s3.root / "nosuch"), **s3.storage_options)


@pytest.mark.parametrize("tree", TREES)
def test_memory_gives_the_same_rows(tmp_path, tree):
    folder, expected = write(tmp_path, TREES[tree])
    url = f"memory://{uuid.uuid4().hex}/stars"
    fsspec.filesystem("memory").put(str(folder), url, recursive=True)
    catalog = open_catalog(url)
    assert ids(catalog.scan(region=REGION)) == expected
    assert catalog.scan().count_rows() == len(SKY)


def test_memory_properties_alone_are_refused_when_tiles_are_needed():
    root = f"/{uuid.uuid4().hex}"
    fsspec.filesystem("memory").pipe_file(
        f"{root}/properties",
        b"obs_collection=a\ndataproduct_type=object\nhats_nrows=1\nhats_col_ra=ra\nhats_col_dec=dec\n",
    )
    with pytest.raises(NotFoundError, match="properties but no data"):
        _ = open_catalog(f"memory:/{root}").partitions
