"""Catalogs written in batches are the same as those imported from the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from upath import UPath

from hatsformat import CatalogWriter, open_catalog
from hatsformat.errors import (
    ColumnError,
    CoordinatesError,
    HatsError,
    InputError,
    OutputError,
    SchemaError,
    UsageError,
)
from hatsformat.importing import run_import

SCHEMA = pa.schema({"id": pa.int64(), "ra": pa.float64(), "dec": pa.float64()})
OPTIONS = {"max_rows": 300, "highest_order": 6, "name": "sky"}


def rows(count: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {"id": np.arange(count), "ra": rng.uniform(0, 360, count), "dec": rng.uniform(-90, 90, count)}
    )


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def test_batches_give_the_same_catalog_as_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    table = rows(2000)
    run_import(table, tmp_path / "imported", **OPTIONS)
    with CatalogWriter(tmp_path / "written", SCHEMA, **OPTIONS) as writer:
        for batch in table.to_batches(max_chunksize=130):
            writer.append(batch)
        assert not (tmp_path / "written" / "hats.properties").exists()
    assert files_of(tmp_path / "written") == files_of(tmp_path / "imported")


def test_close_returns_the_catalog(tmp_path: Path) -> None:
    writer = CatalogWriter(tmp_path / "sky", SCHEMA, **OPTIONS)
    writer.append(rows(10).to_pandas())
    catalog = writer.close()
    assert catalog.scan().count_rows() == 10
    for late in (lambda: writer.append(rows(1)), writer.close):
        with pytest.raises(UsageError, match="closed"):
            late()
    writer.abort()  # does nothing now
    assert open_catalog(tmp_path / "sky").properties.hats_nrows == 10


def test_rows_that_do_not_fit_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hatsformat.partitioner.memory import MemoryBudget

    monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda _: 0))
    monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda _: 4000))
    with CatalogWriter(tmp_path / "sky", SCHEMA, **OPTIONS) as writer:
        for seed in range(5):
            writer.append(rows(400, seed))
    assert open_catalog(tmp_path / "sky").scan().count_rows() == 2000
    assert not [path for path in (tmp_path / "sky").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("how", ["abort", "raise"])
def test_an_aborted_writer_leaves_nothing(how: str, tmp_path: Path) -> None:
    def write() -> None:
        with CatalogWriter(tmp_path / "sky", SCHEMA, **OPTIONS) as writer:
            writer.append(rows(100))
            if how == "raise":
                raise RuntimeError("the simulation failed")
            writer.abort()

    if how == "raise":
        with pytest.raises(RuntimeError, match="simulation"):
            write()
    else:
        write()
    assert list(tmp_path.iterdir()) == []


def test_an_aborted_replacement_leaves_the_existing_catalog(tmp_path: Path) -> None:
    run_import(rows(50), tmp_path / "sky", **OPTIONS)
    before = files_of(tmp_path / "sky")
    writer = CatalogWriter(tmp_path / "sky", SCHEMA, overwrite=True, **OPTIONS)
    writer.append(rows(10))
    writer.abort()
    assert files_of(tmp_path / "sky") == before


BAD_NAME = pa.schema({"id": pa.int64(), "lon": pa.float64(), "dec": pa.float64()})


@pytest.mark.parametrize(
    ("schema", "appended", "error"),
    [
        (BAD_NAME, None, ColumnError),
        (SCHEMA, pa.table({"id": [1]}), SchemaError),
        (SCHEMA, pa.table({"id": ["x"], "ra": [0.0], "dec": [0.0]}), SchemaError),
        (SCHEMA, pa.table({"id": [1], "ra": [0.0], "dec": [91.0]}), CoordinatesError),
        (SCHEMA, SCHEMA.empty_table(), InputError),
        (SCHEMA, 7, InputError),
    ],
)
def test_a_failed_writer_leaves_nothing(
    schema: pa.Schema, appended: Any, error: type[HatsError], tmp_path: Path
) -> None:
    def write() -> None:
        with CatalogWriter(tmp_path / "sky", schema, **OPTIONS) as writer:
            writer.append(appended)

    with pytest.raises(error):
        write()
    assert list(tmp_path.iterdir()) == []


def test_two_writers_in_one_folder(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "sky", SCHEMA, **OPTIONS) as writer:
        writer.append(rows(5))
        with pytest.raises(OutputError, match="another process"):
            CatalogWriter(tmp_path / "sky", SCHEMA, **OPTIONS)
    assert open_catalog(tmp_path / "sky").scan().count_rows() == 5


def test_in_a_bucket(s3: Any) -> None:
    (s3.root / "writer").mkdir()
    root = UPath("s3://writer/sky", **s3.storage_options)
    with CatalogWriter(root, SCHEMA, **OPTIONS) as writer:
        writer.append(rows(500))
    assert open_catalog(root).scan().count_rows() == 500
