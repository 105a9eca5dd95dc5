"""Sky maps: written for everyone, read from everyone, and never more than an error from garbage."""

from __future__ import annotations

import io
import tracemalloc
import uuid
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from upath import UPath

from hatsformat import storage
from hatsformat.artefacts import skymap
from hatsformat.artefacts.skymap import decode_skymap, degrade, encode_skymap, read_skymap, skymap_order
from hatsformat.errors import NotFoundError, SkymapError, UsageError

FULL = {"T": ("J", np.ones(48))}
NESTED = {"PIXTYPE": "HEALPIX", "ORDERING": "NESTED"}


def sky(order: int, filled: float, top: int = 50) -> np.ndarray:
    rng = np.random.default_rng(order + 1)
    count = 12 * 4**order
    return (rng.random(count) < filled) * rng.integers(1, top, count)


def table(columns: dict[str, tuple[str, object]], **header: object) -> bytes:
    """A FITS file with one binary table."""
    made = [fits.Column(name=name, format=code, array=values) for name, (code, values) in columns.items()]
    extension = fits.BinTableHDU.from_columns(made)
    extension.header.update(header)
    sink = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), extension]).writeto(sink)
    return sink.getvalue()


SPARSE = {"PIXEL": ("K", np.array([700, 3])), "VALUE": ("J", np.array([7, 5]))}


def header_of(content: bytes) -> dict[str, object]:
    with fits.open(io.BytesIO(content)) as hdus:
        return dict(hdus[1].header)


class TestWriting:
    @pytest.mark.parametrize("order", [0, 1, 5, 7])
    @pytest.mark.parametrize("filled", [0, 0.01, 0.3, 0.9, 1])
    @pytest.mark.parametrize("top", [50, 2**40])
    def test_round_trip(self, order: int, filled: float, top: int) -> None:
        counts = sky(order, filled, top)
        found_order, found = decode_skymap(encode_skymap(counts))
        assert (found_order, found.dtype) == (order, np.int64)
        assert (found == counts).all()

    @given(
        st.integers(0, 2).flatmap(lambda k: hnp.arrays(np.int64, 12 * 4**k, elements=st.integers(0, 2**62)))
    )
    def test_any_counts(self, counts: np.ndarray) -> None:
        assert (decode_skymap(encode_skymap(counts))[1] == counts).all()

    def test_the_same_bytes_every_time(self) -> None:
        assert encode_skymap(sky(5, 0.2)) == encode_skymap(sky(5, 0.2))

    @pytest.mark.parametrize(
        ("filled", "scheme", "coverage"), [(0.1, "EXPLICIT", "PARTIAL"), (0.9, "IMPLICIT", "FULLSKY")]
    )
    def test_header(self, filled: float, scheme: str, coverage: str) -> None:
        header = header_of(encode_skymap(sky(5, filled)))
        expected = {
            "PIXTYPE": "HEALPIX", "ORDERING": "NESTED", "NSIDE": 32, "FIRSTPIX": 0, "LASTPIX": 12 * 4**5 - 1,
            "INDXSCHM": scheme, "OBJECT": coverage, "COORDSYS": "C",
        }  # fmt: skip
        assert {key: header[key] for key in expected} == expected

    @pytest.mark.parametrize(("top", "code"), [(2**31 - 1, "J"), (2**31, "K")])
    def test_32_bits_where_the_counts_fit(self, top: int, code: str) -> None:
        counts = np.ones(48, dtype=np.int64)
        counts[7] = top
        content = encode_skymap(counts)
        assert header_of(content)["TFORM1"] == code
        assert decode_skymap(content)[1][7] == top

    def test_the_smaller_way_is_taken(self) -> None:
        for filled in (0.1, 0.4, 0.45, 0.55, 0.6, 0.9):
            counts = sky(6, filled)
            assert len(encode_skymap(counts)) <= min(counts.size * 4, np.count_nonzero(counts) * 8) + 4 * 2880

    @pytest.mark.parametrize("count", [0, 1, 13, 47])
    def test_no_number_of_pixels(self, count: int) -> None:
        with pytest.raises(UsageError):
            encode_skymap(np.zeros(count, dtype=np.int64))

    @pytest.mark.interop
    @pytest.mark.parametrize("filled", [0, 0.1, 0.9])
    def test_others_read_it(self, filled: float, tmp_path: Path) -> None:
        counts = sky(5, filled)
        (tmp_path / "skymap.fits").write_bytes(encode_skymap(counts))
        healpy = pytest.importorskip("healpy", reason="healpy is not installed (extra `test`)")
        seen = healpy.read_map(tmp_path / "skymap.fits", nest=True)
        assert (np.where(seen == healpy.UNSEEN, 0, seen) == counts).all()
        file_io = pytest.importorskip("hats.io.file_io", reason="hats is not installed (extra `interop`)")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # cdshealpix leaves the file open
            assert (file_io.read_fits_image(tmp_path / "skymap.fits") == counts).all()


