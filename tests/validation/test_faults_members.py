"""Faults in supplements and collections."""

from __future__ import annotations

from importlib import import_module

import pyarrow as pa
import pytest

from hatsformat.conformance.corpus import load_cases
from hatsformat.validation import validate
from hatsformat.validation.checks import load
from hatsformat.validation.registry import CATALOG_CHECKS, COLLECTION_CHECKS
from tests.validation.test_builders import (
    Files,
    association,
    collection,
    described,
    index_table,
    margin,
    metadata_files,
    parquet,
    read,
    set_property,
    stars,
    write,
)
from tests.validation.test_planting import (
    FAULTS,
    LEAF,
    PROPERTIES,
    check_planted,
    edit,
    fault,
    numbers,
    planted_in,
    put,
)

# Supplements


@fault("SUPP-002", LEAF, also="PROP-401 AUX-006 AUX-016", base=margin)
def margin_of_its_own_tile(files):
    own = stars()
    inside = pa.array(own.column("_healpix_29").to_numpy() >> 58 == 3)
    files[LEAF] = parquet(own.filter(inside).slice(0, 2))


@fault("SUPP-003", LEAF, also="PROP-401 AUX-006 AUX-016", base=margin)
def margin_from_afar(files):
    own = stars()
    far = pa.array(own.column("_healpix_29").to_numpy() >> 58 == 9)
    files[LEAF] = parquet(own.filter(far).slice(0, 2))


INDEX = "dataset/index/part.0.parquet"


def refreshed(files: Files) -> None:
    files |= metadata_files({INDEX: files[INDEX]})


@fault("SUPP-101", "dataset", "Npix", base=index_table)
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


@fault("COLL-006", COLLECTION, "hats_primary_table_url", also="COLL-007 COLL-011", base=collection)
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


@fault("SUPP-104", f"index_id/{INDEX}", "Npix", also="AUX-016", base=collection)
def index_of_a_tile_without_leaf(files):
    def change(table):
        pixels = numbers(table, "Npix")
        orders = numbers(table, "Norder")
        orders[7], pixels[7] = 2, 5
        return put(put(table, "Npix", pixels), "Norder", orders)

    edit(files, f"index_id/{INDEX}", change, refresh=False)


# Supplements against their tables

MARGIN = "margin_2deg/"


def refresh_margin(files: Files) -> None:
    """Make the margin's own numbers right again, so that only its rows are wrong."""
    own = {k.removeprefix(MARGIN): v for k, v in files.items() if k.startswith(MARGIN)}
    leaves = {k: v for k, v in own.items() if k.startswith("dataset/Norder")}
    own |= metadata_files(leaves)
    tiles = [path.removesuffix(".parquet").split("=") for path in sorted(leaves)]
    lines = [f"{tile[1].split('/')[0]},{tile[3]}" for tile in tiles]
    own["partition_info.csv"] = "\n".join(["Norder,Npix", *lines, ""]).encode()
    rows = sum(len(read(content)) for content in leaves.values())
    set_property(own, {"hats_nrows": rows, "moc_sky_fraction": None, "hats_order": None})
    files |= {MARGIN + path: content for path, content in own.items()}


def margin_leaf(files: Files) -> str:
    """The leaf of the margin with the most rows."""
    return max(
        (k for k in files if k.startswith(f"{MARGIN}dataset/Norder")), key=lambda k: len(read(files[k]))
    )


def fullest() -> str:
    return margin_leaf(collection())


@fault("SUPP-004", fullest(), base=collection)
def margin_lacks_a_row(files):
    path = margin_leaf(files)
    files[path] = parquet(read(files[path]).slice(1))
    refresh_margin(files)


@fault("SUPP-004", fullest(), base=collection)
def margin_lacks_a_leaf(files):
    del files[margin_leaf(files)]
    refresh_margin(files)


@fault("SUPP-006", fullest(), also="SUPP-004", base=collection)
def margin_of_moved_rows(files):
    path = margin_leaf(files)
    table = read(files[path])
    ra = numbers(table, "ra")
    ra[0] += 1e-9  # too little for another pixel of the index to be wrong
    files[path] = parquet(put(table, "ra", ra))
    refresh_margin(files)


@fault(
    "SUPP-007",
    "margin_2deg/dataset/Norder=2/Dir=0/Npix=5.parquet",
    also="SUPP-003 TREE-009 PINF-005",
    base=collection,
)
def margin_of_another_tile(files):
    files[f"{MARGIN}dataset/Norder=2/Dir=0/Npix=5.parquet"] = files[margin_leaf(files)]
    refresh_margin(files)


def refresh_index(files: Files) -> None:
    own = {INDEX: files[f"index_id/{INDEX}"]}
    files |= {f"index_id/{path}": content for path, content in metadata_files(own).items()}
    set_property(files, {"hats_nrows": len(read(own[INDEX]))}, "index_id/")


