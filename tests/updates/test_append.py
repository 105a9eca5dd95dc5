"""Rows that are added to an existing catalog: the rows, the tiles and the metadata afterwards."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import Cone, import_catalog, open_catalog, validate
from hatsformat.errors import (
    CoordinatesError,
    FormatError,
    HatsError,
    OutputError,
    SchemaError,
    ThresholdError,
    UsageError,
)
from hatsformat.healpix import HealpixPixel
from hatsformat.partitioner.memory import MemoryBudget
from hatsformat.publishing.lock import locked
from hatsformat.publishing.work import changing_folder
from hatsformat.storage import resolve
from hatsformat.updates.appending import append
from tests.support import skies

OVER_THRESHOLD = "HATS-TREE-010"
"""The rules that report leaves that have drifted: rows may be added to any leaf, however full it is."""


def check(root, table, *, may_drift=False):
    """The catalog holds the table's rows, each in its tile and sorted, and the validator finds nothing."""
    stops = {}
    rows = 0
    for leaf in skies.read_leaves(root):
        start, stop = (number << 2 * (29 - leaf.order) for number in (leaf.pixel, leaf.pixel + 1))
        index = leaf.table.column(skies.INDEX).to_numpy()
        assert (np.diff(index) >= 0).all()
        assert (index == skies.healpix(leaf.table["ra"], leaf.table["dec"])).all()
        assert ((index >= start) & (index < stop)).all()
        stops[start] = stop
        rows += len(leaf.table)
    starts = sorted(stops)
    assert all(stops[one] <= other for one, other in pairwise(starts))
    assert rows == table.num_rows
    skies.assert_same_rows(skies.read_rows(root), table)
    report = validate(root, level="rows")
    findings = [found for found in report.findings if not (may_drift and found.rule == OVER_THRESHOLD)]
    assert findings == []


@contextmanager
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def state(root):
    return {path: (Path(root) / path).read_bytes() for path in skies.files(root)}


def nightly(tmp_path, table=None, **options):
    root = tmp_path / "sky"
    given = {"leaf": "directory", "max_rows": 400, "highest_order": 7, **options}
    import_catalog(skies.stars(600, 1) if table is None else table, root, **given)
    return root


@settings(max_examples=12)
@given(st.data())
def test_an_append_gives_all_rows_in_disjoint_tiles(data):
    tables = [
        skies.dressed(*data.draw(skies.positions()), data.draw(st.integers(0, 99))).drop_columns(["good"])
        for _ in range(3)
    ]
    highest = data.draw(st.sampled_from([0, 2, 5, 8, 11]))
    with folder() as top:
        root = top / "sky"
        import_catalog(
            tables[0],
            root,
            leaf="directory",
            max_rows=data.draw(st.sampled_from([120, 500])),
            highest_order=highest,
            row_group_rows=data.draw(st.sampled_from([5, 1000])),
            thumbnail=data.draw(st.booleans()),
            workers=1,
        )
        for table in tables[1:]:
            append(
                root,
                table,
                highest_order=data.draw(st.sampled_from([highest, 9])),
                keep_empty_siblings=data.draw(st.booleans()),
                workers=1,
            )
        everything = pa.concat_tables(tables)
        positions = everything.filter(pa.compute.less_equal(everything["ra"], 360))
        if positions.num_rows == everything.num_rows and min(everything["ra"].to_pylist()) >= -180:
            check(root, everything, may_drift=True)
        else:  # RA values that the validator warns about; they are kept as they are
            skies.assert_same_rows(skies.read_rows(root), everything)
        assert open_catalog(root).scan(columns="all").count_rows() == everything.num_rows


def test_all_metadata_is_updated(tmp_path):
    first, second, third = skies.stars(600, 1), skies.stars(100, 2), skies.stars(80, 3)
    root = nightly(tmp_path, first, thumbnail=True, max_rows=700)
    before = open_catalog(root)
    catalog = before.append(second).append(third)
    everything = pa.concat_tables([first, second, third])
    check(root, everything)
    assert catalog.properties.hats_nrows == 780
    assert catalog.properties.hats_creation_date == before.properties.hats_creation_date
    order = catalog.properties.hats_skymap_order
    wanted = np.bincount(skies.healpix(everything["ra"], everything["dec"], order), minlength=12 * 4**order)
    assert (catalog.skymap() == wanted).all()
    assert pq.read_metadata(root / "dataset/_metadata").num_rows == 780
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert catalog.properties.hats_estsize == round(size / 1000)
    assert list(tmp_path.iterdir()) == [root]


