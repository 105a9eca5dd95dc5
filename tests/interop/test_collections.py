"""hats and lsdb read the collections that this package makes; theirs have no margin row that ours lack."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hatsformat import build_collection, build_index, build_margin, import_catalog, open_catalog
from hatsformat.validation import validate
from tests.support import skies
from tests.support.catalogs_to_break import described
from tests.support.outlines import outline_distances, vectors
from tests.support.tile_corners import clumps, copies


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("interop") / "survey"
    import_catalog(clumps(800), place, max_rows=100, margins_arcsec=[1800, 1e-3], indexes=["id"])
    return place


class TestTheyReadOurs:
    pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def in_this_process(self):
        import dask

        with dask.config.set(scheduler="synchronous"):
            yield

    def test_hats(self, survey: Path) -> None:
        hats = pytest.importorskip("hats", reason="hats is not installed (extra `interop`)")
        collection = hats.read_hats(survey)
        assert collection.all_margins == ["survey_1800arcs", "survey_0.001arcs"]
        assert collection.all_indexes == {"id": "survey_id"}
        for name in (*collection.all_margins, "survey_id", "survey"):
            read = hats.read_hats(survey / name)
            assert read.catalog_info.total_rows == open_catalog(survey / name).properties.hats_nrows
        margin = hats.read_hats(survey / "survey_1800arcs")
        assert margin.catalog_info.margin_threshold == 1800
        tiles = [(pixel.order, pixel.pixel) for pixel in margin.get_healpix_pixels()]
        assert tiles == [(tile.order, tile.pixel) for tile in open_catalog(margin.catalog_path).partitions]
        index = hats.read_hats(survey / "survey_id")
        rows = {
            row: leaf for leaf in skies.read_leaves(survey / "survey") for row in leaf.table["id"].to_pylist()
        }
        for wanted in ([5], [7, 8, 9]):
            found = {(pixel.order, pixel.pixel) for pixel in index.loc_partitions(wanted)}
            assert found == {(rows[row].order, rows[row].pixel) for row in wanted}

    @pytest.mark.parametrize("margin", [None, "survey_0.001arcs"])
    def test_lsdb(self, survey: Path, margin: str | None) -> None:
        lsdb = pytest.importorskip("lsdb", reason="lsdb is not installed (extra `interop`)")
        catalog = lsdb.open_catalog(survey, **({"margin_cache": margin} if margin else {}))
        assert catalog.margin.name == (margin or "survey_1800arcs")
        rows = len(catalog.margin.compute(progress_bar=False))
        assert rows == open_catalog(survey / catalog.margin.name).properties.hats_nrows
        found = catalog.id_search(values={"id": 17}).compute(progress_bar=False)
        assert found["id"].tolist() == [17]

    def test_a_cross_match_over_the_borders_of_tiles(self, survey: Path, tmp_path: Path) -> None:
        """Each row is moved a little, many of them into another tile: with margins, all are found again."""
        lsdb = pytest.importorskip("lsdb", reason="lsdb is not installed (extra `interop`)")
        stars = clumps(800)
        near = stars.set_column(2, "dec", [np.clip(stars["dec"].to_numpy() + 0.2, -90, 90)])
        import_catalog(near, tmp_path / "moved", max_rows=60, margins_arcsec=[1800])
        ours, other = lsdb.open_catalog(survey), lsdb.open_catalog(tmp_path / "moved")
        matched = ours.crossmatch(
            other, radius_arcsec=1500, n_neighbors=100, suffixes=("", "_moved"), suffix_method="all_columns"
        ).compute(progress_bar=False)
        found = set(zip(matched["id"].tolist(), matched["id_moved"].tolist(), strict=True))
        separations = np.linalg.norm(
            vectors(stars["ra"], stars["dec"])[:, None] - vectors(near["ra"], near["dec"])[None], axis=-1
        )
        numbers = stars["id"].to_numpy()
        # Where the other catalog has no tile, it has no margin, and lsdb has nothing to match with.
        tiles = open_catalog(tmp_path / "moved" / "moved").partitions
        covered = tiles.find(skies.healpix(stars["ra"], stars["dec"])) >= 0
        near_by = 2 * np.arcsin(separations / 2) <= np.radians(1500 / 3600)
        left, right = np.nonzero(near_by & covered[:, np.newaxis])
        expected = set(zip(numbers[left].tolist(), numbers[right].tolist(), strict=True))
        assert expected <= found
        assert len(expected) > 800


def test_their_margin_has_what_ours_has(shared: Path, tmp_path: Path) -> None:
    """Theirs takes whole pixels, and keeps tiles of which the primary has no rows: it may have more."""
    theirs = shared / "third_party" / "catalogs" / "small_sky_o1_collection"
    primary = theirs / "small_sky_order1"
    build_margin(primary, 7200, tmp_path / "margin")
    ours = copies(skies.read_leaves(tmp_path / "margin"))
    known = copies(skies.read_leaves(theirs / "small_sky_order1_margin"))
    assert ours.total() == 27
    assert ours <= known
    tiles = {(leaf.order, leaf.pixel) for leaf in skies.read_leaves(primary)}
    rows = {row["id"]: row for leaf in skies.read_leaves(primary) for row in leaf.table.to_pylist()}
    for order, pixel, row in known - ours:
        where = vectors(rows[row]["ra"], rows[row]["dec"])
        far = outline_distances(order, pixel, where)[0] > np.radians(2)
        assert far or (order, pixel) not in tiles


FOREIGN = [
    "small_sky", "small_sky_healpix13", "small_sky_nested", "small_sky_npix_alt_suffix",
    "small_sky_npix_as_dir", "small_sky_source", "small_sky_source_npix_dir_catalog",
]  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_supplements_of_catalogs_of_other_tools(name: str, shared: Path, tmp_path: Path) -> None:
    """Indexes of other orders or at other places, leaf directories, nested columns, columns of the path."""
    folder = tmp_path / "collection" / name
    shutil.copytree(shared / "third_party" / "catalogs" / name, folder)
    column = "source_id" if "source" in name else "id"
    margin, index = build_margin(folder, 7200), build_index(folder, column)
    own = [column for column in open_catalog(folder).schema.names if column not in ("Norder", "Dir", "Npix")]
    assert margin.schema.names == own
    assert index.properties.hats_nrows == open_catalog(folder).properties.hats_nrows
    collection = build_collection(tmp_path / "collection")
    wanted = index.scan(columns=[column], limit=1).to_table()[column][0]
    assert collection.primary.lookup(column, [wanted.as_py()]).count_rows() == 1
    for member in (margin, index):
        # Where the primary's index column is not the first, the margin's is not, either.
        assert [found for found in described(validate(member.path)) if "HATS-HPX-003" not in found] == []
