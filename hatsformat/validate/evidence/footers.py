"""The footers of the data files: read together, once, and boiled down to what the checks need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hatsformat import storage
from hatsformat.artefacts.leaf import read_footer
from hatsformat.errors import HatsError, LeafError, NotFoundError
from hatsformat.validate.evidence.tree import BROKEN_DATA, Artefact, Tree
from hatsformat.validate.faults import NoEvidenceError

LOCAL_THREADS = 4
REMOTE_THREADS = 32
KEPT_CHUNKS = 200_000
"""Column chunks whose footers are kept for reading rows later; those of more leaves are read again."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the footer says of one column in one row group; None where it does not say.

    Attributes
    ----------
    low, high : object or None
    nulls : int or None
    """

    low: Any = None
    high: Any = None
    nulls: int | None = None


@dataclass(frozen=True, slots=True)
class Footer:
    """A Parquet footer.

    Attributes
    ----------
    path : str
        The file, relative to the catalog.
    rows : int
    group_rows : tuple of int
        Rows of each row group.
    schema : pyarrow.Schema
        One object for all files that have the same.
    keys : mapping of str to str
        Its key-values, without what Arrow and pandas keep for themselves.
    statistics : tuple of Statistics
        Of the index column, one a row group; empty where there is no such column.
    metadata : pyarrow.parquet.FileMetaData or None
        The footer itself, where there is room for it.
    """

    path: str
    rows: int
    group_rows: tuple[int, ...]
    schema: pa.Schema
    keys: Mapping[str, str]
    statistics: tuple[Statistics, ...] = ()
    metadata: Any = None


@dataclass
class SchemaPool:
    """Schemas that are the same become one object, so that 20,000 leaves are compared once."""

    known: list[pa.Schema] = field(default_factory=list)
    columns: dict[int, dict[str, int]] = field(default_factory=dict)

    def share(self, schema: pa.Schema) -> pa.Schema:
        """Return the known schema that equals this one."""
        for other in reversed(self.known):
            if schema.equals(other):
                return other
        self.known.append(schema)
        return schema

    def ordinal(self, schema: pa.Schema, footer: pq.FileMetaData, column: str) -> int | None:
        """Return the number of a top-level, flat column in the row groups."""
        if id(schema) not in self.columns:
            names = (footer.schema.column(index).path for index in range(footer.num_columns))
            self.columns[id(schema)] = {name: index for index, name in enumerate(names)}
        return self.columns[id(schema)].get(column)


_PRIVATE_KEYS = ("ARROW:schema", "pandas")


def condense(path: str, footer: pq.FileMetaData, pool: SchemaPool, column: str | None = None) -> Footer:
    """Boil a footer down.

    Parameters
    ----------
    path : str
    footer : pyarrow.parquet.FileMetaData
    pool : SchemaPool
    column : str, optional
        The index column, whose statistics are kept.

    Raises
    ------
    LeafError
        If the footer cannot be understood.
    """
    try:
        schema = footer.schema.to_arrow_schema()
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        keys = {
            name: value
            for key, raw in (schema.metadata or {}).items()
            if (name := key.decode("utf-8", "replace")) not in _PRIVATE_KEYS
            for value in [raw.decode("utf-8", "replace")]
        }
        shared = pool.share(schema.remove_metadata())
        _ = shared.names  # names that are no text raise here, and not in every check
        number = None if column is None else pool.ordinal(shared, footer, column)
        found = () if number is None else tuple(_statistics(group.column(number)) for group in groups)
        return Footer(
            path, footer.num_rows, tuple(group.num_rows for group in groups), shared, keys, found, footer
        )
    except BROKEN_DATA as error:
        raise LeafError("the footer cannot be understood", path=path, found=str(error)) from error


def _statistics(chunk: Any) -> Statistics:
    found = chunk.statistics
    if found is None:
        return Statistics()
    nulls = found.null_count if found.has_null_count else None
    if not found.has_min_max or not isinstance(found.min, int) or not isinstance(found.max, int):
        return Statistics(nulls=nulls)
    return Statistics(found.min, found.max, nulls)


@dataclass(frozen=True)
class Footers:
    """The footers of many files.

    Attributes
    ----------
    readable : list of Footer
        In the order of the paths.
    broken : list of Artefact
        The files that cannot be opened, or are not there.
    """

    readable: list[Footer]
    broken: list[Artefact[Footer]]

    def each(self) -> Iterator[Footer]:
        """Yield the footers that can be read, and raise `NoEvidenceError` at the end if that is not all."""
        if not self.readable and not self.broken:
            raise NoEvidenceError("there are no data files")
        yield from self.readable
        self.check_complete()

    def check_complete(self) -> None:
        """Raise `NoEvidenceError` where a file cannot be read."""
        if self.broken:
            total = len(self.readable) + len(self.broken)
            raise NoEvidenceError(f"{len(self.broken)} of {total} data files cannot be read")

    @property
    def rows(self) -> int:
        """The number of rows; raises `NoEvidenceError` where there is no file, or one cannot be read."""
        if not self.readable and not self.broken:
            raise NoEvidenceError("there are no data files")
        self.check_complete()
        return sum(footer.rows for footer in self.readable)


def read_footers(
    tree: Tree, prefix: str, paths: Sequence[str], pool: SchemaPool, column: str | None
) -> Footers:
    """Read footers concurrently.

    Parameters
    ----------
    tree : Tree
    prefix : str
        What comes before the paths in the tree.
    paths : sequence of str
        Relative to the catalog.
    pool : SchemaPool
    column : str or None
        The index column.
    """
    local = storage.is_local(tree.root)

    def read(path: str) -> Artefact[pq.FileMetaData]:
        return tree.attempt(prefix + path, read_footer, path)

    readable: list[Footer] = []
    broken: list[Artefact[Footer]] = []
    room = KEPT_CHUNKS
    with ThreadPoolExecutor(LOCAL_THREADS if local else REMOTE_THREADS) as threads:
        # In steps: `map` would hold all raw footers until they are taken.
        step = 2_000
        for start in range(0, len(paths), step):
            for path, found in zip(
                paths[start : start + step], threads.map(read, paths[start : start + step]), strict=True
            ):
                try:
                    if found.value is None:
                        raise found.error or NotFoundError("no such file", path=path)
                    footer = condense(path, found.value, pool, column)
                except HatsError as error:
                    broken.append(Artefact(path, error=error))
                    continue
                room -= found.value.num_columns * found.value.num_row_groups
                readable.append(footer if room >= 0 else _without_metadata(footer))
    return Footers(readable, broken)


def _without_metadata(footer: Footer) -> Footer:
    return Footer(footer.path, footer.rows, footer.group_rows, footer.schema, footer.keys, footer.statistics)
