"""The bound on memory holds whatever the rows are like."""

from __future__ import annotations

import base64
import itertools
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from hatsformat import storage
from hatsformat.inputs.parquet import parquet_sources
from hatsformat.partitioner.common_types import nested_types
from hatsformat.partitioner.executors import open_workers
from hatsformat.partitioner.memory import MemoryBudget
from hatsformat.partitioner.merging import COLUMN_BYTES, MOST_RUNS, most_runs
from hatsformat.partitioner.runs import SPILL_BATCH_BYTES, batch_rows_of
from tests.support import skies

BOUND_MIB = 480

IMPORT = f"""
import sys
from hatsformat.importing import import_catalog
import_catalog(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), memory={BOUND_MIB} << 20, max_rows=10_000)
# Not ru_maxrss, which remembers the process that started this one.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize(("letters", "group_rows", "workers"), [(100_000, 100, 2), (60_000, 2000, 4)])
def test_rows_with_many_letters(letters, group_rows, workers, tmp_path):
    # Of the larger row groups, pages are of 60 MB: writers look at their size after 1,024 values.
    rng, rows = np.random.default_rng(4), 1200
    (tmp_path / "in").mkdir()
    for number in range(workers + 1):
        ra, dec = rng.uniform(0, 360, rows), np.degrees(np.arcsin(rng.uniform(-1, 1, rows)))
        texts = [rng.bytes(letters // 2).hex() for _ in range(rows)]
        table = pa.table({"ra": ra, "dec": dec, "text": texts})
        place = tmp_path / "in" / f"{number}.parquet"
        pq.write_table(table, place, use_dictionary=False, row_group_size=group_rows)
    assert peak_of_import(tmp_path / "in", tmp_path / "sky", workers) < BOUND_MIB
    assert sum(len(leaf.table) for leaf in skies.read_leaves(tmp_path / "sky")) == (workers + 1) * rows


def peak_of_import(source, out, workers=2) -> int:
    """Import with a bound on memory, and return what the process took at most, in MiB."""
    command = [sys.executable, "-c", IMPORT, str(source), str(out), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("write", ["fits", "ecsv", "tabledata", "binary2"])
def test_tables_that_astropy_reads(write, tmp_path):
    rng, rows = np.random.default_rng(5), 2000
    texts = ((row % 360, row % 90, rng.bytes(50_000).hex().encode()) for row in range(rows))
    kinds = {"fits": fits_table, "ecsv": ecsv, "tabledata": tabledata, "binary2": binary2}
    place = tmp_path / f"long.{write if write in ('fits', 'ecsv') else 'vot'}"
    with place.open("wb") as file:
        file.writelines(kinds[write](texts))
    assert peak_of_import(place, tmp_path / "sky") < BOUND_MIB
    assert sum(len(leaf.table) for leaf in skies.read_leaves(tmp_path / "sky")) == rows


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("kind", [pa.ipc.new_file, pa.ipc.new_stream])
def test_all_rows_in_one_record_batch(kind, tmp_path):
    rng, rows = np.random.default_rng(6), 4000
    texts = [rng.bytes(50_000).hex() for _ in range(rows)]
    table = pa.table({"ra": rng.uniform(0, 360, rows), "dec": rng.uniform(-90, 90, rows), "text": texts})
    with kind(str(tmp_path / "one.arrow"), table.schema) as sink:
        sink.write_table(table)
    assert peak_of_import(tmp_path / "one.arrow", tmp_path / "sky") < BOUND_MIB
    assert sum(len(leaf.table) for leaf in skies.read_leaves(tmp_path / "sky")) == rows


def fits_table(rows):
    kind = np.dtype([("ra", ">f8"), ("dec", ">f8"), ("text", "S100000")])
    header = fits.BinTableHDU(np.zeros(0, kind)).header
    header["NAXIS2"] = 2000
    yield fits.PrimaryHDU().header.tostring().encode() + header.tostring().encode()
    yield from (struct.pack(">dd100000s", *row) for row in rows)
    yield bytes(-2000 * kind.itemsize % 2880)


def ecsv(rows):
    yield b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, datatype: float64}\n"
    yield b"# - {name: dec, datatype: float64}\n# - {name: text, datatype: string}\nra dec text\n"
    yield from (b"%d %d %s\n" % row for row in rows)


def votable(content):
    yield b'<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="ra" datatype="double"/>'
    yield b'<FIELD name="dec" datatype="double"/><FIELD name="text" datatype="char" arraysize="*"/><DATA>'
    yield from content
    yield b"</DATA></TABLE></RESOURCE></VOTABLE>"


def tabledata(rows):
    tags = (b"<TR><TD>%d</TD><TD>%d</TD><TD>%s</TD></TR>\n" % row for row in rows)
    yield from votable(itertools.chain([b"<TABLEDATA>"], tags, [b"</TABLEDATA>"]))


def binary2(rows):
    packed = b"".join(struct.pack(">xddI", ra, dec, len(text)) + text for ra, dec, text in rows)
    stream = b'<STREAM encoding="base64">%s</STREAM>' % base64.b64encode(packed)
    yield from votable([b"<BINARY2>", stream, b"</BINARY2>"])


THOUSAND = pa.schema([(f"c{number}", pa.float32()) for number in range(1000)])


def test_few_runs_are_merged_at_a_time_where_there_are_many_columns():
    few = pa.schema([("a", pa.float64()), ("b", pa.list_(pa.float64()))])
    assert len(list(nested_types(few))) == 3
    assert most_runs(few, 12 << 20) == MOST_RUNS
    for piece_bytes in (12 << 20, 60 << 20):
        assert 8 <= most_runs(THOUSAND, piece_bytes) < MOST_RUNS
        assert most_runs(THOUSAND, piece_bytes) * len(THOUSAND) * COLUMN_BYTES <= max(
            piece_bytes, 8 * 1000 * COLUMN_BYTES
        )


def test_batches_on_scratch_have_enough_of_every_column():
    assert batch_rows_of(4000, THOUSAND) * 4 >= 2000
    assert batch_rows_of(100, pa.schema([("a", pa.float64())])) * 100 <= SPILL_BATCH_BYTES
    assert batch_rows_of(10**9, THOUSAND) == 1


def test_fewer_leaves_are_written_at_a_time_where_rows_are_wide_and_memory_is_short():
    short, ample = (MemoryBudget(bound << 20, workers=2) for bound in (512, 16_384))
    assert short.writers(32 << 20) == 1
    assert ample.writers(32 << 20) == ample.writers(50) == 2


def test_workers_are_no_more_than_there_is_memory_for():
    assert MemoryBudget.plan(400 << 20, 16).workers == 2
    assert MemoryBudget.plan(16 << 30, 16).workers == 16
    assert MemoryBudget.plan(488 << 20, 4, processes=True).workers == 1
    assert MemoryBudget.plan(16 << 30, 16, processes=True).workers == 16


def test_large_row_groups_of_long_texts_are_read_by_few_workers_at_a_time(tmp_path):
    texts = pa.table({"ra": np.zeros(3000), "dec": np.zeros(3000), "text": ["x" * 30_000] * 3000})
    pq.write_table(texts, tmp_path / "long.parquet", use_dictionary=False)
    (source,) = parquet_sources(storage.resolve(tmp_path / "long.parquet"), 1 << 20)
    assert 2 * 1024 * 30_000 <= source.reading_bytes < 2 * 3000 * 30_000
    short, ample = (MemoryBudget(bound << 20, workers=2) for bound in (400, 16_384))
    assert (short.readers(source.reading_bytes), ample.readers(source.reading_bytes)) == (1, 2)
    (source,) = parquet_sources(storage.resolve(tmp_path / "long.parquet"), 1 << 30)
    assert source.reading_bytes == 0


def test_no_more_tasks_run_at_once_than_allowed():
    running, most = [0], [0]

    def work(item: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return item

    lock = threading.Lock()
    with open_workers(4) as workers:
        assert list(workers.in_order(work, range(20), at_once=2)) == list(range(20))
    assert most[0] == 2
