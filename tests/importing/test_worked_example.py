"""The worked example of the import pipeline: three files, eight objects, six leaves."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from upath import UPath

import hatsformat
from hatsformat import layout
from hatsformat.artefacts.leaf import LeafFormat
from hatsformat.artefacts.skymap import read_skymap
from hatsformat.cli import main
from hatsformat.inputs import InputOptions, open_inputs
from hatsformat.partitioner import binning, finishing, mapping, reducing, splitting
from hatsformat.partitioner.coordinates import CoordinateColumns
from hatsformat.partitioner.runs import RunStore
from tests.support import skies
from tests.support.worked_example import (
    HISTOGRAM,
    LEAF_ROWS,
    LEAVES,
    OPTIONS,
    PARTITION_INFO,
    ROWS,
    SHARDS,
    SOURCE_PIXELS,
    TILES,
    TOY,
    TREE,
)


@pytest.fixture
def inputs(tmp_path):
    """The three files."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name, text in TOY.items():
        (folder / name).write_text(text)
    return [folder / name for name in TOY]


@pytest.fixture
def staged(inputs, tmp_path):
    """The results of the first two stages."""
    sources = open_inputs(inputs, InputOptions())
    settings = mapping.MapSettings(CoordinateColumns("ra", "dec"), 3, "_healpix_29")
    store = RunStore(1 << 20, tmp_path / "scratch")
    mapped = [mapping.map_source(index, source, settings, store) for index, source in enumerate(sources)]
    return mapped, mapping.merge(mapped, 3)


def align(counts):
    return binning.align(counts, 3, lowest_order=0, keep_empty_siblings=False)


class TestStages:
    """Each stage on the result of the one before it."""

    def test_mapping(self, staged):
        for mapped, pixels in zip(staged[0], SOURCE_PIXELS, strict=True):
            assert mapped.rows_read == len(pixels)
            assert mapped.rows_rejected == 0
            counts, _ = mapped.counts.load()
            assert counts.order == 3
            assert counts.pixels.tolist() == sorted(pixels.values())
            assert counts.rows.tolist() == [1] * len(pixels)
            run = mapped.runs[0]
            rows = run.rows.slice(0, len(pixels)).to_pydict()
            found = dict(zip(rows["id"], (run.rows.pixels >> 2 * (29 - 3)).tolist(), strict=True))
            assert found == pixels

    def test_histogram(self, staged):
        _, merged = staged
        assert dict(zip(merged.counts.pixels.tolist(), merged.counts.rows.tolist(), strict=True)) == HISTOGRAM
        assert merged.rows_read == 8
        dense = merged.counts.dense()
        assert dense.shape == (768,)
        assert dense.sum() == 8

    @pytest.mark.parametrize("dense", [False, True])
    def test_binning(self, staged, dense):
        counts = staged[1].counts
        alignment = align(counts.dense() if dense else counts)
        assert [tuple(triple) for triple in alignment.triples.tolist()] == TILES
        for source, order, pixel, rows in [
            (47, 0, 0, 3),
            (59, 0, 0, 3),
            (62, 0, 0, 3),
            (184, 3, 184, 1),
            (253, 3, 253, 1),
            (305, 3, 305, 1),
            (409, 3, 409, 1),
            (578, 3, 578, 1),
        ]:
            index = alignment.tiles.find(np.array([source]), alignment.order)[0]
            assert alignment.triples[index].tolist() == [order, pixel, rows]
        # Pixel 63 is empty, and yet inside the tile that covers it; 185 is in none.
        assert alignment.tiles.find(np.array([63, 185]), alignment.order).tolist() == [0, -1]

    def test_splitting(self, staged):
        merged = staged[1]
        alignment = align(merged.counts)
        shards = splitting.split(merged.runs, alignment)
        found = [{}, {}, {}]
        for index, (order, pixel, _) in enumerate(TILES):
            for shard in shards.of_tile(index):
                rows = shard.run.rows.slice(shard.first, shard.last)
                assert len(rows) == len(shard.pixels)
                found[shard.run.sequence[0]][order, pixel] = set(rows.column("id").to_pylist())
        assert found == SHARDS
        assert sum(map(len, found)) == 7

    def test_reducing_and_finishing(self, staged, tmp_path):
        merged = staged[1]
        alignment = align(merged.counts)
        shards = splitting.split(merged.runs, alignment)
        integer = pa.int64()
        schema = pa.schema([("_healpix_29", integer), ("id", integer), ("ra", integer), ("dec", integer)])
        plan = reducing.LeafPlan(schema, LeafFormat())
        root = UPath(tmp_path / "toy_catalog")
        leaves = []
        for index, (order, pixel, rows) in enumerate(TILES):
            tile = alignment.tiles[index]
            assert (tile.order, tile.pixel) == (order, pixel)
            path = layout.leaf_path(order, pixel)
            leaf = reducing.reduce_tile(tile, path, shards.of_tile(index), plan, root)
            assert leaf.footer.num_rows == rows
            assert leaf.size == (root / path).stat().st_size
            leaves.append(leaf)
        assert [leaf.path for leaf in leaves] == LEAVES
        # Only the leaves exist so far: nothing opens as a catalog.
        assert skies.files(root) == set(LEAVES)
        with pytest.raises(hatsformat.HatsError):
            hatsformat.open_catalog(root)
        info = finishing.CatalogInfo("toy_catalog", "object", "ra", "dec", ".parquet", 3)
        done = finishing.finish(root, leaves, merged.counts, plan, info, datetime(2025, 4, 15, tzinfo=UTC))
        assert (done.rows, done.tiles) == (8, 6)
        check_catalog(root)
        assert skies.read_properties(root)["hats_creation_date"].startswith("2025-04-15T00:00")


