"""Whatever the files hold, the answer is a report."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from hatsformat.validation import validate
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.findings import Departure
from hatsformat.validation.registry import CATALOG_CHECKS
from tests.support.catalogs_to_break import (
    Files,
    association,
    collection,
    described,
    index_table,
    object_catalog,
    write,
)

BASES = {"collection": collection, "object": object_catalog, "association": association, "index": index_table}


@cache
def base(name: str) -> Files:
    return BASES[name]()


def judged(files: Files, edition: str = "1.0"):
    root = UPath("memory://garbage")
    if root.fs.exists(root.path):
        root.fs.rm(root.path, recursive=True)
    for path, content in files.items():
        root.fs.pipe_file(f"{root.path.rstrip('/')}/{path}", content)
    report = validate(root, edition=edition)
    assert all(finding.rule != "HATS-EVID-001" for finding in report.findings), described(report)
    return report


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(sorted(BASES)))
def test_random_bytes_in_place_of_a_file(data, name):
    files = dict(base(name))
    path = data.draw(st.sampled_from(sorted(files)))
    files[path] = data.draw(st.binary(max_size=300))
    judged(files)


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(sorted(BASES)))
def test_damaged_files(data, name):
    files = dict(base(name))
    path = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[path])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    files[path] = bytes(content)
    judged(files)


VALUES = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", "..", "/", "../..", "/etc", "https://x/y", "a b", "\\u0000", "1e999", "99999999999999999999"]
    ),
)
KEYS = st.sampled_from(
    [
        "dataproduct_type",
        "hats_nrows",
        "hats_order",
        "hats_col_ra",
        "hats_col_dec",
        "hats_col_healpix",
        "hats_col_healpix_order",
        "hats_npix_suffix",
        "hats_skymap_order",
        "hats_skymap_alt_orders",
        "hats_max_rows",
        "moc_sky_fraction",
        "hats_estsize",
        "hats_cols_default",
        "hats_margin_threshold",
        "hats_primary_table_url",
        "hats_index_column",
        "hats_index_extra_column",
        "hats_assn_leaf_files",
        "all_margins",
        "all_indexes",
        "default_margin",
        "hats_col_assn_primary_assn",
        "all_extensions",
    ]
)


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(sorted(BASES)), changes=st.dictionaries(KEYS, VALUES, max_size=3))
def test_strange_values_of_keywords(data, name, changes):
    files = dict(base(name))
    path = data.draw(st.sampled_from(sorted(path for path in files if path.endswith("properties"))))
    files[path] += "".join(f"{key}={value}\n" for key, value in changes.items()).encode(
        "utf-8", "surrogatepass"
    )
    judged(files)


LINES = st.lists(
    st.tuples(
        st.one_of(st.integers(-2, 31), st.integers(), st.floats().map(str), st.text(max_size=3)),
        st.one_of(st.integers(-2, 60), st.integers(), st.floats().map(str), st.text(max_size=3)),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(
    lines=LINES,
    head=st.sampled_from(["Norder,Npix", "Npix,Norder,Dir", "Norder;Npix", '"Norder"', "Norder,Norder,Npix"]),
)
def test_strange_lines_of_partition_info(lines, head):
    files = dict(base("object"))
    text = "\n".join([head, *(f"{order},{pixel}" for order, pixel in lines)])
    files["partition_info.csv"] = text.encode("utf-8", "surrogatepass")
    judged(files)


NAMES = [
    "Norder=99/Dir=0/Npix=0.parquet",
    "Norder=1/Npix=3.parquet",
    "Norder=-1/Dir=0/Npix=0.parquet",
    "Norder=0/Dir=0/Npix=3",
    "Norder=0/Dir=0/Npix=3/x/y.parquet",
    "Norder=0/Dir=0/Npix=3.parquet/x.parquet",
    "Norder=0/Dir=99999999999999999999/Npix=0.parquet",
    "Norder=29/Dir=0/Npix=3458764513820540927.parquet",
    "Norder=0/Dir=0/.hidden.parquet",
    "_x",
    "index/part.0.parquet",
    "Norder=0/Dir=0/Npix=3.",
]


@pytest.mark.parametrize("name", NAMES)
def test_strange_names(name):
    files = dict(base("object"))
    files = {path: content for path, content in files.items() if not f"dataset/{name}".startswith(f"{path}/")}
    files[f"dataset/{name}"] = base("object")["dataset/Norder=0/Dir=0/Npix=3.parquet"]
    assert judged(files).passed


def test_a_check_that_fails_is_a_finding_about_the_evidence(tmp_path, monkeypatch):
    def fails(catalog, rule):
        yield from ()
        raise ZeroDivisionError("no such number")

    monkeypatch.setitem(CATALOG_CHECKS, "HATS-PROP-402", fails)
    report = validate(write(tmp_path, object_catalog()))
    (finding,) = report.findings
    assert (finding.rule, finding.severity) == ("HATS-EVID-001", "error")
    assert "HATS-PROP-402: ZeroDivisionError: no such number" in (finding.actual or "")
    assert "HATS-PROP-402" in {item.rule for item in report.not_run}
    assert "HATS-PROP-402" not in report.passed


def test_a_check_that_panics_is_a_finding_too(tmp_path, monkeypatch):
    class PanicError(BaseException):
        pass

    def panics(catalog, rule):
        raise PanicError("out of range")

    monkeypatch.setitem(CATALOG_CHECKS, "HATS-PROP-402", panics)
    assert [finding.rule for finding in validate(write(tmp_path, object_catalog())).findings] == [
        "HATS-EVID-001"
    ]


def test_evidence_that_fails_late_keeps_what_was_found(tmp_path, monkeypatch):
    def late(catalog, rule):
        yield Departure.of("first", "a")
        raise NoEvidenceError("the rest is missing")

    monkeypatch.setitem(CATALOG_CHECKS, "HATS-PROP-402", late)
    report = validate(write(tmp_path, object_catalog()))
    assert [finding.message for finding in report.findings] == ["first"]
    assert "the rest is missing" in {item.reason for item in report.not_run}


def test_loops_and_dangling_links(tmp_path):
    root = write(tmp_path / "c", object_catalog())
    (root / "dataset" / "Norder=0" / "loop").symlink_to(root / "dataset", target_is_directory=True)
    (root / "dataset" / "Norder=0" / "Dir=0" / "Npix=11.parquet").symlink_to(root / "gone")
    rules = {finding.rule for finding in validate(root).findings}
    assert "HATS-LEAF-001" in rules


def test_a_skymap_of_other_numbers(tmp_path):
    files = object_catalog()
    files["skymap.fits"] = files["skymap.fits"].replace(
        b"NSIDE   =                    8", b"NSIDE   =                    7"
    )
    assert "HATS-AUX-102" in {finding.rule for finding in validate(write(tmp_path, files)).findings}
