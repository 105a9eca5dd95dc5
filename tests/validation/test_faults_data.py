"""Faults in the leaves and in the index column."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from hatsformat.validation import validate
from hatsformat.validation.evidence import footers
from tests.support.catalogs_to_break import (
    leaf_name,
    metadata_files,
    no_index,
    object_catalog,
    parquet,
    read,
    write,
)
from tests.support.planting import (
    LEAF,
    OTHER,
    check_planted,
    edit,
    fault,
    numbers,
    planted_in,
    put,
)

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


@fault("LEAF-002", LEAF, also="PROP-401 AUX-105 AUX-106 AUX-206")
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


@fault("HPX-001", "dataset", "_healpix_29")
def no_index_column(files):
    no_index(files)


@fault("HPX-003", "dataset", "_healpix_29")
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


@fault("HPX-004", "dataset", "_healpix_29")
def index_as_float(files):
    _retype_index(files, pa.float64())


@fault("HPX-005", "dataset", "_healpix_29")
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


@fault("HPX-007", LEAF, "_healpix_29", also="HPX-008 AUX-206")
def all_zero_index(files):
    edit(files, LEAF, lambda table: put(table, "_healpix_29", np.zeros(len(table), dtype=np.int64)))


@fault("HPX-008", LEAF, "_healpix_29", also="HPX-007 AUX-206")
def index_of_another_tile(files):
    edit(files, LEAF, lambda table: put(table, "_healpix_29", numbers(table, "_healpix_29") + (1 << 58)))


@fault("HPX-008", LEAF, "_healpix_29", also="HPX-007 AUX-206")
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


@fault("HPX-011", LEAF, also="HPX-007 AUX-110")
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


@fault("HPX-014", LEAF, "ra", also="AUX-206")
def once_more_around(files):
    edit(files, LEAF, lambda table: put(table, "ra", numbers(table, "ra") + 360))


@pytest.mark.parametrize("planted", planted_in(__name__), ids=str)
def test_a_planted_fault_is_named(tmp_path, planted):
    check_planted(tmp_path, planted)


def test_a_link_out_of_the_catalog_is_told_and_not_opened(tmp_path):
    root = write(tmp_path / "catalog", object_catalog())
    secret = tmp_path / "elsewhere.parquet"
    (root / LEAF).rename(secret)
    os.symlink(secret, root / LEAF)
    report = validate(root)
    assert {finding.rule for finding in report.findings} == {"HATS-TREE-007"}
    not_run = {item.rule: item.reason for item in report.not_run}
    assert "not opened" in not_run["HATS-LEAF-001"]
    assert {"HATS-LEAF-009", "HATS-HPX-007", "HATS-PROP-401"} <= set(not_run)


def test_statistics_that_lie_are_told(tmp_path, monkeypatch):
    """No writer makes them, so the footer's statistics are changed as they are read."""
    honest = footers._footer

    def lying(path, told, pool):
        found = honest(path, told, pool)
        if path != LEAF:
            return found
        return replace(found, statistics=tuple(replace(s, high=s.low) for s in found.statistics))

    monkeypatch.setattr(footers, "_footer", lying)
    report = validate(write(tmp_path, object_catalog()))
    assert {finding.rule for finding in report.findings} == {"HATS-HPX-009", "HATS-AUX-016"}
