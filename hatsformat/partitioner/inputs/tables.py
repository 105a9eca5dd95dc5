"""Inputs that are in memory, or that Astropy reads: tables, batches, data frames, FITS, VOTable, ECSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.errors import InputError
from hatsformat.partitioner.inputs.base import Chunk, FileSource, check_names, gathered

ASTROPY_FORMATS = {"fits": "fits", "votable": "votable", "ecsv": "ascii.ecsv"}


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Tables of any kind that the caller hands over.

    Attributes
    ----------
    tables : iterable
        Arrow tables or batches, pandas data frames, Astropy tables.
    name : str
        What messages call it.
    """

    tables: Iterable[Any]
    name: str = "the table"
    fingerprint: str = ""
    estimated_bytes: int = 0

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read it in tables of about `target_bytes`."""
        tables = (to_arrow(table, self.name) for table in self.tables)
        for chunk in gathered(tables, target_bytes):
            check_names(chunk.table.schema, self.name)
            yield chunk


@dataclass(frozen=True, slots=True)
class IpcSource(FileSource):
    """An Arrow IPC file, also known as Feather.

    Attributes
    ----------
    place : UPath
        The file.
    """

    place: UPath

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read it in tables of about `target_bytes`."""
        with storage.explained(self.place, "reading"), self.place.fs.open(self.place.path, "rb") as stream:
            try:
                reader = pa.ipc.open_file(stream)
                check_names(reader.schema, self.place)
                batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
                yield from gathered(batches, target_bytes)
            except pa.ArrowException as error:
                raise InputError(f"cannot be read as Arrow IPC: {error}", path=self.place) from error


@dataclass(frozen=True, slots=True)
class AstropySource(FileSource):
    """A file that Astropy reads as a table.

    Attributes
    ----------
    place : UPath
        The file.
    format : str
        ``fits``, ``votable`` or ``ecsv``.
    """

    place: UPath
    format: str

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the file's first table, in tables of about `target_bytes`.

        Raises
        ------
        InputError
            If Astropy cannot read it.
        """
        import warnings

        from astropy.table import Table

        with storage.explained(self.place, "reading"), self.place.fs.open(self.place.path, "rb") as stream:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of units and headers that do not matter to rows
                    table = Table.read(stream, format=ASTROPY_FORMATS[self.format])
            except OSError as error:
                raise InputError(f"cannot be read as {self.format}: {error}", path=self.place) from error
            except Exception as error:
                # Astropy's readers raise whatever their parsers do: IndexError, KeyError, E19,
                # TableParseError.
                reason = str(error).strip().partition("\n")[0] or type(error).__name__
                raise InputError(f"cannot be read as {self.format}: {reason}", path=self.place) from error
        yield from MemorySource([table], self.name).chunks(target_bytes)


def to_arrow(table: Any, name: str) -> pa.Table:
    """Return a table of any supported kind as Arrow.

    Raises
    ------
    InputError
        If it is of no supported kind.
    """
    if isinstance(table, pa.Table):
        return table
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table])
    kind = type(table).__module__.partition(".")[0]
    if kind == "pandas":
        return pa.Table.from_pandas(table).replace_schema_metadata(None)
    if kind == "astropy":
        return _from_astropy(table)
    if hasattr(table, "__arrow_c_stream__"):
        return pa.table(table)
    raise InputError(
        "this is no table", path=name, found=type(table).__name__, expected="Arrow, pandas or Astropy tables"
    )


def _from_astropy(table: Any) -> pa.Table:
    columns, fields = [], []
    for name in table.colnames:
        column = table[name]
        metadata = {}
        if getattr(column, "unit", None):
            metadata[b"unit"] = str(column.unit).encode()
        if getattr(column.info, "description", None):
            metadata[b"description"] = str(column.info.description).encode()
        values = _array(column)
        columns.append(values)
        fields.append(pa.field(name, values.type, metadata=metadata or None))
    return pa.table(columns, schema=pa.schema(fields))


def _array(column: Any) -> pa.Array:
    values = np.ma.asarray(getattr(column, "value", column))
    data: npt.NDArray[Any] = np.asarray(values.data)
    mask = np.ma.getmaskarray(values)
    if data.dtype.byteorder not in ("=", "|") or not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    if data.ndim > 1:
        width = int(np.prod(data.shape[1:]))
        inner = pa.array(data.reshape(-1), mask=mask.reshape(-1) if mask.any() else None)
        return pa.FixedSizeListArray.from_arrays(inner, width)
    if data.dtype.kind == "S":
        data = np.char.decode(data, "utf-8", "replace")
    if data.dtype.kind == "O":
        return pa.array([None if gone else _plain(item) for item, gone in zip(data, mask, strict=True)])
    return pa.array(data, mask=mask if mask.any() else None)


def _plain(item: Any) -> Any:
    return item.tolist() if isinstance(item, np.ndarray) else item
