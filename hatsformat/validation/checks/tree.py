"""Checks of the tree of files (Note, sections 3.2 to 3.4)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hatsformat import layout
from hatsformat.healpix import dir_number
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import catalog_check, catalog_checks
from hatsformat.validation.requirements import Requirement

_SIZE_FACTOR = 2
_SIZE_SLACK = 64
"""The tolerance of an estimated size: a factor, plus KB."""


@catalog_check("HATS-PROP-001")
def has_properties(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a catalog has its properties file in its root directory."""
    if not catalog.declared.properties_files:
        yield Departure.of("the properties file is missing", layout.PROPERTIES, expected="hats.properties")
    for name, file in catalog.declared.properties_files.items():
        file.check_seen()
        if file.error is not None and file.is_broken and not _is_too_large(catalog, name):
            yield Departure.of("the properties file cannot be read", name, actual=file.error.message)


@catalog_check("HATS-PROP-010")
def small_properties(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the properties file has at most 1 MiB."""
    for name in catalog.declared.properties_files:
        if _is_too_large(catalog, name):
            yield Departure.of(
                "the properties file is too large and was not read", name, expected="at most 1 MiB"
            )


def _is_too_large(catalog: CatalogEvidence, name: str) -> bool:
    error = catalog.declared.properties_files[name].error
    return error is not None and error.expected is not None


@catalog_checks("HATS-PROP-002", "HATS-PROP-003")
def properties_name(catalog: CatalogEvidence, rule: Requirement) -> Iterator[Departure]:
    """Check that the properties file has the name of the edition."""
    expected = layout.LEGACY_PROPERTIES if rule.id == "HATS-PROP-002" else layout.PROPERTIES
    found = list(catalog.declared.properties_files)
    if not found:
        raise NoEvidenceError("the properties file is missing")
    if expected not in found:
        yield Departure.of(
            "the properties file has the name of another edition",
            found[0],
            actual=found[0],
            expected=expected,
        )


@catalog_check("HATS-TREE-001")
def has_dataset(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the data files are in ``dataset/``."""
    outside = f"{catalog.folder.prefix}Norder="
    for path in catalog.folder.tree.files():
        if path.startswith(outside):
            expected = f"{layout.DATASET}/{path[len(catalog.folder.prefix) :]}"
            yield Departure.of(
                "a data file is outside dataset/", path[len(catalog.folder.prefix) :], expected=expected
            )
    if len(catalog.files.dataset.leaves) or catalog.declared.no_leaf_files:
        return
    if catalog.declared.properties_files and catalog.declared.properties.hats_nrows == 0:
        return
    expected = (
        "dataset/index/part.0.parquet" if catalog.declared.table_type == "index" else "dataset/Norder=K/…"
    )
    yield Departure.of("the catalog has no data files", layout.DATASET, expected=expected)


@catalog_check("HATS-TREE-002")
def tiles_exist(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the path of a leaf names a tile that exists."""
    for path in catalog.files.dataset.impossible:
        yield Departure.of("invalid path of a leaf", path, expected="Norder=K/Dir=D/Npix=P")


@catalog_check("HATS-TREE-003")
def right_dir(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a leaf is in the right ``Dir=``."""
    for leaves in (catalog.files.dataset.leaves, catalog.files.dataset.strays):
        for index in leaves.wrong_dirs:
            expected = f"Dir={int(dir_number(leaves.pixels[index]))}"
            actual = f"Dir={leaves.dirs[index]}"
            yield Departure.of(
                "the leaf is in the wrong Dir", leaves.paths[index], actual=actual, expected=expected
            )


@catalog_check("HATS-TREE-004")
def nothing_else(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``dataset/`` contains only leaves and metadata."""
    for path in catalog.files.dataset.unexpected:
        yield Departure.of("unexpected file in dataset/", path)


@catalog_check("HATS-TREE-014")
def index_part_names(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that the files of an index are named ``part.N.parquet``."""
    for path in catalog.files.leaves.paths:
        if layout.parse_index_part(path) is None:
            expected = "dataset/index/part.N.parquet"
            yield Departure.of("unexpected file name in an index", path, expected=expected)


@catalog_check("HATS-TREE-005")
def one_suffix(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that every leaf has the declared suffix."""
    declared = catalog.declared.properties.npix_suffix
    found = catalog.files.dataset
    message = "the suffix of the leaf differs from hats_npix_suffix, so readers do not find it"
    wrong = list(found.strays.paths)
    if found.suffix != declared:
        wrong = sorted([*wrong, *found.leaves.paths])
        yield Departure.of(
            message,
            catalog.declared.properties_path,
            "hats_npix_suffix",
            actual=declared,
            expected=f"{found.suffix}, the suffix of the leaves",
        )
    for path in wrong:
        name = layout.parse_leaf_path(path)
        yield Departure.of(message, path, actual=None if name is None else name.suffix, expected=declared)


@catalog_check("HATS-TREE-006")
def one_leaf(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that a tile has only one leaf."""
    leaves = catalog.files.dataset.leaves
    _, tile, count = np.unique(leaves.uniq, return_inverse=True, return_counts=True)
    first: dict[int, str] = {}
    reported: set[str] = set()
    for index in np.flatnonzero(count[tile] > 1).tolist():
        unit = leaves.units[index]
        other = first.setdefault(int(tile[index]), unit)
        if unit != other and unit not in reported:
            reported.add(unit)
            yield Departure.of(
                "the tile has more than one leaf", unit, actual=f"{other} belongs to the same tile"
            )


@catalog_check("HATS-TREE-007")
def no_links_out(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that no file is a link that leads out of the catalog."""
    catalog.folder.require_listing()
    start = len(catalog.folder.prefix)
    for path in sorted(catalog.folder.tree.links_out):
        if path.startswith(catalog.folder.prefix) and path[start:] in catalog.folder.paths:
            yield Departure.of("the file is a link out of the catalog and was not opened", path[start:])
    for path in catalog.folder.tree.linked_folders:
        if path.startswith(f"{catalog.folder.prefix}{layout.DATASET}"):
            yield Departure.of("the directory is a link and was not followed", path[start:])


@catalog_check("HATS-TREE-009")
def tiles_disjoint(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that no tile is within another."""
    catalog.folder.require_listing()
    if catalog.declared.no_leaf_files:
        raise NoEvidenceError("an association without leaf files has no leaves")
    tiles = catalog.files.tiles
    for coarse, fine in tiles.overlaps().tolist():
        path = layout.leaf_path(
            int(tiles.orders[fine]), int(tiles.pixels[fine]), catalog.files.dataset.suffix
        )
        yield Departure.of(
            "the tile is within another tile that has a leaf", path, actual=f"within {tiles[coarse]}"
        )


@catalog_check("HATS-PROP-402")
def deepest_order(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``hats_order`` is the deepest order of the tiles."""
    declared = catalog.declared.value("hats_order")
    if not len(catalog.files.tiles):
        raise NoEvidenceError("the catalog has no tiles")
    if declared != catalog.files.tiles.max_order:
        message = "hats_order differs from the deepest order of the tiles"
        yield Departure.of(
            message,
            catalog.declared.properties_path,
            "hats_order",
            actual=declared,
            expected=catalog.files.tiles.max_order,
        )


@catalog_check("HATS-PROP-404")
def plausible_size(catalog: CatalogEvidence) -> Iterator[Departure]:
    """Check that ``hats_estsize`` is about the size of the files."""
    declared = catalog.declared.value("hats_estsize")
    paths = [catalog.folder.prefix + path for path in catalog.folder.paths]
    start = f"{catalog.folder.prefix}{layout.DATASET}/"
    data = catalog.folder.tree.total_size([path for path in paths if path.startswith(start)])
    everything = (
        data + catalog.folder.tree.total_size([path for path in paths if not path.startswith(start)])
    ) / 1000
    data /= 1024
    low, high = data / _SIZE_FACTOR - _SIZE_SLACK, everything * _SIZE_FACTOR + _SIZE_SLACK
    if not low <= declared <= high:
        message = "hats_estsize differs too much from the size of the files"
        yield Departure.of(
            message,
            catalog.declared.properties_path,
            "hats_estsize",
            actual=f"{declared} KB",
            expected=f"about {round(everything)} KB",
        )
