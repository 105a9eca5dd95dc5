"""Rows into files: the formats that ``query -o`` writes, each whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any, Protocol

from hatsformat import storage
from hatsformat.errors import ColumnError, OutputError, UsageError


class Rows(Protocol):
    """Rows to write, such as a scan."""

    schema: Any

    def to_batches(self) -> Any:
        """Yield them in Arrow record batches."""

    def to_astropy(self) -> Any:
        """Return them as an `astropy.table.Table`."""


def check_output(path: str, overwrite: bool) -> None:
    """Raise `OutputError` if a file may not be written, before any work is done for it."""
    place = storage.resolve(path)
    if storage.is_local(place) and place.is_dir():
        raise OutputError("this is a folder", path=place, hint="name a file in it")
    if not overwrite and storage.exists(place):
        raise OutputError("the file exists", path=place, hint="remove it, or say --overwrite")


def writer_of(path: str) -> Callable[[Rows, IO[bytes]], None]:
    """Return what writes a scan's rows in the format that a file's name ends in."""
    suffix = storage.resolve(path).suffix.lower()
    if suffix not in _WRITERS:
        raise UsageError("cannot write this kind of file", path=path, expected=", ".join(_WRITERS))
    return _WRITERS[suffix]


def write_rows(scan: Rows, path: str) -> None:
    """Write the rows of a scan to a file, whole or not at all, in the format its name ends in."""
    write = writer_of(path)
    with storage.atomic_writer(storage.resolve(path)) as stream:
        write(scan, stream)


def write_csv(scan: Rows, stream: IO[bytes]) -> None:
    """Write the rows of a scan as CSV, with one line of names."""
    import pyarrow as pa
    import pyarrow.csv

    nested = [field.name for field in scan.schema if pa.types.is_nested(field.type)]
    if nested:
        raise ColumnError(
            "CSV cannot hold lists and structures",
            found=", ".join(nested),
            hint="leave these columns out with --columns, or write .parquet",
        )
    with pa.csv.CSVWriter(stream, scan.schema) as sink:
        for batch in scan.to_batches():
            sink.write_batch(batch)


def _write_parquet(scan: Rows, stream: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(stream, scan.schema, compression="zstd") as sink:
        for batch in scan.to_batches():
            sink.write_batch(batch)


def _write_fits(scan: Rows, stream: IO[bytes]) -> None:
    # Astropy seeks in the file, which a store's upload cannot.
    buffer = io.BytesIO()
    scan.to_astropy().write(buffer, format="fits")
    stream.write(buffer.getbuffer())


def _write_votable(scan: Rows, stream: IO[bytes]) -> None:
    buffer = io.BytesIO()
    # Not as text: Astropy's C writer of it may crash at some lengths of rows (astropy/astropy#20419).
    scan.to_astropy().write(buffer, format="votable", tabledata_format="binary2")
    stream.write(buffer.getbuffer())


def _write_ecsv(scan: Rows, stream: IO[bytes]) -> None:
    text: Any = io.StringIO()
    scan.to_astropy().write(text, format="ascii.ecsv")
    stream.write(text.getvalue().encode())


_WRITERS: dict[str, Callable[[Rows, IO[bytes]], None]] = {
    ".parquet": _write_parquet,
    ".csv": write_csv,
    ".fits": _write_fits,
    ".vot": _write_votable,
    ".ecsv": _write_ecsv,
}
