"""The thumbnail: first rows, evenly chosen, in the catalog's own schema."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts.leaf import LeafFormat
from hatsformat.artefacts.leaf_reading import read_footer, read_row_groups
from hatsformat.artefacts.thumbnail import write_thumbnail
from hatsformat.errors import LeafError


def leaf_table(start: int, rows: int) -> pa.Table:
    return pa.table(
        {
            "_healpix_29": np.arange(start, start + rows),
            "name": [f"{start}+{k}" for k in range(rows)],
            "lc": pa.array(
                [[{"mjd": 1.0}]] * rows, pa.list_(pa.field("element", pa.struct({"mjd": pa.float64()})))
            ),
        }
    ).replace_schema_metadata({"IVOA.VOTable-Parquet.version": "1.0"})


SCHEMA = leaf_table(0, 1).schema


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    if request.param == "local":
        return storage.resolve(tmp_path / "data_thumbnail.parquet")
    return UPath(f"memory://thumbnail/{uuid.uuid4().hex}")


def read(place: UPath) -> pa.Table:
    return read_row_groups(place, read_footer(place))


def test_first_row_of_every_leaf(place: UPath) -> None:
    leaves = [leaf_table(100 * k, k + 1) for k in range(8)]
    assert write_thumbnail(place, SCHEMA, iter(leaves), 100, LeafFormat()) == 8
    assert read(place).equals(pa.concat_tables([leaf.slice(0, 1) for leaf in leaves]))
    assert read(place).schema.equals(SCHEMA, check_metadata=True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 60), st.integers(0, 70))
def test_never_more_than_asked_and_evenly_chosen(place: UPath, leaves: int, most: int) -> None:
    rows = write_thumbnail(place, SCHEMA, (leaf_table(k, 1) for k in range(leaves)), most, LeafFormat())
    found = read(place)["_healpix_29"].to_pylist()
    assert rows == len(found) == min(leaves, most)
    assert found == sorted(set(found))
    if rows > 1:
        assert (found[0], found[-1]) == (0, leaves - 1)
        steps = np.diff(found)
        assert steps.max() - steps.min() <= 1


def test_rows_are_sorted_as_leaves_are(place: UPath) -> None:
    leaves = [leaf_table(start, 2) for start in (500, 100, 300)]
    write_thumbnail(place, SCHEMA, leaves, 10, LeafFormat())
    assert read(place)["_healpix_29"].to_pylist() == [100, 300, 500]


def test_empty_leaves_and_none_at_all(place: UPath) -> None:
    assert write_thumbnail(place, SCHEMA, [leaf_table(0, 0), leaf_table(7, 1)], 10, LeafFormat()) == 1
    assert write_thumbnail(place, SCHEMA, [], 10, LeafFormat()) == 0
    assert read(place).schema.equals(SCHEMA, check_metadata=True)


def test_more_leaves_than_are_joined_at_once(place: UPath) -> None:
    assert (
        write_thumbnail(place, SCHEMA, (leaf_table(k, 1) for k in range(2_500)), 10**6, LeafFormat()) == 2_500
    )
    assert read(place)["_healpix_29"].to_pylist() == list(range(2_500))


def test_rows_of_another_schema(place: UPath) -> None:
    with pytest.raises(LeafError, match="columns of a leaf differ"):
        write_thumbnail(place, SCHEMA, [pa.table({"x": [1]})], 10, LeafFormat())
    assert not storage.exists(place)