@fault("SUPP-105", "index_id/dataset", "id", base=collection)
def index_lacks_a_value(files):
    edit(files, f"index_id/{INDEX}", lambda table: table.slice(1), refresh=False)
    refresh_index(files)


@fault("SUPP-106", f"index_id/{INDEX}", "Npix", base=collection)
def index_of_another_tile(files):
    def change(table):
        pixels, orders = numbers(table, "Npix"), numbers(table, "Norder")
        at = next(index for index in range(len(table)) if (orders[index], pixels[index]) != (0, 3))
        orders[at], pixels[at] = 0, 3
        return put(put(table, "Npix", pixels), "Norder", orders)

    edit(files, f"index_id/{INDEX}", change, refresh=False)
    refresh_index(files)


@fault("SUPP-106", f"index_id/{INDEX}", "Npix", base=collection)
def index_of_a_value_that_is_not_there(files):
    edit(
        files,
        f"index_id/{INDEX}",
        lambda t: pa.concat_tables([t, put(t.slice(0, 1), "id", [10**6])]),
        refresh=False,
    )
    refresh_index(files)


@fault("SUPP-107", "index_id/dataset", "id", also="SUPP-109", base=collection)
def index_of_another_type(files):
    def change(table):
        return table.set_column(table.schema.names.index("id"), "id", table.column("id").cast(pa.string()))

    edit(files, f"index_id/{INDEX}", change, refresh=False)
    refresh_index(files)


@fault("SUPP-108", "index_id/dataset", "Npix", base=collection)
def index_that_tells_tiles_in_words(files):
    def change(table):
        text = table.column("Npix").cast(pa.string())
        return table.set_column(table.schema.names.index("Npix"), "Npix", text)

    edit(files, f"index_id/{INDEX}", change, refresh=False)
    refresh_index(files)


def linked() -> Files:
    """The collection with an association of its primary with itself."""
    files = collection()
    own = association()
    set_property(own, {"hats_assn_join_table_url": "../catalog"})
    return files | {f"links/{path}": content for path, content in own.items()}


@fault("SUPP-205", f"links/{LEAF}", "id_join", also="AUX-016", base=linked)
def link_to_nowhere(files):
    edit(
        files,
        f"links/{LEAF}",
        lambda t: put(t, "id_join", [10**6, *numbers(t, "id_join")[1:]]),
        refresh=False,
    )


@fault("SUPP-205", f"links/{LEAF}", "id", base=linked)
def link_from_nowhere(files):
    edit(files, f"links/{LEAF}", lambda t: put(t, "id", [-1, *numbers(t, "id")[1:]]), refresh=False)


@fault("SUPP-206", "links/hats.properties", "hats_col_assn_join", base=linked)
def join_over_no_column(files):
    set_property(files, {"hats_col_assn_join": "source_id"}, "links/")


@fault("SUPP-206", "links/hats.properties", "hats_col_assn_primary", base=linked)
def primary_over_no_column(files):
    set_property(files, {"hats_col_assn_primary": "source_id"}, "links/")


def test_a_collection_with_an_association_is_sound(tmp_path):
    report = validate(write(tmp_path, linked()))
    assert described(report) == []
    assert report.passed.count("HATS-SUPP-205") == 1


@pytest.mark.parametrize("planted", planted_in(__name__), ids=str)
def test_a_planted_fault_is_named(tmp_path, planted):
    check_planted(tmp_path, planted)


def test_every_check_has_its_fault():
    load()
    for name in ("faults", "faults_data", "faults_auxiliary", "faults_extensions"):
        import_module(f"tests.validation.test_{name}")
    planted = {planted.rule for planted in FAULTS}
    corpus = {rule for case in load_cases().values() for rule in case.rules}
    assert planted | corpus == set(CATALOG_CHECKS) | set(COLLECTION_CHECKS)


def test_a_directory_may_be_a_catalog_and_its_collection(tmp_path):
    """The primary may be the root itself; the other members lie beside its dataset."""
    files = collection()
    for path in [path for path in files if path.startswith("catalog/")]:
        files[path.removeprefix("catalog/")] = files.pop(path)
    listed(files, {"hats_primary_table_url": "."})
    for folder in ("margin_2deg/", "index_id/"):
        set_property(files, {"hats_primary_table_url": "../"}, folder)
    report = validate(write(tmp_path, files))
    assert {finding.rule for finding in report.findings} <= {"HATS-COLL-011"}, described(report)
    assert report.passed.count("HATS-PROP-101") == 3


def test_members_may_be_told_in_several_ways(tmp_path):
    files = collection()
    listed(
        files,
        {
            "hats_primary_table_url": "./catalog/",
            "all_margins": "margin_2deg/",
            "default_margin": "margin_2deg/",
        },
    )
    set_property(files, {"hats_primary_table_url": "https://example.org/demo/catalog"}, "margin_2deg/")
    report = validate(write(tmp_path, files))
    assert described(report) == []
    assert report.passed.count("HATS-PROP-101") == 3
