from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from hatsformat import (
    Box,
    ColumnError,
    Cone,
    LeafError,
    NotFoundError,
    Polygon,
    RegionError,
    UsageError,
    open_catalog,
)
from tests.support.catalog_trees import Tree, healpix, stars

SKY = stars()
RA, DEC, ID = (SKY.column(name).to_numpy() for name in ("ra", "dec", "id"))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    root = tmp_path_factory.mktemp("sky")
    Tree().write(root, SKY)
    return open_catalog(root)


def ids(scan):
    return sorted(scan.to_table().column("id").to_pylist())


def within(ra, dec, radius):
    separation = SkyCoord(RA, DEC, unit="deg").separation(SkyCoord(ra, dec, unit="deg")).deg
    return sorted(ID[separation <= radius].tolist())


CONES = [
    (56.75, 24.12, 2.0), (56.75, 24.12, 1 / 3600), (0, 90, 0.5), (123, 89.9, 1), (50, -90, 3), (0, 0, 0.1),
    (45, 0, 1e-4), (90, 41.810314895778596, 0.01), (0, 0, 0), (359.9, 0, 1), (200, 10, 60), (10, 10, 180),
    (100, 20, 100), (270, -41.8, 5),
]  # fmt: skip


@pytest.mark.parametrize("cone", CONES, ids=str)
def test_cone_gives_the_rows_of_brute_force(catalog, cone):
    assert ids(catalog.scan(region=Cone(*cone))) == within(*cone)


@given(st.floats(0, 360), st.floats(-90, 90), st.floats(-5, 2).map(lambda power: 10.0**power))
def test_any_cone_around_a_star_gives_the_rows_of_brute_force(catalog, ra, dec, radius):
    near = int(np.argmin((RA - ra) ** 2 + (DEC - dec) ** 2))
    assert ids(catalog.scan(region=Cone(RA[near], DEC[near], radius))) == within(RA[near], DEC[near], radius)


BOXES = [
    ((350, 10), (-5, 5)), ((0, 360), (89, 90)), ((0, 360), (-90, -88)), ((44, 46), (-1, 1)),
    ((100, 100), (-90, 90)), ((180, 179), (-20, 80)), ((0, 360), (-90, 90)), ((359.99, 0), (0, 0.01)),
]  # fmt: skip


@pytest.mark.parametrize("box", BOXES, ids=str)
def test_box_gives_the_rows_of_brute_force(catalog, box):
    (west, east), (south, north) = box
    in_ra = (west <= RA) & (east >= RA) if west <= east else (west <= RA) | (east >= RA)
    inside = (south <= DEC) & (north >= DEC) & (in_ra | (np.abs(DEC) == 90))
    assert inside.any() or west == east
    assert ids(catalog.scan(region=Box(*box))) == sorted(ID[inside].tolist())


@pytest.mark.parametrize(
    "vertices",
    [
        [(0, 85), (90, 86), (180, 85), (270, 88)],
        [(0, -85), (120, -85), (240, -80)],
        [(350, -10), (10, -12), (5, 0), (12, 8), (352, 10)],
        [(40, -20), (140, -20), (140, 60), (90, 0), (40, 60)],
        [(56.7, 24.1), (56.8, 24.1), (56.75, 24.2)],
    ],
    ids=["north pole", "south pole", "RA 0", "arrow", "small"],
)
def test_polygon_gives_the_rows_of_its_own_test_on_all_rows(catalog, vertices):
    polygon = Polygon(vertices)
    inside = polygon.contains(RA, DEC)
    assert 0 < inside.sum() < len(RA) / 2
    assert ids(catalog.scan(region=polygon)) == sorted(ID[inside].tolist())


