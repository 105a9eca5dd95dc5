from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from astropy import units

from hatsformat import (
    ColumnError,
    Cone,
    FormatError,
    NotFoundError,
    PropertiesError,
    UsageError,
    open_catalog,
    open_collection,
)
from tests.support.catalog_trees import Tree, stars, write_index

SKY = stars(1500)


@pytest.fixture
def collection(tmp_path):
    root = tmp_path / "survey"
    tiles = Tree().write(root / "stars", SKY)
    margin = {
        "dataproduct_type": "margin",
        "hats_primary_table_url": "stars",
        "hats_margin_threshold": "5",
    }
    Tree(properties=margin).write(root / "stars_5arcs", SKY.slice(0, 30))
    write_index(root / "stars_id", SKY, tiles)
    (root / "collection.properties").write_text(
        "obs_collection=survey\nhats_primary_table_url=stars\n"
        "all_margins=stars_5arcs\nall_indexes=id stars_id\n"
    )
    return root


class TestOpening:
    def test_a_catalog(self, collection):
        for path in (
            collection / "stars",
            str(collection / "stars"),
            collection / "stars" / "hats.properties",
        ):
            catalog = open_catalog(path)
            assert catalog.name == "stars"
            assert catalog.path == collection / "stars"
            assert catalog.properties.hats_nrows == len(SKY)
            assert "stars" in repr(catalog)

    def test_a_collection_gives_its_primary(self, collection):
        for path in (collection, collection / "collection.properties"):
            catalog = open_catalog(path)
            assert catalog.name == "stars"
            assert catalog.margins == ("stars_5arcs",)
            assert catalog.indexes == ("id",)
            assert catalog.margin().name == "stars_5arcs"
            assert catalog.index("id").scan().count_rows() == len(SKY)

    def test_a_collection_itself(self, collection):
        opened = open_collection(collection)
        assert opened.name == "survey"
        assert opened.primary.scan().count_rows() == len(SKY)
        assert opened.margins == ("stars_5arcs",)
        assert opened.margin("stars_5arcs").scan().count_rows() == 30
        assert opened.index().properties.hats_index_column == "id"
        assert "survey" in repr(opened)

    def test_a_primary_alone_knows_the_collection_around_it(self, collection):
        assert open_catalog(collection / "stars").margins == ("stars_5arcs",)
        assert open_catalog(collection / "stars_5arcs").margins == ()

    def test_a_directory_that_is_both(self, tmp_path):
        Tree().write(tmp_path, SKY)
        Tree().write(tmp_path / "other", SKY.slice(0, 9))
        (tmp_path / "collection.properties").write_text("obs_collection=c\nhats_primary_table_url=other\n")
        assert open_catalog(tmp_path).scan().count_rows() == len(SKY)
        assert open_collection(tmp_path).primary.scan().count_rows() == 9

    def test_a_collection_in_the_catalog_itself(self, tmp_path):
        Tree().write(tmp_path, SKY)
        (tmp_path / "collection.properties").write_text("obs_collection=c\nhats_primary_table_url=.\n")
        assert open_collection(tmp_path).primary.path == tmp_path
        assert open_catalog(tmp_path).indexes == ()

    def test_a_directory_with_the_name_of_a_file(self, tmp_path):
        Tree().write(tmp_path / "properties", SKY)
        assert open_catalog(tmp_path / "properties").scan().count_rows() == len(SKY)

    def test_nothing(self, tmp_path):
        with pytest.raises(NotFoundError, match=r"hats\.properties or properties or collection\.properties"):
            open_catalog(tmp_path)
        with pytest.raises(NotFoundError, match=r"nosuch.*check the path"):
            open_catalog(tmp_path / "nosuch")
        with pytest.raises(NotFoundError, match=r"collection\.properties"):
            open_collection(tmp_path)

    def test_properties_alone(self, collection):
        import shutil

        shutil.rmtree(collection / "stars" / "dataset")
        (collection / "stars" / "partition_info.csv").unlink()
        with pytest.raises(NotFoundError, match="properties but no data"):
            open_catalog(collection / "stars")
        with pytest.raises(NotFoundError, match="properties but no data"):
            open_collection(collection)

    def test_a_collection_without_its_primary(self, tmp_path):
        (tmp_path / "collection.properties").write_text("obs_collection=c\nhats_primary_table_url=gone\n")
        for opens in (open_catalog, open_collection):
            with pytest.raises(NotFoundError, match=r"the table 'gone' is missing.*hats\.properties"):
                opens(tmp_path)

    def test_a_collection_that_names_no_primary(self, tmp_path):
        (tmp_path / "collection.properties").write_text("obs_collection=c\n")
        with pytest.raises(PropertiesError, match="hats_primary_table_url"):
            open_catalog(tmp_path)

    def test_broken_properties(self, tmp_path):
        (tmp_path / "hats.properties").write_text("dataproduct_type=nonsense\n")
        with pytest.raises(PropertiesError, match=r"hats\.properties.*nonsense"):
            open_catalog(tmp_path)


