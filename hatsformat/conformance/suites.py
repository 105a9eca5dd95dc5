"""Classes of tests for the authors of readers, writers and validators; they need pytest.

Subclass one in a test module, give it the method that calls the program, and run pytest: the plugin of this
package gives the tests their cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pytest

from hatsformat import layout
from hatsformat.conformance.corpus import Expected
from hatsformat.conformance.judge import compare, places_of
from hatsformat.conformance.plugin import CHOICE

if TYPE_CHECKING:
    import pyarrow as pa

    from hatsformat.conformance.materialize import Materialized


_Test = TypeVar("_Test", bound=Callable[..., None])


def with_cases(**chosen: Any) -> Callable[[_Test], _Test]:
    """Say which cases a test is given; the arguments are those of the marker ``hats_cases``.

    Not the marker itself, which pytest knows only where the plugin is loaded.
    """

    def tell(test: _Test) -> _Test:
        setattr(test, CHOICE, chosen)
        return test

    return tell


class ReaderSuite:
    """Tests of a reader: that it finds every row of every sound catalog, and stops at broken files.

    A subclass defines `read`. Rows are compared as sets, whatever their order; columns that repeat the path
    (``Norder``, ``Dir``, ``Npix``) may be there.
    """

    ordered: ClassVar[bool] = False
    """Whether the rows must be sorted by the index column; set it where the reader promises it."""

    def read(self, path: Path) -> Any:
        """Return all rows of the catalog at `path`.

        Parameters
        ----------
        path : Path
            The root of a catalog, of any type.

        Returns
        -------
        table
            A `pyarrow.Table`, a pandas or Polars frame, whatever has ``__arrow_c_stream__``, or a mapping of
            column names to arrays.
        """
        raise NotImplementedError

    @with_cases(verdict="sound", tables=True)
    def test_reads_every_row(self, hats_case: Materialized) -> None:
        """All rows are there, with all columns and values, each once."""
        expected = rows_below(hats_case.path)
        found = as_table(self.read(hats_case.path))
        missing = set(expected.column_names) - set(found.column_names)
        assert not missing, f"columns are missing: {', '.join(sorted(missing))}"
        extra = set(found.column_names) - set(expected.column_names) - set(layout.HIVE_COLUMNS)
        assert not extra, f"columns are there that the catalog does not have: {', '.join(sorted(extra))}"
        assert found.num_rows == expected.num_rows
        assert as_set(found, expected.schema) == as_set(expected, expected.schema)

    @with_cases(verdict="sound", tables=True)
    def test_keeps_the_order(self, hats_case: Materialized) -> None:
        """Rows come along the sky, where the reader promises that."""
        column = next((name for name in rows_below(hats_case.path).column_names if "healpix" in name), None)
        if not self.ordered or column is None:
            pytest.skip("the reader promises no order, or the table has none")
        values = as_table(self.read(hats_case.path)).column(column).to_pylist()
        assert values == sorted(values)

    @with_cases(rules=("HATS-LEAF-001", "HATS-LEAF-009"))
    def test_stops_at_a_broken_leaf(self, hats_case: Materialized) -> None:
        """A leaf that cannot be read is an error, not fewer rows."""
        found = None
        with suppress(Exception):  # whatever the reader raises is right
            found = as_table(self.read(hats_case.path))
        assert found is None, f"the reader gave {found.num_rows} rows of a catalog with a broken leaf"


class WriterSuite:
    """Tests of a writer: that what it writes is valid and holds the rows it was given.

    A subclass defines `write`.
    """

    fail_on: ClassVar[tuple[str, ...]] = ("error", "warning")
    """The severities that a catalog it writes must not have a finding of."""

    def write(self, table: pa.Table, path: Path) -> None:
        """Write an object catalog.

        Parameters
        ----------
        table : pyarrow.Table
            Rows in no order, with the coordinates ``ra`` and ``dec`` in degrees, and no index column.
        path : Path
            The catalog's root; it does not exist yet.
        """
        raise NotImplementedError

    @pytest.mark.parametrize("kind", ["stars", "one", "nulls", "edges", "same place"])
    def test_writes_a_valid_catalog(self, kind: str, tmp_path: Path) -> None:
        """The catalog has no finding that matters, and every row once."""
        from hatsformat.conformance.inputs import writer_input
        from hatsformat.validation import validate

        table = writer_input(kind)
        path = tmp_path / "written"
        self.write(table, path)
        report = validate(path)
        wrong = [
            f"{finding.rule} {finding.location}: {finding.message}"
            for finding in report.findings
            if finding.severity in self.fail_on
        ]
        assert not wrong, "\n".join(wrong)
        assert as_set(rows_below(path), table.schema) == as_set(table, table.schema)


class ValidatorSuite:
    """Tests of a validator: that it says of every case what it should.

    A subclass defines `validate`. Where that gives findings, they are compared by rule and place; where it
    gives a bool, only the verdict is.
    """

    least: ClassVar[str] = "info"
    """The least severe findings that it is expected to tell of."""

    def validate(self, path: Path) -> Any:
        """Judge the catalog or collection at `path`.

        Parameters
        ----------
        path : Path

        Returns
        -------
        bool, mapping or iterable of mapping
            Whether it is valid; or a report as ``report.schema.json`` has it; or its findings alone.
        """
        raise NotImplementedError

    @with_cases(level="rows", edition="1.0")
    def test_judges(self, hats_case: Materialized) -> None:
        """The verdict, or every finding, is the expected one."""
        said = self.validate(hats_case.path)
        if isinstance(said, bool):
            if hats_case.verdict != "remarks":
                assert said == (hats_case.verdict == "sound"), _told(hats_case.findings)
            return
        report = said if isinstance(said, Mapping) else {"findings": list(said)}
        result = compare(hats_case.findings, places_of(report), self.least)
        assert not result.missed, f"not found: {_told(result.missed)}"
        assert not result.unexpected, f"unexpected: {_told(result.unexpected)}"


def _told(places: Iterable[Expected]) -> str:
    return "; ".join(map(str, places))


def as_table(rows: Any) -> pa.Table:
    """Return rows of any kind as an Arrow table, a frame's index as a column if it has a name."""
    import pyarrow as pa

    if isinstance(rows, pa.Table):
        return rows
    if hasattr(rows, "reset_index"):
        return pa.Table.from_pandas(rows.reset_index() if rows.index.name else rows, preserve_index=False)
    return pa.table(rows)


def as_set(table: pa.Table, schema: pa.Schema) -> list[str]:
    """Return a table's rows as sorted texts, in the columns and types of a schema; NaN as a missing value."""
    columns = [table.column(field.name).cast(field.type).to_pylist() for field in schema]
    clean = [[None if value != value else value for value in column] for column in columns]
    return sorted(map(repr, zip(*clean, strict=True)))


def rows_below(path: Path) -> pa.Table:
    """Return the rows of all leaves of a catalog that stands on a disk."""
    from hatsformat.conformance.parquet import all_rows

    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    return all_rows({name: file.read_bytes() for name, file in files.items() if name.startswith("dataset/")})
