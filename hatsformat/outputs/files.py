"""Write rows to files, in the formats of ``query -o``. Files appear when they are complete."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from hatsformat.errors import ColumnError, OutputError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

# The command line imports this module for its formats, so slow imports are inside functions.


def check_output(path: str, overwrite: bool) -> None:
    """Raise `OutputError` if a file cannot be written; called before any work is done."""
    from hatsformat import storage

    target = storage.resolve(path)
    if storage.is_local(target) and target.is_dir():
        raise OutputError("this is a folder", path=target, hint="give the path of a file")
    if not overwrite and storage.exists(target):
        raise OutputError("the file exists", path=target, hint="remove it, or use --overwrite")


def check_format(path: str) -> str:
    """Return the suffix of a file; raise `UsageError` if it is not in `FORMATS`."""
    from hatsformat import storage

    suffix: str = storage.resolve(path).suffix.lower()
    if suffix not in FORMATS:
        raise UsageError("unknown file format", path=path, expected=", ".join(FORMATS))
    return suffix


def write_rows(rows: pa.RecordBatchReader, path: str) -> None:
    """Write rows to a file, in the format of its suffix.

    Parameters
    ----------
    rows : pyarrow.RecordBatchReader
        Consumed completely. Parquet and CSV files are written batch by batch; other formats need all rows in
        memory.
    path : str
        A local path or a URL. An existing file is replaced.

    Raises
    ------
    UsageError
        If the suffix is not in `FORMATS`.
    ColumnError
        If the format cannot store a column.
    """
    from hatsformat import storage

    write = FORMATS[check_format(path)]
    with storage.atomic_writer(storage.resolve(path)) as stream:
        write(rows, stream)


def write_csv(rows: pa.RecordBatchReader, stream: IO[bytes]) -> None:
    """Write rows as CSV, with a header line."""
    import pyarrow as pa
    import pyarrow.csv

    nested = [field.name for field in rows.schema if pa.types.is_nested(field.type)]
    if nested:
        raise ColumnError(
            "CSV cannot store lists or structs",
            found=", ".join(nested),
            hint="leave these columns out with --columns, or write .parquet",
        )
    with pa.csv.CSVWriter(stream, rows.schema) as sink:
        for batch in rows:
            sink.write_batch(batch)


def _write_parquet(rows: pa.RecordBatchReader, stream: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(stream, rows.schema, compression="zstd") as sink:
        for batch in rows:
            sink.write_batch(batch)


def _write_fits(rows: pa.RecordBatchReader, stream: IO[bytes]) -> None:
    # Astropy needs a file that can seek.
    buffer = io.BytesIO()
    _astropy_table(rows).write(buffer, format="fits")
    stream.write(buffer.getbuffer())


def _write_votable(rows: pa.RecordBatchReader, stream: IO[bytes]) -> None:
    buffer = io.BytesIO()
    # Binary, because Astropy's C writer of TABLEDATA may crash at some row lengths (astropy/astropy#20419).
    _astropy_table(rows).write(buffer, format="votable", tabledata_format="binary2")
    stream.write(buffer.getbuffer())


def _write_ecsv(rows: pa.RecordBatchReader, stream: IO[bytes]) -> None:
    text: Any = io.StringIO()
    _astropy_table(rows).write(text, format="ascii.ecsv")
    stream.write(text.getvalue().encode())


def _astropy_table(rows: pa.RecordBatchReader) -> Any:
    from hatsformat.outputs.conversion import to_astropy

    return to_astropy(rows.read_all())


FORMATS: dict[str, Callable[[pa.RecordBatchReader, IO[bytes]], None]] = {
    ".parquet": _write_parquet,
    ".csv": write_csv,
    ".fits": _write_fits,
    ".vot": _write_votable,
    ".ecsv": _write_ecsv,
}
"""The functions that write rows to a file, by suffix."""
