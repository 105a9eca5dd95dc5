"""Checks of ``data_thumbnail.parquet`` (Note, section 3.6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from hatsformat import layout
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.checks.auxiliary import broken
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check


@catalog_check("HATS-AUX-201")
def thumbnail_opens(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``data_thumbnail.parquet`` can be read."""
    yield from broken(catalog.footers.thumbnail)
    if catalog.scope.reaches("rows") and catalog.footers.thumbnail.value is not None:
        with suppress(NoEvidenceError):
            error = catalog.rows.thumbnail.error
            if error is not None:
                yield Departure.of(
                    "the data of the file cannot be read", layout.THUMBNAIL, actual=error.message
                )


@catalog_check("HATS-AUX-206")
def thumbnail_rows_are_rows(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the rows of the thumbnail are rows of the leaves."""
    catalog.scope.require("rows")
    if catalog.folder.can_list and len(catalog.files.dataset.strays):
        raise NoEvidenceError("some leaves were not read because their suffix differs from hats_npix_suffix")
    tally = catalog.rows.thumbnail_search
    strange = tally.strange
    if strange.size:
        yield Departure.of(
            "the thumbnail has rows, or copies of rows, that are not in the leaves",
            layout.THUMBNAIL,
            row=int(strange[0]),
            actual=f"{strange.size} of {len(tally.rows.rows)} rows, the first of them row {strange[0]}",
            expected="rows of the leaves",
        )


@catalog_check("HATS-AUX-208")
def thumbnail_has_rows(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the thumbnail of a catalog with rows has rows."""
    if catalog.footers.thumbnail.need().rows == 0 and catalog.declared.value("hats_nrows") > 0:
        yield Departure.of(
            "the thumbnail has no rows", layout.THUMBNAIL, actual=0, expected="rows of the leaves"
        )


@catalog_check("HATS-AUX-203")
def thumbnail_size(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the thumbnail has at most ``hats_max_rows`` rows."""
    rows, most = catalog.footers.thumbnail.need().rows, catalog.declared.value("hats_max_rows")
    if rows > most:
        message = "the thumbnail has more rows than hats_max_rows"
        yield Departure.of(message, layout.THUMBNAIL, actual=rows, expected=f"at most {most}")


@catalog_check("HATS-AUX-204")
def thumbnail_row_a_leaf(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the thumbnail has one row of each leaf."""
    rows, leaves = catalog.footers.thumbnail.need().rows, len(catalog.files.tiles)
    if rows != leaves:
        message = "the thumbnail must have one row per leaf"
        yield Departure.of(message, layout.THUMBNAIL, actual=f"{rows} rows", expected=f"{leaves} leaves")
