"""VOTables in pieces: for any piece size, the rows equal those that Astropy reads at once."""

from __future__ import annotations

import base64
import gzip
import io
import re
import struct
import warnings
from xml.parsers import expat
from xml.sax.saxutils import escape

import pyarrow as pa
import pytest
from astropy.io.votable import parse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hatsformat import storage
from hatsformat.errors import InputError
from hatsformat.inputs import astropy_files, votable
from hatsformat.inputs.columns import from_astropy
from hatsformat.inputs.votable import VotableSource
from hatsformat.inputs.votable_outline import read_outline
from hatsformat.inputs.votable_rows import decode_base64
from hatsformat.partitioner.schema import InputSchema, fit, plan_schema

FIELDS = """
<FIELD name="id" datatype="long"><DESCRIPTION>a &lt;TABLEDATA> of sorts</DESCRIPTION></FIELD>
<FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra"/>
<FIELD name="count" datatype="int"><VALUES null="-9"/></FIELD>
<FIELD name="name" datatype="char" arraysize="*"/>
<FIELD name="short" datatype="char" arraysize="7*"/>
<FIELD name="fixed" datatype="unicodeChar" arraysize="6"/>
<FIELD name="good" datatype="boolean"/>
<FIELD name="flags" datatype="boolean" arraysize="4"/>
<FIELD name="pair" datatype="float" arraysize="2"/>
<FIELD name="list" datatype="short" arraysize="*"/>
<FIELD name="pairs" datatype="int" arraysize="2x*"/>
<FIELD name="bits" datatype="bit" arraysize="11"/>
<FIELD name="byte" datatype="unsignedByte"/>
"""


def document(rows: str, table: str = "", before: str = "", after: str = "", prefix: str = "") -> bytes:
    """A VOTable of hand-written rows, not written by Astropy."""
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- <TABLEDATA><TR><TD>1</TD></TR></TABLEDATA> --><VOTABLE version="1.4">{before}
<RESOURCE type="results"><DESCRIPTION><![CDATA[<TABLEDATA><TR>]]></DESCRIPTION>
<TABLE{table}>{FIELDS}<DATA><TABLEDATA >
{rows}</TABLEDATA></DATA><INFO name="note" value="a > b"/></TABLE></RESOURCE>{after}</VOTABLE>"""
    text = re.sub(r"<(/?)(?=[A-Z])", rf"<\1{prefix}", text)
    name = f'xmlns:{prefix[:-1]}="http://www.ivoa.net/xml/VOTable/v1.3"' if prefix else ""
    return text.replace("VOTABLE version", f"VOTABLE {name} version").encode()


def numbers(size, low=-100, high=100):
    return st.lists(st.integers(low, high), min_size=size, max_size=size).map(lambda v: " ".join(map(str, v)))


def lists(width=1):
    return st.integers(0, 4).flatmap(lambda count: numbers(count * width))


letters = st.text("ab <>&\"']=", max_size=7).map(escape)
ROW = st.tuples(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.sampled_from(["", "1.5", "NaN", "1e300", "-0.0"]),
    st.sampled_from(["-9", "7", "100000"]),
    st.one_of(letters, st.just("<![CDATA[</TR><TR>]]>"), st.just("x<!-- <TR> -->y"), st.just("z" * 500)),
    letters,
    st.sampled_from(["", "ä<!--</TABLEDATA>-->ö", "&#228;", "abcdef"]),
    st.sampled_from(["T", "F", "?", "true"]),
    st.sampled_from(["T F T F", "? ? F T"]),
    st.sampled_from(["1 2", "NaN 0.5", "", "NaN NaN"]),
    lists(),
    lists(2),
    st.text("01", min_size=11, max_size=11),
    st.integers(0, 255).map(str),
)
ROWS = st.lists(ROW, max_size=12)
SIZES = st.sampled_from([1, 100, 300, 1000, 10**6])
EMPTY = ("1", "", "-9", "", "", "", "?", "? ? ? ?", "", "", "", "0" * 11, "0")
FULL = ("1", "2", "3", "n", "s", "f", "T", "T T T T", "1 1", "1 2", "1 2 3 4", "1" * 11, "9")


def written(rows):
    return "".join(f"<TR>{''.join(f'<TD>{cell}</TD>' for cell in row)}</TR>\n" for row in rows)


def packed(row, flags: bool) -> bytes:
    """One row as bytes; texts are ASCII, without markup."""

    def text(cell):
        return re.sub(r"<[^>]*>|&[^;]*;|[^ -~]", "", cell).encode()

    def values(cell, code, width):
        cells = [float(item) if code == "f" else int(item) for item in cell.split()]
        return struct.pack(f">I{len(cells)}{code}", len(cells) // width, *cells)

    name, short = text(row[3]), text(row[4])
    parts = (
        b"\x10\x00" if flags else b"",  # the fourth is null, which Astropy ignores for text
        struct.pack(">qdi", int(row[0]), float(row[1] or "nan"), int(row[2])),
        struct.pack(f">I{len(name)}sI{len(short)}s", len(name), name, len(short), short),
        text(row[5]).decode().encode("utf-16-be").ljust(12, b"\0"),
        row[6][0].upper().encode() + row[7].replace(" ", "").encode(),
        struct.pack(">2f", *map(float, row[8].split() or ["nan"] * 2)),
        values(row[9], "h", 1) + values(row[10], "i", 2),
        struct.pack(">HB", int(row[11].ljust(16, "0"), 2), int(row[12])),
    )
    return b"".join(parts)


def in_stream(content: bytes, rows: bytes, kind: str) -> bytes:
    """Replace the rows of a document by binary rows."""
    text = base64.encodebytes(rows)
    stream = b'<%s><STREAM encoding="base64">%s</STREAM></%s>' % (kind.encode(), text, kind.encode())
    return re.sub(rb"<TABLEDATA >\n.*</TABLEDATA>", lambda _: stream, content, flags=re.DOTALL)


def binary(rows, kind: str, table: str = "") -> bytes:
    """A VOTable of hand-written binary rows."""
    content = b"".join(packed(row, kind == "BINARY2") for row in rows)
    return in_stream(document("", table=table), content, kind)


def whole(content: bytes, index: int = 0) -> pa.Table:
    """What Astropy reads at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_astropy(
            list(parse(io.BytesIO(content)).iter_tables())[index].to_table(use_names_over_ids=True)
        )


