"""Everything that is known of one catalog."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from hatsformat.healpix import HealpixPixel, IntArray, uniq
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.accumulators import PixelTally, Tally, ThumbnailTally, thumbnail_tally
from hatsformat.validation.evidence.artefacts import CatalogContents
from hatsformat.validation.evidence.declared import Scope, readings
from hatsformat.validation.evidence.row_batch import RowPlan
from hatsformat.validation.evidence.rows import RowScan, scan_rows
from hatsformat.validation.evidence.tree import Artefact, Tree, shown
from hatsformat.validation.requirements import requirements

T = TypeVar("T")

PRIMARY_TYPES = ("object", "source", "nested", "map")
"""The types of table that others may supplement."""


class CatalogEvidence(CatalogContents):
    """One catalog: every attribute is gathered when it is first asked for.

    Attributes that need what is not there raise `NoEvidenceError`, and the check that asked is not run.

    Parameters
    ----------
    tree : Tree
    prefix : str
        The catalog's directory in the tree, with a slash at its end; empty for the root.
    scope : Scope
    primary : CatalogEvidence, optional
        The primary table of the collection that this is a member of.
    find : callable, optional
        Returns the catalog in a directory of the tree, or None.
    """

    def __init__(
        self,
        tree: Tree,
        prefix: str,
        scope: Scope,
        primary: CatalogEvidence | None = None,
        find: Callable[[str], CatalogEvidence | None] | None = None,
    ) -> None:
        super().__init__(tree, prefix, scope)
        self._primary = primary
        self._find = find
        self._gathered: dict[str, Any] = {}

    def once(self, name: str, gather: Callable[[], T]) -> T:
        """Return what a function gathers, or raise the `NoEvidenceError` it raises; it is called once."""
        if name not in self._gathered:
            try:
                self._gathered[name] = gather()
            except NoEvidenceError as missing:
                self._gathered[name] = missing
        found: Any = self._gathered[name]
        if isinstance(found, NoEvidenceError):
            raise found
        result: T = found
        return result

    # Rows and other members

    @cached_property
    def rows(self) -> RowScan:
        """What reading every row has found."""
        self.scope.need("rows")
        told, leaves = self.properties, self.leaves
        plan = RowPlan(
            told.hats_col_ra,
            told.hats_col_dec,
            self.index_column,
            self.index_order,
            told.hats_margin_threshold,
            self._primary_tiles(),
            told.hats_index_column,
            self._association_keys(),
        )
        tiles = {
            path: HealpixPixel(order, pixel) if order >= 0 else None
            for path, order, pixel in zip(
                leaves.paths, leaves.orders.tolist(), leaves.pixels.tolist(), strict=True
            )
        }
        checks = {
            rule: check
            for rule, check in self.scope.row_checks.items()
            if requirements()[rule].concerns(self.table_type, self.scope.edition)
        }
        tallies: list[Tally] = []
        for gather in (self.pixel_tally, self.thumbnail_tally):
            with suppress(NoEvidenceError):
                tallies.append(gather())
        return scan_rows(self.tree, self.prefix, self.footers, tiles, plan, checks, tallies)

    def pixel_tally(self) -> PixelTally:
        """Return what counts the rows in each pixel of the sky map, when `rows` is gathered."""
        if self.table_type not in PRIMARY_TYPES:
            raise NoEvidenceError("the sky map of a supplement is not counted again")
        return self.once("pixels", lambda: PixelTally(self.main_map.need().order))

    def thumbnail_tally(self) -> ThumbnailTally:
        """Return what looks for the thumbnail's rows, when `rows` is gathered."""
        return self.once("thumbnail rows", lambda: self.thumbnail_rows.need())

    @cached_property
    def thumbnail_rows(self) -> Artefact[ThumbnailTally]:
        """The rows of the thumbnail."""
        footer = self.thumbnail.need()
        schema, ra = self.schema, self.properties.hats_col_ra

        def read(_: object) -> ThumbnailTally:
            return thumbnail_tally(self.tree, self.prefix, footer, schema, self.index_column, ra)

        return self.tree.attempt(self.prefix + footer.path, read, footer.path)

    def _association_keys(self) -> tuple[str, ...]:
        told = self.properties
        names = (
            told.hats_col_assn_primary_assn or told.hats_col_assn_primary,
            told.hats_col_assn_join_assn or told.hats_col_assn_join,
        )
        return tuple(name for name in names if name is not None)

    def _primary_tiles(self) -> IntArray | None:
        try:
            tiles = self.primary.tiles
        except NoEvidenceError:
            return None
        return uniq(tiles.orders.astype(np.int64), tiles.pixels)

    @property
    def primary(self) -> CatalogEvidence:
        """The primary table of the collection that this is a member of."""
        if self._primary is None:
            raise NoEvidenceError("the primary table lies outside of what is validated")
        if self._primary.table_type not in PRIMARY_TYPES:
            raise NoEvidenceError("the collection's primary is no catalog")
        return self._primary

    def linked(self, reference: str) -> CatalogEvidence:
        """Return a table that this one names, or raise `NoEvidenceError` where it is not within the tree.

        Parameters
        ----------
        reference : str
            Relative to the collection, to the catalog's parent or to the catalog: the note leaves it open.
        """
        for path in readings(reference, self.prefix):
            found = None if self._find is None else self._find(path)
            if found is not None and found is not self:
                return found
        raise NoEvidenceError(f"the table {shown(reference)} lies outside of what is validated")
