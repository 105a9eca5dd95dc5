"""Command line of the benchmarks: `python -m benchmarks [NAME] [options]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    bench_alignment,
    bench_delay,
    bench_import,
    bench_import_time,
    bench_scale,
    bench_updates,
    bench_validate,
    leaf_formats,
    sky,
)
from benchmarks.measure import PROJECT

QUICK = {
    "import": 200_000,
    "import-csv": 100_000,
    "import-delay": 100_000,
    "scale": 160_000,
    "alignment": 200_000,
    "import-time": 200_000,
    "leaf": 500_000,
    "validate": 200_000,
    "updates": 100_000,
}
FULL = {
    "import": 5_000_000,
    "import-csv": 2_000_000,
    "import-delay": 5_000_000,
    "scale": 32_000_000,
    "alignment": 5_000_000,
    "import-time": 1_000_000,
    "leaf": 5_000_000,
    "validate": 5_000_000,
    "updates": 4_000_000,
}


def _rows(given: argparse.Namespace, name: str) -> int:
    rows: int = given.rows or (QUICK if given.quick else FULL)[name]
    return rows


def _import(given: argparse.Namespace, file_format: str, name: str) -> str:
    rows = _rows(given, name)
    bench = bench_import.ImportBench(
        sky=sky.Sky(rows, given.files, file_format),
        max_rows=given.max_rows or max(1000, min(500_000, rows // 10)),
        workers=given.workers,
        repetitions=given.repetitions,
        importers=tuple(given.only.split(",")),
    )
    return bench_import.report(given.data, bench)


def _delay(given: argparse.Namespace) -> str:
    rows = _rows(given, "import-delay")
    bench = bench_delay.DelayBench(
        sky=sky.Sky(rows, given.files, "parquet"),
        max_rows=given.max_rows or max(1000, min(500_000, rows // 10)),
        repetitions=given.repetitions,
    )
    return bench_delay.report(given.data, bench)


def _scale(given: argparse.Namespace) -> str:
    rows = _rows(given, "scale")
    bench = bench_scale.ScaleBench(
        rows=rows,
        rows_a_file=max(1, min(500_000, rows // 16)),
        max_rows=given.max_rows or min(500_000, rows // 4),
    )
    return bench_scale.report(given.data, bench)


def _alignment(given: argparse.Namespace) -> str:
    rows = _rows(given, "alignment")
    bench = bench_alignment.AlignmentBench(
        rows=rows,
        order=7 if given.quick else 10,
        max_rows=given.max_rows or max(1000, rows // 10),
        repetitions=given.repetitions,
    )
    return bench_alignment.report(bench)


def _import_time(given: argparse.Namespace) -> str:
    rows = _rows(given, "import-time")
    bench = bench_import_time.TimeBench(
        rows=rows,
        max_rows=given.max_rows or rows // 10,
        repetitions=given.repetitions,
        catalog=given.catalog,
    )
    return bench_import_time.report(given.data, bench)


def _validate(given: argparse.Namespace) -> str:
    rows = _rows(given, "validate")
    bench = bench_validate.ValidateBench(
        sky=sky.Sky(rows, given.files, "parquet"),
        max_rows=given.max_rows or max(1000, min(500_000, rows // 10)),
        leaves=given.leaves or (200 if given.quick else 20_000),
        tiles=given.tiles or (2_000 if given.quick else 1_000_000),
        repetitions=given.repetitions,
    )
    return bench_validate.report(given.data, bench)


def _updates(given: argparse.Namespace) -> str:
    rows = _rows(given, "updates")
    bench = bench_updates.UpdatesBench(
        rows=rows,
        columns=(10,) if given.quick else (10, 33),
        workers=(2,) if given.quick else (1, 2, 8),
        max_rows=given.max_rows or min(1_000_000, rows // 2),
    )
    return bench_updates.report(given.data, bench)


BENCHMARKS: dict[str, Callable[[argparse.Namespace], str]] = {
    "import": lambda given: _import(given, "parquet", "import"),
    "import-csv": lambda given: _import(given, "csv", "import-csv"),
    "import-delay": _delay,
    "scale": _scale,
    "alignment": _alignment,
    "import-time": _import_time,
    "leaf": lambda given: leaf_formats.report(given.data, _rows(given, "leaf"), given.repetitions),
    "validate": _validate,
    "updates": _updates,
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("names", nargs="*", metavar="NAME", help=f"all of {', '.join(BENCHMARKS)} unless named")
    made.add_argument(
        "--quick", action="store_true", help="small inputs: to see that it runs, not to measure"
    )
    made.add_argument(
        "--data", type=Path, default=PROJECT / "build" / "bench", help="cache of inputs; scratch"
    )
    made.add_argument("--repetitions", type=int, default=3)
    made.add_argument("--rows", type=int, help="rows of the mock sky")
    made.add_argument("--files", type=int, default=10, help="input files of an import")
    made.add_argument(
        "--max-rows", type=int, help="threshold; a tenth of the rows, at most 500,000, unless given"
    )
    made.add_argument("--workers", type=int, default=2)
    made.add_argument("--only", default=",".join(bench_import.IMPORTERS), help="importers, joined by commas")
    made.add_argument("--leaves", type=int, help="leaf files whose footers are validated")
    made.add_argument("--tiles", type=int, help="tiles of which only the tree is validated")
    made.add_argument("--catalog", type=Path, help="a catalog for import-time to read")
    return made


def main() -> int:
    """Run the benchmarks that are named, or all; report, never judge."""
    given = parser().parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark named {unknown[0]}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    given.data = given.data.absolute()
    given.data.mkdir(parents=True, exist_ok=True)
    print(f"$ python -m benchmarks {' '.join(sys.argv[1:])}".rstrip())
    for name in given.names or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        print(BENCHMARKS[name](given), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
