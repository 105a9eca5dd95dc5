"""Mutations: pure functions that do what their names say, or refuse."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hatsformat.conformance.bases import build_base
from hatsformat.conformance.corpus import Case, load_cases
from hatsformat.conformance.fits import encode_map
from hatsformat.conformance.materialize import MANIFEST, manifest, materialize_case, materialize_cases
from hatsformat.conformance.mutations import apply_mutations
from hatsformat.conformance.parquet import decode, footer_of
from hatsformat.conformance.tree import Link, content, leaves, matching, write_tree
from hatsformat.errors import OutputError, UsageError

LEAF = "dataset/Norder=0/Dir=0/Npix=9.parquet"
TALL = "dataset/Norder=2/Dir=0/Npix=69.parquet"


def mutate(*steps, base="bare"):
    return apply_mutations(build_base(base), steps)


def leaf(tree, path=LEAF):
    return decode(content(tree, path))


@pytest.mark.parametrize("case", [c for c in load_cases().values() if c.steps], ids=lambda case: case.id)
def test_a_case_leaves_its_base_alone_and_is_made_the_same_twice(case):
    before = dict(build_base(case.base))
    first, second = case.build(), case.build()
    assert first == second
    assert dict(build_base(case.base)) == before
    assert first != before


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([("explode", {})], "unknown mutation"),
        ([("delete", {})], "invalid arguments"),
        ([("delete", {"path": LEAF, "much": 1})], "invalid arguments"),
        ([("delete", {"path": "dataset/none"})], "matches no file"),
        ([("set_keywords", {"values": {"hats_nrows": 92}})], "changes nothing"),
        ([("replace", {"old": "galaxy", "new": "star"})], "text is missing"),
        ([("rename", {"path": "nowhere/", "to": "there/"})], "no such folder"),
        ([("make_again", {"files": ["README"]})], "does not depend on the leaves"),
        ([("set_card", {"path": "point_map.fits", "keyword": "NSIDES", "value": 1})], "no header has"),
    ],
)
def test_a_recipe_that_does_nothing_is_refused(steps, message):
    with pytest.raises(UsageError, match=message):
        mutate(*steps)


def test_the_case_is_named_in_an_error():
    case = Case("a-1", "a", "bare", (("delete", {"path": "none"}),))
    with pytest.raises(UsageError, match="case a-1"):
        case.build()


def test_patterns():
    tree = dict.fromkeys(["a/b.x", "a/c/d.x", "a/b.y"], b"")
    assert matching(tree, "a/*.x") == ["a/b.x"]
    assert matching(tree, "a/**.x") == ["a/b.x", "a/c/d.x"]
    assert matching(tree, "a/b.y") == ["a/b.y"]


def test_files():
    tree = mutate(
        ("truncate", {"path": LEAF, "size": -100}), ("pad", {"path": "hats.properties", "size": 999})
    )
    assert len(content(tree, LEAF)) == len(content(build_base("bare"), LEAF)) - 100
    assert len(content(tree, "hats.properties")) == 999
    tree = mutate(("splice", {"path": LEAF, "at": -4, "data": "00", "remove": 4}))
    assert content(tree, LEAF) == content(build_base("bare"), LEAF)[:-4] + b"\0"
    tree = mutate(("rename", {"path": "dataset/", "to": "data/"}))
    assert not leaves(tree)
    assert content(tree, LEAF.replace("dataset/", "data/")) == content(build_base("bare"), LEAF)


def test_columns():
    assert "mag" not in leaf(mutate(("drop_columns", {"names": ["mag"]}))).column_names
    assert leaf(mutate(("cast_column", {"name": "mag", "kind": "string"})))["mag"].type == pa.string()
    assert not leaf(mutate(("require_column", {"name": "id"}))).schema.field("id").nullable
    assert leaf(mutate(("move_column", {"name": "mag", "to": 0}))).column_names[0] == "mag"
    assert leaf(mutate(("repeat_column", {"name": "mag"}))).column_names.count("mag") == 2
    added = leaf(mutate(("add_column", {"name": "Npix", "value": "pixel", "kind": "int64"})))
    assert set(added["Npix"].to_pylist()) == {9}
    keyed = mutate(("set_key_values", {"path": LEAF, "values": {"a": "b"}}))
    assert leaf(keyed).schema.metadata[b"a"] == b"b"


def test_rows():
    base = leaf(build_base("bare"))
    assert leaf(mutate(("reverse_rows", {}))).to_pylist() == base.to_pylist()[::-1]
    assert leaf(mutate(("keep_rows", {"count": -1}))) == base.slice(0, base.num_rows - 1)
    assert leaf(mutate(("repeat_rows", {"times": 3}))).num_rows == 3 * base.num_rows
    changed = leaf(mutate(("set_values", {"column": "id", "value": None, "rows": [1]})))
    assert changed["id"].null_count == 1
    moved = mutate(("move_rows", {"path": LEAF, "to": TALL, "count": 2}))
    assert leaf(moved).num_rows == base.num_rows - 2
    assert leaf(moved, TALL).num_rows == leaf(build_base("bare"), TALL).num_rows + 2


def test_statistics_that_lie_are_only_in_the_footer():
    tree = mutate(("lie_in_statistics", {"path": LEAF, "column": "_healpix_29", "by": 1000}))
    before = leaf(build_base("bare"))["_healpix_29"].to_pylist()
    assert leaf(tree)["_healpix_29"].to_pylist() == before
    statistics = footer_of(content(tree, LEAF)).row_group(0).column(0).statistics
    assert (statistics.min, statistics.max) == (before[0] + 1000, before[-1] + 1000)


def test_noise_is_only_in_its_column():
    data = content(mutate(("garble_column", {"path": TALL, "column": "mag", "group": 1})), TALL)
    assert footer_of(data).num_row_groups == 2
    with pytest.raises((OSError, pa.ArrowException)):
        decode(data)


def test_maps_are_read_by_another_program():
    healpy = pytest.importorskip("healpy", reason="healpy is not installed")
    import io

    import numpy as np
    from astropy.io import fits

    counts = np.arange(48)
    for sparse in (True, False):
        data = encode_map(1, counts, sparse=sparse)
        with fits.open(io.BytesIO(data)) as hdus:
            found = healpy.read_map(hdus, nest=True, dtype=np.int64, partial=sparse)
        assert np.array_equal(np.where(found < 0, 0, found), counts)


def test_a_link_is_written_as_one(tmp_path):
    write_tree({"a/b": b"x", "a/c": Link("b"), "../beside": b"y"}, tmp_path / "case" / "tree")
    assert (tmp_path / "case" / "tree" / "a" / "c").readlink().name == "b"
    assert (tmp_path / "case" / "beside").read_bytes() == b"y"


@pytest.mark.parametrize("path", ["../../climbs", "/absolute", "a/../../b"])
def test_no_tree_is_written_beyond_its_place(path, tmp_path):
    with pytest.raises(OutputError, match="leads outside"):
        write_tree({path: b""}, tmp_path / "case" / "tree")


def test_the_manifest_tells_every_finding(tmp_path):
    cases = [load_cases()[name] for name in ("pinf-004", "sound-map", "leaf-001-every")]
    items = materialize_cases(cases, tmp_path / "new")
    import json

    written = json.loads((tmp_path / "new" / MANIFEST).read_text("utf-8"))
    assert written == manifest(items, tmp_path / "new")
    first, second, third = written["cases"]
    assert first["findings"] == [
        {
            "rule": "HATS-PINF-004",
            "severity": "error",
            "path": "partition_info.csv",
            "column": None,
            "row_group": None,
        }
    ]
    assert (first["verdict"], second["verdict"], second["findings"]) == ("invalid", "sound", [])
    assert len(third["findings"]) == 12
    assert all((tmp_path / "new" / case["path"]).is_dir() for case in written["cases"])


def test_nothing_is_replaced(tmp_path):
    case = load_cases()["sound-map"]
    materialize_case(case, tmp_path)
    with pytest.raises(OutputError, match="exists"):
        materialize_case(case, tmp_path)
    with pytest.raises(OutputError, match="not empty"):
        materialize_cases([case], tmp_path)
