"""The corpus itself: its recipes are well formed, its bases sound, and every case fails as it says."""

from __future__ import annotations

import csv
import json

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from hatsformat._spec import spec_path
from hatsformat.conformance.bases import BASES, base_title, build_base
from hatsformat.conformance.corpus import corpus_path, load_cases, select_cases
from hatsformat.conformance.judge import compare, findings_of
from hatsformat.conformance.materialize import materialize_case
from hatsformat.conformance.mutations import MUTATIONS
from hatsformat.conformance.parquet import all_rows, decode
from hatsformat.conformance.schema import SCHEMA_NAME, build_schema, format_schema
from hatsformat.conformance.tree import content, leaves, write_tree
from hatsformat.errors import UsageError
from hatsformat.layout import leaf_path, parse_leaf_path
from hatsformat.properties import parse_properties_text
from hatsformat.validation import requirements, validate

CASES = load_cases()
GOLDEN = corpus_path("golden")
FILES = sorted(corpus_path("cases").glob("*.yaml"))


def test_the_schema_is_what_is_generated():
    jsonschema.Draft202012Validator.check_schema(build_schema())
    written = spec_path("schemas", SCHEMA_NAME).read_text("utf-8")
    assert written == format_schema(), "run: python -m hatsformat.conformance.schema"


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_recipe_is_what_the_schema_says(file):
    recipes = yaml.safe_load(file.read_text("utf-8"))
    errors = jsonschema.Draft202012Validator(build_schema()).iter_errors(recipes)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"base": "nothing"}, "base"),
        ({"mutate": [{"explode": {}}]}, "mutate"),
        ({"mutate": [{"delete": {}}]}, "mutate"),
        ({"mutate": [{"delete": {"path": "a", "twice": True}}]}, "mutate"),
        ({"mutate": [{"delete": {"path": 7}}]}, "mutate"),
        ({"expect": [{"path": "a"}]}, "expect"),
        ({"expect": [{"rule": "HATS-1"}]}, "expect"),
        ({"id": "Upper"}, "id"),
        ({"more": 1}, "more"),
    ],
)
def test_the_schema_refuses_what_is_no_recipe(change, at):
    sound = {"id": "a-1", "title": "a", "base": "object"}
    schema = jsonschema.Draft202012Validator(build_schema())
    assert schema.is_valid({"cases": [sound]})
    assert not schema.is_valid({"cases": [sound | change]}), at


def test_every_base_is_described():
    for name in BASES:
        assert base_title(name)[0].isupper()
        assert base_title(name).endswith(".")


@pytest.mark.parametrize("name", BASES)
def test_a_base_has_no_finding(name, tmp_path):
    write_tree(build_base(name), tmp_path / name)
    report = validate(tmp_path / name, edition="draft-2025-04" if name == "draft" else "1.0")
    assert [f"{item.rule} {item.location}: {item.message}" for item in report.findings] == []
    assert len(report.passed) > 50


def test_bases_are_made_the_same_twice():
    for name, make in BASES.items():
        assert make() == build_base(name), name


def test_every_star_is_in_the_tile_of_its_leaf():
    # The oracle: cdshealpix itself, and not the package's arithmetic.
    from astropy.coordinates import Latitude, Longitude
    from astropy.units import deg
    from cdshealpix.nested import lonlat_to_healpix

    tree = build_base("object")
    for path in leaves(tree):
        name, rows = parse_leaf_path(path), decode(content(tree, path))
        lon, lat = Longitude(rows["ra"].to_numpy(), deg), Latitude(rows["dec"].to_numpy(), deg)
        assert set(lonlat_to_healpix(lon, lat, name.order)) == {name.pixel}
        assert (lonlat_to_healpix(lon, lat, 29).astype(np.int64) == rows["_healpix_29"].to_numpy()).all()


