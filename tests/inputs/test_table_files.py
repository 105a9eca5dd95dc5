"""Tables in VOTable, ECSV and Arrow IPC: variants, compressed, several tables, truncated."""

from __future__ import annotations

import bz2
import gzip
import lzma

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from astropy.table import MaskedColumn, Table

from hatsformat.errors import HatsError
from hatsformat.importing import import_catalog
from tests.support import skies
from tests.support.imports import refused, rows_of

VOTABLE = """<?xml version="1.0"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>{tables}</RESOURCE></VOTABLE>"""
ONE = """<TABLE {about}>
<FIELD name="id" datatype="long" ucd="meta.id;meta.main"/>
<FIELD name="ra" ID="col2" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main" utype="a:b">
<DESCRIPTION>right ascension</DESCRIPTION></FIELD>
<FIELD name="dec" datatype="double" unit="deg"/>
<FIELD name="name" datatype="unicodeChar" arraysize="*"/>
<FIELD name="flags" datatype="short" arraysize="*"/>
<FIELD name="pair" datatype="float" arraysize="2"/>
<FIELD name="good" datatype="boolean"/>
<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE>"""
ROWS = (
    "<TR><TD>9007199254740993</TD><TD>1</TD><TD>2</TD><TD>&#937;</TD><TD>1 2 3</TD><TD>1 2</TD><TD>T</TD>"
    "</TR>"
    "<TR><TD/><TD>10.5</TD><TD>2</TD><TD>x</TD><TD/><TD>3 4</TD><TD/></TR>"
)


def votable(*tables):
    return VOTABLE.format(tables="".join(tables))


def table(about="", rows=ROWS):
    return ONE.format(about=about, rows=rows)


class TestVotable:
    """Text and binary rows, and the metadata of fields."""

    @pytest.mark.parametrize("name", ["a.vot", "a.xml", "a.vot.gz", "a.votable.xz"])
    def test_text(self, tmp_path, name):
        compress = {"gz": gzip.compress, "xz": lzma.compress}.get(name[-2:], bytes)
        (tmp_path / name).write_bytes(compress(votable(table()).encode()))
        catalog = import_catalog(tmp_path / name, tmp_path / "sky")
        found = skies.read_rows(tmp_path / "sky").sort_by("ra")
        assert found["id"].to_pylist() == [9007199254740993, None]
        assert found["name"].to_pylist() == ["Ω", "x"]
        assert found["flags"].to_pylist() == [[1, 2, 3], []]
        assert found["pair"].to_pylist() == [[1, 2], [3, 4]]
        assert found["pair"].type == pa.list_(pa.float32(), 2)
        assert found["good"].to_pylist() == [True, None]
        assert catalog.schema.field("ra").metadata == {
            b"unit": b"deg", b"ucd": b"pos.eq.ra;meta.main", b"utype": b"a:b",
            b"description": b"right ascension"
        }  # fmt: skip

    def test_binary(self, tmp_path):
        values = Table(
            {
                "id": [1, 2],
                "ra": [1.0, 2.0],
                "dec": [3.0, 4.0],
                "n": MaskedColumn([5, 6], mask=[True, False]),
                "v": np.arange(4, dtype="f4").reshape(2, 2),
            }
        )
        values.write(tmp_path / "a.vot", format="votable", tabledata_format="binary2")
        found = rows_of(tmp_path, tmp_path / "a.vot")
        assert found["n"].to_pylist() == [None, 6]
        assert found["v"].to_pylist() == [[0, 1], [2, 3]]

    @pytest.mark.parametrize("name", ["0", "1", "first", "T2"])
    def test_one_of_several(self, tmp_path, name):
        rows = ROWS.split("</TR>")[0] + "</TR>"
        (tmp_path / "a.vot").write_text(votable(table('name="first" ID="T1"'), table('ID="T2"', rows)))
        text = refused(tmp_path, tmp_path / "a.vot")
        for word in ("2 tables", "first", "T2", "--table"):
            assert word in text
        assert "T3" in refused(tmp_path, tmp_path / "a.vot", table="T3")
        import_catalog(tmp_path / "a.vot", tmp_path / "sky", table=name)
        assert len(skies.read_rows(tmp_path / "sky")) == (2 if name in ("0", "first") else 1)

    @pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
    def test_truncated(self, tmp_path, keep):
        text = votable(table(rows=ROWS * 50))
        (tmp_path / "a.vot").write_text(text[: int(len(text) * keep)])
        assert "a.vot" in refused(tmp_path, tmp_path / "a.vot")

    def test_without_a_table(self, tmp_path):
        (tmp_path / "a.vot").write_text(votable())
        assert "no table in the file" in refused(tmp_path, tmp_path / "a.vot")


