"""What this package writes has no finding at all, of any severity."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from hatsformat import import_catalog
from hatsformat.validation import validate
from tests.support.catalogs_to_break import described

WAYS = {
    "plain": {"max_rows": 300},
    "leaf directories": {"max_rows": 300, "leaf": "directory", "thumbnail": True},
    "empty siblings": {"max_rows": 50, "keep_empty_siblings": True, "thumbnail": True, "sort_by": ("id",)},
    "source": {"max_rows": 10_000, "catalog_type": "source"},
    "sub-tiles": {"max_rows": 300, "statistics": True, "subtile_order_delta": 2, "row_group_rows": 50},
    "one order": {"max_rows": 10_000, "lowest_order": 2, "highest_order": 2},
}


def sky(count: int, kind: pa.DataType) -> pa.Table:
    random = np.random.default_rng(7)
    ra = random.uniform(-180, 180, count)
    dec = np.degrees(np.arcsin(random.uniform(-1, 1, count)))
    ra[:4], dec[:4] = [0, 45, 180, -90], [90, -90, 0, 41.8103148957786]
    names = pa.array([f"star {number}" for number in range(count)])
    return pa.table(
        {"id": np.arange(count), "ra": pa.array(ra, kind), "dec": pa.array(dec, kind), "name": names}
    )


@pytest.mark.parametrize("edition", ["1.0", "draft-2025-04"])
@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_an_import_has_no_finding(tmp_path, way, kind, edition):
    import_catalog(sky(1_000, kind), tmp_path / "catalog", ra="ra", dec="dec", **WAYS[way])
    assert described(validate(tmp_path / "catalog", edition=edition)) == []


def test_hipparcos_has_no_finding(shared, tmp_path):
    inputs = shared / "data" / "hipparcos_v9.csv"
    import_catalog(inputs, tmp_path / "catalog", ra="ra", dec="dec", max_rows=5_000)
    assert described(validate(tmp_path / "catalog")) == []
