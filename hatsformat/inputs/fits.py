"""FITS tables, a slice of rows at a time: local files are memory-mapped, others are copied to disk first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from hatsformat import storage
from hatsformat.errors import InputError
from hatsformat.inputs.astropy_files import translate_astropy_errors
from hatsformat.inputs.base import Chunk, FileSource, is_compressed, missing_table, temporary_copy
from hatsformat.inputs.columns import from_astropy, make_field, to_array
from hatsformat.inputs.tables import MemorySource


@dataclass(frozen=True, slots=True)
class FitsSource(FileSource):
    """One table of a FITS file; compression is detected from the suffix."""

    path: UPath
    table: str | None = None  # name or number of the HDU; None for the first table

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the table in chunks of about `target_bytes`; raise an `InputError` if that fails."""
        with ExitStack() as stack:
            with translate_astropy_errors(self.path, "FITS"):
                local = self._local_path(stack)
            tables = self._tables(local, target_bytes)
            yield from MemorySource(tables, self.name).chunks(target_bytes)

    def _tables(self, file: str, target_bytes: int) -> Iterator[pa.Table]:
        from astropy.io import fits
        from astropy.table import Table

        first, is_more = 0, True
        while is_more:
            # Reopen the file for each slice: pages read of a mapped file count as memory until it is closed.
            with translate_astropy_errors(self.path, "FITS"), fits.open(file, memmap=True) as hdus:
                hdu = self._select(hdus)
                self._check_size(hdu)
                total = hdu.header["NAXIS2"]
                if isinstance(hdu, fits.TableHDU):  # an ASCII table
                    step, table = total, _without_padding(from_astropy(Table.read(hdu)))
                else:
                    step = max(1, target_bytes // max(1, hdu.header["NAXIS1"]))
                    rows = hdu.data[first : first + step]
                    for column in hdu.columns:
                        column.array = None  # or Astropy copies the whole file when it is closed
                    table = _to_arrow(hdu, rows)
                first += step  # not the rows found, so that the loop ends even in a broken file
                is_more = first < total
            yield table

    def _check_size(self, hdu: Any) -> None:
        info = hdu.fileinfo()
        wanted, size = info["datLoc"] + hdu.size, info["file"].size
        if size < wanted:
            raise InputError(
                "the file is truncated",
                path=self.path,
                found=f"{size} bytes",
                expected=f"at least {wanted}",
            )

    def _local_path(self, stack: ExitStack) -> str:
        """Return the path of the file, or of a local copy, for memory-mapping."""
        if storage.is_local(self.path) and not is_compressed(self.path):
            return str(self.path.path)
        return str(stack.enter_context(temporary_copy(self.path, ".fits")).name)

    def _select(self, hdus: Any) -> Any:
        tables = {str(number): hdu for number, hdu in enumerate(hdus) if getattr(hdu, "columns", None)}
        names = {hdu.name.lower(): number for number, hdu in reversed(tables.items()) if hdu.name}
        wanted = next(iter(tables), "") if self.table is None else self.table
        hdu = tables.get(names.get(wanted.lower(), wanted))
        if hdu is None:
            labels = [f"{number} {hdu.name}".strip() for number, hdu in tables.items()]
            raise missing_table(self.path, self.table, labels)
        return hdu


def _without_padding(table: pa.Table) -> pa.Table:
    """Strip the blanks that pad text in an ASCII table; Astropy before version 8 keeps them."""
    for number, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(number, field, pc.utf8_rtrim(table.column(number), " "))
    return table


def _to_arrow(hdu: Any, rows: Any) -> pa.Table:
    """Convert rows of a binary table; values that the FITS standard calls undefined become nulls."""
    raw = rows.view(np.ndarray)
    columns, fields = [], []
    for number, column in enumerate(hdu.columns, start=1):
        # Take text as bytes, since Astropy accepts only ASCII.
        is_text = raw.dtype[column.name].kind == "S" and not column.dim
        values = raw[column.name] if is_text else np.asarray(rows.field(column.name))
        if (column.format, column.bzero, column.bscale or 1) == ("B", -128, 1):
            values = (raw[column.name] ^ 128).view(np.int8)  # signed bytes, which Astropy converts to floats
        if values.dtype.kind in "SU":
            values = np.char.rstrip(values)
            mask = values == values.dtype.type()
        elif values.dtype.kind in "fc":
            mask = np.isnan(values)
        elif column.format.endswith("L"):
            mask = raw[column.name] == 0
        elif column.null is not None and values.dtype.kind != "O":
            mask = raw[column.name] == column.null
        else:
            mask = np.zeros(values.shape, dtype=np.bool_)
        columns.append(to_array(values, mask))
        attributes = {"unit": column.unit, "description": hdu.header.get(f"TCOMM{number}")}
        attributes |= {"ucd": hdu.header.get(f"TUCD{number}"), "utype": hdu.header.get(f"TUTYP{number}")}
        fields.append(make_field(column.name, columns[-1].type, attributes))
    return pa.table(columns, schema=pa.schema(fields))
