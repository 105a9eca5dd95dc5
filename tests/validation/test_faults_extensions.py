"""Faults in extensions of a collection."""

from __future__ import annotations

import pytest

from hatsformat.validation import validate
from tests.support.catalogs_to_break import (
    Files,
    collection,
    described,
    properties,
    set_property,
    write,
)
from tests.support.planting import (
    COLLECTION,
    check_planted,
    fault,
    listed,
    planted_in,
)

EXTENSION = "spectra.properties"


def extended() -> Files:
    """The collection with an extension: the margin's table serves as the joined one."""
    files = collection()
    files[EXTENSION] = properties(
        {
            "obs_collection": "demo_spectra",
            "dataproduct_type": "extension",
            "hats_primary_table_url": "catalog",
            "hats_col_assn_primary": "id",
            "hats_assn_join_table_url": "margin_2deg",
            "hats_col_assn_join": "id",
            "hats_ext_cols": "mag",
            "hats_ext_join_style": "left",
            "hats_ext_shares_primary_coords": "True",
            "hats_product_type_served": "catalog",
        }
    )
    listed(files, {"all_extensions": f"spectra {EXTENSION}"})
    return files


def extension(rule: str, column: str | None, also: str = "", **changes: object) -> None:
    def plant(files):
        set_property(files, changes, name=EXTENSION)

    plant.__name__ = "_".join(changes)
    fault(rule, EXTENSION, column, also, extended)(plant)


extension("EXT-002", "dataproduct_type", dataproduct_type="object")
extension("EXT-003", "dataproduct_type", dataproduct_type=None)
extension("EXT-003", "hats_col_assn_join", hats_col_assn_join=None)
extension("EXT-004", "hats_ext_join_style", hats_ext_join_style="outer")
extension("EXT-004", "hats_ext_shares_primary_coords", hats_ext_shares_primary_coords="perhaps")
extension("EXT-006", "hats_nrows", hats_nrows=7)
extension("EXT-007", "hats_primary_table_url", hats_primary_table_url="gaia")
extension("EXT-008", "hats_col_assn_primary", hats_col_assn_primary="objid")
extension("EXT-008", "hats_ext_cols", hats_ext_cols="mag colour")


@fault("EXT-001", EXTENSION, base=extended)
def huge_extension(files):
    files[EXTENSION] += b"#" * (1 << 20)


@fault("EXT-005", EXTENSION, base=extended)
def latin_extension(files):
    files[EXTENSION] += b"obs_title=Sterne f\xfcr alle\n"


@fault("EXT-009", "images.properties", base=extended)
def unlisted_extension(files):
    files["images.properties"] = files[EXTENSION]


@fault("EXT-010", COLLECTION, "all_extensions", base=extended)
def extension_below_the_root(files):
    files[f"extensions/{EXTENSION}"] = files.pop(EXTENSION)
    listed(files, {"all_extensions": f"spectra extensions/{EXTENSION}"})


@fault("COLL-005", COLLECTION, "all_extensions", base=extended)
def extension_gone(files):
    del files[EXTENSION]


@fault("COLL-004", COLLECTION, "all_extensions", base=extended)
def extension_elsewhere(files):
    listed(files, {"all_extensions": f"spectra {EXTENSION} more ../more.properties"})


def test_a_collection_with_an_extension_is_sound(tmp_path):
    assert described(validate(write(tmp_path, extended()))) == []


@pytest.mark.parametrize("planted", planted_in(__name__), ids=str)
def test_a_planted_fault_is_named(tmp_path, planted):
    check_planted(tmp_path, planted)
