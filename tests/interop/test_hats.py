"""hats, lsdb and hats-import read what this package writes, row for row, and the other way round."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hatsformat
from hatsformat.importing import import_catalog
from tests.support import skies
from tests.support.worked_example import LEAF_ROWS, OPTIONS, TOY

hats = pytest.importorskip("hats", reason="hats is not installed (extra `interop`)")
lsdb = pytest.importorskip("lsdb", reason="lsdb is not installed (extra `interop`)")

pytestmark = [
    pytest.mark.interop,
    # What these packages and their dependencies warn of is not this package's business.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(autouse=True)
def in_this_process():
    """Dask works in threads: no cluster."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield


def nested(count=60, seed=1):
    """Objects with light curves: a struct of lists each."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 5, count)
    curves = [{"mjd": rng.uniform(0, 1, n).tolist(), "mag": rng.normal(15, 1, n).tolist()} for n in lengths]
    kind = pa.struct([("mjd", pa.list_(pa.float64())), ("mag", pa.list_(pa.float64()))])
    return pa.table(
        {
            "id": range(count),
            "ra": rng.uniform(0, 360, count),
            "dec": rng.uniform(-90, 90, count),
            "lightcurve": pa.array(curves, kind),
        }
    )


def plain(table):
    """A table of the types that pandas and the other tools keep apart as we do."""
    return table.drop_columns([name for name in ("good",) if name in table.column_names])


def sorted_frame(frame):
    frame = frame.reset_index(drop=True)
    frame = frame[[name for name in frame.columns if name != skies.INDEX]]
    return frame.sort_values("id").reset_index(drop=True)


def assert_same(frame, table):
    """A data frame of theirs holds the rows of a table, bit for bit."""
    frame = sorted_frame(pd.DataFrame(frame))
    table = table.sort_by("id")
    assert list(frame.columns) == table.column_names
    for name in table.column_names:
        ours = table[name]
        if pa.types.is_nested(ours.type):
            continue
        theirs = pa.chunked_array(pa.array(frame[name])).cast(ours.type)
        assert skies.bits(pa.table({name: theirs})) == skies.bits(pa.table({name: ours})), name


WAYS = {
    "object": {},
    "source": {"catalog_type": "source"},
    "leaf directories": {"leaf": "directory"},
    "thumbnail": {"thumbnail": True},
    "keeping empty siblings": {"keep_empty_siblings": True, "lowest_order": 1},
    "one row group each": {"row_group_rows": 1_000_000},
    "many row groups": {"row_group_rows": 5},
}


@pytest.fixture(scope="module")
def stars():
    return plain(skies.stars(400))


@pytest.fixture(scope="module", params=WAYS)
def ours(request, stars, tmp_path_factory):
    """A catalog that we wrote, in one of several ways."""
    root = tmp_path_factory.mktemp("ours") / "stars"
    import_catalog(stars, root, max_rows=60, highest_order=7, **WAYS[request.param])
    return root


class TestTheyReadOurs:
    def test_valid_when_strict(self, ours):
        from hats.io.validation import is_valid_catalog

        assert is_valid_catalog(ours, strict=True, verbose=False)

    def test_hats(self, ours, stars):
        catalog = hats.read_hats(ours)
        properties = skies.read_properties(ours)
        assert catalog.catalog_info.catalog_type == properties["dataproduct_type"]
        assert catalog.catalog_info.total_rows == len(stars)
        assert (catalog.catalog_info.ra_column, catalog.catalog_info.dec_column) == ("ra", "dec")
        tiles = {(leaf.order, leaf.pixel) for leaf in skies.read_leaves(ours)}
        assert {(pixel.order, pixel.pixel) for pixel in catalog.get_healpix_pixels()} == tiles
        frames = [catalog.read_pixel_to_pandas(pixel) for pixel in catalog.get_healpix_pixels()]
        assert_same(pd.concat(frames), stars)

    def test_lsdb(self, ours, stars):
        catalog = lsdb.open_catalog(ours)
        frame = catalog.compute(progress_bar=False)
        assert frame.index.name == skies.INDEX
        assert (np.sort(frame.index) == np.sort(skies.healpix(stars["ra"], stars["dec"]))).all()
        assert_same(frame, stars)

    def test_lsdb_cone(self, ours, stars):
        found = lsdb.open_catalog(ours, search_filter=lsdb.ConeSearch(56.75, 24.12, 3600)).compute(
            progress_bar=False
        )
        mine = hatsformat.open_catalog(ours).scan(region=hatsformat.Cone(56.75, 24.12, 1)).to_table()
        assert len(mine) > 20
        assert sorted(found["id"]) == sorted(mine["id"].to_pylist())

    def test_sky_map_and_coverage(self, ours, stars):
        from hats.io.file_io import read_fits_image
        from hats.io.paths import get_point_map_file_pointer

        catalog = hats.read_hats(ours)
        counts = read_fits_image(get_point_map_file_pointer(catalog.catalog_base_dir))
        order = round(np.log(len(counts) / 12) / np.log(4))
        pixels, rows = np.unique(skies.healpix(stars["ra"], stars["dec"], order), return_counts=True)
        assert (np.flatnonzero(counts) == pixels).all()
        assert (counts[pixels] == rows).all()
        assert catalog.moc is not None
        assert catalog.moc.sky_fraction == pytest.approx(len(pixels) / len(counts), rel=1e-6)


class TestTheyReadOurTypes:
    def test_nested_columns(self, tmp_path):
        from hats.io.validation import is_valid_catalog

        table = nested()
        import_catalog(table, tmp_path / "curves", max_rows=20)
        assert is_valid_catalog(tmp_path / "curves", strict=True, verbose=False)
        frame = lsdb.open_catalog(tmp_path / "curves").compute(progress_bar=False)
        assert_same(frame.drop(columns="lightcurve"), table.drop_columns(["lightcurve"]))
        found = frame.sort_values("id")["lightcurve"]
        for theirs, wanted in zip(found, table.sort_by("id")["lightcurve"].to_pylist(), strict=True):
            rows = pd.DataFrame(theirs)
            assert {name: rows[name].tolist() if len(rows) else [] for name in ("mjd", "mag")} == wanted

    def test_converted_units(self, tmp_path):
        table = pa.table(
            {"id": [1, 2], "ra": ["05:34:31.94", "00:42:44.35"], "dec": ["+22:00:52.2", "-41:16:08.6"]}
        )
        import_catalog(table, tmp_path / "sky")
        frame = lsdb.open_catalog(tmp_path / "sky").compute(progress_bar=False).sort_values("id")
        assert frame["ra_deg"].tolist() == pytest.approx([83.63308333333333, 10.684791666666667], abs=1e-12)

    def test_the_worked_example(self, tmp_path):
        from hats.io.validation import is_valid_catalog

        for name, text in TOY.items():
            (tmp_path / name).write_text(text)
        import_catalog([tmp_path / name for name in TOY], tmp_path / "toy", **OPTIONS)
        assert is_valid_catalog(tmp_path / "toy", strict=True, verbose=False)
        frame = lsdb.open_catalog(tmp_path / "toy").compute(progress_bar=False)
        assert list(zip(frame.index, frame["id"], strict=True)) == [row[1:] for row in LEAF_ROWS]


def opened_rows(path):
    """All rows as our reader returns them, without the columns of older catalogs."""
    table = hatsformat.open_catalog(path).scan(columns="all").to_table()
    return table.drop_columns(
        [name for name in (skies.INDEX, "Norder", "Dir", "Npix") if name in table.column_names]
    )


class TestWeReadTheirs:
    def test_lsdb(self, tmp_path, stars):
        frame = stars.to_pandas(types_mapper=pd.ArrowDtype)
        theirs = lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec", partition_rows=60)
        theirs.to_hats(tmp_path / "theirs", catalog_name="theirs", as_collection=False, progress_bar=False)
        self.check(tmp_path / "theirs", stars)
        # A second time, by way of ours.
        import_catalog(tmp_path / "theirs", tmp_path / "again", max_rows=50)
        skies.assert_same_rows(skies.read_rows(tmp_path / "again").cast(stars.schema), stars, "id")

    def test_lsdb_collection_with_a_margin(self, tmp_path, stars):
        frame = stars.to_pandas(types_mapper=pd.ArrowDtype)
        theirs = lsdb.from_dataframe(
            frame, ra_column="ra", dec_column="dec", partition_rows=60, margin_threshold=600
        )
        theirs.to_hats(tmp_path / "theirs", catalog_name="theirs", as_collection=True, progress_bar=False)
        self.check(tmp_path / "theirs", stars)
        catalog = hatsformat.open_catalog(tmp_path / "theirs")
        assert len(catalog.margins) == 1
        margin = catalog.margin().scan(columns="all").to_table()
        assert len(margin) == catalog.margin().properties.hats_nrows

    def test_lsdb_nested(self, tmp_path):
        import_catalog(nested(), tmp_path / "ours", max_rows=20)
        theirs = lsdb.open_catalog(tmp_path / "ours")
        theirs.to_hats(tmp_path / "theirs", catalog_name="theirs", as_collection=False, progress_bar=False)
        found = opened_rows(tmp_path / "theirs").sort_by("id")
        assert [repr(row) for row in found.select(nested().column_names).to_pylist()] == [
            repr(row) for row in nested().to_pylist()
        ]

    def check(self, path, table):
        found = opened_rows(path)
        assert hatsformat.open_catalog(path).properties.hats_nrows == len(table)
        skies.assert_same_rows(found.select(table.column_names).cast(table.schema), table, "id")


@pytest.mark.slow
class TestHatsImport:
    """The pipeline of hats-import on small inputs, on one small cluster."""

    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, tmp_path_factory):
        distributed = pytest.importorskip("distributed", reason="distributed is not installed (extra `dask`)")
        pytest.importorskip("hats_import", reason="hats-import is not installed (extra `interop`)")
        folder = tmp_path_factory.mktemp("dask")
        cluster = distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            local_directory=str(folder),
        )
        with cluster, distributed.Client(cluster) as client:
            yield client

    def run(self, client, tmp_path, table, **options):
        from hats_import.catalog.arguments import ImportArguments
        from hats_import.pipeline import pipeline_with_client

        (tmp_path / "in").mkdir()
        for part in range(2):
            pq.write_table(table.slice(part * 200, 200), tmp_path / "in" / f"{part}.parquet")
        arguments = ImportArguments(
            input_path=tmp_path / "in",
            file_reader="parquet",
            output_path=tmp_path,
            output_artifact_name="theirs",
            ra_column="ra",
            dec_column="dec",
            pixel_threshold=60,
            highest_healpix_order=7,
            progress_bar=False,
            resume=False,
            **options,
        )
        pipeline_with_client(arguments, client)
        return tmp_path / "theirs"

    @pytest.mark.parametrize("options", [{}, {"npix_suffix": "/"}], ids=["files", "directories"])
    def test_we_read_theirs(self, client, tmp_path, stars, options):
        path = self.run(client, tmp_path, stars, **options)
        found = opened_rows(path)
        skies.assert_same_rows(found.select(stars.column_names).cast(stars.schema), stars, "id")
        # They settle on the coarsest order that meets the threshold; from there the tiles are the same.
        theirs = hatsformat.open_catalog(path)
        deepest = theirs.partitions.max_order
        ours = import_catalog(tmp_path / "in", tmp_path / "ours", max_rows=60, highest_order=deepest)
        assert list(ours.partitions) == list(theirs.partitions)
        assert (ours.skymap(3) == theirs.skymap(3)).all()
        mine = ours.scan(columns=[skies.INDEX]).to_table()
        assert (
            mine[skies.INDEX].to_pylist()
            == theirs.scan(columns=[skies.INDEX]).to_table()[skies.INDEX].to_pylist()
        )
