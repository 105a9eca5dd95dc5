"""The inputs of an import: which files, of which kind, in which parts."""

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
        One of `FORMATS`; None goes by each file's suffix.
    delimiter : str or None
        Of CSV; None goes by each file's header.
    comment : str or None
        What begins lines of CSV files that are passed over; None takes hashes for that, but only before the
        header.
    table : str or None
        Which table of a FITS file or a VOTable: its number or name. None takes the first of a FITS file, the
        only one of a VOTable.
    part_bytes : int
        Size of the parts that a large file is cut into where its format allows, uncompressed bytes.
    """

    format: str | None = None
    delimiter: str | None = None
    comment: str | None = None
    table: str | None = None
    part_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise UsageError("no such input format", found=self.format, expected=", ".join(FORMATS))
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UsageError("not a delimiter", found=repr(self.delimiter), expected="one character")
        if self.comment is not None and (not self.comment.strip() or "\n" in self.comment):
            raise UsageError("nothing that begins a comment", found=repr(self.comment))


def open_inputs(inputs: Any, options: InputOptions, **storage_options: Any) -> list[Source]:
    """Return the inputs of an import, in order.

    Parameters
    ----------
    inputs : path, table, or iterable of them
        Files, directories, globs, URLs, and lists of them (``@files.txt``); Arrow tables, batches and
        readers, pandas data frames, Astropy tables.
    options : InputOptions
    **storage_options
        For the file system of the paths.

    Raises
    ------
    InputError
        If there is nothing to read, or something of no known kind.
    NotFoundError
        If a file is not there.
    """
    items = _items(inputs)
    if isinstance(items, _Stream):
        return [MemorySource(items)]
    paths = [item for item in items if _is_path(item)]
    if len(paths) < len(items):
        if paths:
            raise UsageError("files and tables cannot be mixed in one import")
        return [MemorySource(items)]
    found = storage.map_concurrently(
        lambda path: find_files(path, options.format, **storage_options),
        paths,
        waits=not all(storage.is_local_name(str(path)) for path in paths),
    )
    files = [file for group in found for file in group]
    if not files:
        raise InputError("there is nothing to import", found=f"{len(paths)} paths without files")
    parts = storage.map_concurrently(
        lambda file: _sources(file, options, alone=len(files) == 1),
        files,
        waits=not all(storage.is_local(file) for file in files),
    )
    return [source for sources in parts for source in sources]


def _items(inputs: Any) -> Sequence[Any]:
    single = _is_path(inputs) or isinstance(inputs, pa.Table | pa.RecordBatch) or hasattr(inputs, "columns")
    if single:
        return [inputs]
    if not isinstance(inputs, Iterable):
        raise UsageError("these are no inputs", found=type(inputs).__name__, expected="paths or tables")
    if isinstance(inputs, Mapping):
        raise UsageError("columns by name are no table", expected="pyarrow.table(...) of them")
    if isinstance(inputs, list | tuple):
        return inputs
    first = next(iterator := iter(inputs), None)
    if first is None:
        return []
    if _is_path(first):
        return [first, *iterator]
    return _Stream(first, iterator)  # a stream of batches is not rechunk in memory


class _Stream(list[Any]):
    """A stream of tables whose first was looked at; it can be gone through once."""

    def __init__(self, first: Any, rest: Iterable[Any]) -> None:
        super().__init__([first])
        self._rest = rest

    def __iter__(self) -> Any:
        yield from super().__iter__()
        yield from self._rest


def _is_path(item: Any) -> bool:
    return isinstance(item, str) or hasattr(item, "__fspath__") or isinstance(item, UPath)


def _sources(path: UPath, options: InputOptions, alone: bool) -> list[Source]:
    kind = options.format or format_of(path.path)
    try:
        size = storage.size(path)
    except NotFoundError as error:
        raise InputError("no such file", path=path) from error
    if kind is None:
        raise InputError(
            "the kind of this file cannot be told from its name",
            path=path,
            hint=f"name it with --format: {', '.join(FORMATS)}",
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
