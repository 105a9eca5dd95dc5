"""Sound catalogs and sound variations: the validator says nothing of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from hatsformat.validation import validate
from tests.support.catalogs_to_break import (
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
    sky_values,
    stars,
    write,
)

SOUND = {
    "object": object_catalog,
    "leaf directories": lambda: object_catalog(suffix="/"),
    "another suffix": lambda: object_catalog(suffix=".pq.parquet"),
    "margin": margin,
    "index": index_table,
    "association": association,
    "soft association": lambda: association(soft=True),
    "map": sky_values,
    "collection": collection,
}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("level", ["metadata", "footers", "rows"])
def test_a_sound_catalog_has_no_finding(tmp_path, name, level):
    report = validate(write(tmp_path, SOUND[name]()), level=level)
    assert described(report) == []
    assert report.valid
    assert report.passed


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_catalog_is_sound_by_the_draft(tmp_path, name):
    assert described(validate(write(tmp_path, SOUND[name]()), edition="draft-2025-04")) == []


def source(files: Files) -> None:
    set_property(files, {"dataproduct_type": "source"})


def no_skymap(files: Files) -> None:
    for path in [path for path in files if path.endswith(".fits")]:
        del files[path]
    set_property(
        files, {"dataproduct_type": "source", "hats_skymap_order": None, "hats_skymap_alt_orders": None}
    )


def float32(files: Files) -> None:
    """Coordinates in 32 bits, the index from the exact ones."""
    for path in [path for path in files if path.endswith(".parquet")]:
        table = read(files[path])
        for name in ("ra", "dec"):
            narrow = table.column(name).cast(pa.float32())
            table = table.set_column(table.schema.names.index(name), name, narrow)
        files[path] = parquet(table)
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})


def large_strings(files: Files) -> None:
    """Arrow's large and encoded types are one and the same in Parquet."""
    names = sorted(path for path in files if path.startswith("dataset/Norder"))
    for number, path in enumerate(names):
        kind = pa.large_string() if number else pa.string()
        table = read(files[path])
        files[path] = parquet(table.append_column("band", pa.array(["g"] * len(table), kind)))
    del files["data_thumbnail.parquet"]
    first = metadata_files({names[1]: files[names[1]]})["dataset/_common_metadata"]
    files["dataset/_common_metadata"] = first
    del files["dataset/_metadata"]


def more_columns(files: Files) -> None:
    lines = files["partition_info.csv"].decode().split()
    rows = [footer(files[leaf_name(*map(int, line.split(",")))]).num_rows for line in lines[1:]]
    text = [f"{line},{row},x" for line, row in zip(lines[1:], rows, strict=True)]
    files["partition_info.csv"] = "\n".join([f"{lines[0]},num_rows,note", *text]).encode()


def negative_ra(files: Files) -> None:
    """Right ascensions from -180 to 180 are the same places."""
    for path in [path for path in files if path.endswith(".parquet")]:
        table = read(files[path])
        ra = table.column("ra").to_numpy()
        files[path] = parquet(table.set_column(2, "ra", pa.array(np.where(ra > 180, ra - 360, ra))))


def crlf(files: Files) -> None:
    for name in ("hats.properties", "properties"):
        files[name] = files[name].replace(b"\n", b"\r\n").replace(b"T10:00Z", b"T10\\:00Z")


def only_new_name(files: Files) -> None:
    del files["properties"]


def own_keywords(files: Files) -> None:
    set_property(files, {"my_survey_phase": "3", "addendum_did": "ivo://x/y"})


def exact_moc(files: Files) -> None:
    """The coverage may be told from the sky map, finer than the tiles."""
    index = stars().column("_healpix_29").to_numpy()
    covered = np.unique(index >> 2 * (29 - SKYMAP_ORDER)).size / (12 * 4**SKYMAP_ORDER)
    set_property(files, {"moc_sky_fraction": covered})


VARIATIONS = [
    source, no_skymap, float32, order13, more_columns, negative_ra, crlf, only_new_name, own_keywords,
    exact_moc,
]  # fmt: skip


@pytest.mark.parametrize("variation", VARIATIONS, ids=lambda function: function.__name__)
def test_a_sound_variation_has_no_finding(tmp_path, variation):
    files = object_catalog()
    variation(files)
    assert described(validate(write(tmp_path, files))) == []


@pytest.mark.parametrize(
    ("variation", "rules"),
    [(no_index, {"HATS-HPX-001"}), (large_strings, {"HATS-AUX-001"})],
    ids=["no_index", "large_strings"],
)
def test_what_is_only_recommended_is_no_error(tmp_path, variation, rules):
    files = object_catalog()
    variation(files)
    report = validate(write(tmp_path, files))
    assert {finding.rule for finding in report.findings} == rules
    assert report.valid
    assert {finding.severity for finding in report.findings} == {"warning"}


def test_a_leaf_directory_of_several_files_is_one_leaf(tmp_path):
    files = object_catalog(suffix="/")
    path = leaf_name(0, 3, "/")
    table = read(files[path])
    files[path] = parquet(table.slice(0, 5))
    files[path.replace("part0", "update-7")] = parquet(table.slice(5))
    files |= metadata_files({k: v for k, v in files.items() if k.startswith("dataset/Norder")})
    assert described(validate(write(tmp_path, files))) == []


def test_an_empty_margin_is_sound(tmp_path):
    files = {k: v for k, v in margin().items() if "Norder=" not in k and k != "dataset/_metadata"}
    files["partition_info.csv"] = b"Norder,Npix\n"
    set_property(files, {"hats_nrows": 0, "moc_sky_fraction": 0.0, "hats_order": None})
    assert {finding.rule for finding in validate(write(tmp_path, files)).findings} == {"HATS-AUX-001"}
