"""Test classes for authors of readers, writers and validators, for use with pytest.

Subclass one in a test module, define the method that calls the program, and run pytest. The plugin of this
package provides the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pytest

from hatsformat import layout
from hatsformat.conformance.corpus import Expected
from hatsformat.conformance.judge import compare, findings_of
from hatsformat.conformance.plugin import SUITE_CASES

if TYPE_CHECKING:
    import pyarrow as pa

    from hatsformat.conformance.materialize import Materialized


_Test = TypeVar("_Test", bound=Callable[..., None])


def with_cases(**selection: Any) -> Callable[[_Test], _Test]:
    """Select the cases of a test, with the arguments of the marker ``hats_cases``.

    The marker itself is not used, because pytest knows it only if the plugin is loaded.
    """

    def decorate(test: _Test) -> _Test:
        setattr(test, SUITE_CASES, selection)
        return test

    return decorate


class ReaderSuite:
    """Tests of a reader: it must read every row of every valid catalog, and fail on broken files.

    Subclasses define `read`. The order of the rows does not matter, and the columns of the path (``Norder``,
    ``Dir``, ``Npix``) may be included.
    """

    ordered: ClassVar[bool] = False
    """Whether the reader promises rows that are sorted by the index column."""

    def read(self, path: Path) -> Any:
        """Return all rows of the catalog at `path`.

        Parameters
        ----------
        path : Path
            The root of a catalog of any type.

        Returns
        -------
        table
            A `pyarrow.Table`, a pandas or Polars data frame, any object with ``__arrow_c_stream__``, or a
            mapping of column names to arrays.
        """
        raise NotImplementedError

    @with_cases(verdict="sound", tables=True)
    def test_reads_every_row(self, hats_case: Materialized) -> None:
        """Every row is read once, with all columns and values."""
        expected = read_rows(hats_case.path)
        found = as_table(self.read(hats_case.path))
        missing = set(expected.column_names) - set(found.column_names)
        assert not missing, f"columns are missing: {', '.join(sorted(missing))}"
        extra = set(found.column_names) - set(expected.column_names) - set(layout.HIVE_COLUMNS)
        assert not extra, f"columns are not in the catalog: {', '.join(sorted(extra))}"
        assert found.num_rows == expected.num_rows
        assert as_sorted_rows(found, expected.schema) == as_sorted_rows(expected, expected.schema)

    @with_cases(verdict="sound", tables=True)
    def test_keeps_the_order(self, hats_case: Materialized) -> None:
        """Rows are sorted along the sky, if the reader promises it."""
        column = next((name for name in read_rows(hats_case.path).column_names if "healpix" in name), None)
        if not self.ordered or column is None:
            pytest.skip("the reader does not promise an order, or the table has none")
        values = as_table(self.read(hats_case.path)).column(column).to_pylist()
        assert values == sorted(values)

    @with_cases(rules=("HATS-LEAF-001", "HATS-LEAF-009"))
    def test_stops_at_a_broken_leaf(self, hats_case: Materialized) -> None:
        """A leaf that cannot be read is an error; its rows are not skipped."""
        found = None
        with suppress(Exception):  # any exception is right
            found = as_table(self.read(hats_case.path))
        assert found is None, f"the reader returned {found.num_rows} rows of a catalog with a broken leaf"


class WriterSuite:
    """Tests of a writer: its catalogs must be valid and hold all rows.

    Subclasses define `write`.
    """

    fail_on: ClassVar[tuple[str, ...]] = ("error", "warning")
    """The severities of findings that make a test fail."""

    def write(self, table: pa.Table, path: Path) -> None:
        """Write an object catalog.

        Parameters
        ----------
        table : pyarrow.Table
            Unsorted rows, with the coordinates ``ra`` and ``dec`` in degrees and no index column.
        path : Path
            The root of the catalog, which does not exist yet.
        """
        raise NotImplementedError

    @pytest.mark.parametrize("kind", ["stars", "one", "nulls", "edges", "same position"])
    def test_writes_a_valid_catalog(self, kind: str, tmp_path: Path) -> None:
        """The catalog has no findings of the severities in `fail_on`, and has every row once."""
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
        assert as_sorted_rows(read_rows(path), table.schema) == as_sorted_rows(table, table.schema)


class ValidatorSuite:
    """Tests of a validator: its findings, or its verdict, must be right for every case.

    Subclasses define `validate`. If it returns findings, they are compared by rule and location. If it
    returns a bool, only the verdict is compared.
    """

    least: ClassVar[str] = "info"
    """The lowest severity of the findings to compare."""

    def validate(self, path: Path) -> Any:
        """Validate the catalog or collection at `path`.

        Parameters
        ----------
        path : Path

        Returns
        -------
        bool, mapping or iterable of mapping
            Whether it is valid, a report in the form of ``report.schema.json``, or only the findings.
        """
        raise NotImplementedError

    @with_cases(level="rows", edition="1.0")
    def test_judges(self, hats_case: Materialized) -> None:
        """The verdict or the findings are the expected ones."""
        result = self.validate(hats_case.path)
        if isinstance(result, bool):
            if hats_case.verdict != "remarks":
                assert result == (hats_case.verdict == "sound"), _join(hats_case.findings)
            return
        report = result if isinstance(result, Mapping) else {"findings": list(result)}
        comparison = compare(hats_case.findings, findings_of(report), self.least)
        assert not comparison.missed, f"not found: {_join(comparison.missed)}"
        assert not comparison.unexpected, f"unexpected: {_join(comparison.unexpected)}"


def _join(findings: Iterable[Expected]) -> str:
    return "; ".join(map(str, findings))


def as_table(rows: Any) -> pa.Table:
    """Return rows of any type as an Arrow table; a named index of a data frame becomes a column."""
    import pyarrow as pa

    if isinstance(rows, pa.Table):
        return rows
    if hasattr(rows, "reset_index"):
        return pa.Table.from_pandas(rows.reset_index() if rows.index.name else rows, preserve_index=False)
    return pa.table(rows)


def as_sorted_rows(table: pa.Table, schema: pa.Schema) -> list[str]:
    """Return rows as sorted text, with the columns and types of a schema and with NaN as null."""
    columns = [table.column(field.name).cast(field.type).to_pylist() for field in schema]
    clean = [[None if value != value else value for value in column] for column in columns]
    return sorted(map(repr, zip(*clean, strict=True)))


def read_rows(path: Path) -> pa.Table:
    """Return the rows of all leaves of a catalog on disk."""
    from hatsformat.conformance.parquet import all_rows

    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    return all_rows({name: file.read_bytes() for name, file in files.items() if name.startswith("dataset/")})
