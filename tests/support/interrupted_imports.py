"""An import of four files that is killed at a chosen step."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.killing import run_killed

FILES, ROWS_A_FILE = 4, 700
OPTIONS = {"max_rows": 150, "highest_order": 6, "name": "sky"}

SCRIPT = """
import json, sys
from hatsformat.importing import run_import, tables
from hatsformat.partitioner import building, finishing, mapping, memory, merging, reducing, runs
from hatsformat.publishing import new_folder
from hatsformat.supplements import collection, index, margin
from tests.support.killing import die_after, die_at

def few_runs():
    merging.MOST_RUNS = 3

inputs, out, spill, given = json.loads(sys.argv[1])
if spill:
    memory.MemoryBudget.runs_bytes = property(lambda self: 0)
{fault}
run_import(inputs, out, workers=1, **given)
"""


def write_inputs(folder):
    """Write the files and return their paths."""
    rng = np.random.default_rng(7)
    paths = []
    for number in range(FILES):
        table = pa.table(
            {
                "id": np.arange(ROWS_A_FILE) + number * ROWS_A_FILE,
                "ra": rng.normal(200, 30, ROWS_A_FILE) % 360,
                "dec": np.clip(rng.normal(-30, 20, ROWS_A_FILE), -90, 90),
                "band": pa.array(rng.choice(["g", "r", None], ROWS_A_FILE)),
            }
        )
        paths.append(str(folder / f"part-{number}.parquet"))
        pq.write_table(table, paths[-1])
    return paths


def killed(inputs, out, fault, *, spill=True, **given):
    """Import the files; `fault`, a line of code, kills the process."""
    run_killed(SCRIPT.replace("{fault}", fault), inputs, str(out), spill, {**OPTIONS, **given})
