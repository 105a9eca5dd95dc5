"""The floor: what the rows of an import cost in plain pyarrow, with nothing partitioned.

Two processes read each input file once, compute the order-29 index, sort by it and write one Parquet file for
each input file, in the encodings of our leaves. No catalog comes of it: it is the least that any importer on
two cores has to do.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

INDEX = "_healpix_29"
ENCODINGS = {"delta": "DELTA_BINARY_PACKED", "plain": "PLAIN", "split": "BYTE_STREAM_SPLIT"}


@dataclass(frozen=True, slots=True)
class ParquetOptions:
    """How Parquet files are written.

    Parameters
    ----------
    codec : str
        Compression codec.
    level : int or None
        Its level; None for the codec's own default.
    split_floats : bool
        BYTE_STREAM_SPLIT for floats, in place of a dictionary.
    index_encoding : str
        Of the index column: ``"delta"``, ``"plain"`` or ``"dictionary"``.
    int64_encoding : str
        Of other int64 columns: the same, or ``"split"``.
    row_group_rows : int
        Rows of a row group.
    page_bytes : int
        Aimed size of a data page.
    page_index : bool
        Whether to write a page index.
    dictionary_bytes : int
        Size of a dictionary beyond which a column chunk goes on without one.
    """

    codec: str = "zstd"
    level: int | None = 1
    split_floats: bool = True
    index_encoding: str = "delta"
    int64_encoding: str = "delta"
    row_group_rows: int = 20_000
    page_bytes: int = 1 << 20
    page_index: bool = True
    dictionary_bytes: int = 1 << 20

    def arguments(self, schema: pa.Schema) -> dict[str, Any]:
        """Return the keyword arguments of `pyarrow.parquet.write_table`."""
        wanted = {f.name: self.int64_encoding for f in schema if pa.types.is_int64(f.type)}
        wanted[INDEX] = self.index_encoding
        if self.split_floats:
            wanted |= {f.name: "split" for f in schema if pa.types.is_floating(f.type)}
        encodings = {name: ENCODINGS[short] for name, short in wanted.items() if short != "dictionary"}
        return {
            "compression": self.codec,
            "compression_level": self.level,
            "column_encoding": encodings or None,
            "use_dictionary": [name for name in schema.names if name not in encodings],
            "row_group_size": self.row_group_rows,
            "data_page_size": self.page_bytes,
            "write_page_index": self.page_index,
            "dictionary_pagesize_limit": self.dictionary_bytes,
            "sorting_columns": [pq.SortingColumn(schema.get_field_index(INDEX))],
        }


def read(path: Path) -> pa.Table:
    """Read a Parquet or CSV file whole."""
    return pc.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)


def index_and_sort(table: pa.Table) -> pa.Table:
    """Add the order-29 index as the first column and sort by it."""
    lon = Longitude(table["ra"].to_numpy(), u.deg)
    lat = Latitude(table["dec"].to_numpy(), u.deg)
    index = lonlat_to_healpix(lon, lat, 29, num_threads=1).astype(np.int64)
    order = np.argsort(index)
    return table.take(pa.array(order)).add_column(0, INDEX, pa.array(index[order]))


def process(path: Path, out: Path, options: ParquetOptions) -> None:
    """Read, index, sort and write one file."""
    table = index_and_sort(read(path))
    pq.write_table(table, out / f"{path.stem}.parquet", **options.arguments(table.schema))


def _share(paths: Sequence[Path], out: Path, options: ParquetOptions) -> None:
    for path in paths:
        process(path, out, options)


def run(paths: Sequence[Path], out: Path, options: ParquetOptions, workers: int = 2) -> None:
    """Spread the files over `workers` processes.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Input files, Parquet or CSV, with columns ``ra`` and ``dec``.
    out : pathlib.Path
        Directory to write into; made if missing.
    options : ParquetOptions
        How to write.
    workers : int
        Processes; each takes every `workers`-th file.
    """
    out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("fork")  # no thread has started yet, and imports are done once
    shares = [context.Process(target=_share, args=(paths[i::workers], out, options)) for i in range(workers)]
    for share in shares:
        share.start()
    for share in shares:
        share.join()
    if any(share.exitcode for share in shares):
        raise SystemExit("the floor failed")


def main() -> None:
    """Run the floor from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--level", type=int, default=ParquetOptions().level)
    arguments = parser.parse_args()
    run(arguments.inputs, arguments.out, ParquetOptions(level=arguments.level), arguments.workers)


if __name__ == "__main__":
    main()
