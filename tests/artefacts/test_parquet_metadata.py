"""`_metadata` and `_common_metadata`, as pyarrow and hats read them."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf import LeafFormat, write_leaf
from hatsformat.artefacts.leaf_reading import read_footer
from hatsformat.artefacts.parquet_metadata import (
    metadata_leaves,
    write_common_metadata,
    write_metadata,
)
from hatsformat.errors import LeafError, NotFoundError
from hatsformat.layout import leaf_path

KEY_VALUES = {"IVOA.VOTable-Parquet.version": "1.0", "é": "ü"}


def leaf_table(tile: int, rows: int) -> pa.Table:
    return pa.table(
        {
            "_healpix_29": np.arange(rows) + (tile << 52),
            "ra": np.linspace(0, 1, rows),
            "name": pa.array([f"{k}" for k in range(rows)], pa.large_string()),
            "lc": pa.array([[1.0, 2.0]] * rows, pa.list_(pa.field("element", pa.float32()))),
            "band": pa.array(["g"] * rows, pa.string()).dictionary_encode(),
        }
    ).replace_schema_metadata(KEY_VALUES)


SCHEMA = leaf_table(0, 1).schema


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    return (
        storage.resolve(tmp_path) if request.param == "local" else UPath(f"memory://meta-{uuid.uuid4().hex}")
    )


def write_leaves(root: UPath, tiles: list[int]) -> Iterator[tuple[str, pq.FileMetaData]]:
    for tile in tiles:
        path = leaf_path(3, tile)
        sink = write_leaf(root / path, leaf_table(tile, tile % 7 + 1), LeafFormat(row_group_rows=3))
        yield path.removeprefix("dataset/"), sink.footer


TILES = [5, 700, 11, 0]
ROWS = sum(tile % 7 + 1 for tile in TILES)


class TestMetadata:
    def test_holds_every_row_group_with_its_path(self, root: UPath) -> None:
        leaves = list(write_leaves(root, TILES))
        assert write_metadata(root / "dataset/_metadata", SCHEMA, iter(leaves)) == ROWS
        footer = read_footer(root / "dataset/_metadata")
        assert footer.num_rows == ROWS
        assert metadata_leaves(footer) == [f"Norder=3/Dir=0/Npix={tile}.parquet" for tile in TILES]
        seen = 0
        for path, leaf in leaves:
            for group in range(leaf.num_row_groups):
                kept = footer.row_group(seen)
                seen += 1
                assert kept.column(0).file_path == path
                assert kept.num_rows == leaf.row_group(group).num_rows
                for index in range(kept.num_columns):
                    ours, theirs = kept.column(index), leaf.row_group(group).column(index)
                    assert ours.statistics == theirs.statistics
                    assert ours.data_page_offset == theirs.data_page_offset
        assert seen == footer.num_row_groups
        assert footer.schema.to_arrow_schema().equals(SCHEMA, check_metadata=True)

    def test_pyarrow_reads_the_catalog_through_it(self, tmp_path: Path) -> None:
        import pyarrow.dataset as ds

        root = storage.resolve(tmp_path)
        write_metadata(root / "dataset/_metadata", SCHEMA, write_leaves(root, TILES))
        found = ds.parquet_dataset(tmp_path / "dataset" / "_metadata", schema=SCHEMA)
        expected = pa.concat_tables([leaf_table(tile, tile % 7 + 1) for tile in TILES])
        assert found.to_table().sort_by("_healpix_29").equals(expected.sort_by("_healpix_29"))
        # Row groups are skipped by the statistics kept in it.
        one = found.filter(ds.field("_healpix_29") >= 700 << 52)
        assert one.count_rows() == 700 % 7 + 1

    @pytest.mark.interop
    def test_hats_reads_it(self, tmp_path: Path) -> None:
        file_io = pytest.importorskip("hats.io.file_io", reason="hats is not installed (extra `interop`)")
        root = storage.resolve(tmp_path)
        write_metadata(root / "dataset/_metadata", SCHEMA, write_leaves(root, TILES))
        write_common_metadata(root / "dataset/_common_metadata", SCHEMA)
        assert file_io.read_parquet_metadata(tmp_path / "dataset" / "_metadata").num_rows == ROWS
        common = file_io.read_parquet_metadata(tmp_path / "dataset" / "_common_metadata")
        assert common.schema.to_arrow_schema().equals(SCHEMA, check_metadata=True)

    def test_leaves_can_be_read_after_their_footer_was_taken(self, root: UPath) -> None:
        leaves = list(write_leaves(root, [3]))
        write_metadata(root / "dataset/_metadata", SCHEMA, leaves)
        whole = storage.read_bytes(root / "dataset" / leaves[0][0])
        assert pq.ParquetFile(pa.BufferReader(whole), metadata=leaves[0][1]).read().equals(leaf_table(3, 4))

    def test_without_leaves(self, root: UPath) -> None:
        assert write_metadata(root / "_metadata", SCHEMA, []) == 0
        footer = read_footer(root / "_metadata")
        assert (footer.num_row_groups, metadata_leaves(footer)) == (0, [])

    def test_a_leaf_of_another_schema_is_named(self, root: UPath) -> None:
        other = write_leaf(root / "x.parquet", pa.table({"ra": [1]}), LeafFormat()).footer
        leaves = [*write_leaves(root, [3]), ("Norder=0/Dir=0/Npix=9.parquet", other)]
        with pytest.raises(LeafError, match=r"Npix=9\.parquet: the columns of the leaf differ"):
            write_metadata(root / "dataset/_metadata", SCHEMA, leaves)
        assert not storage.exists(root / "dataset/_metadata")

    def test_files_that_name_no_leaf(self, root: UPath) -> None:
        footer = write_leaf(root / "x.parquet", leaf_table(0, 9), LeafFormat()).footer
        assert metadata_leaves(footer) == []
        write_common_metadata(root / "empty", pa.schema([]))
        assert metadata_leaves(read_footer(root / "empty")) == []

    def test_many_leaves_need_little_more_than_the_file(self, tmp_path: Path) -> None:
        """Footers are taken one by one: 2,000 held at once would be beyond the limit set here."""
        program = f"""