def test_moc_gives_the_rows_of_brute_force(catalog):
    import mocpy

    moc = mocpy.MOC.from_string("1/0 4 3/100-200 7/165536-165600")
    inside = moc.contains_lonlat(SkyCoord(RA, DEC, unit="deg").ra, SkyCoord(RA, DEC, unit="deg").dec)
    assert 0 < inside.sum() < len(RA)
    assert ids(catalog.scan(region=moc)) == sorted(ID[inside].tolist())
    assert ids(catalog.scan(region=mocpy.MOC.new_empty(3))) == []


REGION = Cone(0, 0, 3)
VARIANTS = {
    "plain": Tree(),
    "no partition_info": Tree(partition_info=False),
    "neither partition_info nor _metadata": Tree(partition_info=False, metadata=False),
    "nothing but leaves": Tree(partition_info=False, metadata=False, common_metadata=False),
    "no _common_metadata": Tree(common_metadata=False),
    "another suffix": Tree(suffix=".parq"),
    "leaf directories": Tree(suffix="/", parts=3),
    "leaf directories, no _metadata": Tree(suffix="/", parts=2, metadata=False),
    "leaf directories, no partition_info": Tree(suffix="/", partition_info=False),
    "many leaf directories": Tree(suffix="/", threshold=100),
    "hive columns": Tree(hive_columns=True),
    "no index column": Tree(index=None),
    "unsigned index": Tree(index_type=pa.uint64()),
    "order 13": Tree(index="healpix13", index_order=13),
    "order 19, 32 bits short": Tree(index="h5", index_order=5, index_type=pa.int32()),
    "no statistics": Tree(statistics=False),
    "one row group": Tree(group_rows=10_000),
    "legacy name": Tree(properties_names=("properties",)),
    "both names": Tree(properties_names=("properties", "hats.properties")),
    "one tile": Tree(threshold=10_000),
    "small tiles": Tree(threshold=20),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_tree_gives_the_same_rows(tmp_path, variant):
    tree = VARIANTS[variant]
    tiles = tree.write(tmp_path, SKY)
    catalog = open_catalog(tmp_path)
    assert [(tile.order, tile.pixel) for tile in catalog.partitions] == sorted(
        tiles, key=lambda tile: tile[1] << 2 * (29 - tile[0])
    )
    everything = catalog.scan(columns=["id", "ra", "dec"]).to_table()
    assert everything.sort_by("id").equals(SKY.select(["id", "ra", "dec"]).sort_by("id"))
    assert ids(catalog.scan(region=REGION)) == within(0, 0, 3)
    assert catalog.scan().count_rows() == len(SKY)
    assert catalog.scan(region=REGION).count_rows() == len(within(0, 0, 3))
    has_hive = {"Norder", "Dir", "Npix"} <= set(catalog.schema.names)
    assert has_hive == tree.hive_columns


def test_rows_come_in_the_order_of_the_sky(catalog):
    table = catalog.scan().to_table()
    pixels = healpix(table.column("ra").to_numpy(), table.column("dec").to_numpy(), 29)
    assert (np.diff(pixels) >= 0).all()
    assert catalog.scan().to_table().equals(table)


class TestPlan:
    def test_counts_only_what_a_cone_needs(self, catalog):
        everything = catalog.scan().plan()
        plan = catalog.scan(columns=["id"], region=Cone(56.75, 24.12, 0.01)).plan()
        assert plan.columns == ("id", "ra", "dec")
        assert 0 < len(plan.leaves) < everything.total_leaves / 4
        assert plan.row_groups < everything.row_groups / 20
        assert plan.rows <= 60 * plan.row_groups
        assert 0 < plan.bytes < everything.bytes / 20
        assert everything.total_leaves == len(everything.leaves) == len(catalog.partitions)
        assert everything.rows == len(SKY)
        assert everything.columns == tuple(catalog.schema.names)

    def test_can_be_printed_and_is_data(self, catalog):
        plan = catalog.scan(region=Cone(56.75, 24.12, 0.01)).plan()
        assert f"{len(plan.leaves)} of {plan.total_leaves} leaves" in str(plan)
        assert plan.leaves[0].path in str(plan)
        assert plan.to_dict()["bytes"] == plan.bytes == sum(leaf.bytes for leaf in plan.leaves)

    def test_uses_the_statistics_of_conditions(self, tmp_path):
        Tree(group_rows=50).write(tmp_path, SKY.append_column("height", SKY.column("dec")))
        catalog = open_catalog(tmp_path)
        plan = catalog.scan(where=pc.field("height") > 89).plan()
        assert 0 < plan.row_groups < 20
        assert ids(catalog.scan(where=pc.field("height") > 89)) == sorted(ID[DEC > 89].tolist())
        assert catalog.scan(where="height > 91").plan().row_groups == 0

    def test_without_statistics_reads_every_row_group_of_the_tiles(self, tmp_path):
        Tree(statistics=False).write(tmp_path, SKY)
        plan = open_catalog(tmp_path).scan(region=Cone(56.75, 24.12, 0.01)).plan()
        assert plan.rows > 60

    def test_of_a_region_off_the_catalog_is_empty(self, tmp_path):
        Tree().write(tmp_path, SKY.filter(pc.field("dec") > 10))
        scan = open_catalog(tmp_path).scan(region=Cone(0, -60, 1))
        assert scan.plan().leaves == ()
        assert scan.to_table().num_rows == 0
        assert scan.to_table().schema.names == ["_healpix_29", *SKY.column_names]


class TestColumns:
    def test_are_given_in_the_order_asked_for(self, catalog):
        table = catalog.scan(columns=["band", "id"], region=REGION).to_table()
        assert table.column_names == ["band", "id"]
        found = dict(zip(table.column("id").to_pylist(), table.column("band").to_pylist(), strict=True))
        bands = SKY.column("band").to_pylist()
        assert found == {star: bands[int(np.flatnonzero(star == ID)[0])] for star in within(0, 0, 3)}

    def test_may_be_those_of_the_test_alone(self, catalog):
        table = catalog.scan(columns=["dec"], region=REGION, where="mag < 12").to_table()
        assert table.column_names == ["dec"]
        assert 0 < table.num_rows < len(within(0, 0, 3))

    def test_may_be_none(self, catalog):
        assert catalog.scan(columns=[], region=REGION).to_table().num_columns == 0

    def test_are_taken_once(self, catalog):
        assert catalog.scan(columns=("id", "ra", "id")).schema.names == ["id", "ra"]

    def test_default_to_those_of_the_properties(self, tmp_path):
        Tree(properties={"hats_cols_default": "mag id nosuch"}).write(tmp_path, SKY)
        catalog = open_catalog(tmp_path)
        assert catalog.scan(limit=1).to_table().column_names == ["mag", "id"]
        assert catalog.scan("all").schema.names == catalog.schema.names
        assert catalog.scan(columns=["ra"]).schema.names == ["ra"]

    def test_that_are_not_there_are_named_with_what_comes_close(self, catalog):
        with pytest.raises(ColumnError, match=r"no column 'bnad'.*did you mean band\?"):
            catalog.scan(columns=["bnad"])
        with pytest.raises(ColumnError, match=r"did you mean ra\?"):
            catalog.scan(columns=["RA"])
        with pytest.raises(ColumnError, match="no column 3"):
            catalog.scan(columns=[3])
        with pytest.raises(UsageError, match="list of names"):
            catalog.scan(columns="ra")
        with pytest.raises(UsageError, match="region="):
            catalog.scan(REGION)

    def test_with_other_types_in_one_leaf_are_cast(self, tmp_path):
        Tree(threshold=1000).write(tmp_path, SKY)
        leaf = sorted((tmp_path / "dataset").rglob("Npix*"))[0]
        table = pq.read_table(leaf, partitioning=None)
        narrow = table.set_column(table.column_names.index("id"), "id", table.column("id").cast(pa.int32()))
        pq.write_table(narrow.select(narrow.column_names[::-1]), leaf)
        whole = open_catalog(tmp_path).scan(columns=["id", "ra"]).to_table()
        assert whole.sort_by("id").equals(SKY.select(["id", "ra"]).sort_by("id"))

    def test_missing_from_a_leaf_are_an_error_that_names_it(self, tmp_path):
        Tree(threshold=1000).write(tmp_path, SKY)
        leaf = sorted((tmp_path / "dataset").rglob("Npix*"))[0]
        pq.write_table(pq.read_table(leaf, partitioning=None).drop_columns(["band"]), leaf)
        catalog = open_catalog(tmp_path)
        with pytest.raises(LeafError, match=f"{leaf.name}.*'band'.* missing"):
            catalog.scan().to_table()
        assert catalog.scan(columns=["id"]).to_table().num_rows == len(SKY)

    def test_of_another_kind_in_a_leaf_are_an_error_that_names_it(self, tmp_path):
        Tree(threshold=1000).write(tmp_path, SKY)
        leaf = sorted((tmp_path / "dataset").rglob("Npix*"))[0]
        table = pq.read_table(leaf, partitioning=None)
        pq.write_table(table.set_column(table.column_names.index("id"), "id", table.column("band")), leaf)
        with pytest.raises(LeafError, match=f"{leaf.name}.*'id'.*found string, expected int64"):
            open_catalog(tmp_path).scan().to_table()

    def test_that_the_schema_has_from_the_paths_are_filled(self, tmp_path):
        Tree(threshold=1000, metadata=False).write(tmp_path, SKY)
        schema = pq.read_schema(tmp_path / "dataset" / "_common_metadata")
        for name in ("Norder", "Npix"):
            schema = schema.append(pa.field(name, pa.int64()))
        pq.write_metadata(schema, tmp_path / "dataset" / "_common_metadata")
        table = open_catalog(tmp_path).scan(columns=["Norder", "Npix", "ra", "dec"]).to_table()
        orders, pixels = (table.column(name).to_numpy() for name in ("Norder", "Npix"))
        deep = healpix(table.column("ra").to_numpy(), table.column("dec").to_numpy(), 29)
        np.testing.assert_array_equal(deep >> 2 * (29 - orders), pixels)


class TestWhere:
    def test_takes_an_expression(self, catalog):
        mag = SKY.column("mag").to_numpy()
        expected = sorted(ID[mag < 9].tolist())
        assert ids(catalog.scan(where=pc.field("mag") < 9)) == expected
        assert catalog.scan(where=pc.field("mag") < 9).count_rows() == len(expected)

    def test_joins_with_a_region(self, catalog):
        mag = SKY.column("mag").to_numpy()
        band = np.array(SKY.column("band").to_pylist())
        inside = np.isin(ID, within(0, 0, 3)) & (mag < 13) & (band == "g")
        assert inside.sum() > 0
        assert ids(catalog.scan(region=REGION, where='mag < 13 and band == "g"')) == sorted(
            ID[inside].tolist()
        )
        assert ids(catalog.scan(columns=["id"], region=REGION, where="mag > 1000")) == []

    def test_of_a_missing_column_names_what_comes_close(self, catalog):
        with pytest.raises(ColumnError, match=r"no column 'mga'.*did you mean mag\?"):
            catalog.scan(where=pc.field("mga") < 9)

    @pytest.mark.parametrize("where", [pc.field("mag") + 1, pc.field("mag") < "x", 5, ["mag"]])
    def test_that_is_no_condition_is_refused(self, catalog, where):
        with pytest.raises(UsageError, match="condition"):
            catalog.scan(where=where)

    def test_that_fails_on_a_row_says_so(self, catalog):
        with pytest.raises(UsageError, match=r"cannot be evaluated.*[Dd]ivide"):
            catalog.scan(where="1000 / (id - id) > 3").to_table()


class TestLimit:
    def test_gives_the_first_rows(self, catalog):
        everything = catalog.scan(columns=["id"]).to_table()
        for limit in (0, 1, 61, 1000, len(SKY), len(SKY) + 1):
            assert catalog.scan(columns=["id"], limit=limit).to_table().equals(everything.slice(0, limit))
            assert catalog.scan(limit=limit).count_rows() == min(limit, len(SKY))
        inside = catalog.scan(columns=["id"], region=REGION).to_table()
        assert catalog.scan(columns=["id"], region=REGION, limit=7).to_table().equals(inside.slice(0, 7))

    def test_stops_early(self, tmp_path):
        Tree().write(tmp_path, SKY)
        catalog = open_catalog(tmp_path)
        first = catalog.scan(limit=3).to_table()
        tile = catalog.partitions[0]
        for leaf in (tmp_path / "dataset").rglob("Npix*"):
            if not leaf.match(f"Norder={tile.order}/*/Npix={tile.pixel}.parquet"):
                leaf.unlink()
        assert first.num_rows == 3
        assert catalog.scan(limit=3).to_table().equals(first)
        assert next(catalog.scan(limit=3).to_batches()).num_rows == 3

    def test_is_a_number(self, catalog):
        with pytest.raises(UsageError, match=r"limit.*-1.*0 or more"):
            catalog.scan(limit=-1)


def test_batches_are_the_table(catalog):
    scan = catalog.scan(region=Cone(0, 0, 90))
    batches = list(scan.to_batches())
    assert len(batches) > 1
    assert all(batch.num_rows for batch in batches)
    assert pa.Table.from_batches(batches).equals(scan.to_table())
    assert scan.schema.equals(batches[0].schema)


def test_batches_may_be_left_half_read(catalog):
    with catalog.scan().to_batches() as batches:
        assert next(batches).num_rows


def test_batches_are_read_when_asked_for(tmp_path):
    Tree().write(tmp_path, SKY)
    batches = open_catalog(tmp_path).scan().to_batches()
    assert isinstance(batches, pa.RecordBatchReader)
    assert batches.schema.names == ["_healpix_29", *SKY.column_names]
    leaves = sorted((tmp_path / "dataset").rglob("Npix*"))
    leaves[-1].write_bytes(leaves[-1].read_bytes()[:-100])
    with pytest.raises(LeafError, match=leaves[-1].name):
        batches.read_all()


def test_a_scan_is_an_arrow_stream_as_often_as_asked(catalog):
    scan = catalog.scan(columns=["id", "band"], region=Cone(0, 0, 90))
    for _ in range(2):
        assert pa.table(scan).equals(scan.to_table())
    assert pa.RecordBatchReader.from_stream(scan).schema.equals(scan.schema)
    empty = pa.table(catalog.scan(columns=["id"], limit=0))
    assert (empty.num_rows, empty.schema.names) == (0, ["id"])


def test_an_error_within_a_stream_keeps_its_text(tmp_path):
    Tree().write(tmp_path, SKY)
    leaf = sorted((tmp_path / "dataset").rglob("Npix*"))[1]
    leaf.write_bytes(leaf.read_bytes()[:-100])
    with pytest.raises(pa.ArrowException, match=f"{leaf.name}: cannot be read as Parquet"):
        pa.table(open_catalog(tmp_path).scan())


def test_rows_without_coordinates_are_in_no_region(tmp_path):
    table = SKY.slice(0, 400)
    Tree().write(tmp_path, table)
    leaf = sorted((tmp_path / "dataset").rglob("Npix*"))[0]
    broken = pq.read_table(leaf, partitioning=None)
    number = broken.column_names.index("ra")
    holes = np.where(np.arange(len(broken)) % 3 == 0, np.nan, broken.column("ra").to_numpy())
    mask = np.arange(len(broken)) % 3 == 1
    pq.write_table(broken.set_column(number, "ra", pa.array(holes, mask=mask)), leaf)
    catalog = open_catalog(tmp_path)
    lost = int((np.arange(len(broken)) % 3 != 2).sum())
    assert catalog.scan().count_rows() == 400
    assert catalog.scan(region=Cone(0, 0, 180)).count_rows() == 400 - lost


def test_coordinates_that_are_no_numbers_are_an_error(tmp_path):
    table = SKY.slice(0, 50).append_column("lon", pa.array(["x"] * 50))
    Tree(properties={"hats_col_ra": "lon"}).write(tmp_path, table)
    with pytest.raises(LeafError, match="coordinates must be numbers"):
        open_catalog(tmp_path).scan(region=Cone(0, 0, 180)).to_table()


@pytest.mark.parametrize("kind", [pa.float32(), pa.int32(), pa.decimal128(12, 6)])
def test_coordinates_may_be_numbers_of_any_kind(tmp_path, kind):
    ra, dec = (pa.array(np.round(values[800:])) for values in (RA, DEC))
    table = pa.table({"id": ID[800:], "ra": ra, "dec": dec})
    tree = Tree()
    tree.write(tmp_path, table)
    for leaf in (tmp_path / "dataset").rglob("Npix*"):
        rows = pq.read_table(leaf, partitioning=None)
        for name in ("ra", "dec"):
            rows = rows.set_column(rows.column_names.index(name), name, rows.column(name).cast(kind))
        pq.write_table(rows, leaf)
    pq.write_metadata(rows.schema, tmp_path / "dataset" / "_common_metadata")
    expected = Cone(100, 20, 30).contains(ra.to_numpy(), dec.to_numpy())
    assert ids(open_catalog(tmp_path).scan(region=Cone(100, 20, 30))) == sorted(ID[800:][expected].tolist())


def test_a_region_that_is_none_is_refused(catalog):
    with pytest.raises(RegionError, match="not a region"):
        catalog.scan(region=(1, 2, 3))


def test_a_table_without_positions_has_no_regions(tmp_path):
    Tree(index=None, properties={"hats_col_ra": "nosuch"}).write(tmp_path, SKY)
    with pytest.raises(UsageError, match="no positions"):
        open_catalog(tmp_path).scan(region=REGION)


@pytest.mark.parametrize("order", [29, 13])
def test_positions_may_come_from_the_index_alone(tmp_path, order):
    tree = Tree(index_order=order, properties={"dataproduct_type": "map"})
    tree.write(tmp_path, SKY)
    text = (tmp_path / "hats.properties").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("hats_col_ra", "hats_col_dec"))]
    (tmp_path / "hats.properties").write_text("\n".join(lines))
    scan = open_catalog(tmp_path).scan(columns=["id"], region=Cone(200, 10, 60))
    assert "ra" not in scan.plan().columns
    found, expected = set(ids(scan)), set(within(200, 10, 60))
    assert len(found ^ expected) <= (0 if order == 29 else 3)