class TestEcsv:
    """Text with types, units and descriptions in the header."""

    def test_compressed(self, tmp_path):
        values = Table({"id": [1, 2], "ra": [1.0, 2.0], "dec": [3.0, 4.0], "t": ["a", "b"]})
        values["dec"].unit, values["dec"].description = "rad", "declination"
        values["dec"] /= 100
        values.write(tmp_path / "a.ecsv")
        content = (tmp_path / "a.ecsv").read_bytes()
        with pa.BufferOutputStream() as buffer:
            with pa.CompressedOutputStream(buffer, "zstd") as stream:
                stream.write(content)
            zstd = buffer.getvalue().to_pybytes()
        for suffix, packed in (("gz", gzip.compress(content)), ("zst", zstd)):
            file = tmp_path / f"a.ecsv.{suffix}"
            file.write_bytes(packed)
            catalog = import_catalog(file, tmp_path / suffix)
            assert (
                sorted(catalog.scan().to_table()["dec_deg"].to_pylist()) == np.degrees([0.03, 0.04]).tolist()
            )
            assert catalog.schema.field("dec").metadata == {b"unit": b"rad", b"description": b"declination"}

    def test_a_truncated_row(self, tmp_path):
        Table({"ra": np.arange(50.0), "dec": np.arange(50.0)}).write(tmp_path / "a.ecsv")
        content = (tmp_path / "a.ecsv").read_text()
        (tmp_path / "a.ecsv").write_text(content[: content.rindex(" ")])
        assert "a.ecsv" in refused(tmp_path, tmp_path / "a.ecsv")


class TestArrow:
    """Files and streams, which may have the same suffix."""

    def write(self, file, stream, table, **options):
        make = pa.ipc.new_stream if stream else pa.ipc.new_file
        with make(file, table.schema, **options) as writer:
            writer.write_table(table, max_chunksize=100)

    @pytest.mark.parametrize("name", ["a.arrow", "a.arrows", "a.ipc", "a.feather"])
    @pytest.mark.parametrize("stream", [False, True])
    def test_files_and_streams(self, tmp_path, name, stream):
        table = skies.stars(300)
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        self.write(tmp_path / name, stream, table, options=options)
        import_catalog(tmp_path / name, tmp_path / "sky")
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), table)

    def test_compressed(self, tmp_path):
        self.write(tmp_path / "a.arrows", True, skies.stars(300))
        (tmp_path / "a.arrows.gz").write_bytes(gzip.compress((tmp_path / "a.arrows").read_bytes()))
        import_catalog(tmp_path / "a.arrows.gz", tmp_path / "sky")
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), skies.stars(300))

    @pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
    def test_compressed_and_truncated(self, tmp_path, suffix):
        self.write(tmp_path / "a.arrow", False, skies.stars(300))
        pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[suffix]
        packed = pack((tmp_path / "a.arrow").read_bytes())
        path = tmp_path / f"a.arrow.{suffix}"
        path.write_bytes(packed)
        import_catalog(path, tmp_path / "sound")
        skies.assert_same_rows(skies.read_rows(tmp_path / "sound"), skies.stars(300))
        path.write_bytes(packed[: len(packed) // 2])
        assert path.name in refused(tmp_path, path, error=HatsError)

    @pytest.mark.parametrize("stream", [False, True])
    def test_no_rows(self, tmp_path, stream):
        self.write(tmp_path / "a.arrow", stream, skies.stars(1).slice(0, 0))
        assert "no rows" in refused(tmp_path, tmp_path / "a.arrow")
        self.write(tmp_path / "b.arrow", stream, skies.stars(10))
        import_catalog([tmp_path / "a.arrow", tmp_path / "b.arrow"], tmp_path / "sky")
        skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), skies.stars(10))

    @pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.99])
    @pytest.mark.parametrize("stream", [False, True])
    def test_truncated(self, tmp_path, stream, keep):
        self.write(tmp_path / "a.arrow", stream, skies.stars(1000))
        content = (tmp_path / "a.arrow").read_bytes()
        (tmp_path / "a.arrow").write_bytes(content[: int(len(content) * keep)])
        assert "a.arrow" in refused(tmp_path, tmp_path / "a.arrow")

    def test_a_stream_truncated_between_batches(self, tmp_path):
        """Arrow reads it without an error."""
        table = skies.stars(1000)
        with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink:
            writer = pa.ipc.new_stream(sink, table.schema)
            writer.write_table(table.slice(0, 500))
            end = sink.tell()
            writer.write_table(table.slice(500))
            writer.close()
        content = (tmp_path / "a.arrow").read_bytes()
        (tmp_path / "a.arrow").write_bytes(content[:end])
        assert len(pa.ipc.open_stream(content[:end]).read_all()) == 500
        assert "the stream is incomplete" in refused(tmp_path, tmp_path / "a.arrow")

    @pytest.mark.parametrize("content", [b"FEA1" + bytes(100), b"x", b"ARROW1", b"junk" * 1000])
    def test_something_else(self, tmp_path, content):
        (tmp_path / "a.feather").write_bytes(content)
        assert "a.feather" in refused(tmp_path, tmp_path / "a.feather")