class TestMembers:
    def test_that_are_not_there(self, collection):
        opened = open_collection(collection)
        with pytest.raises(UsageError, match=r"no margin cache 'x'.*stars_5arcs"):
            opened.margin("x")
        with pytest.raises(UsageError, match=r"no index 'ra'.*one of: id"):
            opened.index("ra")

    def test_of_a_catalog_alone(self, tmp_path):
        Tree().write(tmp_path, SKY)
        catalog = open_catalog(tmp_path)
        assert catalog.margins == catalog.indexes == ()
        with pytest.raises(UsageError, match="not in a collection"):
            catalog.margin()
        with pytest.raises(UsageError, match="not in a collection"):
            catalog.lookup("id", 5)

    @pytest.mark.parametrize("default", ["b", None])
    def test_default(self, tmp_path, default):
        for name in ("a", "b"):
            Tree().write(tmp_path / name, SKY.slice(0, 10))
        extra = f"default_margin={default}\n" if default else ""
        text = f"obs_collection=c\nhats_primary_table_url=a\nall_margins=a b\n{extra}"
        (tmp_path / "collection.properties").write_text(text)
        if default:
            assert open_collection(tmp_path).margin().name == "b"
        else:
            with pytest.raises(UsageError, match=r"name the margin cache to open.*one of: a, b"):
                open_collection(tmp_path).margin()
        with pytest.raises(UsageError, match="no index"):
            open_collection(tmp_path).index()

    @pytest.mark.parametrize(
        "reference",
        [
            "stars",
            "./stars/",
            "../stars",
            "survey/stars",
            "../survey/stars",
            "{root}/stars",
            "file://{root}/stars",
        ],
    )
    def test_refer_to_their_primary_in_many_ways(self, collection, reference):
        place = collection / "stars_5arcs" / "hats.properties"
        reference = reference.format(root=collection)
        place.write_text(place.read_text().replace("url=stars", f"url={reference}"))
        for margin in (open_collection(collection).margin(), open_catalog(collection / "stars_5arcs")):
            assert margin.primary().path == collection / "stars"

    def test_may_refer_to_nothing(self, collection):
        with pytest.raises(UsageError, match="hats_primary_table_url is missing"):
            open_catalog(collection).primary()
        with pytest.raises(UsageError, match="hats_assn_join_table_url"):
            open_catalog(collection).join_table()


class TestFiles:
    def test_are_read_once_and_when_needed(self, collection, monkeypatch):
        from hatsformat import storage

        read = []
        original = storage.read_bytes
        monkeypatch.setattr(
            storage,
            "read_bytes",
            lambda place, **options: read.append(place.name) or original(place, **options),
        )
        catalog = open_catalog(collection / "stars")
        assert read == ["hats.properties"]
        assert len(catalog.partitions) == len(catalog.partitions) > 1
        assert catalog.schema.equals(catalog.schema)
        assert read == ["hats.properties", "partition_info.csv"]

    def test_schema_without_any_file_is_an_error(self, tmp_path):
        Tree(metadata=False, common_metadata=False).write(tmp_path, SKY.slice(0, 0))
        (tmp_path / "dataset").mkdir(exist_ok=True)
        with pytest.raises(FormatError, match="columns of the catalog are unknown"):
            _ = open_catalog(tmp_path).schema

    def test_paths_outside_the_catalog_are_refused(self, tmp_path):
        Tree(partition_info=False, metadata=False).write(tmp_path, SKY)
        footers = []
        for leaf in (tmp_path / "dataset").rglob("Npix*"):
            footers.append(pq.read_metadata(leaf))
            footers[-1].set_file_path("../../secret/Norder=0/Dir=0/Npix=0.parquet")
        schema = pq.read_schema(tmp_path / "dataset" / "_common_metadata")
        pq.write_metadata(schema, tmp_path / "dataset" / "_metadata", footers)
        with pytest.raises(FormatError, match=r"outside the catalog.*secret"):
            _ = open_catalog(tmp_path).partitions

    def test_stray_files_are_no_leaves(self, tmp_path):
        Tree(partition_info=False, metadata=False).write(tmp_path, SKY)
        tiles = open_catalog(tmp_path).partitions
        for name in ("README.md", ".hidden", "Norder=0/note.txt", "Norder=1/Dir=0/.Npix=3.parquet.swp"):
            (tmp_path / "dataset" / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / "dataset" / name).write_text("x")
        assert open_catalog(tmp_path).partitions == tiles
        assert open_catalog(tmp_path).scan().count_rows() == len(SKY)

    def test_catalogs_and_collections_can_be_sent_to_other_processes(self, collection):
        catalog = pickle.loads(pickle.dumps(open_catalog(collection)))
        assert catalog.scan(region=Cone(0, 0, 5)).count_rows() > 0
        assert catalog.indexes == ("id",)
        assert pickle.loads(pickle.dumps(open_collection(collection))).primary.name == "stars"


