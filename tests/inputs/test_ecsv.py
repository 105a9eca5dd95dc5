"""ECSV in pieces: for any piece size, the rows equal those that Astropy reads at once."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatsformat import storage
from hatsformat.errors import InputError
from hatsformat.inputs import astropy_files
from hatsformat.inputs.columns import from_astropy
from hatsformat.inputs.ecsv import CELL_COPIES, EcsvSource, split_ecsv
from hatsformat.partitioner.schema import InputSchema, fit, plan_schema

SIZES = st.sampled_from([1, 20, 100, 10**6])
TEXT = st.text("ab \"',\n", max_size=8)


def written(table: Table, delimiter: str) -> bytes:
    stream = io.StringIO()
    table.write(stream, format="ascii.ecsv", delimiter=delimiter)
    return stream.getvalue().encode()


def pieces_of(content: bytes, size: int) -> list[bytes]:
    return list(split_ecsv(io.BytesIO(content), size))


def check(content: bytes, folder, size: int, name: str = "a.ecsv") -> int:
    """Compare with what Astropy reads at once; return the number of chunks."""
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    least, astropy_files.MIN_PIECE = astropy_files.MIN_PIECE, size
    try:
        chunks = list(EcsvSource(storage.resolve(folder / name)).chunks(size))
    finally:
        astropy_files.MIN_PIECE = least
    assert [chunk.first_row for chunk in chunks] == [
        1 + sum(chunk.table.num_rows for chunk in chunks[:n]) for n in range(len(chunks))
    ]
    schema = plan_schema([InputSchema("a", chunk.table.schema) for chunk in chunks])
    found = pa.concat_tables([fit(chunk.table, schema, "a") for chunk in chunks])
    wanted = from_astropy(Table.read(io.BytesIO(content), format="ascii.ecsv"))
    assert found.schema.equals(wanted.schema, check_metadata=True)
    assert str(found.to_pylist()) == str(wanted.to_pylist())
    return len(chunks)


def table_of(texts: list[str], lists: list[list[int]]) -> Table:
    rows = len(texts)
    arrays = np.empty(rows, dtype=object)
    for index, items in enumerate(lists[:rows]):
        arrays[index] = np.array(items, dtype=np.int16)
    number = np.arange(rows)
    return Table(
        {
            "id": number,
            "text": MaskedColumn(texts, mask=number % 3 == 2, dtype=str, description="of letters"),
            "x": MaskedColumn(number / 7, mask=number % 2 == 1, unit="mJy"),
            "pair": np.arange(2 * rows, dtype=np.float32).reshape(rows, 2),
            "list": arrays,
            "good": number % 2 == 0,
        }
    )


@pytest.mark.filterwarnings("ignore")
class TestPieces:
    """Pieces of any size give the same rows and types."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(TEXT, min_size=1, max_size=12),
        st.lists(st.lists(st.integers(-9, 9), max_size=3), min_size=12, max_size=12),
        SIZES,
        st.sampled_from(" ,"),
    )
    def test_tables(self, tmp_path, texts, lists, size, delimiter):
        check(written(table_of(texts, lists), delimiter), tmp_path, size)

    def test_many_pieces(self, tmp_path):
        content = written(table_of(["a b", 'c "d"\ne', ""] * 100, [[1]] * 300), ",")
        assert check(content, tmp_path, 500) > 10
        assert check(content, tmp_path, 500, "a.ecsv.gz") > 10
        assert check(content.replace(b"\n", b"\r\n"), tmp_path, 500) > 10

    def test_times(self, tmp_path):
        table = Table({"id": np.arange(40), "t": Time(np.arange(40) + 50000.25, format="mjd").isot})
        table["jd"] = Time(np.arange(40) + 50000.25, format="mjd")
        assert check(written(table, " "), tmp_path, 200) > 2

    def test_lists_that_are_empty_in_some_pieces(self, tmp_path):
        for lists in ([[]] * 60, [[]] * 30 + [[1]] * 30, [[2]] * 30 + [[]] * 30):
            check(written(table_of(["a"] * 60, lists), " "), tmp_path, 200)

    def test_objects_are_read_whole(self, tmp_path):
        """Their type depends on all rows."""
        column = np.array([{"a": 1}, {"b": 2}] * 30, dtype=object)
        content = written(Table({"id": np.arange(60), "o": column}), " ")
        assert len(pieces_of(content, 100)) == 1

    def test_no_rows(self, tmp_path):
        table = table_of(["a"], [[1]])
        table.remove_column("pair")  # which Astropy does not read without rows
        content = written(table, " ")
        header = content[: content.rstrip().rfind(b"\n") + 1]
        assert check(header, tmp_path, 10) == 1
        content = written(table_of(["a"] * 60, [[1]] * 60), " ")
        assert check(content + b" \n\r\n" * 400 + b"# the end", tmp_path, 100) > 1


class TestCuts:
    """Where a file is split."""

    HEADER = b"# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {name: a, datatype: string}\na\n"

    def test_lines_are_kept_together(self):
        lines = [b"x\n", b'"\n\n"\n', b'"a""\n"\n', b"y\n"] * 10
        for size in range(1, 40):
            pieces = pieces_of(self.HEADER + b"".join(lines), size)
            rows = [piece.removeprefix(self.HEADER) for piece in pieces]
            assert b"".join(rows) == b"".join(lines)
            assert all(piece.count(b'"') % 2 == 0 and piece.endswith(b"\n") for piece in pieces)
            assert len(pieces) > 1

    def test_a_quote_inside_a_value(self):
        """It does not open a value, so the lines after it cannot be split."""
        lines = b"x\n" * 20 + b'5"\n' + b'"a\nb"\n' * 20
        pieces = pieces_of(self.HEADER + lines, 4)
        assert len(pieces) > 1
        assert pieces[-1].endswith(b"x\n" + lines[40:]) or pieces[-1] == self.HEADER + lines[40:]
        assert b"".join(piece.removeprefix(self.HEADER) for piece in pieces) == lines

    def test_a_line_that_is_much_longer(self):
        """Astropy keeps every text of a piece in as many bytes as the longest one."""
        lines = b"x\n" * 1000 + b"y" * 900 + b"\n" + b"x\n" * 1000
        pieces = pieces_of(self.HEADER + lines, 2000)
        assert b"".join(piece.removeprefix(self.HEADER) for piece in pieces) == lines
        for piece in pieces:
            rows = piece.removeprefix(self.HEADER).splitlines()
            assert len(rows) * max(map(len, rows)) <= CELL_COPIES * 2000

    @pytest.mark.parametrize("content", [b"", b"a b\n1 2\n" * 50, b"# %ECSV 1.0\n", b"# %ECSV 1.0\na"])
    def test_not_ecsv(self, tmp_path, content):
        (tmp_path / "a.ecsv").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.ecsv"):
            list(EcsvSource(storage.resolve(tmp_path / "a.ecsv")).chunks(100))

    def test_broken_rows(self, tmp_path):
        content = self.HEADER + b"x\n" * 100_000 + b"x,y\n"
        (tmp_path / "a.ecsv").write_bytes(content)
        with pytest.raises(InputError, match="after row 98304"):
            list(EcsvSource(storage.resolve(tmp_path / "a.ecsv")).chunks(100))
