"""VOTable and ECSV, which Astropy reads whole."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from upath import UPath

from hatsformat import storage
from hatsformat.errors import HatsError, InputError
from hatsformat.partitioner.inputs.base import Chunk, FileSource, open_stream
from hatsformat.partitioner.inputs.tables import MemorySource


@dataclass(frozen=True, slots=True)
class AstropySource(FileSource):
    """A file that Astropy reads as a table.

    Attributes
    ----------
    place : UPath
        The file; compression is recognised by its suffix.
    format : str
        ``votable`` or ``ecsv``.
    table : str or None
        Of a VOTable: the number, ID or name of the table; None for the only one.
    """

    place: UPath
    format: str
    table: str | None = None

    def chunks(self, target_bytes: int) -> Iterator[Chunk]:
        """Read the table, in tables of about `target_bytes`.

        Raises
        ------
        InputError
            If Astropy cannot read it.
        """
        with explained_by_astropy(self.place, self.format), open_stream(self.place) as stream:
            content = io.BytesIO(stream.read())
            table = self._read_votable(content) if self.format == "votable" else _read_ecsv(content)
        yield from MemorySource([table], self.name).chunks(target_bytes)

    def _read_votable(self, content: io.BytesIO) -> Any:
        from astropy.io.votable import parse

        tables = [table for table in parse(content).iter_tables() if table.fields]
        names = {key: table for table in reversed(tables) for key in (table.name, table.ID) if key}
        names |= {str(number): table for number, table in enumerate(tables)}
        if (self.table is None and len(tables) != 1) or self.table not in (None, *names):
            what = "there is no such table" if self.table else f"there are {len(tables)} tables in the file"
            raise InputError(
                what,
                path=self.place,
                found=self.table,
                hint=f"name one with --table: {', '.join(sorted(names))}" if tables else None,
            )
        return (tables[0] if self.table is None else names[self.table]).to_table(use_names_over_ids=True)


def _read_ecsv(content: io.BytesIO) -> Any:
    from astropy.table import Table

    return Table.read(content, format="ascii.ecsv")


@contextmanager
def explained_by_astropy(place: UPath, kind: str) -> Iterator[None]:
    """Turn what Astropy's readers raise, which is whatever their parsers do, into an `InputError`."""
    with storage.explained(place, "reading"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of units and headers that do not matter to rows
                yield
        except (HatsError, FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(f"cannot be read as {kind}: {reason}", path=place) from error