class TestLookup:
    def test_finds_rows(self, collection):
        wanted = [5, 77, 1400, 5, 99999, -3]
        table = open_catalog(collection).lookup("id", wanted).to_table()
        expected = SKY.filter(pc.field("id").isin(wanted)).sort_by("id")
        assert table.select(SKY.column_names).sort_by("id").equals(expected.combine_chunks())

    @pytest.mark.parametrize(
        "values", [5, [5], np.array([5]), np.int32(5), pa.array([5]), pa.chunked_array([[5]]), [5.0]]
    )
    def test_takes_values_of_many_kinds(self, collection, values):
        table = open_catalog(collection).lookup("id", values, columns=["mag", "id"]).to_table()
        assert table.column("id").to_pylist() == [5]
        assert table.column_names == ["mag", "id"]

    def test_of_nothing_is_empty(self, collection):
        catalog = open_catalog(collection)
        for values in ([], [99999], [None]):
            table = catalog.lookup("id", values).to_table()
            assert table.num_rows == 0
            assert table.column_names == catalog.schema.names

    def test_is_a_scan_that_reads_the_index_when_needed(self, collection):
        catalog = open_catalog(collection)
        part = collection / "stars_id" / "dataset" / "index" / "part.0.parquet"
        hidden = part.rename(collection / "hidden.parquet")
        scan = catalog.lookup("id", [5, 77], columns=["id", "mag"])
        assert scan.schema.names == ["id", "mag"]
        assert "id" in repr(scan)
        with pytest.raises(NotFoundError, match="stars_id"):
            scan.plan()
        hidden.rename(part)
        plan = scan.plan()
        assert 1 <= len(plan.leaves) <= 2 < plan.total_leaves
        assert scan.count_rows() == scan.to_table().num_rows == 2
        assert pickle.loads(pickle.dumps(scan)).count_rows() == 2

    def test_reads_only_tiles_that_the_index_names(self, collection):
        catalog = open_catalog(collection)
        row = catalog.scan(limit=1).to_table()
        tile = catalog.partitions[0]
        for leaf in (collection / "stars" / "dataset").rglob("Npix*"):
            if not leaf.match(f"Norder={tile.order}/*/Npix={tile.pixel}.parquet"):
                leaf.unlink()
        assert catalog.lookup("id", row.column("id")).to_table().equals(row)

    def test_works_with_an_index_of_pixels(self, collection):
        from tests.support.catalog_trees import healpix

        part = collection / "stars_id" / "dataset" / "index" / "part.0.parquet"
        pixels = healpix(SKY.column("ra"), SKY.column("dec"), 29)
        pq.write_table(pa.table({"id": SKY.column("id"), "_healpix_29": pixels}), part)
        assert open_catalog(collection).lookup("id", [5, 6]).count_rows() == 2

    def test_works_with_an_index_in_many_parts_and_of_another_type(self, collection):
        folder = collection / "stars_id" / "dataset" / "index"
        table = pq.read_table(folder / "part.0.parquet")
        table = table.set_column(0, "id", table.column("id").cast(pa.int32()))
        for part in range(12):
            rows = np.array_split(np.arange(len(table)), 12)[part]
            pq.write_table(table.take(rows), folder / f"part.{part}.parquet")
        assert open_catalog(collection).lookup("id", range(100)).count_rows() == 100

    @pytest.mark.parametrize(
        ("column", "values", "error", "words"),
        [
            ("mag", [5], UsageError, "no index 'mag'.*one of: id"),
            ("ids", [5], ColumnError, "did you mean id"),
            ("id", ["x"], UsageError, "fit the type of the column 'id'.*int64"),
            ("id", {"a": 1}, UsageError, "do not fit the type"),
            ("id", [1.5], UsageError, "do not fit the type"),
        ],
    )
    def test_says_what_is_wrong(self, collection, column, values, error, words):
        with pytest.raises(error, match=words):
            open_catalog(collection).lookup(column, values)

    def test_of_a_stale_index_is_an_error(self, collection):
        part = collection / "stars_id" / "dataset" / "index" / "part.0.parquet"
        table = pq.read_table(part)
        wrong = pa.array(np.full(len(table), 9), pa.uint8())
        pq.write_table(table.set_column(1, "Norder", wrong), part)
        with pytest.raises(FormatError, match=r"stars_id.*names a tile.*Norder 9.*build the index again"):
            open_catalog(collection).lookup("id", [5]).to_table()

    def test_of_an_index_without_tiles_is_an_error(self, collection):
        part = collection / "stars_id" / "dataset" / "index" / "part.0.parquet"
        pq.write_table(pq.read_table(part).select(["id"]), part)
        with pytest.raises(FormatError, match=r"does not say which tiles.*Norder and Npix"):
            open_catalog(collection).lookup("id", [5]).to_table()


