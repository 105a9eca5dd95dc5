"""Faults in the files beside the leaves: metadata, statistics, sky maps, the thumbnail."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from hatsformat.validation import validate
from tests.support.catalogs_to_break import (
    SKYMAP_ORDER,
    Files,
    footer,
    leaf_name,
    metadata_files,
    object_catalog,
    parquet,
    read,
    set_property,
    skymap,
    stars,
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


@fault("AUX-005", "dataset/_metadata")
def metadata_without_a_leaf(files):
    leaves = {k: v for k, v in files.items() if k.startswith("dataset/Norder") and k != LEAF}
    files["dataset/_metadata"] = metadata_files(leaves)["dataset/_metadata"]


@fault("AUX-006", LEAF, also="AUX-016")
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


STATISTICS = "per_partition_statistics.parquet"


def statistics(files: Files) -> pa.Table:
    """What writers keep: a row for each row group, from the footers."""
    rows = []
    for path in sorted(path for path in files if path.startswith("dataset/Norder")):
        order, pixel = (
            int(path.split(f"{name}=")[1].split("/")[0].split(".")[0]) for name in ("Norder", "Npix")
        )
        metadata = footer(files[path])
        for group in range(metadata.num_row_groups):
            row = {"Norder": order, "Npix": pixel, "row_group_index": group}
            for number in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(number)
                found = {
                    "min_value": chunk.statistics.min,
                    "max_value": chunk.statistics.max,
                    "null_count": chunk.statistics.null_count,
                    "row_count": chunk.num_values,
                    "disk_bytes": chunk.total_compressed_size,
                    "memory_bytes": chunk.total_uncompressed_size,
                }
                row |= {f"{chunk.path_in_schema}::{key}": value for key, value in found.items()}
            rows.append(row)
    return pa.Table.from_pylist(rows)


def test_right_statistics_have_no_finding(tmp_path):
    files = object_catalog()
    files[STATISTICS] = parquet(statistics(files))
    report = validate(write(tmp_path, files))
    assert report.findings == ()
    assert {"HATS-AUX-010", "HATS-AUX-011", "HATS-AUX-013", "HATS-AUX-014", "HATS-AUX-015"} <= set(
        report.passed
    )


def wrong_statistics(rule: str, column: str, change, told: str | None = None) -> None:
    def plant(files):
        table = statistics(files)
        files[STATISTICS] = parquet(put(table, column, change(numbers(table, column))))

    plant.__name__ = f"wrong_{column}"
    fault(rule, STATISTICS, told)(plant)


wrong_statistics("AUX-013", "Npix", lambda values: [999, *values[1:]])
wrong_statistics("AUX-013", "row_group_index", lambda values: [*values[:-1], 77])
wrong_statistics(
    "AUX-014", "ra::min_value", lambda values: [*values[:3], values[3] + 1e-9, *values[4:]], "ra::min_value"
)
wrong_statistics("AUX-014", "id::row_count", lambda values: [values[0] + 1, *values[1:]], "id::row_count")
wrong_statistics("AUX-015", "mag::disk_bytes", lambda values: values + 1)


@fault("AUX-016", "dataset/_metadata")
def metadata_of_other_row_groups(files):
    edit(files, LEAF, lambda table: table, refresh=False, row_group_size=3)


@fault("AUX-016", "dataset/_metadata", "_healpix_29", also="AUX-110 AUX-206")
def metadata_of_other_rows(files):
    edit(files, LEAF, lambda table: pa.concat_tables([table.slice(1, 1), table.slice(1)]), refresh=False)


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
    del files["skymap.fits"], files["skymap.1.fits"]
    set_property(files, {"hats_skymap_alt_orders": None})


@fault("AUX-109", "point_map.fits")
def other_point_map(files):
    files["point_map.fits"] = skymap(counts()[::-1].copy())


@fault("AUX-110", "skymap.fits", also="AUX-109")
def sky_map_of_other_pixels(files):
    files["skymap.fits"] = skymap(counts().reshape(-1, 4)[:, ::-1].ravel())
    assert (counts() != counts().reshape(-1, 4)[:, ::-1].ravel()).any()


@fault("AUX-111", "skymap.2.fits")
def map_that_is_not_listed(files):
    files["skymap.2.fits"] = skymap(counts().reshape(-1, 4).sum(axis=1))


@fault("AUX-107", "skymap.2.fits", also="AUX-111")
def map_that_is_not_listed_and_of_other_rows(files):
    files["skymap.2.fits"] = skymap(counts().reshape(-1, 4).sum(axis=1)[::-1].copy())


THUMBNAIL = "data_thumbnail.parquet"


@fault("AUX-206", THUMBNAIL)
def thumbnail_of_other_values(files):
    edit(files, THUMBNAIL, lambda t: put(t, "mag", [99.0, *numbers(t, "mag")[1:]]), refresh=False)


@fault("AUX-206", THUMBNAIL)
def thumbnail_of_another_catalog(files):
    edit(files, THUMBNAIL, lambda t: put(t, "_healpix_29", numbers(t, "_healpix_29") ^ 1), refresh=False)


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


DATATYPES = {"double": "double", "float": "float", "int64": "long", "string": "char"}
FIELDS = "".join(f'<FIELD name="{c.name}" datatype="{DATATYPES[str(c.type)]}"/>' for c in stars().schema)
VOTABLE = f'<VOTABLE version="1.4"><RESOURCE><TABLE>{FIELDS}</TABLE></RESOURCE></VOTABLE>'
VO = {"IVOA.VOTable-Parquet.version": "1.0", "IVOA.VOTable-Parquet.content": VOTABLE}


def _with_vo(files, names, keys=VO):
    for name in names:
        files[name] = parquet(read(files[name]).replace_schema_metadata(keys))


def all_with_vo(files, keys):
    leaves = [path for path in files if path.startswith("dataset/Norder")]
    _with_vo(files, [*leaves, THUMBNAIL], keys)
    files |= metadata_files({path: files[path] for path in leaves})


@fault("AUX-302", LEAF, also="LEAF-007 AUX-008")
def vo_parquet_in_some(files):
    leaves = [path for path in files if path.startswith("dataset/Norder")]
    _with_vo(files, [*(path for path in leaves if path != LEAF), THUMBNAIL])
    files["dataset/_common_metadata"] = metadata_files({OTHER: files[OTHER]})["dataset/_common_metadata"]


@fault("AUX-303", THUMBNAIL)
def vo_parquet_not_in_thumbnail(files):
    _with_vo(files, [path for path in files if path.startswith("dataset/Norder")])
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})


@fault("AUX-304", THUMBNAIL)
def vo_parquet_without_version(files):
    all_with_vo(files, {"IVOA.VOTable-Parquet.content": VOTABLE})


@fault("AUX-304", THUMBNAIL)
def vo_parquet_without_content(files):
    all_with_vo(files, {"IVOA.VOTable-Parquet.version": "1.0"})


@fault("AUX-306", THUMBNAIL)
def vo_parquet_of_another_version(files):
    all_with_vo(files, VO | {"IVOA.VOTable-Parquet.version": "2.0"})


def votable(name: str, content: str, rule: str = "AUX-305", column: str | None = None) -> None:
    def plant(files):
        all_with_vo(files, VO | {"IVOA.VOTable-Parquet.content": content})

    plant.__name__ = name
    fault(rule, THUMBNAIL, column)(plant)


votable("votable_of_other_names", VOTABLE.replace('"ra"', '"RA"'), "AUX-307", "ra")
votable(
    "votable_of_short_integers",
    VOTABLE.replace('"id" datatype="long"', '"id" datatype="int"'),
    "AUX-307",
    "id",
)


votable("votable_without_a_column", VOTABLE.replace('<FIELD name="mag" datatype="double"/>', ""))
votable("votable_with_rows", VOTABLE.replace("</TABLE>", "<DATA/></TABLE>"))
votable("votable_without_end", VOTABLE[:-5])
votable("votable_of_nothing", "")
votable("votable_of_another_kind", VOTABLE.replace("VOTABLE", "HTML"))
votable("votable_nested_deep", "<VOTABLE>" * 60)
votable(
    "votable_of_entities",
    '<!DOCTYPE VOTABLE [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + VOTABLE.replace("mag", "&b;"),
)


@pytest.mark.parametrize("planted", planted_in(__name__), ids=str)
def test_a_planted_fault_is_named(tmp_path, planted):
    check_planted(tmp_path, planted)
