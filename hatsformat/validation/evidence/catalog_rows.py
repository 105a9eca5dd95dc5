"""The rows of one catalog: what reading all of them once has shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

from hatsformat.healpix import HealpixPixel, IntArray, uniq
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.accumulators import PixelTally, Tally, ThumbnailTally, thumbnail_tally
from hatsformat.validation.evidence.catalog_files import CatalogFiles
from hatsformat.validation.evidence.catalog_footers import CatalogFooters
from hatsformat.validation.evidence.declared import PRIMARY_TYPES, Declared
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.row_batch import RowPlan
from hatsformat.validation.evidence.rows import RowScan, scan_rows
from hatsformat.validation.evidence.scope import Scope
from hatsformat.validation.evidence.tree import Artefact
from hatsformat.validation.findings import Departure
from hatsformat.validation.requirements import requirements


class CatalogRows:
    """The rows of one catalog, read when a check first asks for what they have shown.

    Parameters
    ----------
    scope : Scope
    folder : CatalogFolder
    declared : Declared
    files : CatalogFiles
    footers : CatalogFooters
    primary : CatalogFiles or None
        The files of the primary table, if any.
    """

    def __init__(
        self,
        scope: Scope,
        folder: CatalogFolder,
        declared: Declared,
        files: CatalogFiles,
        footers: CatalogFooters,
        primary: CatalogFiles | None,
    ) -> None:
        self._scope = scope
        self._folder = folder
        self._declared = declared
        self._files = files
        self._footers = footers
        self._primary = primary

    def departures(self, rule: str) -> Iterator[Departure]:
        """Yield the departures found by a row check; see `RowScan.departures`."""
        yield from self._scan.departures(rule)

    @cached_property
    def _scan(self) -> RowScan:
        self._scope.require("rows")
        tallies: list[Tally] = []
        with suppress(NoEvidenceError):
            tallies.append(self._pixel_tally)
        with suppress(NoEvidenceError):
            tallies.append(self.thumbnail.need())
        checks = {
            rule: check
            for rule, check in self._scope.row_checks.items()
            if requirements()[rule].concerns(self._declared.table_type, self._scope.edition)
        }
        return scan_rows(self._folder, self._footers.leaves, self._tiles(), self._plan(), checks, tallies)

    def _plan(self) -> RowPlan:
        declared = self._declared.properties
        return RowPlan(
            declared.hats_col_ra,
            declared.hats_col_dec,
            self._declared.index_column,
            self._declared.index_order,
            declared.hats_margin_threshold,
            self._primary_tiles(),
            declared.hats_index_column,
            self._declared.association_keys,
        )

    def _tiles(self) -> dict[str, HealpixPixel | None]:
        """Return the tile of each data file, by its path."""
        leaves = self._files.leaves
        return {
            path: HealpixPixel(order, pixel) if order >= 0 else None
            for path, order, pixel in zip(
                leaves.paths, leaves.orders.tolist(), leaves.pixels.tolist(), strict=True
            )
        }

    def _primary_tiles(self) -> IntArray | None:
        if self._primary is None:
            return None
        try:
            tiles = self._primary.tiles
        except NoEvidenceError:
            return None
        return uniq(tiles.orders, tiles.pixels)

    # What is gathered from all rows together

    @property
    def pixels(self) -> PixelTally:
        """The number of rows in each pixel of the sky map."""
        tally = self._pixel_tally
        self._scan.check_tally(tally)
        return tally

    @cached_property
    def _pixel_tally(self) -> PixelTally:
        if self._declared.table_type not in PRIMARY_TYPES:
            raise NoEvidenceError("the sky maps of supplements are not compared with their rows")
        return PixelTally(self._files.main_map.need().order)

    @property
    def thumbnail_search(self) -> ThumbnailTally:
        """Which rows of the thumbnail are rows of the leaves, once all of these were seen."""
        tally = self.thumbnail.need()
        self._scan.check_tally(tally)
        return tally

    @cached_property
    def thumbnail(self) -> Artefact[ThumbnailTally]:
        """The rows of the thumbnail."""
        footer = self._footers.thumbnail.need()
        schema, ra = self._footers.schema, self._declared.properties.hats_col_ra

        def read(_: object) -> ThumbnailTally:
            return thumbnail_tally(self._folder, footer, schema, self._declared.index_column, ra)

        return self._folder.read(footer.path, read)
