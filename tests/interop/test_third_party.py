"""The catalogs that other tools wrote: each opens and gives all its rows, or is refused with a clear
reason."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord

from hatsformat import Box, Cone, NotFoundError, UsageError, open_catalog, open_collection
from hatsformat.layout import leaf_paths

CATALOGS = {
    "small_sky": ("object", 131),
    "small_sky_healpix13": ("object", 131),
    "small_sky_nested": ("object", 131),
    "small_sky_npix_alt_suffix": ("object", 131),
    "small_sky_npix_as_dir": ("object", 131),
    "small_sky_o1_collection": ("object", 131),
    "small_sky_o1_collection/small_sky_order1": ("object", 131),
    "small_sky_o1_collection/small_sky_order1_id_index": ("index", 131),
    "small_sky_o1_collection/small_sky_order1_margin": ("margin", 47),
    "small_sky_o1_collection/small_sky_order1_margin_10arcs": ("margin", 0),
    "small_sky_object_source_association": ("association", 131),
    "small_sky_source": ("source", 17161),
    "small_sky_source_npix_dir_catalog": ("source", 17161),
    "small_sky_source_object_index": ("index", 148),
    "square_map": ("map", 12),
}
WITHOUT_ROWS = "small_sky_to_small_sky_order1"
ALONE = ("info_only/catalog", "info_only/dataset", "info_only/index_catalog", "info_only/margin_cache")


@pytest.fixture
def catalogs(shared):
    return shared / "third_party" / "catalogs"


def rows_on_disk(root):
    """All rows of a catalog, by looking for Parquet files."""
    files = sorted(path for path in (root / "dataset").rglob("*") if path.is_file() and path.name[0] != "_")
    tables = [pq.read_table(file, partitioning=None) for file in files]
    return pa.concat_tables(tables) if tables else None


def test_every_catalog_is_in_these_tests(catalogs):
    found = {path.parent.relative_to(catalogs).as_posix() for path in catalogs.rglob("*properties")}
    assert found == {*CATALOGS, *ALONE, WITHOUT_ROWS, "info_only/collection"}


@pytest.mark.parametrize("name", CATALOGS)
def test_a_full_scan_gives_all_rows(catalogs, name):
    kind, count = CATALOGS[name]
    catalog = open_catalog(catalogs / name)
    assert catalog.properties.dataproduct_type == kind
    assert catalog.properties.hats_nrows == count
    assert catalog.scan().count_rows() == count
    table = catalog.scan("all").to_table()
    assert table.num_rows == count
    assert table.column_names == catalog.schema.names
    expected = rows_on_disk(catalog.path)
    if expected is not None:
        assert table.column_names == expected.column_names
        assert sorted(map(str, table.to_pylist())) == sorted(map(str, expected.to_pylist()))
    assert len(catalog.scan().to_astropy()) == count
    assert catalog.scan().plan().rows == count


@pytest.mark.parametrize("name", CATALOGS)
def test_tiles_are_those_of_the_leaf_files(catalogs, name):
    catalog = open_catalog(catalogs / name)
    paths = leaf_paths(catalog.partitions.orders, catalog.partitions.pixels, catalog.properties.npix_suffix)
    found = {
        path.relative_to(catalog.path).as_posix() for path in catalog.path.glob("dataset/Norder*/Dir*/Npix*")
    }
    assert set(paths) == found


@pytest.mark.parametrize("name", ALONE)
def test_properties_alone_are_refused(catalogs, name):
    with pytest.raises(NotFoundError, match=f"{name}: the catalog has properties but no data"):
        open_catalog(catalogs / name)


def test_a_collection_of_properties_alone_is_refused(catalogs):
    for opens in (open_catalog, open_collection):
        with pytest.raises(NotFoundError, match="the table 'small_sky_order1' is missing"):
            opens(catalogs / "info_only" / "collection")


def test_an_association_of_tiles_has_tiles_and_no_rows(catalogs):
    catalog = open_catalog(catalogs / WITHOUT_ROWS)
    assert [(tile.order, tile.pixel) for tile in catalog.partitions] == [
        (1, pixel) for pixel in range(44, 48)
    ]
    assert catalog.primary().name == "small_sky"
    with pytest.raises(UsageError, match=r"links whole tiles.*hats_assn_leaf_files=False"):
        catalog.scan()


@pytest.mark.parametrize(
    "name",
    [name for name, (kind, _) in CATALOGS.items() if kind in ("object", "source", "margin")],
)
@pytest.mark.parametrize(
    "cone", [(308.5, -69.5, 0), (320, -36, 5), (300, -50, 20), (0, -90, 25), (0, 90, 90)]
)
def test_a_cone_gives_the_rows_of_brute_force(catalogs, name, cone):
    catalog = open_catalog(catalogs / name)
    everything = rows_on_disk(catalog.path)
    found = catalog.scan("all", region=Cone(*cone)).to_table()
    if everything is None:
        assert found.num_rows == 0
        return
    ra, dec = (
        everything.column(column).to_numpy()
        for column in (catalog.properties.hats_col_ra, catalog.properties.hats_col_dec)
    )
    centre = SkyCoord(cone[0], cone[1], unit="deg")
    expected = everything.filter(SkyCoord(ra, dec, unit="deg").separation(centre).deg <= cone[2])
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, expected.to_pylist()))


def test_a_box_gives_the_rows_of_brute_force(catalogs):
    catalog = open_catalog(catalogs / "small_sky_source")
    everything = rows_on_disk(catalog.path)
    ra, dec = (everything.column(name).to_numpy() for name in ("source_ra", "source_dec"))
    inside = (ra >= 310) & (ra <= 320) & (dec >= -50) & (dec <= -30)
    assert 0 < inside.sum() == catalog.scan(region=Box((310, 320), (-50, -30))).count_rows()


def test_an_association_is_searched_by_its_index(catalogs):
    association = open_catalog(catalogs / "small_sky_object_source_association")
    objects = open_catalog(catalogs / "small_sky")
    cone = Cone(300, -40, 10)
    found = association.scan(["id_obj"], region=cone).to_table().column("id_obj").to_pylist()
    assert sorted(found) == sorted(objects.scan(["id"], region=cone).to_table().column("id").to_pylist())
    assert len(found) > 5


def test_a_map_is_searched_by_its_index(catalogs):
    square = open_catalog(catalogs / "square_map")
    assert square.scan(region=Cone(45, 0, 0.001)).to_table().column("_healpix_29").to_pylist() == [0]


def test_members_of_the_collection_are_at_hand(catalogs):
    collection = open_collection(catalogs / "small_sky_o1_collection")
    assert collection.margins == ("small_sky_order1_margin", "small_sky_order1_margin_10arcs")
    assert collection.margin().scan().count_rows() == 47
    assert collection.margin("small_sky_order1_margin_10arcs").scan().count_rows() == 0
    assert collection.index().primary().path == collection.primary.path
    rows = collection.primary.lookup("id", [700, 707, 800, 5]).to_table()
    assert sorted(rows.column("id").to_pylist()) == [700, 707, 800]


@pytest.mark.parametrize(
    "name", ["small_sky_healpix13", "small_sky_nested", "small_sky_source", "square_map"]
)
def test_sky_maps_count_all_rows(catalogs, name):
    catalog = open_catalog(catalogs / name)
    assert catalog.skymap().sum() == catalog.properties.hats_nrows
    coarse = catalog.skymap(1)
    assert coarse.shape == (48,)
    assert coarse.sum() == catalog.properties.hats_nrows
    filled = np.flatnonzero(coarse)
    assert set(filled) <= {
        int(tile.pixel >> 2 * (tile.order - 1)) if tile.order else -1 for tile in catalog.partitions
    } | {*range(16, 20), *range(44, 48)}