def test_an_index_of_another_order_than_it_says_is_not_believed(tmp_path):
    Tree(properties={"hats_col_healpix_order": "13"}).write(tmp_path, SKY)
    assert ids(open_catalog(tmp_path).scan(region=REGION)) == within(0, 0, 3)


def test_a_margin_is_searched_beyond_its_tiles(tmp_path):
    Tree().write(tmp_path, SKY)
    catalog = open_catalog(tmp_path)
    assert ids(catalog.scan(region=REGION)) == within(0, 0, 3)
    # The same rows under the names of other tiles, as in a margin cache.
    folder = tmp_path / "dataset"
    leaves = sorted(path for path in folder.rglob("Npix*"))
    contents = [leaf.read_bytes() for leaf in leaves]
    for leaf, content in zip(leaves, contents[1:] + contents[:1], strict=True):
        leaf.write_bytes(content)
    assert ids(open_catalog(tmp_path).scan(region=REGION)) != within(0, 0, 3)
    properties = (tmp_path / "hats.properties").read_text().replace("object", "margin")
    (tmp_path / "hats.properties").write_text(
        properties + "hats_primary_table_url=x\nhats_margin_threshold=5\n"
    )
    margin = open_catalog(tmp_path)
    assert ids(margin.scan(region=REGION)) == within(0, 0, 3)
    assert margin.scan(region=Cone(0, 0, 0.01)).plan().row_groups < 10


