"""FITS tables: every type of column, several tables, compressed, remote, truncated."""

from __future__ import annotations

import bz2
import gzip
import lzma

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import Table

from hatsformat import storage
from hatsformat.errors import HatsError
from hatsformat.importing import import_catalog, run_import
from hatsformat.inputs import InputOptions, open_inputs
from hatsformat.partitioner.memory import MemoryBudget
from tests.support import skies
from tests.support.imports import refused


def sky_columns(count):
    rng = np.random.default_rng(0)
    return [
        fits.Column("id", "J", array=np.arange(count)),
        fits.Column("ra", "D", array=rng.uniform(0, 360, count)),
        fits.Column("dec", "D", array=rng.uniform(-90, 90, count)),
    ]


def lists(*rows):
    """A column of variable length."""
    found = np.empty(len(rows), dtype=object)
    found[:] = [np.asarray(row) for row in rows]
    return found


# Format, more about the column, its values, the Arrow type and what is read.
COLUMNS = {
    "L": ("L", {}, [True, False, True], pa.bool_(), [True, False, True]),
    "X": ("3X", {}, np.eye(3, dtype=bool), pa.list_(pa.bool_(), 3), np.eye(3, dtype=bool).tolist()),
    "B": ("B", {}, [0, 1, 255], pa.uint8(), [0, 1, 255]),
    "I": ("I", {"null": -99}, [1, -99, 3], pa.int16(), [1, None, 3]),
    "signed byte": ("B", {"bzero": -128}, np.array([-128, 0, 127], "i1"), pa.int8(), [-128, 0, 127]),
    "unsigned": ("I", {"bzero": 32768}, np.array([0, 40000, 65535], "u2"), pa.uint16(), [0, 40000, 65535]),
    "long": ("K", {}, [2**63 - 1, -(2**63), 2**53 + 1], pa.int64(), [2**63 - 1, -(2**63), 2**53 + 1]),
    "unsigned long": (
        "K", {"bzero": 2**63}, np.array([0, 2**63, 2**64 - 1], "u8"), pa.uint64(), [0, 2**63, 2**64 - 1]
    ),
    "E": ("E", {"unit": "mJy"}, np.array([0.1, np.nan, np.inf], "f4"), pa.float32(),
          [np.float32(0.1).item(), None, np.inf]),
    "C": ("C", {}, np.array([1 + 2j, 0, -1j], "c8"),
          pa.struct([("real", pa.float32()), ("imag", pa.float32())]),
          [{"real": 1, "imag": 2}, {"real": 0, "imag": 0}, {"real": 0, "imag": -1}]),
    "A": ("5A", {}, ["a", "", "c c"], pa.string(), ["a", None, "c c"]),
    "words": ("6A", {"dim": "(3,2)"}, np.array([["a", "bb"], ["ccc", "d"], ["e", "f"]]),
              pa.list_(pa.string(), 2),
              [["a", "bb"], ["ccc", "d"], ["e", "f"]]),
    "vector": ("2E", {}, np.arange(6, dtype="f4").reshape(3, 2), pa.list_(pa.float32(), 2),
               [[0, 1], [2, 3], [4, 5]]),
    "image": ("4I", {"dim": "(2,2)"}, np.arange(12, dtype="i2").reshape(3, 2, 2), pa.list_(pa.int16(), 4),
              [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]),
    "lists": ("PE()", {}, lists(np.float32([1, 2]), np.float32([]), np.float32([3])), pa.list_(pa.float32()),
              [[1, 2], [], [3]]),
    "long lists": ("QJ()", {}, lists([1, 2], [], [3]), pa.list_(pa.int32()), [[1, 2], [], [3]]),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("whole", [True, False])
def test_columns(tmp_path, monkeypatch, name, whole):
    """All at once, and a row at a time."""
    if not whole:
        monkeypatch.setattr(MemoryBudget, "chunk_bytes", property(lambda self: 1))
    kind, more, values, arrow, wanted = COLUMNS[name]
    column = fits.Column(name, kind, array=values, **more)
    fits.BinTableHDU.from_columns([*sky_columns(3), column]).writeto(tmp_path / "a.fits")
    import_catalog(tmp_path / "a.fits", tmp_path / "sky")
    found = skies.read_rows(tmp_path / "sky").sort_by("id")
    assert found[name].type == arrow
    assert found[name].to_pylist() == wanted
    assert (found.schema.field(name).metadata or {}).get(b"unit", b"").decode() == more.get("unit", "")


def test_an_undefined_boolean(tmp_path):
    hdu = fits.BinTableHDU.from_columns([*sky_columns(3), fits.Column("ok", "L", array=[True, True, False])])
    hdu.writeto(tmp_path / "a.fits")
    content = bytearray((tmp_path / "a.fits").read_bytes())
    content[len(content) - 2880 + 2 * hdu.header["NAXIS1"] - 1] = 0
    (tmp_path / "a.fits").write_bytes(content)
    import_catalog(tmp_path / "a.fits", tmp_path / "sky")
    assert skies.read_rows(tmp_path / "sky").sort_by("id")["ok"].to_pylist() == [True, None, False]


def test_column_metadata(tmp_path):
    hdu = fits.BinTableHDU.from_columns([*sky_columns(2), fits.Column("z", "E", array=[1, 2], unit="km/s")])
    hdu.header["TCOMM4"] = "how fast"
    hdu.header["TUCD4"] = "spect.dopplerVeloc"
    hdu.writeto(tmp_path / "a.fits")
    catalog = import_catalog(tmp_path / "a.fits", tmp_path / "sky")
    assert catalog.schema.field("z").metadata == {
        b"unit": b"km/s", b"description": b"how fast", b"ucd": b"spect.dopplerVeloc"
    }  # fmt: skip


def test_text_that_is_not_ascii(tmp_path):
    """Not allowed by the standard, but nothing is lost."""
    texts = ["Böhm".encode(), "Böhm".encode("latin-1")]
    for number, text in enumerate(texts):
        hdu = fits.BinTableHDU.from_columns([*sky_columns(1), fits.Column("who", "8A", array=["????????"])])
        file = tmp_path / f"{number}.fits"
        hdu.writeto(file)
        file.write_bytes(file.read_bytes().replace(b"????????", text.ljust(8)))
        import_catalog(file, tmp_path / f"sky{number}")
        assert skies.read_rows(tmp_path / f"sky{number}")["who"].to_pylist() == ["Böhm"]


def test_an_ascii_table(tmp_path):
    """The other type of FITS table, with numbers as text."""
    columns = [fits.Column(name, "D16.8", array=[1.5, 2.5]) for name in ("ra", "dec")]
    columns += [fits.Column("id", "I5", array=[1, 2]), fits.Column("t", "A5", array=["a", "b"])]
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    import_catalog(tmp_path / "a.fits", tmp_path / "sky")
    assert skies.read_rows(tmp_path / "sky").sort_by("id").to_pydict() == {
        "ra": [1.5, 2.5], "dec": [1.5, 2.5], "id": [1, 2], "t": ["a", "b"]
    }  # fmt: skip


class TestTables:
    """Files of several HDUs."""

    @pytest.fixture
    def file(self, tmp_path):
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.zeros((3, 3)))]
        for count, name in ((2, "FIRST"), (5, "SECOND")):
            hdus.append(fits.BinTableHDU.from_columns(sky_columns(count), name=name))
        hdus.append(fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])]))
        fits.HDUList(hdus).writeto(tmp_path / "a.fits")
        return tmp_path / "a.fits"

    @pytest.mark.parametrize(("table", "rows"), [(None, 2), ("2", 2), ("3", 5), ("FIRST", 2), ("second", 5)])
    def test_one_of_them(self, file, tmp_path, table, rows):
        assert run_import(file, tmp_path / "sky", table=table).rows_written == rows

    @pytest.mark.parametrize("table", ["1", "9", "THIRD"])
    def test_none_of_them(self, file, tmp_path, table):
        text = refused(tmp_path, file, table=table)
        for word in ("a.fits", "FIRST", "SECOND", "--table", table):
            assert word in text

    def test_one_without_coordinates(self, file, tmp_path):
        assert "'ra'" in refused(tmp_path, file, table="4", error=HatsError)


