"""Read pieces of leaves: first the columns that the tests need, then the others for row groups with hits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from hatsformat import layout
from hatsformat.arrays import as_floats, as_integers, row_numbers, to_mask
from hatsformat.artefacts.leaf_reading import read_row_groups
from hatsformat.catalog.manifest import CatalogFiles, arrow_schema
from hatsformat.catalog.plan import Piece, Request
from hatsformat.errors import LeafError, UsageError
from hatsformat.healpix import FloatArray, npix, pixel_to_radec

BoolArray = npt.NDArray[np.bool_]
T = TypeVar("T")
R = TypeVar("R")


def map_ahead(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield `work(item)` for each item, in order, with at most `workers` results computed ahead.

    With one worker or one item, everything runs in the calling thread.
    """
    if workers <= 1 or (isinstance(items, Sequence) and len(items) <= 1):
        yield from map(work, items)
        return
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="hatsformat-read") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class Reader:
    """Read the rows of a request from pieces of a catalog."""

    def __init__(self, files: CatalogFiles, request: Request) -> None:
        self.files = files
        self.request = request
        self.schema = files.schema

    def read(self, piece: Piece) -> pa.Table:
        """Return the rows of a piece that pass the tests, with the columns of the request."""
        request = self.request
        if request.reads_every_row:
            return self._columns(piece, request.columns)
        tested = self._columns(piece, request.tests)
        passed = self._test(tested, piece)
        groups, kept = self._groups_with(passed, piece)
        rest = [name for name in request.columns if name not in request.tests]
        columns = dict(zip(request.tests, tested.filter(to_mask(passed)).columns, strict=True))
        if rest and groups:
            others = self._columns(Piece(piece.file, groups), rest)
            columns.update(zip(rest, others.filter(to_mask(kept)).columns, strict=True))
        elif rest:
            columns.update({name: self._none(name) for name in rest})
        return pa.Table.from_arrays(
            [columns[name] for name in request.columns], schema=self._subset(request.columns)
        )

    def count(self, piece: Piece) -> int:
        """Return how many rows of a piece pass the tests."""
        if self.request.reads_every_row:
            return self._rows(piece)
        return int(self._test(self._columns(piece, self.request.tests), piece).sum())

    def _none(self, name: str) -> pa.Array:
        return pa.nulls(0, self.schema.field(name).type)

    def _subset(self, names: Sequence[str]) -> pa.Schema:
        return pa.schema([self.schema.field(name) for name in names], metadata=self.schema.metadata)

    def _footer(self, piece: Piece) -> pq.FileMetaData:
        return self.files.footer(piece.file.path)

    def _rows(self, piece: Piece) -> int:
        footer = self._footer(piece)
        return sum(footer.row_group(group).num_rows for group in piece.groups)

    def _groups_with(self, passed: BoolArray, piece: Piece) -> tuple[tuple[int, ...], BoolArray]:
        """Return the row groups in which a row has passed, and which of their rows have."""
        footer = self._footer(piece)
        sizes = [footer.row_group(group).num_rows for group in piece.groups]
        parts = np.split(passed, np.cumsum(sizes)[:-1])
        hits = [(group, part) for group, part in zip(piece.groups, parts, strict=True) if part.any()]
        if not hits:
            return (), np.empty(0, dtype=np.bool_)
        return tuple(group for group, _ in hits), np.concatenate([part for _, part in hits])

    def _columns(self, piece: Piece, names: Sequence[str]) -> pa.Table:
        """Return columns of a piece, cast to the types of the catalog's schema."""
        path, footer = self.files.full_path(piece.file.path), self._footer(piece)
        there = set(arrow_schema(footer, path).names)
        table = read_row_groups(path, footer, piece.groups, [name for name in names if name in there])
        columns = []
        for name in names:
            if name not in there:
                columns.append(self._from_path(name, piece))
                continue
            column, wanted = table.column(name), self.schema.field(name).type
            if column.type != wanted:
                try:
                    column = column.cast(wanted)
                except pa.ArrowException as error:
                    raise LeafError(
                        f"the type of the column {name!r} differs from the catalog's schema",
                        path=path,
                        found=str(column.type),
                        expected=str(wanted),
                    ) from error
            columns.append(column)
        return pa.Table.from_arrays(columns, schema=self._subset(names))

    def _from_path(self, name: str, piece: Piece) -> pa.Array:
        # The schema of some older catalogs contains columns that exist only in the paths.
        leaf = layout.parse_leaf_path(piece.file.path)
        if leaf is None or name not in layout.HIVE_COLUMNS[:3]:
            raise LeafError(
                f"the column {name!r} is missing",
                path=self.files.full_path(piece.file.path),
            )
        value = {"Norder": leaf.order, "Dir": leaf.dir, "Npix": leaf.pixel}[name]
        return pa.repeat(pa.scalar(value, type=self.schema.field(name).type), self._rows(piece))

    def _test(self, table: pa.Table, piece: Piece) -> BoolArray:
        """Return which rows lie in the region and meet the condition."""
        request = self.request
        rows = self._rows(piece)
        passed = np.ones(rows, dtype=np.bool_)
        if request.region is not None:
            passed &= request.region.contains(*self._positions(table))
        if request.where is not None and passed.any():
            passed &= self._meets(table, rows, piece)
        return passed

    def _meets(self, table: pa.Table, rows: int, piece: Piece) -> BoolArray:
        """Return which rows meet the condition."""
        numbered = table.append_column(_ROW_NUMBER, row_numbers(rows))
        try:
            met = as_integers(numbered.filter(self.request.where).column(_ROW_NUMBER))
        except pa.ArrowException as error:
            raise UsageError(
                "the condition cannot be evaluated",
                path=self.files.full_path(piece.file.path),
                found=str(self.request.where),
                expected=str(error).strip(),
            ) from error
        meets = np.zeros(rows, dtype=np.bool_)
        meets[met] = True
        return meets

    def _positions(self, table: pa.Table) -> tuple[FloatArray, FloatArray]:
        """Return RA and Dec of rows in degrees; NaN for rows without a position."""
        properties = self.files.properties
        if properties.has_coordinates:
            try:
                return (
                    as_floats(table.column(properties.hats_col_ra)),
                    as_floats(table.column(properties.hats_col_dec)),
                )
            except pa.ArrowException as error:
                raise LeafError(
                    "the coordinates must be numbers", path=self.files.root, found=str(error).strip()
                ) from error
        # Associations and maps have no coordinates, so use the centre of the HEALPix pixel.
        order = properties.healpix_order
        pixels = as_integers(table.column(properties.healpix_column))
        known = (pixels >= 0) & (pixels < npix(order))
        ra, dec = np.full((2, len(pixels)), np.nan)
        ra[known], dec[known] = pixel_to_radec(pixels[known], order)
        return ra, dec


_ROW_NUMBER = "__row_number_in_piece__"