def test_statistics_have_every_row_group(tmp_path):
    first, second = skies.stars(200, 1), skies.stars(300, 2)
    root = nightly(tmp_path, first, statistics=True, row_group_rows=20)
    append(root, second, row_group_rows=30)

    def written():
        table = pq.read_table(root / "per_partition_statistics.parquet")
        columns = ("Norder", "Npix", "row_group_index", "ra::min_value", "ra::row_count", "mag::null_count")
        return sorted(zip(*(table.column(name).to_pylist() for name in columns), strict=True))

    def wanted():
        for leaf in skies.read_leaves(root):
            footer = pq.read_metadata(root / leaf.path)
            names = [footer.schema.column(number).path for number in range(footer.num_columns)]
            ra, mag = names.index("ra"), names.index("mag")
            for number in range(footer.num_row_groups):
                group = footer.row_group(number)
                position, nulls = group.column(ra), group.column(mag).statistics.null_count
                low, count = position.statistics.min, position.num_values
                yield leaf.order, leaf.pixel, number, low, count, nulls

    assert written() == sorted(wanted())
    open_catalog(root).rebuild()
    assert written() == sorted(wanted())
    assert validate(root, level="rows").findings == ()
    check(root, pa.concat_tables([first, second]))


def test_rows_outside_all_tiles_get_new_tiles(tmp_path):
    here = skies.dressed(np.linspace(44, 46, 50), np.linspace(-1, 1, 50), 1)
    root = nightly(tmp_path, here, highest_order=4)
    old = open_catalog(root).partitions
    beyond = skies.dressed(np.linspace(180, 220, 500), np.linspace(-5, 5, 500), 2)
    around = skies.dressed(np.linspace(30, 60, 300), np.linspace(-12, 12, 300), 3)
    log = append(root, pa.concat_tables([beyond, around]))
    check(root, pa.concat_tables([here, beyond, around]))
    tiles = open_catalog(root).partitions
    assert all(tile in tiles for tile in old)
    assert log.new_tiles == len(tiles) - len(old) > 4
    assert not log.rebuild_due


def test_a_tile_above_the_threshold_is_reported(tmp_path):
    root = nightly(tmp_path, skies.stars(300, 1), max_rows=200)
    log = append(root, skies.stars(300, 2))
    assert log.rebuild_due
    assert log.drift.over == sum(
        finding.count for finding in validate(root).findings if finding.rule == OVER_THRESHOLD
    )
    assert log.drift.most_rows == max(
        sum(len(leaf.table) for leaf in skies.read_leaves(root) if (leaf.order, leaf.pixel) == tile)
        for tile in {(leaf.order, leaf.pixel) for leaf in skies.read_leaves(root)}
    )


def test_extra_columns_of_the_list_of_tiles_and_unknown_keywords(tmp_path):
    root = nightly(tmp_path)
    lines = (root / "partition_info.csv").read_text().splitlines()
    rows = {(leaf.order, leaf.pixel): len(leaf.table) for leaf in skies.read_leaves(root)}
    counted = [f"{line},{rows[tuple(map(int, line.split(',')))]}" for line in lines[1:]]
    (root / "partition_info.csv").write_text("\n".join(["Norder,Npix,num_rows", *counted]))
    for name in ("hats.properties", "properties"):
        with (root / name).open("a") as stream:
            stream.write("mission=Gaia\n")
    append(root, skies.stars(200, 2))
    check(root, pa.concat_tables([skies.stars(600, 1), skies.stars(200, 2)]), may_drift=True)
    assert "num_rows" in open_catalog(root).partitions.extra
    assert open_catalog(root).properties.get("mission") == "Gaia"