def test_a_leaf_that_is_not_there_is_named(tmp_path):
    Tree().write(tmp_path, SKY)
    leaf = sorted((tmp_path / "dataset").rglob("Npix*"))[3]
    leaf.unlink()
    with pytest.raises(NotFoundError, match=leaf.name):
        open_catalog(tmp_path).scan().to_table()


def test_a_leaf_directory_without_files_is_named(tmp_path):
    Tree(suffix="/").write(tmp_path, SKY)
    part = sorted((tmp_path / "dataset").rglob("Npix*/part 0.parquet"))[0]
    part.unlink()
    with pytest.raises(NotFoundError, match=f"{part.parent.name}.*empty or missing"):
        open_catalog(tmp_path).scan().to_table()


def test_a_file_added_to_a_leaf_directory_is_read(tmp_path):
    Tree(suffix="/").write(tmp_path, SKY)
    part = sorted((tmp_path / "dataset").rglob("part 0.parquet"))[0]
    (part.parent / "part 1.parquet").write_bytes(part.read_bytes())
    (part.parent / "_SUCCESS").write_text("not a part")
    catalog = open_catalog(tmp_path)
    assert catalog.scan().count_rows() == len(SKY) + pq.read_metadata(part).num_rows


def test_a_broken_leaf_is_named(tmp_path):
    Tree().write(tmp_path, SKY)
    leaf = sorted((tmp_path / "dataset").rglob("Npix*"))[3]
    leaf.write_bytes(leaf.read_bytes()[: leaf.stat().st_size // 2])
    with pytest.raises(LeafError, match=leaf.name):
        open_catalog(tmp_path).scan().to_table()


def test_nested_columns_are_read(tmp_path):
    count = 500
    lists = pa.array([[float(i), i / 2] for i in range(count)])
    curves = pa.StructArray.from_arrays([lists, lists], names=["mjd", "flux"])
    table = SKY.slice(0, count).append_column("lc", curves)
    Tree(group_rows=40).write(tmp_path, table)
    catalog = open_catalog(tmp_path)
    found = catalog.scan(columns=["id", "lc"], region=Cone(0, 0, 90)).to_table()
    expected = table.filter(Cone(0, 0, 90).contains(RA[:count], DEC[:count])).select(["id", "lc"])
    assert found.sort_by("id").equals(expected.sort_by("id").combine_chunks())
    assert catalog.scan(columns=["lc"]).plan().bytes > catalog.scan(columns=["id"]).plan().bytes


def test_columns_with_odd_names_are_read(tmp_path):
    names = ["id", "ra", "dec", "my mag", "a.b"]
    table = SKY.rename_columns(names)
    Tree().write(tmp_path, table)
    catalog = open_catalog(tmp_path)
    scan = catalog.scan(columns=["a.b", "my mag", "id"], region=REGION, where="`my mag` < 12")
    mag = SKY.column("mag").to_numpy()
    assert ids(scan) == sorted(set(within(0, 0, 3)) & set(ID[mag < 12].tolist()))


def test_an_empty_catalog_has_its_columns(tmp_path):
    (tmp_path / "dataset").mkdir()
    replace(VARIANTS["plain"]).write(tmp_path, SKY.slice(0, 0))
    catalog = open_catalog(tmp_path)
    assert len(catalog.partitions) == 0
    assert catalog.scan().to_table().column_names == ["_healpix_29", *SKY.column_names]
    assert catalog.scan(region=REGION).count_rows() == 0


def test_says_what_it_is(catalog):
    text = repr(catalog.scan(region=REGION, where="mag < 3", limit=5))
    assert "6 columns" in text
    assert "Cone(ra=0.0, dec=0.0, radius=3.0)" in text
    assert "limit=5" in text