class TestCoverage:
    def test_moc_is_that_of_the_tiles(self, collection):
        catalog = open_catalog(collection)
        moc = catalog.moc()
        assert moc.max_order == catalog.partitions.max_order
        assert moc.sky_fraction == pytest.approx(catalog.partitions.sky_fraction)
        assert moc.contains_lonlat(*(SKY.column(name).to_numpy() * units.deg for name in ("ra", "dec"))).all()

    def test_moc_of_nothing(self, tmp_path):
        (tmp_path / "dataset").mkdir()
        Tree().write(tmp_path, SKY.slice(0, 0))
        assert open_catalog(tmp_path).moc().empty()

    def test_skymap_may_be_missing(self, collection):
        assert open_catalog(collection).skymap() is None
        assert open_catalog(collection).skymap(3) is None

    def test_skymap_is_read_and_summed(self, collection):
        from hatsformat.artefacts.skymap import encode_skymap

        counts = np.arange(12 * 4**4) % 7
        (collection / "stars" / "point_map.fits").write_bytes(encode_skymap(counts))
        np.testing.assert_array_equal(open_catalog(collection).skymap(), counts)
        (collection / "stars" / "skymap.fits").write_bytes(encode_skymap(2 * counts))
        catalog = open_catalog(collection)
        np.testing.assert_array_equal(catalog.skymap(), 2 * counts)
        np.testing.assert_array_equal(catalog.skymap(2), 2 * counts.reshape(192, 16).sum(axis=1))
        with pytest.raises(UsageError, match="must not be higher"):
            catalog.skymap(5)

    def test_skymap_prefers_a_small_file(self, tmp_path):
        from hatsformat.artefacts.skymap import encode_skymap

        Tree(properties={"hats_skymap_order": "6", "hats_skymap_alt_orders": "1 3"}).write(tmp_path, SKY)
        (tmp_path / "skymap.3.fits").write_bytes(encode_skymap(np.ones(768, dtype=int)))
        (tmp_path / "skymap.1.fits").write_bytes(encode_skymap(np.ones(48, dtype=int)))
        (tmp_path / "skymap.fits").write_bytes(b"not read")
        catalog = open_catalog(tmp_path)
        assert catalog.skymap(1).tolist() == [1] * 48
        assert catalog.skymap(2).tolist() == [4] * 192


def test_a_cone_loads_neither_astropy_nor_a_healpix_library(collection):
    forbidden = ("astropy", "mocpy", "cdshealpix", "pyarrow.dataset")
    program = (
        "import sys; from hatsformat import open_catalog, Cone, Box\n"
        f"catalog = open_catalog({str(collection / 'stars')!r})\n"
        "for region in (Cone(0, 0, 1), Box((350, 10), (-5, 5))):\n"
        "    assert catalog.scan(region=region).to_table().num_rows\n"
        f"print([name for name in {forbidden} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
