"""One planted fault a check: the check must name it, at its place, and nothing else may be found."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from hatsformat.validate import requirements, validate
from hatsformat.validate.checks import load
from hatsformat.validate.evidence import footers
from hatsformat.validate.registry import CATALOG_CHECKS, COLLECTION_CHECKS
from test_validate_builders import (
    SKYMAP_ORDER,
    Files,
    association,
    collection,
    described,
    footer,
    index_table,
    leaf_name,
    margin,
    metadata_files,
    no_index,
    object_catalog,
    order13,
    parquet,
    read,
    set_property,
    skymap,
    stars,
    write,
)

LEAF = leaf_name(0, 3)
OTHER = leaf_name(1, 45)
PROPERTIES = "hats.properties"


@cache
def built(base: Callable[[], Files]) -> Files:
    return base()


@dataclass(frozen=True)
class Planted:
    """A fault: how it is planted, the rule that names it, where, and the other rules that see it too."""

    rule: str
    plant: Callable[[Files], None]
    path: str | None
    column: str | None = None
    also: set[str] = field(default_factory=set)
    base: Callable[[], Files] = object_catalog
    edition: str = "1.0"


FAULTS: list[Planted] = []


def fault(
    rule: str, path: str | None, column: str | None = None, also: str = "", base=object_catalog, edition="1.0"
):
    def add(plant):
        others = {f"HATS-{name}" for name in also.split()}
        FAULTS.append(Planted(f"HATS-{rule}", plant, path, column, others, base, edition))
        return plant

    return add


def edit(
    files: Files, path: str, change: Callable[[pa.Table], pa.Table], *, refresh: bool = True, **options
) -> None:
    """Change a data file, and the metadata with it."""
    files[path] = parquet(change(read(files[path])), **options)
    if refresh:
        files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})


def put(table: pa.Table, name: str, values) -> pa.Table:
    is_arrow = isinstance(values, pa.Array | pa.ChunkedArray)
    array = values if is_arrow else pa.array(values, table.schema.field(name).type)
    return table.set_column(table.schema.names.index(name), name, array)


def numbers(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).to_numpy().copy()


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
    (213, "hats_skymap_alt_orders"), (217, "t_min"), (218, "t_max"),
]:  # fmt: skip
    keyword(f"PROP-{rule}", name, "many")
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


@fault("PROP-407", None, "ra")
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


# Leaves


@fault("LEAF-001", LEAF)
def not_parquet(files):
    files[LEAF] = b"this is no Parquet file, and never was one"


@fault("LEAF-001", LEAF)
def no_bytes(files):
    files[LEAF] = b""


@fault("LEAF-001", LEAF)
def cut_in_half(files):
    files[LEAF] = files[LEAF][: len(files[LEAF]) // 2]


@fault("LEAF-002", LEAF, also="PROP-401 AUX-105 AUX-106")
def no_rows(files):
    edit(files, LEAF, lambda table: table.slice(0, 0))


@fault("LEAF-003", OTHER, "mag")
def missing_column(files):
    edit(files, OTHER, lambda table: table.drop_columns("mag"), refresh=False)


@fault("LEAF-003", OTHER, "colour")
def extra_column(files):
    edit(files, OTHER, lambda table: table.append_column("colour", table.column("mag")), refresh=False)


@fault("LEAF-004", OTHER, "mag")
def other_type(files):
    edit(files, OTHER, lambda table: put(table, "mag", table.column("mag").cast(pa.float32())), refresh=False)


@fault("LEAF-005", OTHER)
def other_column_order(files):
    edit(files, OTHER, lambda table: table.select(["_healpix_29", "id", "dec", "ra", "mag"]), refresh=False)


@fault("LEAF-006", LEAF, "Norder")
def hive_columns(files):
    for path in [path for path in files if path.endswith(".parquet")]:
        table = read(files[path])
        order = int(path.split("Norder=")[1][0]) if "Norder" in path else 0
        files[path] = parquet(table.append_column("Norder", pa.array([order] * len(table))))
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/N")})


@fault("LEAF-007", OTHER)
def other_key_values(files):
    edit(files, OTHER, lambda table: table.replace_schema_metadata({"bad key": "x"}), refresh=False)


@fault("LEAF-008", OTHER, "mag", also="LEAF-005")
def same_name_twice(files):
    edit(files, OTHER, lambda table: table.append_column("mag", table.column("mag")), refresh=False)


@fault("LEAF-009", OTHER)
def damaged_pages(files):
    content = bytearray(files[OTHER])
    content[200:320] = bytes(120)
    files[OTHER] = bytes(content)


@fault("LEAF-010", leaf_name(0, 3), "Norder", also="LEAF-006")
def wrong_hive_columns(files):
    for path in [path for path in files if path.endswith(".parquet")]:
        table = read(files[path])
        files[path] = parquet(table.append_column("Norder", pa.array([7] * len(table))))
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/N")})


# The index column and the positions


@fault("HPX-001", None, "_healpix_29")
def no_index_column(files):
    no_index(files)


@fault("HPX-003", None, "_healpix_29")
def index_last(files):
    for path in [path for path in files if path.endswith(".parquet")]:
        table = read(files[path])
        files[path] = parquet(table.select([*table.schema.names[1:], "_healpix_29"]))
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/N")})


def _retype_index(files, kind):
    for path in [path for path in files if path.endswith(".parquet")]:
        table = read(files[path])
        files[path] = parquet(
            table.set_column(0, "_healpix_29", table.column("_healpix_29").cast(kind, safe=False))
        )
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/N")})


@fault("HPX-004", None, "_healpix_29")
def index_as_float(files):
    _retype_index(files, pa.float64())


@fault("HPX-005", None, "_healpix_29")
def index_unsigned(files):
    _retype_index(files, pa.uint64())


@fault("HPX-006", LEAF, "_healpix_29")
def unsorted(files):
    edit(files, LEAF, lambda table: table.take(list(range(len(table)))[::-1]))


@fault("HPX-006", LEAF, "_healpix_29")
def unsorted_between_row_groups(files):
    edit(files, LEAF, lambda table: pa.concat_tables([table.slice(10), table.slice(0, 10)]))


@fault("HPX-007", LEAF, "_healpix_29")
def one_wrong_index_value(files):
    def change(table):
        index = numbers(table, "_healpix_29")
        index[4] += 1
        return put(table, "_healpix_29", index)

    edit(files, LEAF, change)


@fault("HPX-007", LEAF, "_healpix_29", also="HPX-008")
def all_zero_index(files):
    edit(files, LEAF, lambda table: put(table, "_healpix_29", np.zeros(len(table), dtype=np.int64)))


@fault("HPX-008", LEAF, "_healpix_29", also="HPX-007")
def index_of_another_tile(files):
    edit(files, LEAF, lambda table: put(table, "_healpix_29", numbers(table, "_healpix_29") + (1 << 58)))


@fault("HPX-008", LEAF, "_healpix_29", also="HPX-007")
def index_of_another_tile_without_statistics(files):
    def change(table):
        return put(table, "_healpix_29", numbers(table, "_healpix_29") + (1 << 58))

    edit(files, LEAF, change, write_statistics=False)


@fault(
    "HPX-010",
    LEAF,
    "_healpix_29",
)
def index_missing(files):
    def change(table):
        index = table.column("_healpix_29").to_pylist()
        index[3] = None
        return put(table, "_healpix_29", index)

    edit(files, LEAF, change)


@fault("HPX-011", LEAF, also="HPX-008 AUX-106")
def rows_of_another_tile(files):
    """Two leaves change places."""
    other = leaf_name(0, 4)
    files[LEAF], files[other] = files[other], files[LEAF]
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})


@fault("HPX-011", LEAF, also="HPX-007")
def position_of_another_tile(files):
    def change(table):
        ra = numbers(table, "ra")
        ra[5] = (ra[5] + 180) % 360
        return put(table, "ra", ra)

    edit(files, LEAF, change)


@fault("HPX-012", LEAF, "ra")
def no_position(files):
    def change(table):
        ra = numbers(table, "ra")
        ra[2] = np.nan
        return put(table, "ra", ra)

    edit(files, LEAF, change)


@fault("HPX-012", LEAF, "dec")
def null_position(files):
    def change(table):
        dec = table.column("dec").to_pylist()
        dec[2] = None
        return put(table, "dec", dec)

    edit(files, LEAF, change)


@fault("HPX-013", LEAF, "dec")
def beyond_the_pole(files):
    def change(table):
        dec = numbers(table, "dec")
        dec[2] = 91.0
        return put(table, "dec", dec)

    edit(files, LEAF, change)


@fault("HPX-014", LEAF, "ra")
def once_more_around(files):
    edit(files, LEAF, lambda table: put(table, "ra", numbers(table, "ra") + 360))


# Auxiliary files


@fault("AUX-001", "dataset/_metadata")
def no_metadata(files):
    del files["dataset/_metadata"]


@fault("AUX-002", "dataset/_common_metadata")
def no_common_metadata(files):
    del files["dataset/_common_metadata"]


@fault("AUX-003", "dataset/_metadata")
def broken_metadata(files):
    files["dataset/_metadata"] = files["dataset/_metadata"][:-20]


@fault("AUX-004", "dataset/_common_metadata")
def broken_common_metadata(files):
    files["dataset/_common_metadata"] = b""


@fault("AUX-005", "dataset/_metadata")
def stale_metadata(files):
    leaves = {k: v for k, v in files.items() if k.startswith("dataset/Norder")}
    files["dataset/_metadata"] = metadata_files({**leaves, leaf_name(1, 47): files[LEAF]})[
        "dataset/_metadata"
    ]


@fault("AUX-005", LEAF)
def metadata_without_a_leaf(files):
    leaves = {k: v for k, v in files.items() if k.startswith("dataset/Norder") and k != LEAF}
    files["dataset/_metadata"] = metadata_files(leaves)["dataset/_metadata"]


@fault("AUX-006", LEAF)
def metadata_counts_other_rows(files):
    leaves = {k: v for k, v in files.items() if k.startswith("dataset/Norder")}
    leaves[LEAF] = parquet(read(files[LEAF]).slice(1))
    files["dataset/_metadata"] = metadata_files(leaves)["dataset/_metadata"]


@fault("AUX-007", "dataset/_metadata", "mag")
def metadata_lacks_a_column(files):
    leaves = {k: v for k, v in files.items() if k.startswith("dataset/Norder")}
    narrow = {path: parquet(read(content).drop_columns("mag")) for path, content in leaves.items()}
    files["dataset/_metadata"] = metadata_files(narrow)["dataset/_metadata"]


@fault("AUX-008", "dataset/_metadata")
def metadata_with_key_values(files):
    leaves = {k: v for k, v in files.items() if k.startswith("dataset/Norder")}
    keyed = {p: parquet(read(c).replace_schema_metadata({"extra key": "x"})) for p, c in leaves.items()}
    files["dataset/_metadata"] = metadata_files(keyed)["dataset/_metadata"]


@fault("AUX-009", "dataset/_common_metadata")
def common_metadata_with_rows(files):
    files["dataset/_common_metadata"] = files[LEAF]


@fault("AUX-010", "per_partition_statistics.parquet", "row_group_index", also="AUX-011")
def statistics_without_a_column(files):
    files["per_partition_statistics.parquet"] = parquet(pa.table({"Norder": [0], "Npix": [3]}))


@fault("AUX-011", "per_partition_statistics.parquet")
def statistics_of_few_row_groups(files):
    table = pa.table({"Norder": [0], "Npix": [3], "row_group_index": [0]})
    files["per_partition_statistics.parquet"] = parquet(table)


@fault("AUX-012", "dataset/_common_metadata", "mag")
def common_metadata_lacks_a_column(files):
    leaf = parquet(read(files[LEAF]).drop_columns("mag"))
    files["dataset/_common_metadata"] = metadata_files({LEAF: leaf})["dataset/_common_metadata"]


def counts() -> np.ndarray:
    index = stars().column("_healpix_29").to_numpy()
    return np.bincount(index >> 2 * (29 - SKYMAP_ORDER), minlength=12 * 4**SKYMAP_ORDER)


@fault("AUX-101", "skymap.fits")
def no_sky_map(files):
    for path in [path for path in files if path.endswith(".fits")]:
        del files[path]
    set_property(files, {"hats_skymap_order": None, "hats_skymap_alt_orders": None})


@fault("AUX-102", "skymap.fits")
def broken_sky_map(files):
    files["skymap.fits"] = files["skymap.fits"][:4000]


@fault("AUX-103", "skymap.fits")
def ring_sky_map(files):
    from cdshealpix import to_ring

    ring = np.zeros_like(counts())
    ring[to_ring(np.arange(ring.size, dtype=np.uint64), SKYMAP_ORDER).astype(int)] = counts()
    files["skymap.fits"] = skymap(ring, "RING")


@fault("AUX-105", "skymap.fits", also="AUX-106 AUX-107 AUX-109")
def sky_map_counts_too_few(files):
    wrong = counts()
    wrong[np.argmax(wrong)] -= 1
    files["skymap.fits"] = skymap(wrong)


@fault("AUX-106", "skymap.fits", also="AUX-107 AUX-109")
def sky_map_elsewhere(files):
    files["skymap.fits"] = skymap(np.roll(counts(), 64))


@fault("AUX-107", "skymap.1.fits")
def no_down_sampled_map(files):
    del files["skymap.1.fits"]


@fault("AUX-108", "skymap.fits")
def promised_sky_map(files):
    del files["skymap.fits"]
    set_property(files, {"hats_skymap_alt_orders": None})


@fault("AUX-109", "point_map.fits")
def other_point_map(files):
    files["point_map.fits"] = skymap(counts()[::-1].copy())


THUMBNAIL = "data_thumbnail.parquet"


@fault("AUX-201", THUMBNAIL)
def broken_thumbnail(files):
    files[THUMBNAIL] = b"PAR1"


@fault("AUX-202", THUMBNAIL, "mag")
def thumbnail_lacks_a_column(files):
    edit(files, THUMBNAIL, lambda table: table.drop_columns("mag"), refresh=False)


@fault("AUX-203", THUMBNAIL)
def large_thumbnail(files):
    files[THUMBNAIL] = parquet(stars())


@fault("AUX-204", THUMBNAIL, edition="draft-2025-04")
def short_thumbnail(files):
    edit(files, THUMBNAIL, lambda table: table.slice(0, 3), refresh=False)


VO = {"IVOA.VOTable-Parquet.version": "1.0", "IVOA.VOTable-Parquet.content": "<VOTABLE/>"}


def _with_vo(files, names):
    for name in names:
        files[name] = parquet(read(files[name]).replace_schema_metadata(VO))


@fault("AUX-302", LEAF, also="LEAF-007 AUX-008")
def vo_parquet_in_some(files):
    leaves = [path for path in files if path.startswith("dataset/Norder")]
    _with_vo(files, [*(path for path in leaves if path != LEAF), THUMBNAIL])
    files["dataset/_common_metadata"] = metadata_files({OTHER: files[OTHER]})["dataset/_common_metadata"]


@fault("AUX-303", THUMBNAIL)
def vo_parquet_not_in_thumbnail(files):
    _with_vo(files, [path for path in files if path.startswith("dataset/Norder")])
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})


# Supplements


@fault("SUPP-002", LEAF, also="PROP-401 AUX-006", base=margin)
def margin_of_its_own_tile(files):
    own = stars()
    inside = pa.array(own.column("_healpix_29").to_numpy() >> 58 == 3)
    files[LEAF] = parquet(own.filter(inside).slice(0, 2))


@fault("SUPP-003", LEAF, also="PROP-401 AUX-006", base=margin)
def margin_from_afar(files):
    own = stars()
    far = pa.array(own.column("_healpix_29").to_numpy() >> 58 == 9)
    files[LEAF] = parquet(own.filter(far).slice(0, 2))


INDEX = "dataset/index/part.0.parquet"


def refreshed(files: Files) -> None:
    files |= metadata_files({INDEX: files[INDEX]})


@fault("SUPP-101", None, "Npix", base=index_table)
def index_without_tiles(files):
    edit(files, INDEX, lambda table: table.drop_columns("Npix"), refresh=False)
    refreshed(files)


@fault("SUPP-102", PROPERTIES, "hats_index_extra_column", base=index_table)
def index_lacks_extra_columns(files):
    set_property(files, {"hats_index_extra_column": "mag"})


@fault("SUPP-103", INDEX, "Npix", base=index_table)
def index_of_no_tile(files):
    edit(files, INDEX, lambda table: put(table, "Npix", [10**6] * len(table)), refresh=False)
    refreshed(files)


@fault("SUPP-201", PROPERTIES, "hats_col_assn_join_assn", base=association)
def association_lacks_a_column(files):
    set_property(files, {"hats_col_assn_join_assn": "objid"})


@fault("SUPP-202", PROPERTIES, "hats_assn_leaf_files", base=association)
def association_soft_or_not(files):
    set_property(files, {"hats_assn_leaf_files": "False"})


@fault("SUPP-203", "partition_join_info.csv", base=association)
def wrong_join_info(files):
    files["partition_join_info.csv"] = b"Norder,Npix\n0,1\n"


# Collections

COLLECTION = "collection.properties"


def listed(files, changes):
    set_property(files, changes, name=COLLECTION)


@fault("COLL-001", COLLECTION, base=collection)
def no_collection_properties(files):
    del files[COLLECTION]


@fault("COLL-002", COLLECTION, "obs_collection", base=collection)
def collection_without_a_name(files):
    listed(files, {"obs_collection": None})


@fault("COLL-003", COLLECTION, "hats_primary_table_url", also="COLL-012", base=collection)
def collection_without_primary(files):
    listed(files, {"hats_primary_table_url": None})


@fault("COLL-004", COLLECTION, "all_margins", base=collection)
def member_elsewhere(files):
    listed(files, {"all_margins": "margin_2deg ../margin_9deg"})


@fault("COLL-005", COLLECTION, "all_margins", base=collection)
def member_gone(files):
    listed(files, {"all_margins": "margin_2deg margin_9deg"})


@fault("COLL-006", COLLECTION, "hats_primary_table_url", also="COLL-007 COLL-011 SUPP-104", base=collection)
def margin_as_primary(files):
    listed(
        files,
        {"hats_primary_table_url": "margin_2deg", "all_margins": "catalog", "default_margin": "catalog"},
    )


@fault("COLL-007", COLLECTION, "all_margins", also="COLL-012", base=collection)
def index_as_margin(files):
    listed(files, {"all_margins": "index_id", "default_margin": "index_id"})


@fault("COLL-008", COLLECTION, "all_indexes", base=collection)
def index_over_another_column(files):
    listed(files, {"all_indexes": "name index_id", "default_index": "name"})


@fault("COLL-009", COLLECTION, "default_margin", also="COLL-005", base=collection)
def default_margin_unlisted(files):
    listed(files, {"default_margin": "margin_3deg"})


@fault("COLL-010", COLLECTION, "default_index", base=collection)
def default_index_unlisted(files):
    listed(files, {"default_index": "name"})


@fault("COLL-011", "margin_2deg/hats.properties", "hats_primary_table_url", base=collection)
def margin_of_another_catalog(files):
    set_property(files, {"hats_primary_table_url": "../gaia"}, "margin_2deg/")


@fault("COLL-012", "margin_9deg", base=collection)
def unlisted_member(files):
    files["margin_9deg/hats.properties"] = files["margin_2deg/hats.properties"]


@fault("COLL-013", COLLECTION, "all_indexes", base=collection)
def index_listed_twice(files):
    listed(files, {"all_indexes": "id index_id id index_id"})


@fault("PROP-219", COLLECTION, "all_indexes", also="COLL-010 COLL-012", base=collection)
def indexes_without_fields(files):
    listed(files, {"all_indexes": "index_id"})


@fault("SUPP-005", "margin_2deg/dataset", "mag", base=collection)
def margin_lacks_a_column(files):
    own = {
        k.removeprefix("margin_2deg/"): v
        for k, v in files.items()
        if k.startswith("margin_2deg/dataset/Norder")
    }
    own = {path: parquet(read(content).drop_columns("mag")) for path, content in own.items()}
    own |= metadata_files(own)
    files |= {f"margin_2deg/{path}": content for path, content in own.items()}


@fault("SUPP-104", f"index_id/{INDEX}", "Npix", base=collection)
def index_of_a_tile_without_leaf(files):
    def change(table):
        pixels = numbers(table, "Npix")
        orders = numbers(table, "Norder")
        orders[7], pixels[7] = 2, 5
        return put(put(table, "Npix", pixels), "Norder", orders)

    edit(files, f"index_id/{INDEX}", change, refresh=False)


@pytest.mark.parametrize("planted", FAULTS, ids=lambda planted: f"{planted.rule}-{planted.plant.__name__}")
def test_a_planted_fault_is_named(tmp_path, planted):
    files = dict(built(planted.base))
    planted.plant(files)
    report = validate(write(tmp_path, files), edition=planted.edition)
    found = {finding.rule: finding for finding in reversed(report.findings)}
    assert set(found) == {planted.rule} | planted.also, described(report)
    places = [place.location for f in report.findings if f.rule == planted.rule for place in f.places]
    assert planted.path in {place.path for place in places}, described(report)
    if planted.column is not None:
        assert planted.column in {place.column for place in places}, described(report)
    assert found[planted.rule].severity == requirements()[planted.rule].severity
    assert planted.rule not in report.passed


def test_a_link_out_of_the_catalog_is_told_and_not_opened(tmp_path):
    root = write(tmp_path / "catalog", object_catalog())
    secret = tmp_path / "elsewhere.parquet"
    (root / LEAF).rename(secret)
    os.symlink(secret, root / LEAF)
    report = validate(root)
    assert {finding.rule for finding in report.findings} == {"HATS-TREE-007", "HATS-LEAF-001"}


def test_statistics_that_lie_are_told(tmp_path, monkeypatch):
    """No writer makes them, so the footer's statistics are changed as they are read."""
    condense = footers.condense

    def lying(path, footer, pool, column=None):
        found = condense(path, footer, pool, column)
        if path != LEAF or column is None:
            return found
        return replace(found, statistics=tuple(replace(s, high=s.low) for s in found.statistics))

    monkeypatch.setattr(footers, "condense", lying)
    report = validate(write(tmp_path, object_catalog()))
    assert {finding.rule for finding in report.findings} == {"HATS-HPX-009"}


def test_every_check_has_its_fault():
    load()
    elsewhere = {"HATS-TREE-007", "HATS-HPX-009"}
    planted = {planted.rule for planted in FAULTS}
    assert planted | elsewhere == set(CATALOG_CHECKS) | set(COLLECTION_CHECKS)
