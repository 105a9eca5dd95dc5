"""The machine-readable account of an import."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import CatalogWriter
from hatsformat._spec import spec_path
from hatsformat.errors import HatsError, OutputError, StorageError
from hatsformat.importing import run_import
from hatsformat.partitioner.options import ImportOptions
from tests.support import skies
from tests.support.imports import little_memory


def read(place: Path) -> dict[str, Any]:
    """The log, once it is found to be as the schema says."""
    schema = json.loads(spec_path("schemas", "build-log.schema.json").read_text("utf-8"))
    log = json.loads(place.read_text("utf-8"))
    jsonschema.validate(log, schema, format_checker=jsonschema.FormatChecker())
    return log


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "in" / f"{name}.parquet" for name in "ab"]
    paths[0].parent.mkdir()
    pq.write_table(skies.stars(300, seed=1), paths[0], row_group_size=50)
    table = skies.stars(100, seed=2)
    ra = pa.array([None, float("nan"), *table["ra"].to_pylist()[2:]])
    pq.write_table(table.set_column(1, "ra", ra), paths[1])
    return [str(path) for path in paths]


@pytest.mark.parametrize("processes", [False, True])
def test_what_a_log_says(tmp_path: Path, inputs: list[str], processes: bool) -> None:
    with little_memory(chunk=2000):
        run_import(
            inputs,
            tmp_path / "sky",
            max_rows=50,
            bad_coordinates="quarantine",
            log=str(tmp_path / "logs" / "sky.json"),
            processes=processes,
            workers=2,
        )
    log = read(tmp_path / "logs" / "sky.json")
    assert (log["status"], log["error"]) == ("done", None)
    assert (log["rows_read"], log["rows_rejected"], log["rows_written"]) == (400, 2, 398)
    assert [(item["name"], item["rows"], item["rows_rejected"]) for item in log["files"]] == [
        (inputs[0], 300, 0),
        (inputs[1], 100, 2),
    ]
    assert log["read_bytes"] == sum(item["bytes"] for item in log["files"]) > 10_000
    assert log["inputs"] > 2  # the first is read in parts
    assert pq.read_metadata(log["quarantine"]).num_rows == 2
    assert log["tiles"] == len(skies.read_leaves(tmp_path / "sky"))
    files = [tmp_path / "sky" / name for name in skies.files(tmp_path / "sky")]
    assert log["size_bytes"] == sum(path.stat().st_size for path in files)
    assert log["spilled_bytes"] > 0
    assert set(log["seconds"]) == {"mapping", "binning", "splitting", "reducing and finishing"}
    assert log["peak_memory_bytes"] > 50_000_000
    assert (log["peak_worker_memory_bytes"] > 50_000_000) or not processes
    assert log["options"]["max_rows"] == 50
    assert set(log["options"]) == set(ImportOptions.__slots__)
    assert log["versions"]["pyarrow"] == pa.__version__
    started, finished = (datetime.fromisoformat(log[name]) for name in ("started", "finished"))
    assert started <= finished <= datetime.now(UTC)


def test_an_import_that_fails(tmp_path: Path, inputs: list[str]) -> None:
    with pytest.raises(HatsError):
        run_import(inputs, tmp_path / "sky", log=str(tmp_path / "sky.json"))
    log = read(tmp_path / "sky.json")
    assert log["status"] == "failed"
    assert "b.parquet" in log["error"]
    assert not (tmp_path / "sky").exists()


def test_an_import_that_runs(tmp_path: Path, inputs: list[str]) -> None:
    seen = []

    def told(*_: Any) -> None:
        seen.append(read(tmp_path / "sky.json")["status"])

    run_import(inputs[:1], tmp_path / "sky", log=str(tmp_path / "sky.json"), progress=told)
    assert set(seen) == {"running"}


def test_a_log_that_cannot_be_written_stops_the_import_before_it_begins(
    tmp_path: Path, inputs: list[str]
) -> None:
    with pytest.raises(StorageError, match="null"):
        run_import(inputs, tmp_path / "sky", log="/dev/null/sky.json")
    assert not (tmp_path / "sky").exists()


def test_a_log_inside_the_catalog_is_refused(tmp_path: Path, inputs: list[str]) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for place in (tmp_path / "sky" / "log.json", tmp_path / "link" / "sky" / "deep" / "log.json"):
        with pytest.raises(OutputError, match="outside"):
            run_import(inputs, tmp_path / "sky", log=str(place))
    assert not (tmp_path / "sky").exists()


def test_the_log_of_a_writer(tmp_path: Path) -> None:
    table = skies.stars(30)
    with CatalogWriter(tmp_path / "sky", table.schema, log=str(tmp_path / "sky.json")) as writer:
        writer.append(table)
        assert not (tmp_path / "sky.json").exists()
    log = read(tmp_path / "sky.json")
    assert (log["status"], log["rows_read"], log["rows_written"]) == ("done", 30, 30)
