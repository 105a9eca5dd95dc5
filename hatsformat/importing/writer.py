"""Writing a catalog from rows that a program makes: a simulator, a stream, another reader."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import pyarrow as pa

from hatsformat import storage
from hatsformat.arguments import ImportChanges
from hatsformat.errors import HatsError, UsageError
from hatsformat.importing.tables import build_tables, map_settings
from hatsformat.inputs.base import rechunk
from hatsformat.inputs.tables import to_arrow
from hatsformat.partitioner import mapping
from hatsformat.partitioner.build_log import BuildLog
from hatsformat.partitioner.context import default_name, open_context
from hatsformat.partitioner.mapping import InputMapper
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.runs import RunStore
from hatsformat.partitioner.schema import fit
from hatsformat.partitioner.tile_choice import counting_order
from hatsformat.publishing.output import check_quarantine, log_path, open_output
from hatsformat.publishing.publication import publish

if TYPE_CHECKING:
    from hatsformat.catalog import Catalog


ROWS = "the rows"
"""The name of the appended rows in messages."""


class CatalogWriter:
    """Builds a catalog from rows that are appended in any order; `close` publishes it.

    Memory is bounded by the options. Until `close`, nothing looks like a catalog; after `abort`, or if the
    ``with`` block raises, nothing is left.

    Parameters
    ----------
    path : path
        The output folder: new or empty, or a catalog with ``overwrite=True``.
    schema : pyarrow.Schema
        The schema of the rows; they are cast to it where no value is lost.
    options : ImportOptions, optional
        How to make the catalog.
    **changes
        Fields of `ImportOptions`, by name.

    Raises
    ------
    HatsError
        `OutputError` if the folder is not empty, `ColumnError` if the schema lacks the coordinates.

    Examples
    --------
    >>> import pyarrow as pa, hatsformat
    >>> schema = pa.schema({"id": pa.int64(), "ra": pa.float64(), "dec": pa.float64()})
    >>> with hatsformat.CatalogWriter("memory://docs/written", schema, max_rows=1000) as writer:
    ...     for night in range(3):
    ...         writer.append(pa.table({"id": [night], "ra": [10.0 * night], "dec": [5.0]}))
    >>> hatsformat.open_catalog("memory://docs/written").scan().count_rows()
    3
    """

    def __init__(
        self,
        path: storage.PathLike,
        schema: pa.Schema,
        *,
        options: ImportOptions | None = None,
        **changes: Unpack[ImportChanges],
    ) -> None:
        chosen = (options or ImportOptions()).changed(**changes)
        # Rows are kept in memory, which only threads share.
        self._options = chosen.changed(processes=False, scheduler=None)
        self._schema = schema
        self._output = open_output(
            storage.resolve(path), overwrite=self._options.overwrite, scratch=self._options.scratch
        )
        if self._options.bad_coordinates == "quarantine":
            check_quarantine(self._output)
        self._log_file = log_path(self._output, self._options.log)
        memory = self._options.memory_budget([str(path)])
        self._chunk_bytes = memory.chunk_bytes
        settings = map_settings(self._options, self._chunk_bytes)
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        mapping.check_columns(schema, self._options.coordinates, path)
        self._open = True
        self._stack = ExitStack()
        self._stack.enter_context(publish(self._output))
        store = RunStore(memory.runs_bytes, self._output.scratch)
        self._mapper = InputMapper(0, ROWS, settings, store)

    def append(self, rows: Any) -> None:
        """Add rows; an error aborts the writer, since a catalog with some of the rows would look complete.

        Parameters
        ----------
        rows : pyarrow.Table, RecordBatch, pandas.DataFrame or astropy.table.Table
            In any order; readers see them after `close`.

        Raises
        ------
        SchemaError
            If they do not fit the schema.
        CoordinatesError
            If a row, of this call or an earlier one, has no position and such rows are errors.
        UsageError
            If the writer is closed.
        """
        self._check_open()
        try:
            table = fit(to_arrow(rows, ROWS), self._schema, ROWS)
            self._waiting.append(table)
            self._waiting_bytes += table.nbytes
            if self._waiting_bytes >= self._chunk_bytes:
                self._flush()
        except HatsError:
            self.abort()
            raise

    def _flush(self) -> None:
        for chunk in rechunk(self._waiting, self._chunk_bytes, self._mapper.rows_read + 1):
            self._mapper.add(chunk)
        self._waiting, self._waiting_bytes = [], 0

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("the writer is closed", path=self._output.root)

    def close(self) -> Catalog:
        """Write the catalog, publish it, and return it.

        Raises
        ------
        HatsError
            As `import_catalog` does; nothing is left then.
        """
        self._check_open()
        self._open = False
        options, root = self._options, self._output.root
        log = BuildLog(str(root), options.name or default_name(root), options=asdict(options))
        context = open_context(options, self._output.scratch, log, paths=[str(root)])
        with self._stack.pop_all(), log.recorded(self._log_file), context as opened:
            self._flush()
            part = self._mapper.finish()
            mapped = mapping.merge([part], counting_order(options))
            mapping.check_rows(mapped, root)
            log.add_input(ROWS, mapped.rows_read, mapped.rows_rejected, 0)
            build_tables(mapped, part.schema.schema, self._output, opened)
        from hatsformat.catalog import open_catalog

        return open_catalog(root)

    def abort(self) -> None:
        """Discard the appended rows; does nothing after `close` or `abort`."""
        self._open = False
        self._waiting.clear()
        with suppress(_AbortedError), self._stack.pop_all():
            raise _AbortedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif self._open:
            self.close()


class _AbortedError(Exception):
    """Rolls back what was published."""