class TestReading:
    def test_from_a_place(self, tmp_path: Path) -> None:
        for place in (
            storage.resolve(tmp_path / "skymap.fits"),
            UPath(f"memory://skymap/{uuid.uuid4().hex}"),
        ):
            with pytest.raises(NotFoundError):
                read_skymap(place)
            storage.write_bytes(place, encode_skymap(sky(3, 0.5)))
            assert (read_skymap(place)[1] == sky(3, 0.5)).all()
            storage.write_bytes(place, b"junk")
            with pytest.raises(SkymapError, match="not a FITS file") as caught:
                read_skymap(place)
            assert str(caught.value).startswith(str(place))

    @pytest.mark.parametrize("nest", [True, False])
    @pytest.mark.parametrize("partial", [True, False])
    @pytest.mark.parametrize("idl", [True, False])
    @pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64])
    def test_healpys_maps(self, tmp_path: Path, nest: bool, partial: bool, idl: bool, dtype: type) -> None:
        healpy = pytest.importorskip("healpy", reason="healpy is not installed (extra `test`)")
        counts = sky(5, 0.5)
        written = counts.astype(dtype)
        if partial and np.dtype(dtype).kind == "f":
            written[counts == 0] = healpy.UNSEEN
        values = written if nest else healpy.reorder(written, n2r=True)
        path = tmp_path / "map.fits"
        healpy.write_map(path, values, nest=nest, partial=partial, fits_IDL=idl, dtype=dtype)
        order, found = read_skymap(storage.resolve(path))
        assert (order, found.dtype) == (5, np.int64)
        assert (found == counts).all()

    def test_unseen_pixels_are_empty(self) -> None:
        values = np.ones(48)
        values[[3, 5, 6]] = np.nan, -1.6375e30, np.float32(-1.6375e30)
        found = decode_skymap(table({"T": ("D", values)}, NSIDE=2, INDXSCHM="IMPLICIT", **NESTED))[1]
        assert np.flatnonzero(found == 0).tolist() == [3, 5, 6]

    @pytest.mark.parametrize("header", [{"INDXSCHM": "EXPLICIT"}, {"OBJECT": "PARTIAL"}, {}])
    def test_some_pixels_in_any_order(self, header: dict[str, str]) -> None:
        order, found = decode_skymap(table(SPARSE, NSIDE=8, **header, **NESTED))
        assert (order, np.flatnonzero(found).tolist(), found[[3, 700]].tolist()) == (3, [3, 700], [5, 7])

    def test_ring_with_some_pixels(self) -> None:
        healpy = pytest.importorskip("healpy", reason="healpy is not installed (extra `test`)")
        content = table(SPARSE, NSIDE=8, INDXSCHM="EXPLICIT", ORDERING="RING")
        found = decode_skymap(content)[1]
        assert found[healpy.ring2nest(8, 3)] == 5
        assert found[healpy.ring2nest(8, 700)] == 7
        assert found.sum() == 12

    def test_without_nside(self) -> None:
        assert decode_skymap(table({"T": ("J", np.arange(768))}, **NESTED))[0] == 3

    def test_other_writers_maps(self, shared: Path) -> None:
        files = sorted((shared / "third_party" / "catalogs").rglob("*map*.fits"))
        assert files
        healpy = pytest.importorskip("healpy", reason="healpy is not installed (extra `test`)")
        for file in files:
            counts = read_skymap(storage.resolve(file))[1]
            assert (counts == healpy.read_map(file, nest=True)).all()


