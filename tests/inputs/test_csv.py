"""Text files of every kind as inputs."""

from __future__ import annotations

import bz2
import gzip
import lzma

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat.errors import HatsError, InputError
from hatsformat.importing import import_catalog
from hatsformat.inputs import InputOptions, RereadError, comments, csv, open_inputs
from tests.support import skies
from tests.support.imports import refused, rows_of


@pytest.fixture
def small_blocks(monkeypatch):
    """Types are inferred from the first 4 KiB."""
    monkeypatch.setattr(csv, "BLOCK_BYTES", 4096)


def write(tmp_path, text, name="stars.csv"):
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def read(file, **options):
    """What is read from one file, without an import around it."""
    source = open_inputs(file, InputOptions(**options))[0]
    while True:
        try:
            return pa.concat_tables([chunk.table for chunk in source.chunks(1 << 20)])
        except RereadError as request:
            source = request.source


SIMPLE = "id,ra,dec,name\n1,10,20,Vega\n2,30,-40.5,\n"
EXPECTED = {"id": [1, 2], "ra": [10, 30], "dec": [20.0, -40.5], "name": ["Vega", None]}


class TestText:
    """Ways to write the same table."""

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("given", [False, True])
    def test_delimiters(self, tmp_path, delimiter, given):
        file = write(tmp_path, SIMPLE.replace(",", delimiter))
        assert rows_of(tmp_path, file, delimiter=delimiter if given else None).to_pydict() == EXPECTED

    @pytest.mark.parametrize("delimiter", [" ", "^", ":"])
    def test_odd_delimiters(self, tmp_path, delimiter):
        file = write(tmp_path, SIMPLE.replace(",", delimiter))
        assert rows_of(tmp_path, file, delimiter=delimiter).to_pydict() == EXPECTED

    def test_commas_among_semicolons(self, tmp_path):
        file = write(tmp_path, "id;ra;dec;name, or none\n1;10;20;a,b,c,d,e\n")
        assert rows_of(tmp_path, file)["name, or none"].to_pylist() == ["a,b,c,d,e"]

    @pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.dat", "a.psv", "A.CSV"])
    def test_names(self, tmp_path, name):
        assert rows_of(tmp_path, write(tmp_path, SIMPLE, name)).to_pydict() == EXPECTED

    def test_any_name_with_a_format(self, tmp_path):
        file = write(tmp_path, SIMPLE, "catalog.starr")
        assert "catalog.starr" in refused(tmp_path, file)
        assert rows_of(tmp_path, file, format="csv").to_pydict() == EXPECTED

    @pytest.mark.parametrize(
        "text", [b"\xef\xbb\xbf" + SIMPLE.encode(), SIMPLE.replace("\n", "\r\n"), SIMPLE.rstrip()]
    )
    def test_byte_order_mark_and_line_ends(self, tmp_path, text):
        assert rows_of(tmp_path, write(tmp_path, text)).to_pydict() == EXPECTED

    def test_blank_lines_are_skipped(self, tmp_path):
        file = write(tmp_path, SIMPLE + "\n\n3,1,1,x\n\n")
        assert rows_of(tmp_path, file)["id"].to_pylist() == [1, 2, 3]

    @pytest.mark.parametrize(
        ("suffix", "compress"),
        [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", None), ("lz4", None)],
    )
    def test_compressed(self, tmp_path, suffix, compress):
        if compress is None:
            codec = {"zst": "zstd", "lz4": "lz4"}[suffix]

            def compress(content):
                with pa.BufferOutputStream() as buffer:
                    with pa.CompressedOutputStream(buffer, codec) as stream:
                        stream.write(content)
                    return buffer.getvalue().to_pybytes()

        # Long enough for several reads of the stream.
        lines = "".join(f"{row},{row % 360},{row % 90},star {row}\n" for row in range(3, 20_000))
        file = write(tmp_path, compress((SIMPLE + lines).encode()), f"stars.csv.{suffix}")
        found = rows_of(tmp_path, file)
        assert found["id"].to_pylist() == list(range(1, 20_000))
        assert found.slice(0, 2).to_pydict() == EXPECTED

    def test_truncated_compressed(self, tmp_path):
        content = gzip.compress((SIMPLE * 1).encode() + b"".join(b"%d,1,1,x\n" % row for row in range(5000)))
        file = write(tmp_path, content[: len(content) // 2], "stars.csv.gz")
        assert "stars.csv.gz" in refused(tmp_path, file, error=HatsError)

    def test_not_compressed(self, tmp_path):
        assert "stars.csv.gz" in refused(tmp_path, write(tmp_path, SIMPLE, "stars.csv.gz"), error=HatsError)

    def test_quotes(self, tmp_path):
        file = write(
            tmp_path, 'id,ra,dec,name\n1,1,1,"a ""b"", c"\n2,2,2,"two\nlines"\n3,3,3,"\r\n,"\n4,4,4,""\n'
        )
        assert rows_of(tmp_path, file)["name"].to_pylist()[:3] == ['a "b", c', "two\nlines", "\r\n,"]

    def test_newlines_in_values_over_blocks(self, tmp_path, small_blocks):
        names = [f"star\n{row},\n" * (row % 40) + "." for row in range(2000)]
        lines = "".join(f'{row},1,1,"{name}"\n' for row, name in enumerate(names))
        assert rows_of(tmp_path, write(tmp_path, "id,ra,dec,name\n" + lines))["name"].to_pylist() == names

    def test_a_row_longer_than_a_block(self, tmp_path, small_blocks):
        file = write(tmp_path, f'id,ra,dec,name\n1,1,1,"{"x" * 20_000}"\n2,2,2,y\n')
        assert [len(name) for name in rows_of(tmp_path, file)["name"].to_pylist()] == [20_000, 1]

    def test_comments(self, tmp_path):
        """Anywhere if a prefix is given; otherwise only before the header."""
        text = "% one\nid,ra,dec,name\n%,2,,\n1,10,20,Vega\n  % three\n2,30,-40.5,\n% the end"
        assert rows_of(tmp_path, write(tmp_path, text), comment="%").to_pydict() == EXPECTED
        hashes = write(tmp_path, "# one\n" + SIMPLE + "# the end\n", "hashes.csv")
        with pytest.raises(InputError, match="line 5"):
            import_catalog(hashes, tmp_path / "refused")
        import_catalog(hashes, tmp_path / "again", comment="#")
        assert len(skies.read_rows(tmp_path / "again")) == 2

    def test_comments_over_blocks(self, tmp_path, monkeypatch):
        lines = [f"{row},{row % 360},1,{'x' * (row % 50)}" for row in range(3000)]
        text = "id,ra,dec,name\n" + "".join(f"{line}\n//{line}//\n" for line in lines)
        for block in (7, 1000, 1 << 20):
            monkeypatch.setattr(comments, "BLOCK_BYTES", block)
            found = read(write(tmp_path, text), comment="//")
            assert found["id"].to_pylist() == list(range(3000))

    def test_lines_are_counted_with_comments(self, tmp_path):
        file = write(tmp_path, SIMPLE + "# four\n# five\n3,1\n")
        assert "line 6" in refused(tmp_path, file, comment="#")

    def test_unicode(self, tmp_path):
        file = write(tmp_path, "id,ra,dec,α\n1,1,1,Ωmega ★\n")
        assert rows_of(tmp_path, file)["α"].to_pylist() == ["Ωmega ★"]

    @pytest.mark.parametrize("word", ["NA", "null", "NaN", "None", "N/A", "#N/A", "nan", "-"])
    def test_null_words_in_a_text_column_are_text(self, tmp_path, word):
        file = write(tmp_path, f"id,ra,dec,name\n1,1,1,{word}\n2,2,2,Vega\n3,3,3,\n")
        assert rows_of(tmp_path, file)["name"].to_pylist() == [word, "Vega", None]


class TestTypes:
    """Inferred types never change a value."""

    def column(self, tmp_path, values, fill=""):
        """The imported column; `fill` is the value in the first blocks."""
        start = [fill] * 3000 if fill != "" else []
        lines = [f"{row},{row % 360},0,{value}" for row, value in enumerate([*start, *values])]
        file = write(tmp_path, "id,ra,dec,value\n" + "\n".join(lines) + "\n")
        return rows_of(tmp_path, file)["value"].slice(len(start))

    def test_integers_then_floats(self, tmp_path, small_blocks):
        found = self.column(tmp_path, ["1.5", "2"], fill="7")
        assert (found.type, found.to_pylist()) == (pa.float64(), [1.5, 2.0])

    def test_a_type_that_does_not_fit_in_several_files(self, tmp_path, small_blocks):
        """Several files are parsed by one thread each, which changes Arrow's error messages."""
        for name in "ab":
            lines = "".join(f"{name}{row},{row % 360},0,7\n" for row in range(3000)) + f"{name}3000,1,1,x\n"
            write(tmp_path, "id,ra,dec,value\n" + lines, f"{name}.csv")
        found = rows_of(tmp_path, tmp_path / "a.csv", tmp_path / "b.csv")
        assert sorted(found["value"].to_pylist()) == ["7"] * 6000 + ["x"] * 2

    def test_numbers_then_text(self, tmp_path, small_blocks):
        found = self.column(tmp_path, ["1.5", "x"], fill="7")
        assert (found.type, found.to_pylist()) == (pa.string(), ["1.5", "x"])

    def test_empty_then_anything(self, tmp_path, small_blocks):
        lines = "".join(f"{row},1,1,,,\n" for row in range(3000)) + "3000,1,1,5,0.5,x\n"
        found = rows_of(tmp_path, write(tmp_path, "id,ra,dec,a,b,c\n" + lines)).slice(3000).to_pylist()[0]
        assert (str(found["a"]), str(found["b"]), found["c"]) == ("5", "0.5", "x")

    def test_truth_values_then_text(self, tmp_path, small_blocks):
        assert self.column(tmp_path, ["maybe", "false"], fill="true").to_pylist() == ["maybe", "false"]

    def test_dates_then_text(self, tmp_path, small_blocks):
        assert self.column(tmp_path, ["tomorrow", "2020-01-02"], fill="2020-01-01").to_pylist() == [
            "tomorrow",
            "2020-01-02",
        ]

    @pytest.mark.parametrize("fill", ["", "7"])
    def test_leading_zeros_are_kept(self, tmp_path, small_blocks, fill):
        """A code such as 007 is not a number."""
        assert self.column(tmp_path, ["007", "012", "3"], fill=fill).to_pylist() == ["007", "012", "3"]

    def test_zeros_are_numbers(self, tmp_path):
        found = self.column(tmp_path, ["0", "-0.5", "0.25", "00.5"])
        assert [str(value) for value in found.to_pylist()] != []
        found = self.column_again(tmp_path, ["0", "-0.5", "0.25"])
        assert (found.type, found.to_pylist()) == (pa.float64(), [0.0, -0.5, 0.25])

    def column_again(self, tmp_path, values):
        folder = tmp_path / "again"
        folder.mkdir()
        return self.column(folder, values)

    @pytest.mark.parametrize("fill", ["", "7"])
    def test_integers_beyond_64_bits(self, tmp_path, small_blocks, fill):
        values = ["18446744073709551615", "9223372036854775808", "99999999999999999999999"]
        assert [str(value) for value in self.column(tmp_path, values, fill=fill).to_pylist()] == values

    def test_large_integers_among_floats(self, tmp_path, small_blocks):
        """2**53 + 1 is not a float."""
        found = self.column(tmp_path, ["9007199254740993", "0.5"], fill="7").to_pylist()
        assert str(found[0]) == "9007199254740993"

    def test_large_integers_before_floats(self, tmp_path, small_blocks):
        found = self.column(tmp_path, ["0.5"], fill="9007199254740993")
        first = skies.read_rows(tmp_path / "sky").sort_by("id")["value"][0].as_py()
        assert str(first) == "9007199254740993"
        assert str(found[0].as_py()) == "0.5"

    def test_clock_times_are_not_numbers(self, tmp_path):
        assert [str(value) for value in self.column(tmp_path, ["12:30:00", "01:02:03"]).to_pylist()] == [
            "12:30:00",
            "01:02:03",
        ]

    def test_coordinates_that_start_as_integers(self, tmp_path, small_blocks):
        lines = [f"{row},{row % 360},{row % 90}" for row in range(3000)] + ["3000,10.25,-5.125"]
        found = rows_of(tmp_path, write(tmp_path, "id,ra,dec\n" + "\n".join(lines) + "\n"))
        assert found.slice(3000).to_pylist() == [{"id": 3000, "ra": 10.25, "dec": -5.125}]
        assert found["ra"].to_pylist()[:3000] == [float(row % 360) for row in range(3000)]

    @settings(max_examples=25)
    @given(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6),
            min_size=1,
            max_size=8,
        )
    )
    def test_any_text(self, tmp_path_factory, values):
        folder = tmp_path_factory.mktemp("text")
        quoted = ('"' + value.replace('"', '""') + '"' for value in ["a word", *values])
        lines = "".join(f"{row},{value}\n" for row, value in enumerate(quoted))
        found = read(write(folder, "id,value\n" + lines), delimiter=",")["value"].to_pylist()
        assert [value or "" for value in found] == ["a word", *values]

    @settings(max_examples=50)
    @given(st.lists(st.integers(-(10**25), 10**25) | st.integers(-9, 9), min_size=1, max_size=20))
    def test_any_integer(self, tmp_path_factory, values):
        folder = tmp_path_factory.mktemp("integers")
        found = read(write(folder, "value\n" + "".join(f"{value}\n" for value in values)))["value"]
        assert [str(value) for value in found.to_pylist()] == [str(value) for value in values]

    @settings(max_examples=50)
    @given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
    def test_any_float(self, tmp_path_factory, values):
        folder = tmp_path_factory.mktemp("floats")
        values = [0.5, *values]
        found = read(write(folder, "value\n" + "".join(f"{value!r}\n" for value in values)))["value"]
        assert found.type == pa.float64()
        assert (found.to_numpy().view("u8") == np.array(values).view("u8")).all()

    @settings(max_examples=50)
    @given(
        st.lists(st.from_regex(r"[0-9]{1,4}", fullmatch=True), min_size=1, max_size=20),
        st.sampled_from([1, 3, 64]),
    )
    def test_any_code(self, tmp_path_factory, values, width):
        """Digits are numbers if they can be written back unchanged, otherwise text."""
        folder = tmp_path_factory.mktemp("codes")
        file = write(folder, "value,more\n" + "".join(f"{value},{'x' * width}\n" for value in values))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv, "BLOCK_BYTES", 100)
            found = read(file)["value"]
        assert [str(value) for value in found.to_pylist()] == values
        plain = all(str(int(value)) == value for value in values)
        assert found.type == (pa.int64() if plain else pa.string())


