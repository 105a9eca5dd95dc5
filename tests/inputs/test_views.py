"""String and binary view columns, which Polars and Rust programs write, and Arrow barely supports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from hatsformat import Cone, build_index, build_margin, import_catalog, open_catalog, validate
from hatsformat.errors import SchemaError

ROWS = 200
NAMES = [None if row % 7 == 0 else f"star {row}, a long name" for row in range(ROWS)]
VIEWS = {
    "text": (pa.array(NAMES, pa.string_view()), pa.string()),
    "bytes": (pa.array([b"\0\1"] * ROWS, pa.binary_view()), pa.binary()),
    "list": (pa.array([[name] for name in NAMES], pa.list_(pa.string_view())), pa.list_(pa.string())),
    "structure": (
        pa.array([{"name": name} for name in NAMES], pa.struct([("name", pa.string_view())])),
        pa.struct([("name", pa.string())]),
    ),
}


def stars(column: pa.Array) -> pa.Table:
    rng = np.random.default_rng(7)
    return pa.table({"ra": rng.uniform(0, 5, ROWS), "dec": rng.uniform(0, 5, ROWS), "x": column})


def by_position(table: pa.Table) -> list:
    return table.select(["ra", "dec", "x"]).sort_by("ra").to_pylist()


@pytest.mark.parametrize(
    ("view", "source"),
    [
        (view, source)
        for view in VIEWS
        for source in ("table", "arrow", "parquet")
        if (view, source) != ("structure", "parquet")  # which Arrow cannot write
    ],
)
def test_importing_views(view, source, tmp_path):
    column, kind = VIEWS[view]
    table = stars(column)
    given = table if source == "table" else tmp_path / f"stars.{source}"
    if source == "arrow":
        with pa.ipc.new_file(str(given), table.schema) as writer:
            writer.write_table(table)
    if source == "parquet":
        pq.write_table(table, given)
    import_catalog(given, tmp_path / "stars", name="stars", max_rows=50)
    catalog = open_catalog(tmp_path / "stars")
    assert catalog.schema.field("x").type == kind
    assert by_position(catalog.scan().to_table()) == sorted(table.to_pylist(), key=lambda row: row["ra"])
    assert validate(tmp_path / "stars").findings == ()


def test_rows_with_views_but_no_position_are_quarantined(tmp_path):
    table = stars(VIEWS["text"][0])
    table = table.set_column(0, "ra", pa.array([None, *table.column("ra").to_pylist()[1:]]))
    import_catalog(table, tmp_path / "stars", name="stars", bad_coordinates="quarantine")
    assert open_catalog(tmp_path / "stars").scan().to_table().num_rows == ROWS - 1


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A catalog whose leaves declare string views, as another program may write it."""
    path = tmp_path / "foreign"
    import_catalog(stars(pa.array(NAMES)), path, name="stars", max_rows=50, thumbnail=True)
    files = [*path.glob("dataset/Norder=*/**/*.parquet"), path / "data_thumbnail.parquet"]
    for file in files:
        table = pq.read_table(file, partitioning=None)
        number = table.schema.get_field_index("x")
        pq.write_table(table.set_column(number, "x", table.column("x").cast(pa.string_view())), file)
    (path / "dataset" / "_metadata").unlink(missing_ok=True)
    common = path / "dataset" / "_common_metadata"
    schema = pq.read_schema(common)
    pq.write_metadata(schema.set(schema.get_field_index("x"), pa.field("x", pa.string_view())), common)
    return path


def test_reading_leaves_with_views(foreign):
    catalog = open_catalog(foreign)
    assert catalog.schema.field("x").type == pa.string()
    whole = catalog.scan().to_table()
    assert by_position(whole) == sorted(stars(pa.array(NAMES)).to_pylist(), key=lambda row: row["ra"])
    cone = catalog.scan(region=Cone(2.5, 2.5, 1))
    assert 0 < cone.to_table().num_rows < ROWS
    assert len(cone.to_pandas()) == len(cone.to_astropy()) == cone.to_table().num_rows
    named = catalog.scan(where=pc.field("x") == "star 5, a long name").to_table()
    assert named.column("x").to_pylist() == ["star 5, a long name"]


def test_supplements_of_leaves_with_views(foreign):
    margin = build_margin(foreign, 100)
    assert margin.schema.field("x").type == pa.string()
    index = build_index(foreign, "x")
    assert index.scan().to_table().num_rows == sum(name is not None for name in NAMES)
    assert [finding.rule for finding in validate(foreign).findings] == ["HATS-AUX-001"]  # no _metadata
    assert validate(margin.path).findings == ()


@pytest.mark.parametrize(
    "column",
    [
        pa.RunEndEncodedArray.from_arrays([ROWS], [1]),
        pa.array([[1]] * ROWS, pa.list_view(pa.int32())),
        pa.array([pa.MonthDayNano([1, 2, 3])] * ROWS),
    ],
    ids=lambda column: str(column.type),
)
def test_a_type_that_parquet_cannot_hold_is_refused(column, tmp_path):
    with pytest.raises(SchemaError, match="Parquet does not support the type of column 'x'"):
        import_catalog(stars(column), tmp_path / "stars", name="stars")
    assert not (tmp_path / "stars").exists()


def test_json_columns(tmp_path):
    """JSON is an extension type of text: its size counts for splitting row groups."""
    column = pa.array(["{}"] * ROWS).cast(pa.json_())
    import_catalog(stars(column), tmp_path / "stars", name="stars", max_rows=50)
    assert open_catalog(tmp_path / "stars").scan().to_table().column("x").type == pa.json_()