class TestWhatIsNoMap:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "not a FITS"),
            (b"\x1f\x8b\x08\x00gz", "not a FITS"),
            (b"SIMPLE", "broken"),
            (
                b"SIMPLE  =                    T" + b" " * 50 + b"END".ljust(2800),
                r"must be a binary table|broken",
            ),
            (table(FULL, NSIDE=2), "invalid ORDERING"),
            (table(FULL, NSIDE=2, ORDERING="NUNIQ"), "invalid ORDERING"),
            (table(FULL, NSIDE=2, INDXSCHM="OTHER", **NESTED), "invalid INDXSCHM"),
            (table(FULL, NSIDE=4, **NESTED), "found 48, expected 192"),
            (table(FULL, NSIDE=3, **NESTED), "must be a power of two"),
            (table(FULL, NSIDE=0, **NESTED), "must be a power of two"),
            (table(FULL, NSIDE=-2, **NESTED), "must be a power of two"),
            (table(FULL, NSIDE="2", **NESTED), "must be a power of two"),
            (table(FULL, NSIDE=2.0, **NESTED), "must be a power of two"),
            (table(FULL, NSIDE=True, **NESTED), "must be a power of two"),
            (table({"T": ("J", np.ones(13))}, **NESTED), "must be a power of two"),
            (table({"T": ("D", np.full(48, 0.5))}, NSIDE=2, **NESTED), "integers"),
            (table({"T": ("D", np.full(48, np.inf))}, NSIDE=2, **NESTED), "must be counts"),
            (table({"T": ("D", np.full(48, 1e19))}, NSIDE=2, **NESTED), "must be counts"),
            (table({"T": ("J", np.full(48, -1))}, NSIDE=2, **NESTED), "must be counts"),
            (table({"T": ("3A", ["abc"] * 48)}, NSIDE=2, **NESTED), "must be counts"),
            (table({"T": ("L", [True] * 48)}, NSIDE=2, **NESTED), "must be counts"),
            (table({"T": ("PJ()", [[1, 2]] * 48)}, NSIDE=2, **NESTED), "must be counts"),
            (table(SPARSE, NSIDE=4, INDXSCHM="EXPLICIT", **NESTED), "invalid pixel for order 2 .found 700"),
            (table({**SPARSE, "PIXEL": ("K", [3, 3])}, NSIDE=8, **NESTED), "duplicate pixel"),
            (table({**SPARSE, "PIXEL": ("K", [-3, 3])}, NSIDE=8, **NESTED), "must be counts"),
            (table({"PIXEL": ("K", [3, 4])}, NSIDE=8, **NESTED), "broken"),
            (table(SPARSE, NSIDE=2**29, **NESTED), "too high.*found 29"),
            (table(SPARSE, NSIDE=2**62, **NESTED), "too high.*found 62"),
            (table(SPARSE, **NESTED), "must be a power of two"),
        ],
    )
    def test_is_refused(self, content: bytes, message: str) -> None:
        with pytest.raises(SkymapError, match=message):
            decode_skymap(content)

    @pytest.mark.parametrize("part", [0.05, 0.3, 0.5, 0.9])
    def test_cut_off(self, part: float) -> None:
        content = encode_skymap(sky(5, 0.9))
        with pytest.raises(SkymapError):
            decode_skymap(content[: int(len(content) * part)])

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"NAXIS2  =                12288", b"NAXIS2  =        9999999999999"),
            (b"NAXIS1  =                    4", b"NAXIS1  =           4000000000"),
            (b"TFORM1  = 'J       '", b"TFORM1  = '999999J '"),
            (b"NSIDE   =                   32", b"NSIDE   =                 4096"),
        ],
    )
    def test_headers_that_lie_allocate_little(self, old: bytes, new: bytes) -> None:
        content = encode_skymap(sky(5, 1))
        assert content.count(old) == 1
        tracemalloc.start()
        try:
            with pytest.raises(SkymapError):
                decode_skymap(content.replace(old, new))
            assert tracemalloc.get_traced_memory()[1] < 20e6
        finally:
            tracemalloc.stop()

    def test_a_few_pixels_are_not_made_gigabytes(self) -> None:
        for order in (11, 12):
            with pytest.raises(SkymapError, match="too sparse"):
                decode_skymap(table(SPARSE, NSIDE=2**order, **NESTED))
        order, counts = decode_skymap(table(SPARSE, NSIDE=2**10, **NESTED))
        assert (order, counts.sum()) == (10, 12)

    def test_a_file_larger_than_any_map(self, monkeypatch: pytest.MonkeyPatch) -> None:
        place = UPath("memory://skymap/large")
        storage.write_bytes(place, encode_skymap(sky(3, 1)))
        monkeypatch.setattr(skymap, "_LARGEST_FILE", 100)
        with pytest.raises(Exception, match="larger than expected"):
            read_skymap(place)

    @settings(max_examples=200)
    @given(st.binary(max_size=400))
    @example(b"SIMPLE  =                    T" + b" " * 50)
    def test_garbage(self, content: bytes) -> None:
        for text in (content, b"SIMPLE" + content):
            with pytest.raises(SkymapError):
                decode_skymap(text)

    @settings(max_examples=150)
    @given(st.sampled_from([0.1, 1.0]), st.data())
    def test_broken_cards_are_refused_or_read(self, filled: float, data: st.DataObject) -> None:
        content = bytearray(encode_skymap(sky(2, filled)))
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] = data.draw(st.integers(0, 255) | st.sampled_from(list(b" 0123456789'=TFJKPQE\xff")))
        with suppress(SkymapError):
            decode_skymap(bytes(content))


