"""The catalogs and broken inputs of the other HATS tools; each finding was held against the note by hand."""

from __future__ import annotations

import pytest

from hatsformat.validation import validate
from tests.support.catalogs_to_break import described

DATES = {"HATS-PROP-302", "HATS-PROP-303", "HATS-PROP-318"}
"""Dates end in UTC or have no time, and the date of the last update lies before that of the creation."""

NO_MAP = {"HATS-PROP-404", "HATS-AUX-101", "HATS-AUX-108"}
"""The sky map was removed: the properties still tell its order, and the size with it."""

CATALOGS = {
    "small_sky": DATES | NO_MAP,
    "small_sky_npix_alt_suffix": DATES | NO_MAP,
    "small_sky_npix_as_dir": DATES | NO_MAP,
    "small_sky_healpix13": DATES | {"HATS-HPX-003", "HATS-HPX-006"},
    "small_sky_nested": DATES
    | {"HATS-PROP-402", "HATS-HPX-003", "HATS-PROP-013", "HATS-LEAF-006", "HATS-AUX-015"},
    "small_sky_o1_collection": DATES | {"HATS-PROP-013", "HATS-SUPP-007", "HATS-AUX-015"},
    "small_sky_object_source_association": set(),
    "small_sky_source": DATES | {"HATS-AUX-015"},
    "small_sky_source_npix_dir_catalog": DATES,
    "small_sky_source_object_index": DATES,
    "small_sky_to_small_sky_order1": {"HATS-SUPP-212"},
    "square_map": DATES,
    "info_only/catalog": {
        "HATS-TREE-001", "HATS-PROP-003", "HATS-PINF-001", "HATS-AUX-001", "HATS-AUX-002", "HATS-AUX-101",
    },
    "info_only/dataset": {
        "HATS-TREE-001", "HATS-PROP-003", "HATS-PINF-001", "HATS-AUX-001", "HATS-AUX-002", "HATS-AUX-101",
    },
    "info_only/margin_cache": {
        "HATS-TREE-001", "HATS-PROP-003", "HATS-PINF-001", "HATS-AUX-001", "HATS-AUX-002",
    },
    "info_only/index_catalog": {"HATS-TREE-001", "HATS-PROP-003", "HATS-AUX-001", "HATS-AUX-002"},
    "info_only/collection": {"HATS-COLL-002", "HATS-COLL-005"},
}  # fmt: skip

INVALID = {"small_sky_nested"} | {name for name in CATALOGS if name.startswith("info_only")}


@pytest.mark.parametrize("name", CATALOGS)
def test_a_catalog_of_another_tool(shared, name):
    report = validate(shared / "third_party" / "catalogs" / name)
    assert {finding.rule for finding in report.findings} == CATALOGS[name], described(report)
    assert report.valid == (name not in INVALID)


def found(report, rule):
    places = [place for finding in report.findings if finding.rule == rule for place in finding.departures]
    return {
        ((place.location.path or "").replace("dataset/Norder=0/Dir=0/", ""), place.location.column)
        for place in places
    }


def test_the_planted_schemas_are_named(shared):
    report = validate(shared / "third_party" / "inputs" / "bad_schemas")
    assert found(report, "HATS-LEAF-003") == {
        ("Npix=11.extra_column.parquet", "extra"),
        ("Npix=11.missing_column.parquet", "dec_error"),
    }
    assert found(report, "HATS-LEAF-004") == {
        ("Npix=11.wrong_dtypes.parquet", "ra"),
        ("Npix=11.wrong_dtypes.parquet", "ra_error"),
    }
    assert found(report, "HATS-AUX-012") == {
        ("dataset/_common_metadata", "ra"),
        ("dataset/_common_metadata", "ra_error"),
    }
    assert found(report, "HATS-LEAF-007") == {("Npix=11.wrong_metadata.parquet", None)}
    assert found(report, "HATS-AUX-008") == {("dataset/_metadata", None)}
    assert found(report, "HATS-TREE-004") == {("dataset/_common_metadata.import_truth", None)}
    assert len(found(report, "HATS-TREE-005")) == 4
    assert not report.valid


def test_the_planted_files_and_rows_are_named(shared):
    report = validate(shared / "third_party" / "inputs" / "wrong_files_and_rows")
    assert found(report, "HATS-AUX-006") == {("Npix=11.extra_rows.parquet", None)}
    assert found(report, "HATS-TREE-005") == {
        ("Npix=11.extra_rows.parquet", None),
        ("Npix=11.extra_file.parquet", None),
    }
    stale = {
        place.actual
        for finding in report.findings
        for place in finding.departures
        if finding.rule == "HATS-AUX-005"
    }
    assert "dataset/Norder=0/Dir=0/Npix=11.missing_file.parquet" in stale
    assert not report.valid
