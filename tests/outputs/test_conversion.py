from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u

from hatsformat import Cone, MissingExtraError, open_catalog
from hatsformat.outputs.conversion import to_astropy, to_pandas
from hatsformat.outputs.descriptions import column_descriptions
from tests.support.catalog_trees import Tree, stars

SKY = stars(900)
REGION = Cone(0, 0, 5)

VOTABLE = b"""<?xml version="1.0"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra"><DESCRIPTION>Right
 ascension</DESCRIPTION></FIELD>
<FIELD name="mag" datatype="double" unit="mag"/><FIELD name="id" datatype="long"/>
</TABLE></RESOURCE></VOTABLE>"""


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    root = tmp_path_factory.mktemp("sky")
    Tree().write(root, SKY.replace_schema_metadata({"IVOA.VOTable-Parquet.content": VOTABLE}))
    return open_catalog(root).scan(region=REGION)


def test_pandas(scan):
    pd = pytest.importorskip("pandas", reason="pandas is not installed (extra `pandas`)")
    frame = scan.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == scan.schema.names
    assert frame["id"].tolist() == scan.to_table().column("id").to_pylist()
    nullable = scan.to_pandas(types_mapper={pa.float64(): pd.Float64Dtype()}.get)
    assert nullable["mag"].isna().sum() == scan.to_table().column("mag").null_count > 0


def test_pandas_keeps_columns_that_were_an_index(tmp_path):
    pytest.importorskip("pandas", reason="pandas is not installed (extra `pandas`)")
    frame = SKY.to_pandas().set_index("id")
    Tree().write(tmp_path, pa.Table.from_pandas(frame))
    assert "id" in open_catalog(tmp_path).scan().to_pandas().columns


def test_polars(scan):
    polars = pytest.importorskip("polars", reason="polars is not installed (extra `polars`)")
    frame = scan.to_polars()
    assert isinstance(frame, polars.DataFrame)
    assert frame["id"].to_list() == scan.to_table().column("id").to_pylist()


def test_duckdb(scan):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (extra `duckdb`)")
    with duckdb.connect() as connection:
        relation = scan.to_duckdb(connection)
        assert relation.aggregate("count(*), sum(id)").fetchall() == [
            (scan.count_rows(), sum(scan.to_table().column("id").to_pylist()))
        ]


def test_a_duckdb_relation_reads_the_scan_each_time(scan):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (extra `duckdb`)")
    expected = sorted(scan.to_table().column("id").to_pylist())
    with duckdb.connect() as connection:
        relation = scan.to_duckdb(connection)
        for _ in range(3):
            assert relation.project("id").order("id").fetchall() == [(one,) for one in expected]
        assert relation.filter(f"id > {expected[-3]}").aggregate("count(*)").fetchall() == [(2,)]
        assert len(relation.limit(1).fetchall()) == 1
        joined = connection.sql("select count(*) from relation one join relation other using (id)")
        assert joined.fetchall() == joined.fetchall() == [(len(expected),)]
        assert connection.sql("select count(*) from scan").fetchall() == [(len(expected),)]


def test_what_goes_wrong_within_duckdb_names_the_file(tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (extra `duckdb`)")
    Tree().write(tmp_path, SKY)
    leaf = sorted((tmp_path / "dataset").rglob("Npix*"))[1]
    leaf.write_bytes(leaf.read_bytes()[:-100])
    with duckdb.connect() as connection:
        relation = open_catalog(tmp_path).scan().to_duckdb(connection)
        with pytest.raises(duckdb.Error, match=f"{leaf.name}: cannot be read as Parquet"):
            relation.aggregate("sum(id)").fetchall()


def test_a_duckdb_that_is_too_old_is_named(scan, monkeypatch):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (extra `duckdb`)")
    monkeypatch.setattr(duckdb, "__version__", "1.4.2")
    with pytest.raises(MissingExtraError, match=r"1\.4\.2.*hatsformat\[duckdb\]"):
        scan.to_duckdb()


def test_polars_takes_a_scan_as_a_stream(scan):
    polars = pytest.importorskip("polars", reason="polars is not installed (extra `polars`)")
    assert polars.DataFrame(scan).equals(scan.to_polars())


@pytest.mark.parametrize("name", ["polars", "duckdb"])
def test_a_library_that_is_missing_is_named(scan, name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"hatsformat\[{name}\]"):
        getattr(scan, f"to_{name}")()


def test_pandas_that_is_missing_is_named():
    class Table:
        def to_pandas(self, **_):
            raise ImportError("pandas")

    with pytest.raises(MissingExtraError, match=r"hatsformat\[pandas\]"):
        to_pandas(Table())


def test_astropy_has_units_masks_and_descriptions(scan):
    table = scan.to_astropy()
    assert table.colnames == scan.schema.names
    assert table["ra"].unit == u.deg
    assert table["ra"].description == "Right ascension"
    assert table["mag"].unit == u.mag
    assert table["dec"].unit is None
    arrow = scan.to_table()
    assert table["mag"].mask.tolist() == arrow.column("mag").is_null().to_pylist()
    np.testing.assert_array_equal(table["ra"], arrow.column("ra").to_numpy())
    assert table["band"].tolist() == arrow.column("band").to_pylist()
    assert table["id"].dtype == np.int64


def test_astropy_takes_every_kind_of_column():
    table = pa.table(
        {
            "int": pa.array([1, None, 3], pa.int16()),
            "bool": [True, None, False],
            "text": ["a", None, "ccc"],
            "large": pa.array(["a", "b", "c"], pa.large_string()),
            "dictionary": pa.array(["x", "y", "x"]).dictionary_encode(),
            "time": pa.array([1, 2, None], pa.timestamp("us")),
            "list": [[1, 2], [3, 4], None],
            "binary": [b"a", b"b", None],
            "null": pa.nulls(3),
            "nan": [1.0, float("nan"), 3.0],
        }
    )
    found = to_astropy(table)
    assert len(found) == 3
    assert found["int"].tolist() == [1, None, 3]
    assert found["int"].dtype == np.int16
    assert found["bool"].tolist() == [True, None, False]
    assert found["text"].tolist() == ["a", None, "ccc"]
    assert found["dictionary"].tolist() == ["x", "y", "x"]
    assert list(found["list"][0]) == [1, 2]
    assert found["list"].mask.tolist() == [False, False, True]
    assert found["time"].mask.tolist() == [False, False, True]
    assert np.isnan(found["nan"][1])
    assert len(to_astropy(table.slice(0, 0))) == 0


def test_units_of_single_columns_prevail_and_strange_ones_are_kept():
    schema = pa.schema(
        [
            pa.field("ra", pa.float64(), metadata={"unit": "rad", "description": "d"}),
            pa.field("x", pa.int64(), metadata={"UNIT": "furlongs/x"}),
        ],
        metadata={"IVOA.VOTable-Parquet.content": VOTABLE},
    )
    table = to_astropy(pa.table({"ra": [1.0], "x": [2]}, schema=schema))
    assert table["ra"].unit == u.rad
    assert table["ra"].description == "d"
    assert str(table["x"].unit) == "furlongs/x"


@pytest.mark.parametrize(
    "content", [b"", b"<VOTABLE", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', b"\xff\xfe"]
)
def test_a_votable_that_cannot_be_read_is_passed_over(content):
    schema = pa.schema([("ra", pa.float64())], metadata={"IVOA.VOTable-Parquet.content": content})
    assert column_descriptions(schema) == {"ra": {}}