def check_catalog(root):
    """The catalog of the example, file by file."""
    assert skies.files(root) == TREE
    assert (root / "partition_info.csv").read_bytes() == PARTITION_INFO.encode()
    found = []
    for leaf in skies.read_leaves(root):
        assert leaf.table.column_names == ["_healpix_29", "id", "ra", "dec"]
        assert leaf.table.schema.types == [pa.int64()] * 4
        for row in leaf.table.to_pylist():
            found.append(((leaf.order, leaf.pixel), row["_healpix_29"], row["id"]))
            assert (row["ra"], row["dec"]) == ROWS[row["id"]]
    assert found == LEAF_ROWS
    check_metadata(root)
    for name in ("skymap.fits", "point_map.fits"):
        order, counts = read_skymap(UPath(root / name))
        assert order == 3
        assert {int(pixel): int(counts[pixel]) for pixel in np.flatnonzero(counts)} == HISTOGRAM
    keywords = skies.read_properties(root)
    expected = {
        "obs_collection": "toy_catalog",
        "dataproduct_type": "object",
        "hats_nrows": "8",
        "hats_col_ra": "ra",
        "hats_col_dec": "dec",
        "hats_npix_suffix": ".parquet",
        "hats_order": "3",
        "hats_max_rows": "3",
        "hats_col_healpix": "_healpix_29",
        "hats_col_healpix_order": "29",
        "hats_skymap_order": "3",
    }
    assert {name: keywords.get(name) for name in expected} == expected
    # A twelfth of the sky and five pixels of 768.
    assert float(keywords["moc_sky_fraction"]) == pytest.approx(1 / 12 + 5 / 768, rel=1e-4)
    assert (root / "properties").read_bytes() == (root / "hats.properties").read_bytes()


def check_metadata(root):
    common = pq.read_schema(root / "dataset" / "_common_metadata")
    assert common.names == ["_healpix_29", "id", "ra", "dec"]
    metadata = pq.read_metadata(root / "dataset" / "_metadata")
    assert metadata.num_rows == 8
    assert metadata.schema.to_arrow_schema().names == common.names
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    paths = [group.column(0).file_path for group in groups]
    assert [f"dataset/{path}" for path in paths] == LEAVES
    assert [group.num_rows for group in groups] == [3, 1, 1, 1, 1, 1]
    assert groups[0].column(0).statistics.min == LEAF_ROWS[0][1]
    assert groups[0].column(0).statistics.max == LEAF_ROWS[2][1]
    for group in groups:
        assert [(key.column_index, key.descending) for key in group.sorting_columns] == [(0, False)]


def check_opened(root):
    catalog = hatsformat.open_catalog(root)
    table = catalog.scan(columns="all").to_table()
    assert table.column("_healpix_29").to_pylist() == [value for _, value, _ in LEAF_ROWS]
    assert table.column("id").to_pylist() == [row for _, _, row in LEAF_ROWS]


def test_import_catalog(inputs, tmp_path):
    root = tmp_path / "toy_catalog"
    catalog = hatsformat.import_catalog(inputs, root, **OPTIONS)
    assert [(tile.order, tile.pixel) for tile in catalog.partitions] == [tile[:2] for tile in TILES]
    check_catalog(root)
    check_opened(root)


def test_command_line(inputs, tmp_path):
    root = tmp_path / "toy_catalog"
    arguments = ["import", *map(str, inputs), "--out", str(root)]
    arguments += ["--max-rows", "3", "--lowest-order", "0", "--highest-order", "3", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    log = json.loads(result.stdout)
    assert (log["rows_read"], log["rows_written"], log["rows_rejected"], log["tiles"]) == (8, 8, 0, 6)
    assert log["name"] == "toy_catalog"
    check_catalog(root)
    check_opened(root)
    # Nothing is left beside the catalog.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inputs", "toy_catalog"]


def test_order_of_the_files_does_not_matter(inputs, tmp_path):
    """No two rows have the same index value, so every file is the same."""
    for name, order in (("a", [0, 1, 2]), ("b", [2, 0, 1])):
        (tmp_path / name).mkdir()
        root = tmp_path / name / "toy_catalog"
        hatsformat.import_catalog([inputs[index] for index in order], root, **OPTIONS)
        check_catalog(root)
    for path in LEAVES:
        left, right = (tmp_path / name / "toy_catalog" / path for name in "ab")
        assert left.read_bytes() == right.read_bytes()


def test_keeping_empty_siblings(inputs, tmp_path):
    """No base tile has more than three objects, so none is split."""
    catalog = hatsformat.import_catalog(inputs, tmp_path / "toy", keep_empty_siblings=True, **OPTIONS)
    base = sorted({pixel // 64 for pixel in HISTOGRAM})
    assert [(tile.order, tile.pixel) for tile in catalog.partitions] == [(0, pixel) for pixel in base]