class TestFiles:
    """Compressed, remote and truncated files."""

    @pytest.fixture
    def content(self, tmp_path):
        fits.BinTableHDU.from_columns(sky_columns(3000)).writeto(tmp_path / "whole.fits")
        return (tmp_path / "whole.fits").read_bytes()

    @pytest.mark.parametrize(
        ("suffix", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
    )
    def test_compressed(self, tmp_path, content, suffix, compress):
        (tmp_path / f"a.fits.{suffix}").write_bytes(compress(content))
        import_catalog(tmp_path / "whole.fits", tmp_path / "one")
        import_catalog(tmp_path / f"a.fits.{suffix}", tmp_path / "two")
        skies.assert_same_rows(skies.read_rows(tmp_path / "one"), skies.read_rows(tmp_path / "two"))

    def test_in_memory(self, content):
        storage.write_bytes(storage.resolve("memory://fits-test/a.fits"), content)
        catalog = import_catalog("memory://fits-test/a.fits", "memory://fits-sky/sky", overwrite=True)
        assert catalog.properties.hats_nrows == 3000

    def test_a_slice_at_a_time(self, tmp_path, content):
        """No chunk is much larger than requested."""
        (source,) = open_inputs(tmp_path / "whole.fits", InputOptions())
        chunks = list(source.chunks(4000))
        assert len(chunks) > 10
        assert max(chunk.table.nbytes for chunk in chunks) < 8000
        assert [chunk.first_row for chunk in chunks[:3]] == [
            1,
            1 + len(chunks[0].table),
            1 + 2 * len(chunks[0].table),
        ]
        assert sum(len(chunk.table) for chunk in chunks) == 3000

    @pytest.mark.parametrize("keep", [0.01, 0.04, 0.5, 0.95])
    @pytest.mark.parametrize("compressed", [False, True])
    def test_truncated(self, tmp_path, content, keep, compressed):
        short = content[: int(len(content) * keep)]
        name = "a.fits.gz" if compressed else "a.fits"
        (tmp_path / name).write_bytes(gzip.compress(short) if compressed else short)
        assert name in refused(tmp_path, tmp_path / name)

    def test_truncated_heap(self, tmp_path):
        rows = lists(*[np.arange(500, dtype="i4")] * 200)
        fits.BinTableHDU.from_columns([*sky_columns(200), fits.Column("v", "PJ()", array=rows)]).writeto(
            tmp_path / "a.fits"
        )
        content = (tmp_path / "a.fits").read_bytes()
        (tmp_path / "a.fits").write_bytes(content[:-6000])
        assert "a.fits" in refused(tmp_path, tmp_path / "a.fits")

    def test_no_rows(self, tmp_path):
        Table({"ra": np.zeros(0), "dec": np.zeros(0)}).write(tmp_path / "a.fits")
        assert "no rows" in refused(tmp_path, tmp_path / "a.fits")

    def test_duplicate_columns(self, tmp_path):
        hdu = fits.BinTableHDU.from_columns([*sky_columns(2), fits.Column("ra2", "E", array=[1, 2])])
        hdu.writeto(tmp_path / "a.fits")
        content = (tmp_path / "a.fits").read_bytes().replace(b"'ra2     '", b"'ra      '")
        (tmp_path / "a.fits").write_bytes(content)
        assert "name" in refused(tmp_path, tmp_path / "a.fits")
