"""Paths made and parsed again, and junk that is neither."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hatsformat import layout
from hatsformat.errors import LayoutError
from hatsformat.healpix import HealpixPixel
from hatsformat.layout import LeafName


@st.composite
def tiles(draw: st.DrawFn) -> tuple[int, int]:
    order = draw(st.integers(0, 29))
    return order, draw(st.integers(0, 12 * 4**order - 1))


# A percent sign would be decoded and a question mark begins a query: no writer has either in a suffix.
PLAIN = st.characters(blacklist_characters="/\\%?\0", blacklist_categories=("Cs", "Cc"))
SUFFIXES = st.text(PLAIN, max_size=12).map(lambda text: "." + text)
NAMES = st.text(PLAIN, min_size=1, max_size=8).filter(lambda name: name[0] not in "._~" and ":" not in name)
PARTS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def by_hand(order: int, pixel: int) -> str:
    return f"dataset/Norder={order}/Dir={pixel - pixel % 10_000}/Npix={pixel}"


class TestLeafPaths:
    @given(tiles(), SUFFIXES)
    def test_files_round_trip(self, tile: tuple[int, int], suffix: str) -> None:
        path = layout.leaf_path(*tile, suffix)
        assert path == by_hand(*tile) + suffix
        found = layout.parse_leaf_path(path)
        assert found == LeafName(tile[0], tile[1] // 10_000 * 10_000, tile[1], suffix)
        assert (found.path, found.tile, found.has_expected_dir) == (path, HealpixPixel(*tile), True)

    @given(tiles(), st.one_of(st.none(), PARTS))
    def test_directories_round_trip(self, tile: tuple[int, int], part: str | None) -> None:
        path = layout.leaf_path(*tile, "/", part)
        assert path == by_hand(*tile) + ("" if part is None else f"/{part}")
        found = layout.parse_leaf_path(path)
        assert found is not None
        assert (found.suffix, found.part, found.path) == ("/", part, path)
        assert layout.parse_leaf_path(by_hand(*tile) + "/") == LeafName(
            found.order, found.dir, found.pixel, "/"
        )

    @given(tiles(), SUFFIXES)
    def test_as_servers_write_them(self, tile: tuple[int, int], suffix: str) -> None:
        path = layout.leaf_path(*tile, suffix)
        for safe in ("", "/", "/="):
            for ending in ("", "?columns=ra,dec&filters=a/b=3", "?"):
                for root in ("", "https%3A//host/a%20b/", "s3://bucket/", "/abs/Norder=3/"):
                    assert layout.parse_leaf_path(root + quote(path, safe="/" + safe) + ending) == (
                        layout.parse_leaf_path(path)
                    )

    @given(tiles())
    def test_older_trees_without_dataset(self, tile: tuple[int, int]) -> None:
        path = layout.leaf_path(*tile)
        assert layout.parse_leaf_path(path.removeprefix("dataset/")) == layout.parse_leaf_path(path)

    @given(st.lists(tiles(), max_size=20), st.sampled_from([".parquet", ".pq", "/", ".a.b"]))
    def test_many_at_once(self, many: list[tuple[int, int]], suffix: str) -> None:
        paths = layout.leaf_paths([o for o, _ in many], [p for _, p in many], suffix)
        assert paths == [layout.leaf_path(o, p, suffix) for o, p in many]

    def test_a_wrong_dir_is_kept_and_told(self) -> None:
        found = layout.parse_leaf_path("dataset/Norder=6/Dir=1/Npix=10000.parquet")
        assert found is not None
        assert not found.has_expected_dir
        assert found.path == "dataset/Norder=6/Dir=1/Npix=10000.parquet"

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "dataset",
            "dataset/Norder=0/Dir=0",
            "dataset/Norder=0/Dir=0/Npix=12.parquet",  # no such pixel
            "dataset/Norder=30/Dir=0/Npix=0.parquet",  # no such order
            "dataset/Norder=-1/Dir=0/Npix=0.parquet",
            "dataset/Norder=0/Dir=0/Npix=-1.parquet",
            "dataset/Norder=0/Dir=0/Npix=1.5/x",
            "dataset/Norder=00/Dir=0/Npix=1.parquet",  # a second name for a tile
            "dataset/Norder=0/Dir=0/Npix=01.parquet",
            "dataset/Norder=0/Dir=00/Npix=1.parquet",
            "dataset/Norder=0/Dir=0/Npix=1parquet",
            "dataset/Norder=0/Dir=0/Npix=١.parquet",
            "dataset/Norder=0/Dir=0/Npix=" + "1" * 10_000 + ".parquet",
            "dataset/Norder=0/Dir=0/Npix=1\n",
            "dataset/Norder=0/Npix=1.parquet",
            "dataset/xNorder=0/Dir=0/Npix=1.parquet",
            "dataset/norder=0/dir=0/npix=1.parquet",
            "dataset/Norder=0\\Dir=0\\Npix=1.parquet",
            "dataset/Norder=0/Dir=0/.partial-0123456789ab-Npix=0.parquet",
            "dataset/Norder=0/Dir=0/Npix=0/.partial-0123456789ab-part0.parquet",
            "dataset/Norder=0/Dir=0/Npix=0/_metadata",
            "dataset/Norder=0/Dir=0/Npix=0/_temporary/a.parquet",
            "dataset/Norder=0/Dir=0/Npix=0/../../../../etc/passwd",
            "dataset/Norder=0/Dir=0/Npix=0/a/../b.parquet",
            "dataset/Norder=0/Dir=0/Npix=0/%2e%2e/b.parquet",
            "dataset/Norder=0/Dir=0/Npix=0/%252e%252e/b.parquet",
            "dataset/_metadata",
            "dataset/_common_metadata",
            "dataset/index/part.0.parquet",
        ],
    )
    def test_no_leaves(self, path: str) -> None:
        assert layout.parse_leaf_path(path) is None

    @given(st.text(st.sampled_from(list("Norde=Dip x/0123456789.%?\\\n\0\ud800é")), max_size=60))
    @example("Norder=0/Dir=0/Npix=0%")
    @example("%ff%fe/Norder=0/Dir=0/Npix=0.%80")
    def test_junk_never_raises(self, text: str) -> None:
        for path in (text, "Norder=1/Dir=0/Npix=3" + text, "Norder=" + text + "/Dir=0/Npix=0.parquet"):
            found = layout.parse_leaf_path(path)
            if found is not None:
                assert 0 <= found.tile.pixel < 12 * 4**found.order
                assert ".." not in found.path.split("/")
            layout.parse_index_part(path)
            layout.is_inside(path)

    @pytest.mark.parametrize("suffix", ["", "parquet", "/../../x", "./x", "//", "_x.parquet", ".a\\b"])
    def test_suffixes_that_are_none(self, suffix: str) -> None:
        with pytest.raises(LayoutError, match="suffix"):
            layout.leaf_path(0, 0, suffix)
        with pytest.raises(LayoutError, match="suffix"):
            layout.leaf_paths([0], [0], suffix)

    @pytest.mark.parametrize(
        ("suffix", "part"), [(".parquet", "a"), ("/", ".."), ("/", "a/../../b"), ("/", "/etc"), ("/", "")]
    )
    def test_parts_that_are_none(self, suffix: str, part: str) -> None:
        with pytest.raises(LayoutError):
            layout.leaf_path(0, 0, suffix, part)


class TestOtherPaths:
    @given(st.integers(0, 10**9 - 1))
    def test_index_parts_round_trip(self, number: int) -> None:
        path = layout.index_part_path(number)
        assert path == f"dataset/index/part.{number}.parquet"
        assert layout.parse_index_part(path) == layout.parse_index_part("s3://x/" + quote(path)) == number

    @pytest.mark.parametrize(
        "path", ["", "part.0.parquet", "dataset/index/part.x.parquet", "index/part.0.parquet\n"]
    )
    def test_no_index_parts(self, path: str) -> None:
        assert layout.parse_index_part(path) is None

    def test_names_of_the_format(self) -> None:
        assert layout.CATALOG_PROPERTIES == ("hats.properties", "properties")
        assert layout.skymap_path() == layout.SKYMAP == "skymap.fits"
        assert layout.skymap_path(4) == "skymap.4.fits"
        assert layout.METADATA == "dataset/_metadata"
        assert layout.COMMON_METADATA == "dataset/_common_metadata"
        for name in (
            layout.PARTITION_INFO,
            layout.POINT_MAP,
            layout.THUMBNAIL,
            layout.STATISTICS,
            layout.INDEX_DIR,
        ):
            assert layout.is_inside(name)

    @pytest.mark.parametrize(
        "path",
        [
            "", "/etc/passwd", "..", "../x", "a/../b", "a/..", "~/x", "~root", "file:///etc", "s3://b",
            "C:\\x", "..\\x", "a\\..\\b", "%2e%2e/x", "%2E./x", "\\x", "a\0b", "%00", "%2Fetc",
        ],
    )  # fmt: skip
    def test_outside(self, path: str) -> None:
        assert not layout.is_inside(path)

    @pytest.mark.parametrize(
        "path", ["a", "a/b.c", "a..b", "...", "..a/x", "a/b:c", "Norder=0/Dir=0", "é", "."]
    )
    def test_inside(self, path: str) -> None:
        assert layout.is_inside(path)

    @given(st.text(st.sampled_from(list("a./\\%2e~:")), max_size=12))
    def test_what_is_inside_stays_inside(self, path: str) -> None:
        if layout.is_inside(path):
            for text in (path, unquote(path)):
                depth = 0
                for name in re.split(r"[/\\]", text):
                    depth += {"": 0, ".": 0, "..": -1}.get(name, 1)
                    assert depth >= 0
                assert not text.startswith(("/", "\\", "~"))


def test_real_catalogs_parse(shared: Path) -> None:
    root = shared / "third_party" / "catalogs"
    files = [path.relative_to(root).as_posix() for path in root.rglob("Norder=*/**/*") if path.is_file()]
    assert files
    leaves = [layout.parse_leaf_path(path) for path in files]
    assert all(leaf is not None and leaf.has_expected_dir for leaf in leaves)
    assert {leaf.suffix for leaf in leaves if leaf} >= {".parquet", "/"}
