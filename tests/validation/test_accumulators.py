"""What is gathered from all rows: pixels counted, and rows of a thumbnail found."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import Latitude, Longitude
from astropy.units import deg
from cdshealpix.nested import lonlat_to_healpix
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import import_catalog
from hatsformat.validation import validate
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.accumulators import PixelTally, row_keys
from hatsformat.validation.evidence.row_batch import RowBatch, RowPlan
from tests.support.catalogs_to_break import described

POSITIONS = st.tuples(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))


def pixels_of(rows: list[tuple[float, float]], order: int) -> np.ndarray:
    """The oracle: cdshealpix itself, one order at a time."""
    ra, dec = np.array(rows).T
    return lonlat_to_healpix(Longitude(ra, deg), Latitude(dec, deg), order).astype(np.int64)


def batch(rows: list[tuple[float, float]], *, index: int | None = 29, kind="double", positions=True):
    ra, dec = np.array(rows).T
    columns = {"ra": pa.array(ra, kind), "dec": pa.array(dec, kind)} if positions else {"n": pa.array(ra)}
    if index is not None:
        columns["hpx"] = pa.array(pixels_of(rows, index))
    names = ("ra", "dec") if positions else (None, None)
    return RowBatch(RowPlan(*names, "hpx", 29 if index is None else index), None, pa.table(columns))


def counted(rows, order: int) -> np.ndarray:
    counts = np.zeros(12 * 4**order, dtype=np.int64)
    for pixel, count in Counter(pixels_of(rows, order).tolist()).items():
        counts[pixel] = count
    return counts


@settings(max_examples=40)
@given(batches=st.lists(st.lists(POSITIONS, min_size=1, max_size=30), max_size=4), order=st.integers(0, 5))
def test_rows_are_counted_by_pixel(batches, order):
    tally = PixelTally(order)
    for rows in batches:
        tally.see(batch(rows))
    everything = [row for rows in batches for row in rows]
    expected = counted(everything, order) if everything else np.zeros(12 * 4**order)
    assert (tally.counts == expected).all()


@pytest.mark.parametrize("index", [None, 13, 29])
def test_with_or_without_an_index(index):
    rows = [(10.0, 20.0), (10.0, 20.0), (200.0, -45.0)]
    tally = PixelTally(7)
    tally.see(batch(rows, index=index))
    assert (tally.counts == counted(rows, 7)).all()


def test_positions_in_32_bits_count_where_their_index_does():
    """Rows within a rounding of an edge: the map was made from the exact positions, as the index was."""
    edge = 45.0
    rows = [
        (np.nextafter(edge, 0), 10.0),
        (np.nextafter(edge, 90), 10.0),
        (edge - 1e-7, -20.0),
        (edge + 1e-7, 0.3),
    ]
    tally = PixelTally(6)
    tally.see(batch(rows, kind="float"))
    assert (tally.counts == counted(rows, 6)).all()


def test_an_index_far_from_the_position_does_not_count():
    rows = [(10.0, 20.0), (11.0, 21.0)]
    found = batch(rows)
    wrong = found.table.set_column(2, "hpx", pa.array([0, 0]))
    tally = PixelTally(6)
    tally.see(RowBatch(found.plan, None, wrong))
    assert (tally.counts == counted(rows, 6)).all()


def test_maps_have_an_index_alone():
    rows = [(10.0, 20.0), (200.0, -45.0)]
    tally = PixelTally(4)
    tally.see(batch(rows, index=9, positions=False))
    assert (tally.counts == counted(rows, 4)).all()
    with pytest.raises(NoEvidenceError, match="at least the map's order"):
        PixelTally(9).see(batch(rows, index=4, positions=False))


def test_rows_without_a_position_cannot_be_counted():
    with pytest.raises(NoEvidenceError, match="some rows have no valid position"):
        PixelTally(3).see(batch([(10.0, 20.0), (10.0, 91.0)], index=None))


def test_keys_tell_rows_apart():
    columns = {
        "id": [1, 1, 2, None],
        "x": [0.5, -0.0, 0.5, float("nan")],
        "name": ["a", "a", "b", None],
        "day": pa.array([0, 0, 1, None], pa.date32()),
    }
    table = pa.table(columns)
    keys = row_keys(table, list(columns))
    assert len(set(keys.tolist())) == 4
    again = row_keys(pa.concat_tables([table.slice(2), table.slice(0, 2)]), list(columns))
    assert again.tolist() == [*keys[2:].tolist(), *keys[:2].tolist()]
    positive = row_keys(table.set_column(1, "x", pa.array([0.5, 0.0, 0.5, float("nan")])), list(columns))
    assert (positive == keys).all()


def test_every_type_of_column_in_a_thumbnail(tmp_path):
    """What is written has no finding, whatever the columns are; and one value that is changed has."""
    import pyarrow.parquet as pq

    count = 60
    random = np.random.default_rng(3)
    table = pa.table(
        {
            "ra": random.uniform(0, 360, count),
            "dec": random.uniform(-90, 90, count),
            "big": pa.array(random.integers(0, 2**63, count).astype(np.uint64) * 2, pa.uint64()),
            "short": pa.array(random.normal(size=count).astype(np.float32), mask=np.arange(count) % 3 == 0),
            "flag": pa.array(random.integers(0, 2, count).astype(bool)),
            "name": pa.array([None if n % 4 == 0 else f"étoile {n}" for n in range(count)]),
            "when": pa.array(random.integers(0, 10**9, count), pa.timestamp("s")),
            "day": pa.array(random.integers(0, 20_000, count).astype(np.int32), pa.date32()),
            "price": pa.array([Decimal(n) / 4 for n in range(count)], pa.decimal128(8, 2)),
            "hour": pa.array(np.arange(count, dtype=np.int32), pa.time32("s")),
            "span": pa.array(np.arange(count), pa.duration("ms")),
            "curve": pa.array([[float(n)] * (n % 3) for n in range(count)]),
        }
    )
    root = tmp_path / "catalog"
    import_catalog(table, root, ra="ra", dec="dec", max_rows=10, thumbnail=True)
    report = validate(root)
    assert described(report) == []
    assert "HATS-AUX-206" in report.passed
    place = root / "data_thumbnail.parquet"
    whole = pq.read_table(place)
    for name in ("big", "short", "flag", "name", "when", "day", "price", "hour", "span", "curve"):
        values = whole.column(name).to_pylist()
        other = next(n for n, value in enumerate(values) if value is not None and value != values[0])
        values[0] = values[other]
        changed = whole.set_column(
            whole.column_names.index(name), name, pa.array(values, whole.schema.field(name).type)
        )
        pq.write_table(changed, place)
        assert [finding.rule for finding in validate(root).findings] == ["HATS-AUX-206"], name


@pytest.mark.parametrize("times", [1, 2, 3])
def test_rows_that_stand_twice(times, tmp_path):
    """A thumbnail may have a row as often as the leaves have it."""
    import pyarrow.parquet as pq

    rng = np.random.default_rng(4)
    once = pa.table({"ra": rng.uniform(0, 360, 30), "dec": rng.uniform(-90, 90, 30)})
    root = tmp_path / "catalog"
    import_catalog(pa.concat_tables([once, once]), root, name="twice", max_rows=50, thumbnail=True)
    place = root / "data_thumbnail.parquet"
    row = pq.read_table(place).slice(0, 1)
    pq.write_table(pa.concat_tables([row] * times), place)
    findings = [finding for finding in validate(root).findings if finding.rule == "HATS-AUX-206"]
    assert [finding.departures[0].location.row for finding in findings] == ([] if times <= 2 else [2])