def read(content: bytes, folder, size: int, table: str | None = None, name: str = "a.vot"):
    """The rows read in pieces, and the number of pieces."""
    (folder / name).write_bytes(content)
    least, astropy_files.MIN_PIECE = astropy_files.MIN_PIECE, size
    try:
        chunks = list(VotableSource(storage.resolve(folder / name), table).chunks(size))
    finally:
        astropy_files.MIN_PIECE = least
    starts = [chunk.first_row for chunk in chunks]
    assert starts == [1 + sum(chunk.table.num_rows for chunk in chunks[:n]) for n in range(len(chunks))]
    schema = plan_schema([InputSchema("a", chunk.table.schema) for chunk in chunks])
    pieces = [fit(chunk.table, schema, "a") for chunk in chunks]
    return pa.concat_tables(pieces).combine_chunks(), len(chunks)


def check(content: bytes, folder, size: int):
    found, pieces = read(content, folder, size)
    wanted = whole(content)
    assert found.schema.equals(wanted.schema, check_metadata=True)
    # Compare as text: NaN differs from itself, and -0.0 equals 0.0.
    assert str(found.to_pylist()) == str(wanted.to_pylist())
    return pieces


alike = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.filterwarnings("ignore")
class TestPieces:
    """Pieces of any size give the same rows and types."""

    @alike
    @given(ROWS, SIZES, st.sampled_from(["", "vot:"]))
    @example([EMPTY] * 3, 100, "")
    @example([EMPTY] * 3 + [FULL] + [EMPTY] * 3, 1, "")
    def test_text(self, tmp_path, rows, size, prefix):
        check(document(written(rows), prefix=prefix), tmp_path, size)

    @alike
    @given(ROWS, SIZES, st.sampled_from(["BINARY", "BINARY2"]))
    @example([EMPTY] * 3, 100, "BINARY2")
    @example([EMPTY] * 3 + [FULL] + [EMPTY] * 3, 1, "BINARY")
    def test_binary(self, tmp_path, rows, size, kind):
        check(binary(rows, kind), tmp_path, size)

    @pytest.mark.parametrize("kind", ["BINARY", "BINARY2"])
    def test_rows_of_one_size(self, tmp_path, kind):
        fields = '<FIELD name="a" datatype="double"/><FIELD name="b" datatype="char" arraysize="3"/>'
        flags = b"\x80" if kind == "BINARY2" else b""
        rows = b"".join(flags + struct.pack(">d3s", number / 7, b"ab") for number in range(500))
        content = in_stream(document("").replace(FIELDS.encode(), fields.encode()), rows, kind)
        assert check(content, tmp_path, 300) > 10

    def test_many_pieces(self, tmp_path):
        rows = [FULL, EMPTY] * 100
        content = document(written(rows))
        assert check(content, tmp_path, 500) >= 20
        assert check(binary(rows, "BINARY2"), tmp_path, 500) > 5
        assert check(content, tmp_path, 10**6) == check(binary(rows, "BINARY"), tmp_path, 10**6) == 1

    def test_compressed(self, tmp_path):
        content = document(written([FULL, EMPTY] * 100))
        for name in ("a.vot.gz", "misnamed.vot"):
            found, _ = read(gzip.compress(content), tmp_path, 500, name=name)
            assert found.equals(whole(content))

    @pytest.mark.parametrize("declared", ["3", " 200 ", "100000"])
    def test_declared_number_of_rows(self, tmp_path, declared):
        """Astropy only allocates memory for them."""
        table = f" nrows = '{declared}' name='x>y'"
        content = document(written([FULL] * 200), table)
        assert check(content, tmp_path, 500) > 20
        assert check(binary([FULL] * 200, "BINARY2", table), tmp_path, 500) > 5
        with pytest.raises(InputError):
            read(content.replace(declared.encode(), b"many"), tmp_path, 500)

    def test_short_text_in_wide_columns(self, tmp_path, monkeypatch):
        """Astropy needs much more memory than the text."""
        content = document(written([EMPTY] * 2000)).replace(b'arraysize="6"', b'arraysize="6000"')
        sizes = []
        parsed = votable._tables
        monkeypatch.setattr(
            votable, "_tables", lambda *args: [sizes.append(t.array.nbytes) or t for t in parsed(*args)]
        )
        check(content, tmp_path, 1_000_000)
        assert len(sizes) > 8
        assert max(sizes) < 256 * 4.1 * 6000


