"""The inputs of an import: which files to read, in which format, in which parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.errors import InputError, NotFoundError, UsageError
from hatsformat.inputs.base import Chunk, RereadError, Source
from hatsformat.inputs.csv import CsvSource
from hatsformat.inputs.files import FORMATS, find_files, format_of
from hatsformat.inputs.fits import FitsSource
from hatsformat.inputs.parquet import parquet_sources
from hatsformat.inputs.tables import IpcSource, MemorySource

__all__ = ["FORMATS", "Chunk", "CsvSource", "InputOptions", "RereadError", "Source", "open_inputs"]


@dataclass(frozen=True, slots=True)
class InputOptions:
    """How inputs are read.

    Attributes
    ----------
    format : str or None
        One of `FORMATS`; None chooses by each file's suffix.
    delimiter : str or None
        The delimiter of CSV files; None chooses by each file's header.
    comment : str or None
        The prefix of lines to skip in CSV files; None skips lines that start with a hash, but only before the
        header.
    table : str or None
        The number or name of the table to read from a FITS file or a VOTable. None reads the first table of a
        FITS file, or the only one of a VOTable.
    part_bytes : int
        Size of the parts to split a large file into where its format allows it, in uncompressed bytes.
    """

    format: str | None = None
    delimiter: str | None = None
    comment: str | None = None
    table: str | None = None
    part_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise UsageError("unknown input format", found=self.format, expected=", ".join(FORMATS))
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UsageError(
                "invalid delimiter",
                found=repr(self.delimiter),
                expected="one character, not a quote or a line end",
            )
        if self.comment is not None and (not self.comment.strip() or "\n" in self.comment):
            raise UsageError("invalid comment prefix", found=repr(self.comment), expected="text such as '#'")


def open_inputs(inputs: Any, options: InputOptions, **storage_options: Any) -> list[Source]:
    """Return the inputs of an import, in order.

    Parameters
    ----------
    inputs : path, table, or iterable of them
        Files, directories, globs, URLs, and lists of them (``@files.txt``); Arrow tables, batches and
        readers, pandas data frames, Astropy tables.
    options : InputOptions
    **storage_options
        Options of the paths' file system.

    Raises
    ------
    UsageError
        If the type of the inputs is not supported, or files and tables are mixed.
    InputError
        If there is nothing to read, or a file is missing, empty or of an unknown format.
    NotFoundError
        If a list of files is missing.
    """
    items = _list_items(inputs)
    if not items:
        raise InputError("nothing to import", found="no inputs", expected="paths or tables")
    if isinstance(items, _Stream):
        return [MemorySource(items)]
    paths = [item for item in items if _is_path(item)]
    if len(paths) < len(items):
        if paths:
            raise UsageError("files and tables cannot be mixed in one import")
        return [MemorySource(items)]
    groups = storage.map_concurrently(
        lambda path: find_files(path, options.format, **storage_options),
        paths,
        waits=not all(storage.is_local_name(str(path)) for path in paths),
    )
    files = [file for group in groups for file in group]
    parts = storage.map_concurrently(
        lambda file: _open_file(file, options, alone=len(files) == 1),
        files,
        waits=not all(storage.is_local(file) for file in files),
    )
    return [source for sources in parts for source in sources]


def _list_items(inputs: Any) -> Sequence[Any]:
    """Return the inputs as a sequence; one path or table is a sequence of one."""
    if _is_path(inputs) or isinstance(inputs, pa.Table | pa.RecordBatch) or hasattr(inputs, "columns"):
        return [inputs]
    if not isinstance(inputs, Iterable):
        raise UsageError("unsupported input type", found=type(inputs).__name__, expected="paths or tables")
    if isinstance(inputs, Mapping):
        raise UsageError("a mapping is not a table", hint="convert it with pyarrow.table(...)")
    if isinstance(inputs, list | tuple):
        return inputs
    first = next(iterator := iter(inputs), None)
    if first is None:
        return []
    if _is_path(first):
        return [first, *iterator]
    return _Stream(first, iterator)  # its tables may not fit in memory together


class _Stream(list[Any]):
    """A stream of tables whose first one was already taken; it can be read once."""

    def __init__(self, first: Any, rest: Iterable[Any]) -> None:
        super().__init__([first])
        self._rest = rest

    def __iter__(self) -> Any:
        yield from super().__iter__()
        yield from self._rest


def _is_path(item: Any) -> bool:
    return isinstance(item, str) or hasattr(item, "__fspath__") or isinstance(item, UPath)


def _open_file(path: UPath, options: InputOptions, alone: bool) -> list[Source]:
    """Return the sources of one file; `alone` says whether it is the only file of the import."""
    kind = options.format or format_of(path.path)
    try:
        size = storage.size(path)
    except NotFoundError as error:
        raise InputError("no such file", path=path) from error
    if kind is None:
        raise InputError(
            "cannot tell the format from the file name",
            path=path,
            hint=f"set it with --format: {', '.join(FORMATS)}",
        )
    if size == 0:
        raise InputError("the file is empty", path=path)
    if kind == "csv":
        return [CsvSource(path, options.delimiter, options.comment, threads=alone)]
    if kind == "parquet":
        return list(parquet_sources(path, options.part_bytes))
    if kind == "arrow":
        return [IpcSource(path)]
    if kind == "fits":
        return [FitsSource(path, options.table)]
    if kind == "ecsv":
        from hatsformat.inputs.ecsv import EcsvSource

        return [EcsvSource(path)]
    from hatsformat.inputs.votable import VotableSource

    return [VotableSource(path, options.table)]
