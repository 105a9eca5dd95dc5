"""Writing a catalog from a program that makes its rows: a simulator, a stream, another reader."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from hatsformat import storage
from hatsformat.errors import HatsError, UsageError
from hatsformat.importing.pipeline import make_tables, map_settings
from hatsformat.inputs.base import gathered
from hatsformat.inputs.tables import to_arrow
from hatsformat.partitioner import mapping
from hatsformat.partitioner.build_log import BuildLog
from hatsformat.partitioner.context import Job, name_of
from hatsformat.partitioner.executors import open_workers
from hatsformat.partitioner.options import ImportOptions
from hatsformat.partitioner.resuming import Plan
from hatsformat.partitioner.runs import RunStore
from hatsformat.partitioner.schema import fit
from hatsformat.publishing.output import check_quarantine, log_path, open_output
from hatsformat.publishing.publication import publish

if TYPE_CHECKING:
    from hatsformat.catalog import Catalog


class CatalogWriter:
    """A catalog in the making: rows are appended in any order, and `close` publishes it.

    Memory is bounded by the options, whatever is appended. Nothing looks like a catalog before `close`; after
    `abort`, or if the ``with`` block raises, nothing is left.

    Parameters
    ----------
    path : path
        The catalog's directory: new or empty, or a catalog with ``overwrite=True``.
    schema : pyarrow.Schema
        Of the rows; what is appended is cast to it where no value is lost.
    options : ImportOptions, optional
        How to make it.
    **changes
        Fields of `ImportOptions`, by name.

    Raises
    ------
    HatsError
        `OutputError` if the place is taken, `ColumnError` if the schema lacks the coordinates.

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
        **changes: Any,
    ) -> None:
        self._options = (options or ImportOptions()).changed(**changes).staffed([str(path)])
        self._schema = schema
        self._place = open_output(
            storage.resolve(path), overwrite=self._options.overwrite, scratch=self._options.scratch
        )
        if self._options.bad_coordinates == "quarantine":
            check_quarantine(self._place)
        self._log_file = log_path(self._place, self._options.log)
        self._settings = map_settings(self._options)
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._chunks = 0
        self._rows = 0
        self._mapped = mapping.empty(self._settings)
        mapping.check_columns(schema, self._settings, path)
        self._open = True
        self._stack = ExitStack()
        self._stack.enter_context(publish(self._place))
        self._store = RunStore(self._options.runs_bytes, self._place.scratch)

    def append(self, rows: Any) -> None:
        """Add rows.

        Parameters
        ----------
        rows : pyarrow.Table, RecordBatch, pandas.DataFrame or astropy.table.Table
            In any order; not seen by readers before `close`.

        After an error the writer is aborted: a catalog with some of the rows would look like one with all.

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
            table = fit(to_arrow(rows, "the rows"), self._schema, "the rows")
            self._waiting.append(table)
            self._waiting_bytes += table.nbytes
            if self._waiting_bytes >= self._options.chunk_bytes:
                self._flush()
        except HatsError:
            self.abort()
            raise

    def _flush(self) -> None:
        for chunk in gathered(self._waiting, self._options.chunk_bytes, self._rows + 1):
            mapping.map_chunk((0, self._chunks), chunk, "the rows", self._settings, self._store, self._mapped)
            self._chunks += 1
            self._rows += chunk.table.num_rows
        self._waiting, self._waiting_bytes = [], 0

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("the writer is closed", path=self._place.root)

    def close(self) -> Catalog:
        """Write the catalog, publish it, and return it.

        Raises
        ------
        HatsError
            As `import_catalog` does; nothing is left then.
        """
        self._check_open()
        self._open = False
        options, root = self._options, self._place.root
        log = BuildLog(str(root), options.name or name_of(root), options=asdict(options))
        with self._stack.pop_all(), log.kept(self._log_file), open_workers(options.worker_count) as team:
            self._flush()
            mapping.check_rows(self._mapped, root)
            log.add_input("the rows", self._mapped.rows_read, self._mapped.rows_rejected, 0)
            job = Job(self._place, options, Plan.of(options, []).created, team, log, lambda *_: None)
            schema = self._schema if self._mapped.schema is None else self._mapped.schema
            make_tables(self._mapped, schema, job)
        from hatsformat.catalog import open_catalog

        return open_catalog(root)

    def abort(self) -> None:
        """Leave nothing of what was appended; does nothing once closed or aborted."""
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
    """The writer was told to leave nothing."""