def test_a_sky_map_at_other_orders(tmp_path):
    from hatsformat.artefacts.skymap import encode_skymap

    root = nightly(tmp_path)
    table = skies.read_rows(root)
    (root / "point_map.fits").unlink()
    for order, name in ((8, "skymap.fits"), (2, "skymap.2.fits")):
        pixels = skies.healpix(table["ra"], table["dec"], order)
        (root / name).write_bytes(encode_skymap(np.bincount(pixels, minlength=12 * 4**order)))
    changed = open_catalog(root).properties.replace(hats_skymap_order=8, hats_skymap_alt_orders=(2,))
    for name in ("hats.properties", "properties"):
        (root / name).write_text(changed.format())
    append(root, skies.stars(200, 2), highest_order=4)
    check(root, pa.concat_tables([table, skies.stars(200, 2)]), may_drift=True)
    assert not (root / "point_map.fits").exists()


def test_catalogs_opened_before_stay_readable(tmp_path):
    root = nightly(tmp_path)
    catalog = open_catalog(root)
    tiles, cone = len(catalog.partitions), Cone(56.75, 24.12, 1)
    ids = set(catalog.scan(region=cone).to_table()["id"].to_pylist())
    batches = catalog.scan().to_batches()
    first = next(batches)
    append(root, skies.stars(500, 2))
    assert first.num_rows + sum(batch.num_rows for batch in batches) >= 600
    assert ids <= set(catalog.scan(region=cone).to_table()["id"].to_pylist())
    assert len(catalog.partitions) == tiles
    assert catalog.properties.hats_nrows == 600


def test_csv_is_read_with_the_types_of_the_catalog(tmp_path):
    table = pa.table(
        {"code": ["007", "a"], "n": pa.array([1, 2], pa.int16()), "ra": [1.0, 2], "dec": [3.0, 4]}
    )
    root = nightly(tmp_path, table)
    (tmp_path / "night.csv").write_text("code,n,ra,dec\n008,3,5,6\n009,4,7,8\n")
    catalog = open_catalog(root).append(tmp_path / "night.csv")
    found = catalog.scan(columns=["code", "n"]).to_table().sort_by("n")
    assert found.schema.types == [pa.string(), pa.int16()]
    assert found.to_pydict() == {"code": ["007", "a", "008", "009"], "n": [1, 2, 3, 4]}
    (tmp_path / "night.csv").write_text("code,n,ra,dec\n008,3.5,5,6\n")
    with pytest.raises(SchemaError, match="'n'"):
        catalog.append(tmp_path / "night.csv")


@pytest.mark.parametrize("spill", [False, True])
def test_workers_and_scratch_do_not_change_the_result(tmp_path, spill, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    if spill:
        monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
        monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 5000))
    one = nightly(tmp_path / "one")
    many = nightly(tmp_path / "many")
    pq.write_table(skies.stars(400, 2), tmp_path / "night.parquet")
    append(one, skies.stars(400, 2), workers=1)
    append(many, tmp_path / "night.parquet", workers=2, processes=spill)
    assert state(one) == state(many)


def other_columns():
    stars = skies.stars(20, 5)
    return {
        "missing": (stars.drop_columns(["mag"]), "'mag'"),
        "one more": (stars.append_column("more", stars["id"]), "'more'"),
        "of another kind": (stars.set_column(3, "mag", pa.array(["?"] * 20)), "'mag'"),
        "less precise": (stars.set_column(4, "flux", stars["mag"]), "'flux'"),
        "empty": (stars.set_column(2, "dec", pa.nulls(20, pa.float64())), "no position"),
        "too large": (
            stars.set_column(6, "good", pa.array(np.full(20, 2**40))),
            "'good'",
        ),
    }


@pytest.mark.parametrize(("table", "message"), other_columns().values(), ids=other_columns())
def test_rows_that_do_not_fit_change_nothing(tmp_path, table, message):
    root = nightly(tmp_path)
    before = state(root)
    with pytest.raises((SchemaError, CoordinatesError), match=message):
        append(root, table)
    assert state(root) == before
    assert list(tmp_path.iterdir()) == [root]


def test_values_that_do_not_fit_change_nothing(tmp_path):
    def table(value):
        return pa.table({"n": pa.array([value], pa.int64()), "ra": [1.0], "dec": [2.0]})

    root = nightly(tmp_path, table(5).cast(pa.schema([("n", pa.int8()), ("ra", "f8"), ("dec", "f8")])))
    append(root, table(7))
    before = state(root)
    with pytest.raises(SchemaError, match="300"):
        append(root, table(300))
    assert state(root) == before


