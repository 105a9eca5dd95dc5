"""Margins, indexes and collections that are built from catalogs, compared with independent results."""

from __future__ import annotations

import decimal
from datetime import UTC, datetime
from pathlib import Path

import astropy.units as u
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import (
    ColumnError,
    HatsError,
    LeafError,
    OutputError,
    UsageError,
    build_collection,
    build_index,
    build_margin,
    import_catalog,
    open_catalog,
    open_collection,
)
from hatsformat.partitioner.memory import MemoryBudget
from hatsformat.partitioner.options import ImportOptions
from hatsformat.supplements import index as index_module
from hatsformat.validation import validate
from tests.support import skies
from tests.support.catalogs_to_break import described
from tests.support.outlines import STEP, UNSURE, outline_distances, vectors
from tests.support.tile_corners import clumps, copies


def check_margin(primary: Path, margin: Path, arcsec: float) -> int:
    """Compare a margin with outlines of the primary's tiles, and return its number of rows."""
    leaves = skies.read_leaves(primary)
    rows = pa.concat_tables([leaf.table for leaf in leaves])
    positions = vectors(rows["ra"].to_numpy(), rows["dec"].to_numpy())
    own = np.repeat(np.arange(len(leaves)), [leaf.table.num_rows for leaf in leaves])
    ids, radius = rows["id"].to_numpy(), np.radians(arcsec / 3600)
    found = copies(skies.read_leaves(margin))
    assert set(found.values()) <= {1}
    assert {(order, pixel) for order, pixel, _ in found} <= {(leaf.order, leaf.pixel) for leaf in leaves}
    for number, leaf in enumerate(leaves):
        distances = outline_distances(leaf.order, leaf.pixel, positions)
        width = np.sqrt(4 * np.pi / (12 * 4**leaf.order))
        judged = np.abs(distances - radius) > UNSURE * radius + width / STEP**2
        mine = np.array([(leaf.order, leaf.pixel, row) in found for row in ids.tolist()])
        assert not mine[own == number].any()
        near = (own != number) & (distances <= radius)
        assert np.array_equal(mine[judged], near[judged]), (leaf.path, arcsec)
    return sum(found.values())


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("supplements") / "stars"
    import_catalog(clumps(1500), root, max_rows=120)
    return root


@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**32),
    max_rows=st.integers(20, 300),
    power=st.floats(0, 4.3),
    spread=st.sampled_from([0.2, 3.0, 40.0]),
    siblings=st.booleans(),
)
def test_margins_of_any_sky(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    max_rows: int,
    power: float,
    spread: float,
    siblings: bool,
) -> None:
    root = tmp_path_factory.mktemp("sky") / "sky"
    import_catalog(clumps(300, seed, spread), root, max_rows=max_rows, keep_empty_siblings=siblings)
    arcsec = float(f"{10**power:g}")
    margin = build_margin(root, arcsec)
    assert check_margin(root, Path(margin.path.path), arcsec) == margin.properties.hats_nrows
    assert described(validate(margin.path)) == []


def test_a_margin_has_the_rows_of_its_primary_as_they_are(catalog: Path) -> None:
    margin = build_margin(catalog, 1800, catalog.with_name("wide"), name="wide_margin")
    assert check_margin(catalog, catalog.with_name("wide"), 1800) > 100
    assert margin.schema.equals(open_catalog(catalog).schema, check_metadata=True)
    rows = {row["id"]: row for leaf in skies.read_leaves(catalog) for row in leaf.table.to_pylist()}
    for leaf in skies.read_leaves(catalog.with_name("wide")):
        assert leaf.table.to_pylist() == [rows[row] for row in leaf.table["id"].to_pylist()]
        assert (np.diff(leaf.table[skies.INDEX].to_numpy()) >= 0).all()
    properties = margin.properties
    assert (properties.obs_collection, properties.dataproduct_type) == ("wide_margin", "margin")
    assert (properties.hats_margin_threshold, properties.hats_primary_table_url) == (1800.0, "stars")
    assert (properties.hats_col_ra, properties.hats_col_dec) == ("ra", "dec")
    assert properties.hats_col_healpix == "_healpix_29"
    assert margin.primary().path == open_catalog(catalog).path
    assert described(validate(margin.path)) == []


def test_a_margin_without_rows_is_valid(tmp_path: Path) -> None:
    import_catalog(pa.table({"id": [1], "ra": [10.0], "dec": [20.0]}), tmp_path / "one", ra="ra", dec="dec")
    margin = build_margin(tmp_path / "one", 5)
    assert margin.scan().to_table().num_rows == len(margin.partitions) == 0
    assert described(validate(margin.path)) == []


