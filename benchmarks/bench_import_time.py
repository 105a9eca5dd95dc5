"""How long `import`, opening a catalog and cutting cones out of it take, beside hats and lsdb."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from benchmarks import importers, sky
from benchmarks.measure import PROJECT, installed, machine, median, table

STATEMENTS = {
    "nothing": "pass",
    "numpy, pyarrow": "import numpy, pyarrow",
    "hatsformat": "import hatsformat",
    "hatsformat, open_catalog": "from hatsformat import open_catalog",
    "hats": "import hats",
    "lsdb": "import lsdb",
}

CONES = {"2 deg": 2.0, "10 arcmin": 10 / 60}
CENTRE = (266.4, -28.9)
"""RA and Dec in degrees: the Galactic Centre, in the thick of the mock sky."""

# Each program prints, as JSON: seconds of the import, of opening, of a first and of a later cone; and rows.
OURS = """
import json, sys, time
path, ra, dec, radius = sys.argv[1], *map(float, sys.argv[2:])
clock = [time.perf_counter()]
from hatsformat import Cone, open_catalog
clock.append(time.perf_counter())
catalog = open_catalog(path)
clock.append(time.perf_counter())
for _ in range(2):
    rows = catalog.scan(region=Cone(ra, dec, radius)).to_table().num_rows
    clock.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(clock, clock[1:])] + [rows]))
"""
LSDB = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
path, ra, dec, radius = sys.argv[1], *map(float, sys.argv[2:])
clock = [time.perf_counter()]
import lsdb
clock.append(time.perf_counter())
catalog = lsdb.open_catalog(path)
clock.append(time.perf_counter())
for _ in range(2):
    rows = len(catalog.cone_search(ra, dec, radius * 3600).compute())
    clock.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(clock, clock[1:])] + [rows]))
"""
# hats finds leaves but leaves their rows to the caller: read them and cut them by the distance.
HATS = """
import json, sys, time
path, ra, dec, radius = sys.argv[1], *map(float, sys.argv[2:])
clock = [time.perf_counter()]
import hats, numpy as np, pyarrow as pa, pyarrow.parquet as pq
from hats.io.paths import pixel_catalog_file
clock.append(time.perf_counter())
catalog = hats.read_hats(path)
clock.append(time.perf_counter())
for _ in range(2):
    cut = catalog.filter_by_cone(ra, dec, radius * 3600)
    files = [pixel_catalog_file(catalog.catalog_base_dir, pixel) for pixel in cut.get_healpix_pixels()]
    rows = pa.concat_tables([pq.ParquetFile(file.path).read() for file in files])
    lon, lat = np.radians(rows["ra"].to_numpy()), np.radians(rows["dec"].to_numpy())
    lon0, lat0 = np.radians(ra), np.radians(dec)
    half = np.sin((lat - lat0) / 2) ** 2 + np.cos(lat) * np.cos(lat0) * np.sin((lon - lon0) / 2) ** 2
    rows = rows.filter(pa.array(half <= np.sin(np.radians(radius) / 2) ** 2)).num_rows
    clock.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(clock, clock[1:])] + [rows]))
"""
READERS = {"hatsformat": OURS, "hats": HATS, "lsdb": LSDB}


@dataclass(frozen=True, slots=True)
class TimeBench:
    """How often, and on which catalog.

    Parameters
    ----------
    rows : int
        Rows of the mock sky that is imported to be read, where `catalog` is None.
    max_rows : int
        Threshold of that import.
    repetitions : int
        Rounds; in each, every program runs once.
    catalog : pathlib.Path or None
        A catalog to read instead.
    """

    rows: int = 1_000_000
    max_rows: int = 100_000
    repetitions: int = 5
    catalog: Path | None = None


def _seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=PROJECT, check=True)
    return time.perf_counter() - start


def import_times(repetitions: int) -> dict[str, float]:
    """Return the median seconds of a fresh interpreter with each statement that can run."""
    able = {name: s for name, s in STATEMENTS.items() if name not in {"hats", "lsdb"} or installed(name)}
    seconds: dict[str, list[float]] = defaultdict(list)
    for statement in able.values():
        _seconds(statement)  # compiles, and fills the page cache
    for _ in range(repetitions):
        for name, statement in able.items():
            seconds[name].append(_seconds(statement))
    return {name: median(of_one) for name, of_one in seconds.items()}


def _read(program: str, catalog: Path, radius: float) -> list[float]:
    argv = [sys.executable, "-c", program, str(catalog), *map(str, CENTRE), str(radius)]
    done = subprocess.run(argv, cwd=PROJECT, check=True, capture_output=True, text=True)
    values: list[float] = json.loads(done.stdout.splitlines()[-1])
    return values


def reading_lines(catalog: Path, repetitions: int) -> list[list[str]]:
    """Read cones with every reader, in turns; return a line for each reader and cone."""
    runs: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    able = {name: program for name, program in READERS.items() if installed(name)}
    for _ in range(repetitions):
        for size, radius in CONES.items():
            for name, program in able.items():
                runs[size, name].append(_read(program, catalog, radius))
    lines = []
    for (size, name), of_one in runs.items():
        *seconds, rows = (median(values) for values in zip(*of_one, strict=True))
        lines.append([f"{size}, {name}", *(f"{s * 1e3:.1f}" for s in seconds), f"{rows:,.0f}"])
    return lines


def make_catalog(data: Path, bench: TimeBench) -> Path:
    """Return the catalog to read; import it from the mock sky if it is not there yet."""
    if bench.catalog is not None:
        return bench.catalog
    source = sky.Sky(bench.rows, 2)
    out = data / f"{source.name}-catalog-{bench.max_rows}"
    if not (out / "hats.properties").exists():
        importers.ours(importers.Job(tuple(sky.make(source, data)), out, bench.max_rows))
    return out


def report(data: Path, bench: TimeBench) -> str:
    """Return both tables."""
    times = import_times(bench.repetitions)
    base = times["nothing"]
    lines = [[name, f"{s * 1e3:.0f}", f"{(s - base) * 1e3:.0f}"] for name, s in times.items()]
    head = [machine(), f"fresh interpreters, medians of {bench.repetitions}, in turns"]
    imports = table(["import", "ms", "ms over nothing"], lines)
    if "hats" in times:
        imports += f"\nimport hatsformat takes {times['hatsformat'] / times['hats']:.2f} of import hats"
    catalog = make_catalog(data, bench)
    header = ["cone, reader", "import ms", "open ms", "first cone ms", "next cone ms", "rows"]
    reading = table(header, reading_lines(catalog, bench.repetitions))
    about = (
        f"cones about RA {CENTRE[0]}, Dec {CENTRE[1]} of {catalog.name}, all columns, in fresh interpreters"
    )
    return "\n".join([*head, imports, "", about, reading])