class TestBrokenText:
    """Broken files are refused with one line that says where."""

    def test_header_only(self, tmp_path):
        assert "no rows" in refused(tmp_path, write(tmp_path, "id,ra,dec\n"))

    def test_header_only_among_others(self, tmp_path):
        empty = write(tmp_path, "id,ra,dec,name\n", "empty.csv")
        assert rows_of(tmp_path, empty, write(tmp_path, SIMPLE)).to_pydict() == EXPECTED

    @pytest.mark.parametrize("content", [b"", b"\n", b"\n\n\n", b"   \n", b"\xef\xbb\xbf"])
    def test_empty(self, tmp_path, content):
        assert "stars.csv" in refused(tmp_path, write(tmp_path, content), error=HatsError)

    @pytest.mark.parametrize("row", ["3,1", "3,1,1,x,y", "word"])
    def test_a_row_of_wrong_length(self, tmp_path, row):
        text = refused(tmp_path, write(tmp_path, SIMPLE + row + "\n4,1,1,z\n"))
        assert "stars.csv" in text
        assert "line 4" in text

    def test_a_row_of_wrong_length_far_down(self, tmp_path, small_blocks):
        lines = [f"{row},1,1,x" for row in range(1, 5001)]
        lines[4320] = "4321,1"
        text = refused(tmp_path, write(tmp_path, "id,ra,dec,name\n" + "\n".join(lines) + "\n"))
        # Counted as rows, or as lines with the header.
        assert "row 4321" in text or "line 4322" in text

    def test_an_open_quote(self, tmp_path):
        refused(tmp_path, write(tmp_path, SIMPLE + '3,1,1,"never closed\n4,1,1,x\n'))

    @pytest.mark.parametrize("where", ["header", "value", "late"])
    def test_another_encoding(self, tmp_path, where, small_blocks):
        start, name = b"id,ra,dec,name\n", "Böhm".encode("latin-1")
        if where == "header":
            content = b"id,ra,dec," + name + b"\n1,1,1,x\n"
        else:
            content = start + b"1,1,1,x\n" * (3000 if where == "late" else 1) + b"2,1,1," + name + b"\n"
        text = refused(tmp_path, write(tmp_path, content))
        assert "stars.csv" in text
        assert "UTF-8" in text or "UTF8" in text or "utf-8" in text

    def test_utf_16(self, tmp_path):
        assert "stars.csv" in refused(tmp_path, write(tmp_path, SIMPLE.encode("utf-16")), error=HatsError)

    @pytest.mark.parametrize("seed", range(5))
    def test_binary(self, tmp_path, seed):
        junk = np.random.default_rng(seed).bytes(10_000)
        assert "stars.csv" in refused(tmp_path, write(tmp_path, junk), error=HatsError)

    def test_parquet_under_another_name(self, tmp_path):
        pq.write_table(skies.stars(100), tmp_path / "stars.csv")
        assert "stars.csv" in refused(tmp_path, tmp_path / "stars.csv", error=HatsError)

    @pytest.mark.parametrize("header", ["id,ra,dec,ra", "id,ra,dec,", "id,ra,dec,dec"])
    def test_empty_and_duplicate_column_names(self, tmp_path, header):
        assert "stars.csv" in refused(tmp_path, write(tmp_path, f"{header}\n1,2,3,4\n"), error=HatsError)

    def test_a_word_in_a_coordinate_column(self, tmp_path, small_blocks):
        lines = [f"{row},1.5,1.5" for row in range(1, 3001)] + ["3001,north,1.5"]
        text = refused(tmp_path, write(tmp_path, "id,ra,dec\n" + "\n".join(lines) + "\n"), error=HatsError)
        assert "3001" in text
        assert "north" in text