class TestOrders:
    @pytest.mark.parametrize(("order", "lower"), [(0, 0), (3, 3), (3, 1), (5, 0)])
    def test_degrade(self, order: int, lower: int) -> None:
        counts = sky(order, 0.5)
        expected = [0] * (12 * 4**lower)
        for pixel, count in enumerate(counts.tolist()):
            expected[pixel // 4 ** (order - lower)] += count
        found = degrade(counts, lower)
        assert (found.tolist(), found.dtype) == (expected, np.int64)

    def test_degrade_does_not_overflow(self) -> None:
        assert degrade(np.full(48, 2**31 - 1, dtype=np.int32), 0).tolist() == [4 * (2**31 - 1)] * 12

    @pytest.mark.parametrize("order", [-1, 4])
    def test_degrade_goes_one_way(self, order: int) -> None:
        with pytest.raises(UsageError, match="must not be higher"):
            degrade(sky(3, 1), order)

    @pytest.mark.parametrize(
        ("rows", "tiles", "counted", "order"),
        [
            (0, 0, 10, 0), (11, 0, 10, 0), (12, 0, 10, 0), (47, 0, 10, 0), (48, 0, 10, 1), (8, 3, 3, 3),
            (82_984, 3, 10, 6), (5_000_000, 6, 10, 8), (10**12, 5, 10, 8), (10**12, 9, 10, 8),
            (100, 7, 10, 7), (10**6, 2, 3, 3), (10**6, 5, 5, 5),
        ],
    )  # fmt: skip
    def test_default_order(self, rows: int, tiles: int, counted: int, order: int) -> None:
        assert skymap_order(rows, tiles, counted) == order