@pytest.mark.filterwarnings("ignore")
class TestDocuments:
    """Documents with unusual contents."""

    @pytest.mark.parametrize("size", [100, 10**6])
    def test_several_tables(self, tmp_path, size):
        table = (
            '<RESOURCE><TABLE name="{0}" ID="i{0}"><FIELD name="a" datatype="int"/><DATA><TABLEDATA>{1}'
            "</TABLEDATA></DATA></TABLE></RESOURCE>"
        )
        rows = ["".join(f"<TR><TD>{k + n}</TD></TR>" for n in range(50)) for k in (100, 200)]
        inner = table.format("two", "") + table.format("0", rows[0]) + table.format("last", rows[1])
        # The inner tables come after their parent's in Astropy, and before it in the file.
        content = document(written([FULL] * 50)).replace(b"<TABLE>", inner.encode() + b"<TABLE name='outer'>")
        for name, index in (("outer", 0), ("0", 0), ("1", 1), ("ilast", 3), ("last", 3), ("two", 1)):
            found, _ = read(content, tmp_path, size, table=name)
            assert found.equals(whole(content, index)), name
        with pytest.raises(InputError, match="4 tables"):
            read(content, tmp_path, size)
        with pytest.raises(InputError, match="no table 'seven'"):
            read(content, tmp_path, size, table="seven")

    def test_misplaced_tables(self, tmp_path):
        stray = "<TABLE><FIELD name='a' datatype='int'/><DATA><TABLEDATA><TR><TD>5</TD></TR></TABLEDATA>"
        content = document(written([FULL] * 50), before=stray + "</DATA></TABLE>")
        check(content, tmp_path, 100)

    def test_entities(self, tmp_path):
        """Their text may contain tags."""
        content = document(written([FULL] * 20) + "&row;")
        entity = f"<!DOCTYPE VOTABLE [<!ENTITY row '{written([EMPTY] * 3)}'>]><VOTABLE"
        check(content.replace(b"<VOTABLE", entity.encode(), 1), tmp_path, 100)

    @pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
    def test_encodings(self, tmp_path, encoding):
        text = document(written([(*FULL[:5], "äö", *FULL[6:])] * 30)).decode()
        check(text.replace("UTF-8", encoding).encode(encoding), tmp_path, 300)

    def test_base64_with_unusual_markup(self, tmp_path):
        content = binary([FULL] * 50, "BINARY2")
        start = content.index(b">", content.index(b"<STREAM")) + 1
        lines = content[start : content.index(b"</STREAM")].split()
        odd = b"&#13;\r\n".join(b"<!-- \xc3\xa4 --><![CDATA[" + line + b"]]>" for line in lines)
        check(content[:start] + odd + content[content.index(b"</STREAM") :], tmp_path, 300)
        with pytest.raises(InputError, match="element"):
            read(content[:start] + b"<a/>" + content[start:], tmp_path, 300)

    def test_no_rows(self, tmp_path):
        for content in (
            document(""),
            document("").replace(b"<TABLEDATA >\n</TABLEDATA>", b"<TABLEDATA/>"),
            binary([], "BINARY2"),
            re.sub(rb"<DATA>.*</DATA>", b"", document(""), flags=re.DOTALL),
        ):
            check(content, tmp_path, 100)

    @given(st.integers(1, 60), ROWS)
    @settings(deadline=None, max_examples=40)
    def test_blocks_of_any_size(self, block, rows):
        content = document(written(rows))
        blocks = [content[start : start + block] for start in range(0, len(content), block)]
        assert read_outline(blocks, 1) == read_outline([content], 1)