def test_the_margin_is_what_lies_near_the_tiles():
    # The oracle: the separation between each star and a dense outline of each tile.
    from astropy.coordinates import Latitude, Longitude
    from astropy.units import deg
    from cdshealpix.nested import lonlat_to_healpix, vertices

    def directions(lon, lat):
        return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=-1)

    primary, margin = build_base("object"), build_base("margin")
    stars = all_rows(primary)
    ra, dec, ids = (stars[name].to_numpy() for name in ("ra", "dec", "id"))
    there = directions(np.radians(ra), np.radians(dec))
    for path in leaves(primary):
        tile = parse_leaf_path(path)
        own = lonlat_to_healpix(Longitude(ra, deg), Latitude(dec, deg), tile.order) == tile.pixel
        lon, lat = vertices(np.array([tile.pixel], np.uint64), tile.order, step=1 << 14 - tile.order)
        outline = directions(lon.rad.ravel(), lat.rad.ravel())
        chords = np.sqrt(2 - 2 * (there @ outline.T).clip(-1, 1)).min(axis=1)
        # The outline's points are 13 arcseconds apart; stars are at 3 arcseconds of it, or at more than 50.
        near = set(ids[~own & (np.degrees(chords) * 3600 < 30)].tolist())
        found = set(decode(content(margin, path))["id"].to_pylist()) if path in margin else set()
        assert found == near


@pytest.mark.parametrize("case_id", [case.id for case in CASES.values() if case.pending is None])
def test_a_case_has_the_findings_that_it_expects_and_no_others(case_id, tmp_path):
    case = CASES[case_id]
    item = materialize_case(case, tmp_path)
    report = validate(item.path, level=case.level, edition=case.edition)
    result = compare(item.findings, findings_of(report.to_dict()))
    assert [str(place) for place in result.missed] == []
    assert [str(place) for place in result.unexpected] == []
    assert report.valid == (item.verdict != "invalid")
    assert (not report.findings) == (item.verdict == "sound")


def test_a_pending_case_is_of_a_requirement_without_a_check(tmp_path):
    for case in CASES.values():
        if case.pending is not None:
            without = {rule for rule in case.rules if requirements()[rule].unchecked is not None}
            assert without, f"the check is there: remove `pending` from {case.id}"
            assert materialize_case(case, tmp_path).path.is_dir()


def test_every_mutation_is_used():
    assert set(MUTATIONS) == {name for case in CASES.values() for name, _ in case.steps}


def test_every_base_is_used():
    assert set(BASES) == {case.base for case in CASES.values()}


def test_every_base_has_a_sound_case():
    assert set(BASES) == {case.base for case in CASES.values() if case.verdict == "sound" and not case.steps}


def test_cases_are_selected():
    assert [case.id for case in select_cases(ids=["pinf-004"])] == ["pinf-004"]
    assert all("HATS-PINF-004" in case.rules for case in select_cases(rules=["HATS-PINF-004"]))
    assert {case.edition for case in select_cases(edition="draft-2025-04")} == {"draft-2025-04"}
    with pytest.raises(UsageError, match="no case"):
        select_cases(ids=["nothing"])


def golden_files() -> list[str]:
    found = (file.relative_to(GOLDEN) for file in GOLDEN.rglob("*") if file.is_file())
    return sorted(str(file) for file in found if len(file.parts) == 2)


@pytest.mark.parametrize("name", golden_files())
def test_golden_files_of_the_bases(name):
    base, file = name.split("/")
    tree = build_base(base)
    if file == "paths.txt":
        assert (GOLDEN / name).read_text("utf-8") == "".join(f"{path}\n" for path in sorted(tree))
    else:
        assert (GOLDEN / name).read_bytes() == content(tree, file)


def test_golden_paths():
    with (GOLDEN / "leaf_paths.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 8
    for row in rows:
        order, pixel, part = int(row["order"]), int(row["pixel"]), row["part"] or None
        assert leaf_path(order, pixel, row["suffix"], part) == row["path"]
        found = parse_leaf_path(row["path"])
        assert (found.order, found.pixel, found.suffix, found.part) == (order, pixel, row["suffix"], part)


def test_golden_escapes():
    document, problems = parse_properties_text((GOLDEN / "escapes.properties").read_bytes())
    assert document.to_dict() == json.loads((GOLDEN / "escapes.json").read_text("utf-8"))
    assert [(problem.kind, problem.line) for problem in problems] == [
        ("no-separator", 9),
        ("no-separator", 11),
    ]


@pytest.mark.interop
@pytest.mark.parametrize("name", ["object", "source", "leaf_directories", "other_suffix", "order13"])
def test_another_tool_reads_the_bases(name, tmp_path):
    hats = pytest.importorskip("hats", reason="hats is not installed (extra `interop`)")
    write_tree(build_base(name), tmp_path / name)
    catalog = hats.read_hats(tmp_path / name)
    rows = sum(
        pq.ParquetFile(file).metadata.num_rows for file in (tmp_path / name / "dataset").rglob("*.p*q*")
    )
    assert catalog.catalog_info.total_rows == rows
    assert len(catalog.get_healpix_pixels()) == 12
