"""Faults in the tree, the properties and partition_info.csv."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from tests.support.catalogs_to_break import (
    Files,
    association,
    footer,
    index_table,
    leaf_name,
    margin,
    metadata_files,
    object_catalog,
    order13,
    parquet,
    read,
    set_property,
)
from tests.support.planting import (
    LEAF,
    PROPERTIES,
    check_planted,
    fault,
    planted_in,
)

# The tree


@fault("PROP-001", PROPERTIES)
def no_properties(files):
    del files["hats.properties"], files["properties"]


@fault("PROP-002", PROPERTIES, edition="draft-2025-04")
def only_the_new_name(files):
    del files["properties"]


@fault("PROP-003", "properties")
def only_the_old_name(files):
    del files["hats.properties"]


@fault("PROP-004", "properties", "hats_builder")
def two_different_files(files):
    set_property(files, {"hats_builder": "another"}, name="properties")


@fault("PROP-010", PROPERTIES)
def huge_properties(files):
    files[PROPERTIES] += b"#" * (1 << 20)


@fault("TREE-001", "dataset", also="PINF-001 AUX-001")
def no_data(files):
    for path in [path for path in files if path.startswith("dataset/Norder")]:
        del files[path]
    del files["dataset/_metadata"], files["partition_info.csv"]


@fault("TREE-002", "dataset/Norder=1/Dir=0/Npix=48.parquet")
def no_such_tile(files):
    files["dataset/Norder=1/Dir=0/Npix=48.parquet"] = files[LEAF]


@fault("TREE-002", "dataset/loose.parquet")
def loose_data(files):
    files["dataset/loose.parquet"] = files[LEAF]


@fault("TREE-003", "dataset/Norder=0/Dir=1/Npix=3.parquet", also="AUX-005")
def wrong_dir(files):
    files["dataset/Norder=0/Dir=1/Npix=3.parquet"] = files.pop(LEAF)


@fault("TREE-004", "dataset/notes.txt")
def unexpected_file(files):
    files["dataset/notes.txt"] = b"hello"


@fault("TREE-005", LEAF.replace(".parquet", ".pq"), also="PINF-006 PROP-401 AUX-005 AUX-105 PROP-403")
def another_suffix(files):
    files[LEAF.replace(".parquet", ".pq")] = files.pop(LEAF)


@fault("TREE-006", LEAF.replace("Dir=0", "Dir=10000"), also="TREE-003 PROP-401 AUX-005 AUX-105 AUX-106")
def two_leaves_of_a_tile(files):
    files["dataset/Norder=0/Dir=10000/Npix=3.parquet"] = files[LEAF]


@fault("TREE-009", leaf_name(1, 12), also="PINF-007 PROP-401 AUX-005 AUX-105 AUX-106 HPX-008 HPX-011")
def overlapping_tiles(files):
    files[leaf_name(1, 12)] = files[LEAF]


@fault("TREE-010", leaf_name(0, 10))
def over_the_threshold(files):
    set_property(files, {"hats_max_rows": footer(files[leaf_name(0, 10)]).num_rows - 1})


@fault("PROP-402", PROPERTIES, "hats_order")
def wrong_order(files):
    set_property(files, {"hats_order": 1})


@fault("PROP-404", PROPERTIES, "hats_estsize")
def wrong_size(files):
    set_property(files, {"hats_estsize": 196628})


# Properties


def keyword(
    rule: str, name: str, value: object, also: str = "", base=object_catalog, column: str | None = None
):
    def plant(files):
        set_property(files, {name: value})

    plant.__name__ = f"{name}={value}"
    fault(rule, PROPERTIES, column or name, also, base)(plant)


for rule, name in [(101, "obs_collection"), (103, "hats_nrows"), (104, "hats_col_ra"), (105, "hats_col_dec")]:
    keyword(f"PROP-{rule}", name, None)
keyword("PROP-102", "dataproduct_type", None)
keyword("PROP-106", "hats_primary_table_url", None, base=margin)
keyword("PROP-107", "hats_margin_threshold", None, base=margin)
keyword("PROP-108", "hats_index_column", None, base=index_table)
keyword("PROP-109", "hats_assn_join_table_url", None, base=association)
keyword("PROP-110", "hats_assn_leaf_files", None, base=association)
keyword("PROP-111", "hats_col_assn_primary", None, base=association)
keyword("PROP-112", "hats_col_assn_join", None, base=association)
keyword("PROP-201", "dataproduct_type", "catalogue")
for rule, name in [
    (202, "hats_nrows"), (203, "hats_order"), (204, "moc_sky_fraction"), (205, "hats_max_rows"),
    (206, "hats_max_bytes"), (207, "hats_estsize"), (208, "hats_creation_date"), (209, "hats_release_date"),
    (217, "t_min"), (218, "t_max"),
]:  # fmt: skip
    keyword(f"PROP-{rule}", name, "many")
keyword("PROP-213", "hats_skymap_alt_orders", "many")
keyword("PROP-212", "hats_skymap_order", "many", also="PROP-321")
keyword("PROP-203", "hats_order", 30)
keyword("PROP-204", "moc_sky_fraction", 1.5)
keyword("PROP-208", "hats_creation_date", "2025-13-01T10:00Z")
keyword("PROP-210", "hats_npix_suffix", "a b")
keyword("PROP-211", "hats_col_healpix_order", "deep")
keyword("PROP-214", "hats_margin_threshold", "wide", base=margin)
keyword("PROP-215", "hats_assn_leaf_files", "perhaps", base=association)
keyword("PROP-216", "hats_assn_max_separation", "-1", base=association)
keyword("PROP-301", "obs_collection", "two words")
keyword("PROP-302", "hats_creation_date", "2025-01-01T10:00UTC")
keyword("PROP-303", "hats_release_date", "2025-02-01")
keyword("PROP-304", "hats_frame", "ICRS")
keyword("PROP-305", "obs_regime", "visible")
keyword("PROP-306", "hats_status", "secret")
for rule, name in [
    (307, "obs_copyright_url"), (308, "bib_reference_url"), (309, "hats_service_url"),
    (310, "hats_progenitor_url"), (311, "hats_successor_url"),
]:  # fmt: skip
    keyword(f"PROP-{rule}", name, "see there")
keyword("PROP-312", "creator_did", "CDS/P")
keyword("PROP-313", "publisher_id", "CDS")
keyword("PROP-322", "addendum_did", "ivo://CDS/P/a 2MASS")
keyword("PROP-314", "hats_version", "newest")
keyword("PROP-315", "hats_cols_default", "ra,dec")
keyword("PROP-316", "hats_max_rows", "60.0")
keyword("PROP-318", "hats_release_date", "2024-02-01T10:00Z")
keyword("PROP-319", "hats_col_dec", "ra", also="HPX-007 HPX-011 HPX-013")
keyword("PROP-013", "hats_margin_threshold", 5.0)
keyword("PROP-015", "hats_coordinate_epock", "J2000")
keyword("PROP-321", "hats_skymap_alt_orders", "1 3", also="AUX-107")
keyword("PROP-401", "hats_nrows", 239)
keyword("PROP-403", "moc_sky_fraction", 0.1)
keyword("PROP-405", "hats_col_ra", "alpha")
keyword("PROP-406", "hats_col_dec", "delta")
keyword("PROP-408", "hats_cols_default", "ra dec colour")
keyword("PROP-409", "hats_cols_sort", "colour")
keyword("PROP-410", "hats_cols_survey_id", "objid")
keyword("HPX-002", "hats_col_healpix", "healpix29")
keyword("AUX-104", "hats_skymap_order", 2)
keyword("SUPP-001", "hats_margin_threshold", 0.0, base=margin, also="SUPP-003")


@fault("PROP-317", PROPERTIES, "t_max")
def observed_backwards(files):
    set_property(files, {"t_min": 60000.0, "t_max": 50000.0})


@fault("PROP-320", PROPERTIES, "hats_col_healpix", also="HPX-007 HPX-008")
def order_untold(files):
    order13(files)
    set_property(files, {"hats_col_healpix_order": None})


def both(files: Files, change: Callable[[bytes], bytes]) -> None:
    for name in ("hats.properties", "properties"):
        files[name] = change(files[name])


@fault("PROP-005", PROPERTIES)
def latin(files):
    both(files, lambda text: text + b"obs_title=Sterne f\xfcr alle\n")


@fault("PROP-006", PROPERTIES)
def no_keyword(files):
    both(files, lambda text: text + b"=nothing\n")


@fault("PROP-007", PROPERTIES, "hats_builder")
def two_values(files):
    both(files, lambda text: text + b"hats_builder=another\n")


@fault("PROP-008", PROPERTIES, "hats_builder")
def twice_the_same(files):
    both(files, lambda text: text + b"hats_builder=by hand\n")


@fault("PROP-009", PROPERTIES)
def byte_order_mark(files):
    both(files, lambda text: b"\xef\xbb\xbf" + text)


@fault("PROP-011", PROPERTIES, "npix_suffix")
def old_keyword(files):
    both(files, lambda text: text.replace(b"hats_npix_suffix", b"npix_suffix"))


@fault("PROP-012", PROPERTIES, "npix_suffix", also="PROP-011")
def two_suffixes(files):
    both(files, lambda text: text + b"npix_suffix=.pq\n")


@fault("PROP-014", PROPERTIES, "hats_col_ra")
def blank_at_the_end(files):
    both(files, lambda text: text.replace(b"hats_col_ra=ra", b"hats_col_ra=ra "))


@fault("PROP-407", "dataset", "ra")
def text_coordinates(files):
    for path in [path for path in files if path.endswith(".parquet")]:
        table = read(files[path])
        files[path] = parquet(table.set_column(2, "ra", table.column("ra").cast(pa.string())))
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/N")})


# partition_info.csv

INFO = "partition_info.csv"


@fault("PINF-001", INFO)
def no_partition_info(files):
    del files[INFO]


@fault("PINF-002", INFO)
def empty_partition_info(files):
    files[INFO] = b""


@fault("PINF-002", INFO)
def garbled_partition_info(files):
    files[INFO] = b'Norder,Npix\n0,"1\n\x00\xff,x,y\n'


@fault("PINF-002", INFO)
def no_npix(files):
    files[INFO] = files[INFO].replace(b"Npix", b"pixel")


@fault("PINF-003", INFO)
def impossible_line(files):
    files[INFO] += b"1,48\n"


@fault("PINF-003", INFO)
def negative_line(files):
    files[INFO] += b"-1,-1\n"


@fault("PINF-004", INFO)
def listed_twice(files):
    files[INFO] += b"0,3\n"


@fault("PINF-005", INFO, also="PINF-006")
def listed_overlap(files):
    files[INFO] += b"1,12\n"


@fault("PINF-006", leaf_name(0, 11), also="PINF-005")
def listed_without_leaf(files):
    files[INFO] += b"0,11\n"


@fault("PINF-007", LEAF)
def unlisted_leaf(files):
    files[INFO] = files[INFO].replace(b"0,3\n", b"")


@fault("PINF-008", INFO, "num_rows")
def wrong_num_rows(files):
    lines = files[INFO].decode().split()
    files[INFO] = "\n".join([f"{lines[0]},num_rows", *(f"{line},7" for line in lines[1:]), ""]).encode()


@fault("PINF-009", INFO, "Dir")
def wrong_dir_column(files):
    lines = files[INFO].decode().split()
    files[INFO] = "\n".join([f"{lines[0]},Dir", *(f"{line},7" for line in lines[1:]), ""]).encode()


@pytest.mark.parametrize("planted", planted_in(__name__), ids=str)
def test_a_planted_fault_is_named(tmp_path, planted):
    check_planted(tmp_path, planted)
