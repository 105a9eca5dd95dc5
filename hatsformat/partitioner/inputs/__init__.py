"""The inputs of an import: which files, of which kind, in which parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from upath import UPath

from hatsformat import layout, storage
from hatsformat.errors import InputError, UsageError
from hatsformat.partitioner.inputs.base import Chunk, ReadAgainError, Source
from hatsformat.partitioner.inputs.csv import CsvSource
from hatsformat.partitioner.inputs.parquet import parquet_sources
from hatsformat.partitioner.inputs.tables import AstropySource, IpcSource, MemorySource

__all__ = ["FORMATS", "Chunk", "CsvSource", "InputOptions", "ReadAgainError", "Source", "open_inputs"]

FORMATS = ("csv", "parquet", "arrow", "fits", "votable", "ecsv")
"""The kinds of files that can be imported."""

_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".psv": "csv", ".txt": "csv", ".dat": "csv",
    ".parquet": "parquet", ".parq": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".fits": "fits", ".fit": "fits", ".fts": "fits",
    ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".ecsv": "ecsv",
}  # fmt: skip
_COMPRESSIONS = (".gz", ".bz2", ".zst", ".lz4", ".xz")


@dataclass(frozen=True, slots=True)
class InputOptions:
    """How inputs are read.

    Attributes
    ----------
    format : str or None
        One of `FORMATS`; None goes by each file's suffix.
    delimiter : str or None
        Of CSV; None goes by each file's header.
    part_bytes : int
        Size of the parts that a large file is cut into where its format allows, uncompressed bytes.
    """

    format: str | None = None
    delimiter: str | None = None
    part_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise UsageError("no such input format", found=self.format, expected=", ".join(FORMATS))
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UsageError("not a delimiter", found=repr(self.delimiter), expected="one character")


def open_inputs(inputs: Any, options: InputOptions, **storage_options: Any) -> list[Source]:
    """Return the inputs of an import, in order.

    Parameters
    ----------
    inputs : path, table, or iterable of them
        Files, directories, globs and URLs; Arrow tables, batches and readers, pandas data frames, Astropy
        tables.
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
    files: list[UPath] = []
    for path in paths:
        files.extend(_files(path, options, storage_options))
    if not files:
        raise InputError("there is nothing to import", found=f"{len(paths)} paths without files")
    sources: list[Source] = []
    for place in files:
        sources.extend(_sources(place, options, alone=len(files) == 1))
    return sources


def _items(inputs: Any) -> Sequence[Any]:
    single = _is_path(inputs) or isinstance(inputs, pa.Table | pa.RecordBatch) or hasattr(inputs, "columns")
    if single:
        return [inputs]
    if not isinstance(inputs, Iterable):
        raise UsageError("these are no inputs", found=type(inputs).__name__, expected="paths or tables")
    if isinstance(inputs, list | tuple):
        return inputs
    first = next(iterator := iter(inputs), None)
    if first is None:
        return []
    if _is_path(first):
        return [first, *iterator]
    return _Stream(first, iterator)  # a stream of batches is not gathered in memory


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


def _files(path: Any, options: InputOptions, storage_options: dict[str, Any]) -> list[UPath]:
    text = str(path)
    place = storage.resolve(path, **storage_options)
    if any(sign in text for sign in "*?[") and not storage.exists(place):
        found = storage.glob(place)
        if not found:
            raise InputError("no file matches this pattern", path=path)
        return found
    if not storage.is_directory(place):
        return [place]
    entries = storage.list_tree(place)
    if any(entry.path in layout.CATALOG_PROPERTIES for entry in entries):
        # A catalog is imported from its leaves; the files beside them repeat their rows.
        names = [entry.path for entry in entries if layout.parse_leaf_path(entry.path) is not None]
    else:
        names = [entry.path for entry in entries if _is_input(entry.path, options)]
    if not names:
        raise InputError(
            "the directory holds no file of a known kind", path=path, expected=", ".join(FORMATS)
        )
    return [place / name for name in names]


def _is_input(path: str, options: InputOptions) -> bool:
    hidden = path.rsplit("/", 1)[-1].startswith((".", "_"))
    kind = _format_of(path)
    return not hidden and kind is not None and options.format in (None, kind)


def _format_of(path: str) -> str | None:
    name = path.lower().split("?", 1)[0]
    for ending in _COMPRESSIONS:
        name = name.removesuffix(ending)
    dot = name.rfind(".")
    return _SUFFIXES.get(name[dot:]) if dot >= 0 else None


def _sources(place: UPath, options: InputOptions, alone: bool) -> list[Source]:
    kind = options.format or _format_of(place.path)
    if not storage.exists(place):
        raise InputError("no such file", path=place)
    if kind is None:
        raise InputError(
            "the kind of this file cannot be told from its name",
            path=place,
            hint=f"name it with --format: {', '.join(FORMATS)}",
        )
    if storage.size(place) == 0:
        raise InputError("the file is empty", path=place)
    if kind == "csv":
        return [CsvSource(place, options.delimiter, threads=alone)]
    if kind == "parquet":
        return list(parquet_sources(place, options.part_bytes))
    return [IpcSource(place)] if kind == "arrow" else [AstropySource(place, kind)]