@pytest.mark.filterwarnings("ignore")
class TestBrokenFiles:
    """A truncated file is refused."""

    @pytest.mark.parametrize("kind", ["TABLEDATA", "BINARY", "BINARY2"])
    def test_truncated(self, tmp_path, kind):
        rows = [FULL] * 60
        content = document(written(rows)) if kind == "TABLEDATA" else binary(rows, kind)
        for end in [*range(1, len(content), 301), len(content) - 1]:
            with pytest.raises(InputError, match=r"a\.vot"):
                read(content[:end], tmp_path, 300)
        with pytest.raises(InputError, match="junk"):
            read(content + b"<a/>", tmp_path, 300)

    @pytest.mark.parametrize("kind", ["BINARY", "BINARY2"])
    def test_truncated_rows_in_base64(self, tmp_path, kind):
        content = binary([FULL] * 60, kind)
        start = content.index(b">", content.index(b"<STREAM")) + 1
        end = content.index(b"</STREAM")
        rows = base64.b64decode(content[start:end])
        for part in (rows[:-1], rows[:-40], rows[:5], rows + b"\0"):
            with pytest.raises(InputError, match="last row is incomplete"):
                read(content[:start] + base64.b64encode(part) + content[end:], tmp_path, 300)

    def test_values(self, tmp_path):
        rows = [FULL] * 60 + [("x", *FULL[1:])]
        with pytest.raises(InputError, match=r"after row \d\d"):
            read(document(written(rows)), tmp_path, 300)
        with pytest.raises(InputError):
            read(document(written([FULL] * 60 + [FULL[1:]])), tmp_path, 300)

    def test_base64(self):
        assert b"".join(decode_base64([b"QU", b"I\n=", b" "])) == b"AB"
        for text in ([b"QUI=QUI="], [b"QUI=", b"Q"], [b"QUI"], [b"Q==="], [b"Q", b"=", b"QUJD"]):
            with pytest.raises(InputError, match="base64"):
                list(decode_base64(text))

    def test_outline_of_malformed_xml(self):
        with pytest.raises(expat.ExpatError):
            read_outline([b"<VOTABLE>", b"</RESOURCE>"])