KINDS = {
    "integers": pa.array([5, 3, None, 3, -(2**60)]),
    "unsigned": pa.array([2**63 + 5, 3, None, 3, 2**63], pa.uint64()),
    "floats": pa.array([0.5, float("nan"), None, -0.0, float("inf")]),
    "text": pa.array(["b", "", None, "ä", "a"]),
    "large text": pa.array(["b", "", None, "ä", "a"], pa.large_string()),
    "dictionary": pa.array(["b", "", None, "ä", "a"]).dictionary_encode(),
    "bytes": pa.array([b"b", b"", None, b"\xff", b"a"]),
    "truth": pa.array([True, False, None, True, False]),
    "times": pa.array([datetime(2020, 1, day, tzinfo=UTC) for day in (3, 1, 2, 9, 4)]),
    "dates": pa.array([3, 1, None, 2, 9], pa.date32()),
    "decimals": pa.array([decimal.Decimal(text) for text in ("1.5", "0.5", "2.5", "0.5", "9")]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_of_any_type_of_values(kind: str, tmp_path: Path) -> None:
    values = KINDS[kind]
    count = 40
    column = pa.concat_arrays([values] * (count // len(values)))
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, count), rng.uniform(-90, 90, count)
    table = pa.table({"key": column, "ra": ra, "dec": dec, "row": range(count)})
    import_catalog(table, tmp_path / "sky", max_rows=5)
    index = build_index(tmp_path / "sky", "key")
    assert described(validate(index.path)) == []
    (file,) = (tmp_path / "sky_key" / "dataset" / "index").iterdir()
    entries = pq.read_table(file)
    assert entries.column_names == ["key", "_healpix_29", "Norder", "Npix"]
    assert [str(kind) for kind in entries.schema.types[1:]] == ["int64", "uint8", "uint64"]
    expected = {
        (row["key"], pixel, leaf.order, leaf.pixel)
        for leaf in skies.read_leaves(tmp_path / "sky")
        for row, pixel in zip(leaf.table.to_pylist(), leaf.table[skies.INDEX].to_pylist(), strict=True)
        if row["key"] is not None and row["key"] == row["key"]
    }
    found = [tuple(row.values()) for row in entries.to_pylist()]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert found == sorted(found, key=lambda row: row[:2])
    collection = build_collection(tmp_path, indexes=["key"])
    for value in {row[0] for row in expected}:
        wanted = [number for number, other in enumerate(column.to_pylist()) if other == value]
        sought = pa.array([value], entries.schema.field("key").type)
        looked_up = collection.primary.lookup("key", sought).to_table()
        assert sorted(looked_up["row"].to_pylist()) == wanted


def test_equal_entries_are_merged_unless_there_are_extra_columns(tmp_path: Path) -> None:
    table = pa.table({"id": [7] * 6, "ra": [10.0] * 3 + [50.0] * 3, "dec": [0.0] * 6, "mjd": range(6)})
    import_catalog(table, tmp_path / "sky", lowest_order=2)
    index = build_index(tmp_path / "sky", "id")
    assert index.properties.hats_nrows == 2
    more = build_index(tmp_path / "sky", "id", tmp_path / "more", extra_columns=["mjd", "ra"])
    assert more.properties.hats_nrows == 6
    assert more.properties.hats_index_extra_column == ("mjd", "ra")
    assert more.scan("all").to_table()["mjd"].to_pylist() == list(range(6))
    assert described(validate(more.path)) == []


@pytest.mark.parametrize("column", ["id", "name", "same"])
def test_the_files_of_an_index_are_sorted_and_small(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that all rows have is in several files."""
    monkeypatch.setattr(index_module, "PART_ROWS", 512)
    monkeypatch.setattr(index_module, "SAMPLE_BITS", 4)
    table = clumps(6000, 5).append_column("same", pa.array([1] * 6000))
    import_catalog(table, tmp_path / "sky", max_rows=500)
    index = build_index(tmp_path / "sky", column, row_group_rows=100)
    assert described(validate(index.path)) == []
    folder = tmp_path / f"sky_{column}" / "dataset" / "index"
    parts = [
        pq.read_table(folder / f"part.{number}.parquet") for number in range(len(list(folder.iterdir())))
    ]
    assert len(parts) > 5
    assert max(part.num_rows for part in parts) < 1500
    entries = pa.concat_tables(parts)
    keys = list(zip(entries[column].to_pylist(), entries["_healpix_29"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert len(keys) == index.properties.hats_nrows == 6000
    footer = pq.read_metadata(tmp_path / f"sky_{column}" / "dataset" / "_metadata")
    assert footer.num_rows == 6000
    assert max(footer.row_group(group).num_rows for group in range(footer.num_row_groups)) <= 100


def test_workers_and_memory_do_not_change_the_bytes(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads or processes, in memory or on scratch, large chunks or small ones."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr(index_module, "PART_ROWS", 512)
    monkeypatch.setattr(index_module, "SAMPLE_BITS", 4)

    def build(name: str, **options: object) -> dict[str, bytes]:
        root = tmp_path / name
        build_margin(catalog, 3600, root / "margin", **options)
        build_index(catalog, "name", root / "index", extra_columns=["id"], **options)
        return {path: (root / path).read_bytes() for path in skies.files(root)}

    expected = build("expected", workers=1)
    assert b"hats_creation_date=2023-11-14T22:13Z" in expected["margin/hats.properties"]
    assert build("threads", workers=3) == expected
    with monkeypatch.context() as patch:
        patch.setattr(MemoryBudget, "runs_bytes", property(lambda _: 0))
        patch.setattr(MemoryBudget, "chunk_bytes", property(lambda _: 4096))
        patch.setattr(MemoryBudget, "piece_bytes", property(lambda _: 4096))
        assert build("spilled", workers=2) == expected
    monkeypatch.undo()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    margin = build_margin(catalog, 3600, tmp_path / "processes", workers=2, processes=True)
    found = {path: (tmp_path / "processes" / path).read_bytes() for path in skies.files(margin.path.path)}
    leaves = [path for path in found if path.endswith(".parquet")]
    assert len(leaves) > 5
    assert all(found[path] == expected[f"margin/{path}"] for path in leaves)


def test_a_collection_in_one_go(tmp_path: Path) -> None:
    table = clumps(1500)
    made = import_catalog(
        table, tmp_path / "survey", max_rows=120, margins_arcsec=[10, 3600.0, 10.0], indexes=["id", "name"]
    )
    assert made.primary.path == made.path / "survey"
    assert made.margins == ("survey_10arcs", "survey_3600arcs")
    assert made.properties.default_margin == "survey_10arcs"
    assert made.properties.default_index == "id"
    assert made.indexes == ("id", "name")
    assert sorted(path.name for path in (tmp_path / "survey").iterdir()) == [
        "collection.properties", "survey", "survey_10arcs", "survey_3600arcs", "survey_id", "survey_name",
    ]  # fmt: skip
    assert described(validate(tmp_path / "survey")) == []
    check_margin(tmp_path / "survey" / "survey", tmp_path / "survey" / "survey_3600arcs", 3600)
    found = made.primary.lookup("name", ["star 5"]).to_table()
    assert sorted(found["id"].to_pylist()) == sorted(
        row["id"] for row in table.to_pylist() if row["name"] == "star 5"
    )


def test_supplements_of_a_member_become_members(tmp_path: Path) -> None:
    import_catalog(clumps(400), tmp_path / "survey", max_rows=50, margins_arcsec=[10], name="our_survey")
    assert [path.name for path in (tmp_path / "survey").iterdir() if "10" in path.name] == [
        "our_survey_10arcs"
    ]
    build_margin(tmp_path / "survey", 60)
    build_index(tmp_path / "survey" / "our_survey", "id")
    build_margin(tmp_path / "survey", 90, tmp_path / "elsewhere")
    collection = open_collection(tmp_path / "survey")
    assert collection.name == "our_survey"
    assert collection.margins == ("our_survey_10arcs", "our_survey_60arcs")
    assert collection.properties.default_margin == "our_survey_10arcs"
    assert collection.indexes == ("id",)
    assert open_catalog(tmp_path / "elsewhere").primary().path == collection.primary.path
    assert described(validate(tmp_path / "survey")) == []


def test_a_folder_becomes_a_collection(tmp_path: Path) -> None:
    import_catalog(clumps(400), tmp_path / "stars", max_rows=50)
    build_margin(tmp_path / "stars", 60, tmp_path / "edges")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "edges").rglob("*")}
    made = build_collection(tmp_path, margins_arcsec=[60, 10], indexes=["id"], name="night_one")
    assert made.margins == ("edges", "stars_10arcs")
    assert made.indexes == ("id",)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "edges").rglob("*")} == before
    properties = made.properties.replace(obs_description="kept", default_margin="stars_10arcs")
    (tmp_path / "collection.properties").write_text(properties.format())
    import_catalog(clumps(50, 2), tmp_path / "others")
    again = build_collection(tmp_path, indexes=["name"])
    assert again.primary.name == "stars"
    assert again.name == "night_one"
    assert again.properties.obs_description == "kept"
    assert again.properties.default_margin == "stars_10arcs"
    assert again.indexes == ("id", "name")


def test_a_collection_needs_exactly_one_primary(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot choose a primary catalog"):
        build_collection(tmp_path)
    for name in ("one", "two"):
        import_catalog(clumps(50), tmp_path / name)
    with pytest.raises(UsageError, match="one of: one, two"):
        build_collection(tmp_path)
    with pytest.raises(UsageError, match="primary catalog is missing"):
        build_collection(tmp_path, primary="three")
    assert not (tmp_path / "collection.properties").exists()
    assert build_collection(tmp_path, primary="two").primary.name == "two"


def test_the_thresholds_of_an_import_may_be_quantities() -> None:
    assert ImportOptions(margins_arcsec=[1 * u.arcmin, 60, 0.1]).margins_arcsec == (60.0, 0.1)
    with pytest.raises(UsageError, match=r"found <Quantity 1\. kg>, expected arcseconds"):
        ImportOptions(margins_arcsec=[1 * u.kg])


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"margins_arcsec": [0]}, UsageError, "threshold of a margin"),
        ({"margins_arcsec": [float("nan")]}, UsageError, "threshold of a margin"),
        ({"margins_arcsec": [1e6]}, UsageError, "threshold of a margin"),
        ({"indexes": ["nothing"]}, ColumnError, r"column 'nothing' \(--index\) not found"),
        ({"indexes": ["epochs"]}, UsageError, "have no order"),
        ({"indexes": ["id", "a name"]}, UsageError, "cannot be in a list"),
        ({"margins_arcsec": [10], "indexes": ["ID"]}, ColumnError, "did you mean --index id"),
    ],
)
def test_an_import_refuses_invalid_supplements(
    options: dict[str, list[object]], kind: type[HatsError], message: str, tmp_path: Path
) -> None:
    table = clumps(60).append_column("a name", pa.array(["x"] * 60))
    with pytest.raises(kind, match=message):
        import_catalog(table, tmp_path / "sky", **options)
    assert not (tmp_path / "sky").exists()


def test_what_cannot_be_built_leaves_nothing(catalog: Path, tmp_path: Path) -> None:
    margin = build_margin(catalog, 10, tmp_path / "margin")
    with pytest.raises(UsageError, match="a table of type margin"):
        build_margin(margin, 10, tmp_path / "new")
    with pytest.raises(UsageError, match="a table of type margin"):
        build_index(margin, "id", tmp_path / "new")
    with pytest.raises(UsageError, match="threshold of a margin"):
        build_margin(catalog, -1, tmp_path / "new")
    with pytest.raises(UsageError, match="invalid angle"):
        build_margin(catalog, "far", tmp_path / "new")
    with pytest.raises(UsageError, match="unknown option 'max_rows'"):
        build_margin(catalog, 10, tmp_path / "new", max_rows=5)
    with pytest.raises(UsageError, match="different columns"):
        build_index(catalog, "id", tmp_path / "new", extra_columns=["id"])
    with pytest.raises(UsageError, match="none of them for HEALPix"):
        build_index(catalog, "_healpix_29", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(OutputError, match="a catalog already exists here"):
        build_margin(catalog, 10, tmp_path / "margin")
    assert build_margin(catalog, 20, tmp_path / "margin", overwrite=True).properties.hats_nrows is not None
    with pytest.raises(OutputError, match="this input is in the output"):
        build_margin(catalog, 10, catalog, overwrite=True)
    with pytest.raises(OutputError):
        build_margin(catalog, 10, catalog.parent, overwrite=True)
    assert open_catalog(catalog).scan().count_rows() == 1500


def test_rows_in_the_wrong_tile_are_refused(tmp_path: Path) -> None:
    import_catalog(clumps(400), tmp_path / "sky", max_rows=50)
    leaf = skies.read_leaves(tmp_path / "sky")[3]
    wrong = leaf.table.set_column(0, skies.INDEX, pa.array([5] * leaf.table.num_rows))
    pq.write_table(wrong, tmp_path / "sky" / leaf.path)
    for build in (lambda: build_margin(tmp_path / "sky", 5), lambda: build_index(tmp_path / "sky", "id")):
        with pytest.raises(LeafError, match="rows into another tile"):
            build()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sky"]


def test_in_memory_and_with_units(tmp_path: Path) -> None:
    from astropy import units

    import_catalog(clumps(400), "memory://supplements/sky", max_rows=50, margins_arcsec=[30], indexes=["id"])
    assert described(validate("memory://supplements/sky")) == []
    margin = build_margin("memory://supplements/sky", 1 * units.arcmin)
    assert margin.properties.hats_margin_threshold == pytest.approx(60)
    assert len(open_collection("memory://supplements/sky").margins) == 2