import resource
import pyarrow as pa, pyarrow.parquet as pq
from hatsformat import storage
from hatsformat.artefacts.parquet_metadata import write_metadata
schema = pa.schema([(f"c{{k}}", pa.float64()) for k in range(40)])
sink = pa.BufferOutputStream()
pq.write_table(pa.table([[1.0]] * 40, schema=schema), sink)
leaf = sink.getvalue()
def footers():
    for k in range(2000):
        yield f"Norder=6/Dir=0/Npix={{k}}.parquet", pq.read_metadata(pa.BufferReader(leaf))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
place = storage.resolve({str(tmp_path / "_metadata")!r})
assert write_metadata(place, schema, footers()) == 2000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, storage.size(place) // 1024)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        grown, size = map(int, done.stdout.split())
        assert grown < 16 * size


def read_schema(path: UPath) -> pa.Schema:
    return read_footer(path).schema.to_arrow_schema()


class TestCommonMetadata:
    def test_schema_and_key_values_without_rows(self, root: UPath) -> None:
        write_common_metadata(root / "dataset/_common_metadata", SCHEMA)
        assert read_schema(root / "dataset/_common_metadata").equals(SCHEMA, check_metadata=True)
        footer = read_footer(root / "dataset/_common_metadata")
        assert (footer.num_rows, footer.num_row_groups) == (0, 0)

    def test_field_metadata_is_kept(self, root: UPath) -> None:
        schema = pa.schema([pa.field("ra", pa.float64(), nullable=False, metadata={"unit": "deg"})])
        write_common_metadata(root / "c", schema)
        found = read_schema(root / "c")
        assert found.field("ra").metadata[b"unit"] == b"deg"
        assert not found.field("ra").nullable

    def test_any_parquet_file_will_do(self, root: UPath) -> None:
        write_leaf(root / "leaf.parquet", leaf_table(0, 3), LeafFormat())
        assert read_schema(root / "leaf.parquet").equals(SCHEMA, check_metadata=True)

    def test_nothing_there_and_junk(self, root: UPath) -> None:
        with pytest.raises(NotFoundError):
            read_schema(root / "nothing")
        for content in (b"", b"junk", b"PAR1" + b"\xff" * 50 + b"\x20\0\0\0PAR1"):
            storage.write_bytes(root / "junk", content)
            with pytest.raises(LeafError):
                read_schema(root / "junk")


def test_other_writers_files(shared: Path) -> None:
    files = sorted((shared / "third_party" / "catalogs").rglob("_metadata"))
    assert files
    for file in files:
        footer = read_footer(storage.resolve(file))
        named = metadata_leaves(footer)
        assert bool(named) == (footer.num_rows > 0)
        assert all((file.parent / path).exists() for path in named)
        assert len(read_schema(storage.resolve(file.with_name("_common_metadata")))) > 0


ROOT = Path(__file__).resolve().parents[2]