def test_rows_without_a_position(tmp_path):
    root = nightly(tmp_path)
    bad = skies.stars(30, 2)
    ra = bad["ra"].to_numpy().copy()
    ra[:10] = np.nan
    bad = bad.set_column(1, "ra", pa.array(ra))
    with pytest.raises(CoordinatesError, match="NaN"):
        append(root, bad)
    for number, name in enumerate(("sky.quarantine.parquet", "sky.quarantine-1.parquet"), 1):
        log = append(root, bad, bad_coordinates="quarantine")
        assert log.quarantine == str(tmp_path / name)
        assert pq.read_table(log.quarantine)["id"].to_pylist() == list(range(10))
        assert open_catalog(root).properties.hats_nrows == 600 + 20 * number
    assert append(root, bad, bad_coordinates="drop").rows_rejected == 10
    log = append(root, bad.slice(0, 10), bad_coordinates="drop")
    assert (log.rows_written, log.rows_rejected) == (0, 10)


def test_an_append_without_rows_changes_nothing(tmp_path):
    root = nightly(tmp_path)
    before = state(root)
    assert append(root, skies.stars(3).slice(0, 0)).rows_written == 0
    assert state(root) == before


def test_new_tiles_above_the_threshold_are_refused(tmp_path):
    root = nightly(tmp_path, skies.dressed([10.0], [10.0]), max_rows=5, highest_order=3)
    before = state(root)
    with pytest.raises(ThresholdError, match="highest order"):
        append(root, skies.dressed([200.0] * 6, [50.0] * 6), highest_order=3)
    assert state(root) == before


def test_leaves_that_are_files_are_refused(tmp_path):
    root = nightly(tmp_path, leaf="file")
    with pytest.raises(UsageError, match='rebuild with leaf="directory"'):
        append(root, skies.stars(5))
    open_catalog(root).rebuild(leaf="directory").append(skies.stars(5, 2))
    check(root, pa.concat_tables([skies.stars(600, 1), skies.stars(5, 2)]), may_drift=True)


def test_a_catalog_with_wrong_counts_is_refused(tmp_path):
    root = nightly(tmp_path)
    leaf = root / skies.read_leaves(root)[0].path
    (leaf.parent / "part1.parquet").write_bytes(leaf.read_bytes())
    rows = 600 + pq.read_metadata(leaf).num_rows
    with pytest.raises(FormatError, match=r"hats_nrows.*rebuild"):
        append(root, skies.stars(5))
    catalog = open_catalog(root).rebuild()
    assert (catalog.properties.hats_nrows, catalog.scan().count_rows()) == (rows, rows)
    assert validate(root).findings == ()


def test_options_set_by_the_catalog_are_refused(tmp_path):
    root = nightly(tmp_path)
    with pytest.raises(UsageError, match="'max_rows'"):
        append(root, skies.stars(5), max_rows=3)


def test_a_second_append_at_the_same_time_is_refused(tmp_path):
    root = nightly(tmp_path)
    before = state(root)
    with locked(changing_folder(resolve(root))), pytest.raises(OutputError, match="another process"):
        append(root, skies.stars(5))
    (root / ".import").mkdir()
    with pytest.raises(OutputError, match="import"):
        append(root, skies.stars(5))
    (root / ".import").rmdir()
    assert state(root) == before


def test_an_import_over_a_changing_catalog_is_refused(tmp_path):
    root = nightly(tmp_path)
    before = state(root)
    with (
        locked(changing_folder(resolve(root))),
        pytest.raises(OutputError, match="another process is changing this catalog"),
    ):
        import_catalog(skies.stars(5), root, overwrite=True)
    assert state(root) == before


def test_a_link_to_the_catalog_stays_a_link(tmp_path):
    root = nightly(tmp_path / "disk")
    (tmp_path / "link").symlink_to(root)
    open_catalog(tmp_path / "link").append(skies.stars(5, 2))
    assert (tmp_path / "link").is_symlink()
    assert open_catalog(root).properties.hats_nrows == 605


