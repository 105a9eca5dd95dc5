"""Catalogs made to exhaust whoever reads them: each is judged in bounded time, within bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.catalogs_to_break import collection, leaf_name, object_catalog, write

LEAF = leaf_name(0, 3)
MEGABYTES = 900
SECONDS = 60

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is told by /proc")

JUDGE = r"""
import json, re, resource, sys
from hatsformat.validation import validate
report = validate(sys.argv[1])
# Not ru_maxrss of this process, which remembers the one that started it.
own = int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
peak = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024
found = sorted({finding.rule for finding in report.findings})
print(json.dumps({"found": found, "peak": peak, "not_run": len(report.not_run)}))
"""


def judged(root: Path) -> set[str]:
    """The rules that a validator in a process of its own finds, which must stay within its bounds."""
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, str(root)], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    told = json.loads(done.stdout)
    assert told["peak"] < MEGABYTES, told
    return set(told["found"])


@pytest.fixture
def root(tmp_path) -> Path:
    return write(tmp_path / "catalog", object_catalog())


def grow(path: Path, size: int) -> None:
    """Make a file as large as it says; on the disk it stays small."""
    os.truncate(path, size)
    assert path.stat().st_blocks * 512 < 1 << 20


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("hats.properties", "HATS-PROP-010"),
        ("partition_info.csv", "HATS-PINF-002"),
        ("skymap.fits", "HATS-AUX-102"),
        ("data_thumbnail.parquet", "HATS-AUX-201"),
        ("dataset/_metadata", "HATS-AUX-003"),
        (LEAF, "HATS-LEAF-001"),
    ],
)
def test_a_file_of_gigabytes(root, name, rule):
    grow(root / name, 5 << 30)
    assert rule in judged(root)


def test_properties_of_gigabytes_of_a_collection(tmp_path):
    root = write(tmp_path / "collection", collection())
    grow(root / "collection.properties", 5 << 30)
    assert "HATS-PROP-010" in judged(root)


@pytest.mark.parametrize(
    "line", [b"0,3\n", b"0,3,", b'"', b"\n"], ids=["lines", "columns", "quotes", "empty"]
)
def test_a_large_csv(root, line):
    text = b"Norder,Npix\n0,3\n" + line * (8_000_000 // len(line))
    (root / "partition_info.csv").write_bytes(text)
    assert {rule for rule in judged(root) if rule.startswith("HATS-PINF")}


def leaf(root: Path, columns: dict[str, pa.Array]) -> None:
    pq.write_table(pa.table(columns), root / LEAF, compression="zstd", row_group_size=1 << 30)


def test_many_rows_in_a_few_bytes(root):
    zeros = pa.array(np.zeros(4_000_000, dtype=np.int64))
    leaf(root, {"_healpix_29": zeros, "id": zeros})
    assert (root / LEAF).stat().st_size < 1 << 20
    assert "HATS-PROP-401" in judged(root)


def test_texts_that_grow(root):
    text = "a" * (28 << 20)
    leaf(root, {"_healpix_29": pa.array([0] * 10), "name": pa.array([f"{text}{n}" for n in range(10)])})
    assert (root / LEAF).stat().st_size < 1 << 18
    assert "HATS-LEAF-009" in judged(root)


def test_links_in_circles(root):
    for name, target in [("dataset/a", "b"), ("dataset/b", "a"), ("dataset/up", ".."), ("self", ".")]:
        (root / name).symlink_to(target)
    assert judged(root) == {"HATS-TREE-004", "HATS-TREE-007"}


@pytest.mark.parametrize(
    "name", ["hats.properties", "partition_info.csv", "skymap.fits", "dataset/_metadata", LEAF]
)
def test_what_never_ends(root, name):
    (root / name).unlink()
    os.mkfifo(root / name)
    assert judged(root)
