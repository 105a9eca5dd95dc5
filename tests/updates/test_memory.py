"""Appends and rebuilds stay within the same memory limit as imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import open_catalog

LIMIT_MIB, WORKERS, ROWS, COLUMNS = 384, 8, 700_000, 33

SCRIPT = f"""
import sys
import hatsformat
step, night, sky = sys.argv[1:]
options = dict(memory={LIMIT_MIB} << 20, workers={WORKERS})
if step == "import":
    hatsformat.import_catalog(night, sky, leaf="directory", **options)
elif step == "append":
    hatsformat.open_catalog(sky).append(night, **options)
else:
    hatsformat.open_catalog(sky).rebuild(**options)
# Not ru_maxrss, which remembers the process that started this one.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def write_night(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = {"ra": rng.uniform(0, 360, ROWS), "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, ROWS)))}
    columns |= {f"c{number}": rng.normal(size=ROWS) for number in range(COLUMNS - 2)}
    pq.write_table(pa.table(columns), path, row_group_size=50_000)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_an_append_and_a_rebuild_stay_within_the_memory_limit(tmp_path):
    night, sky = tmp_path / "night.parquet", tmp_path / "sky"
    for seed, step in enumerate(["import", "append", "rebuild"]):
        if step != "rebuild":
            write_night(night, seed)
        command = [sys.executable, "-c", SCRIPT, step, str(night), str(sky)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak_mib = int(done.stdout.split()[-1]) // 1024
        assert peak_mib < LIMIT_MIB, step
    assert open_catalog(sky).scan().count_rows() == 2 * ROWS