def test_files_are_copied_if_the_disk_cannot_link(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(1, "Operation not permitted")

    root = nightly(tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    append(root, skies.stars(100, 2))
    check(root, pa.concat_tables([skies.stars(600, 1), skies.stars(100, 2)]), may_drift=True)


@pytest.mark.parametrize("url", ["memory://appended/sky", "s3"])
def test_object_stores(url, request):
    options = {}
    if url == "s3":
        server = request.getfixturevalue("s3")
        (server.root / "appended").mkdir(exist_ok=True)
        url, options = "s3://appended/sky", server.storage_options
    root = resolve(url, **options)
    import_catalog(skies.stars(300, 1), root, leaf="directory", max_rows=2000, overwrite=True)
    here = root / "dataset" / "Norder=0"
    catalog = open_catalog(root).append(skies.stars(300, 2))
    assert catalog.properties.hats_nrows == catalog.scan().count_rows() == 600
    report = validate(root, level="rows")
    assert report.findings == ()
    before = {path: root.fs.cat_file(path) for path in root.fs.find(root.path)}
    with pytest.raises(UsageError, match="local disk"):
        catalog.rebuild()
    root.fs.invalidate_cache()  # older s3fs remembers a listing from before the import
    assert here.exists()
    with pytest.raises(SchemaError):
        catalog.append(skies.stars(5).drop_columns(["mag"]))
    root.fs.invalidate_cache()
    assert {path: root.fs.cat_file(path) for path in root.fs.find(root.path)} == before


@pytest.mark.parametrize("last", ["partition_info.csv", "dataset/_metadata", "hats.properties"])
def test_a_failed_append_to_an_object_store_is_undone(last, monkeypatch):
    from hatsformat import storage

    root = resolve("memory://appended/failing")
    import_catalog(skies.stars(300, 1), root, leaf="directory", max_rows=250, overwrite=True)
    before = {path: root.fs.cat_file(path) for path in root.fs.find(root.path)}
    write, extend = storage.write_bytes, storage.atomic_writer

    def fail(path, *args):
        if path.path.endswith(last) and ".changing" not in path.path:
            raise HatsError("the disk is full")
        return (write if args else extend)(path, *args)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_bytes", fail)
        patch.setattr(storage, "atomic_writer", fail)
        with pytest.raises(HatsError, match="full"):
            append(root, skies.dressed(np.linspace(1, 359, 200), np.linspace(-80, 80, 200)))
    assert {path: root.fs.cat_file(path) for path in root.fs.find(root.path)} == before


def test_the_journal_of_a_killed_append_is_undone_first(monkeypatch):
    from hatsformat.publishing.journal import Journal

    root = resolve("memory://appended/killed")
    import_catalog(skies.stars(300, 1), root, leaf="directory", max_rows=2000, overwrite=True)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_undo", lambda self, **_: None)
        patch.setattr("hatsformat.updates.metadata.write_properties", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            append(root, skies.stars(200, 2))
    catalog = open_catalog(root).append(skies.stars(100, 3))
    assert catalog.properties.hats_nrows == catalog.scan().count_rows() == 400
    assert validate(root).findings == ()
    assert not (root / ".changing").exists()


def test_a_journal_of_another_machine_is_respected():
    root = resolve("memory://appended/elsewhere")
    import_catalog(skies.stars(30, 1), root, leaf="directory", overwrite=True)
    (root / ".changing").mkdir()
    (root / ".changing/journal.json").write_text('{"host": "far.example", "added": [], "replaced": []}')
    with pytest.raises(OutputError, match=r"far\.example"):
        append(root, skies.stars(5))


def test_tiles_are_split_around_existing_ones():
    from hatsformat.partition_info import PartitionInfo
    from hatsformat.partitioner.binning import align_around
    from hatsformat.partitioner.pixel_counts import PixelCounts

    existing = PartitionInfo.of_tiles([HealpixPixel(3, 0), HealpixPixel(1, 2)])
    pixels = np.array([0, 1, 15 * 4, 20 * 4, 40 * 4, 100 * 4])
    counts = PixelCounts(5, pixels, np.full(6, 10))
    alignment = align_around(existing, counts, counts, 1000, keep_empty_siblings=True)
    tiles = {
        (tile.order, tile.pixel): rows
        for tile, rows in zip(alignment.tiles, alignment.rows.tolist(), strict=True)
    }
    assert tiles == {(3, 0): 20, (3, 3): 10, (2, 1): 10, (2, 2): 10, (1, 1): 10}
