"""FITS tables, a slice of rows at a time: a local file is mapped, others are copied to the disk first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from upath import UPath

from hatsformat import storage
from hatsformat.errors import InputError
from hatsformat.inputs.astropy_files import translate_astropy_errors
from hatsformat.inputs.base import (
    Chunk,
    FileSource,
    check_names,
    is_compressed,
    rechunk,
    temporary_copy,
)
from hatsformat.inputs.columns import from_astropy, make_field, to_array


@dataclass(frozen=True, slots=True)
class FitsSource(FileSource):
    """One table of a FITS file.

    Attributes
    ----------
    path : UPath
        The file; compression is recognised by its suffix.
    table : str or None
        Name or number of the HDU; None for the first that is a table.
    """

    path: UPath
    table: str | None = None

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the table in tables of about `target_bytes`.

        Raises
        ------
        InputError
            If there is no such table, or it cannot be read.
        """
        with ExitStack() as stack:
            with translate_astropy_errors(self.path, "fits"):
                local = self._local_path(stack)
            for chunk in rechunk(self._tables(local, target_bytes), target_bytes):
                check_names(chunk.table.schema, self.path)
                yield chunk

    def _tables(self, file: str, target_bytes: int) -> Iterator[pa.Table]:
        from astropy.io import fits
        from astropy.table import Table

        first, is_more = 0, True
        while is_more:
            # Opened anew each time: what was read of a mapped file counts as memory until it is closed.
            with translate_astropy_errors(self.path, "fits"), fits.open(file, memmap=True) as hdus:
                hdu = self._chosen(hdus)
                self._check_size(hdu)
                total = hdu.header["NAXIS2"]
                if isinstance(hdu, fits.TableHDU):  # numbers written out in fixed columns
                    step, table = total, from_astropy(Table.read(hdu))
                else:
                    step = max(1, target_bytes // max(1, hdu.header["NAXIS1"]))
                    rows = hdu.data[first : first + step]
                    for column in hdu.columns:
                        column.array = None  # or else Astropy would copy the whole file when it is closed
                    table = _to_arrow(hdu, rows)
                first += step  # not the rows there were, or a file that lies would be read for ever
                is_more = first < total
            yield table

    def _check_size(self, hdu: Any) -> None:
        info = hdu.fileinfo()
        wanted, size = info["datLoc"] + hdu.size, info["file"].size
        if size < wanted:
            raise InputError(
                "the file ends too early",
                path=self.path,
                found=f"{size} bytes",
                expected=f"at least {wanted}",
            )

    def _local_path(self, stack: ExitStack) -> str:
        """Return a local path that can be mapped."""
        if storage.is_local(self.path) and not is_compressed(self.path):
            return str(self.path.path)
        return str(stack.enter_context(temporary_copy(self.path, ".fits")).name)

    def _chosen(self, hdus: Any) -> Any:
        tables = {str(number): hdu for number, hdu in enumerate(hdus) if getattr(hdu, "columns", None)}
        names = {hdu.name.lower(): number for number, hdu in reversed(tables.items()) if hdu.name}
        wanted = next(iter(tables), "") if self.table is None else self.table
        hdu = tables.get(names.get(wanted.lower(), wanted))
        if hdu is None:
            raise InputError(
                "there is no table in the file"
                if not tables
                else f"there is no table {wanted!r} in the file",
                path=self.path,
                found=", ".join(f"{number} {hdu.name}".strip() for number, hdu in tables.items()) or None,
                hint="name one of these with --table" if tables else None,
            )
        return hdu


def _to_arrow(hdu: Any, rows: Any) -> pa.Table:
    """Return rows of a binary table, with what is undefined by the FITS standard as missing."""
    raw = rows.view(np.ndarray)
    columns, fields = [], []
    for number, column in enumerate(hdu.columns, start=1):
        # Text is taken as it is, since Astropy accepts ASCII only.
        is_text = raw.dtype[column.name].kind == "S" and not column.dim
        values = raw[column.name] if is_text else np.asarray(rows.field(column.name))
        if (column.format, column.bzero, column.bscale or 1) == ("B", -128, 1):
            values = (raw[column.name] ^ 128).view(np.int8)  # signed bytes, of which Astropy makes floats
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
        about = {"unit": column.unit, "description": hdu.header.get(f"TCOMM{number}")}
        about |= {"ucd": hdu.header.get(f"TUCD{number}"), "utype": hdu.header.get(f"TUTYP{number}")}
        fields.append(make_field(column.name, columns[-1].type, about))
    return pa.table(columns, schema=pa.schema(fields))
