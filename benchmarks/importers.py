"""The programs that the import benchmark starts, one a process: `python -m benchmarks.importers NAME ...`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Job:
    """What to import, and where to.

    Parameters
    ----------
    inputs : tuple of pathlib.Path
        Files, all Parquet or all CSV.
    out : pathlib.Path
        Directory of the catalog to make.
    max_rows : int
        Threshold of rows.
    workers : int
        Processes.
    """

    inputs: tuple[Path, ...]
    out: Path
    max_rows: int
    workers: int = 2


def ours(job: Job) -> None:
    """Import with hatsformat."""
    from hatsformat.importing import import_catalog

    import_catalog(
        [str(path) for path in job.inputs],
        str(job.out),
        ra="ra",
        dec="dec",
        workers=job.workers,
        overwrite=True,
        max_rows=job.max_rows,
    )


def hats_import(job: Job) -> None:
    """Import with hats-import, on a local Dask cluster of single-threaded workers, as its manual says."""
    from dask.distributed import Client
    from hats_import.catalog.arguments import ImportArguments
    from hats_import.pipeline import pipeline_with_client

    arguments = ImportArguments(
        output_path=job.out.parent,
        output_artifact_name=job.out.name,
        input_file_list=list(job.inputs),
        file_reader=job.inputs[0].suffix.removeprefix("."),
        ra_column="ra",
        dec_column="dec",
        pixel_threshold=job.max_rows,
        progress_bar=False,
        resume=False,
    )
    scratch = job.out.parent / "dask"
    with Client(n_workers=job.workers, threads_per_worker=1, local_directory=scratch) as client:
        pipeline_with_client(arguments, client)


IMPORTERS: dict[str, Callable[[Job], None]] = {"hatsformat": ours, "hats-import": hats_import}


def main() -> None:
    """Run one importer from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.importers")
    parser.add_argument("importer", choices=sorted(IMPORTERS))
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max-rows", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    IMPORTERS[given.importer](Job(tuple(given.inputs), given.out, given.max_rows, given.workers))


if __name__ == "__main__":
    main()
