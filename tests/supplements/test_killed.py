"""A killed import of a collection leaves no collection, and `resume` finishes it with the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatsformat import build_index, build_margin, import_catalog, open_catalog, open_collection
from hatsformat.errors import HatsError, OutputError
from hatsformat.importing import run_import
from hatsformat.supplements import collection, margin
from tests.support import skies
from tests.support.interrupted_imports import OPTIONS, killed, write_inputs
from tests.support.killing import EPOCH

MEMBERS = {"margins_arcsec": [600.0, 3600.0], "indexes": ["id"]}
FAULTS = {
    "while a margin's rows are found": "die_at(margin.Routed, 'keep', 0)",
    "before the second margin": "die_at(margin, 'check_threshold', 3)",
    "before a file of the index": "die_at(index, 'write_part', 0)",
    "before the collection's properties": "die_at(collection, 'write_collection', 0)",
    "before it is published": "die_at(new_folder, '_move', 0)",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def undisturbed(inputs: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "sky"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        run_import(inputs, out, **OPTIONS, **MEMBERS)
    return skies.contents(out)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_killed_import_resumes_to_the_same_collection(
    fault: str,
    inputs: list[str],
    undisturbed: dict[str, bytes],
    tmp_path: Path,
) -> None:
    out = tmp_path / "sky"
    killed(inputs, out, fault, **MEMBERS)
    with pytest.raises(HatsError):
        open_catalog(out)
    with pytest.raises(OutputError, match="the option 'margins_arcsec' differs"):
        run_import(inputs, out, resume=True, **OPTIONS)
    run_import(inputs, out, resume=True, **OPTIONS, **MEMBERS)
    assert skies.contents(out) == undisturbed


def test_existing_members_are_not_built_again(
    inputs: list[str],
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed(inputs, tmp_path / "sky", FAULTS["before a file of the index"], **MEMBERS)
    monkeypatch.setattr(margin, "margin_rows", lambda *_: pytest.fail("a margin was built again"))
    run_import(inputs, tmp_path / "sky", resume=True, **OPTIONS, **MEMBERS)
    assert skies.contents(tmp_path / "sky") == undisturbed


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows in memory have no fingerprint, so there is nothing to resume."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    stars = skies.stars(200, 1)
    monkeypatch.setattr(collection, "write_collection", full)
    with pytest.raises(OSError, match="No space"):
        import_catalog(stars, tmp_path / "sky", margins_arcsec=[10], indexes=["id"])
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    import_catalog(stars, tmp_path / "sky", margins_arcsec=[10])
    before = skies.contents(tmp_path / "sky")
    monkeypatch.setattr(margin, "write_properties", full)
    with pytest.raises(OSError, match="No space"):
        build_margin(tmp_path / "sky", 60)
    with pytest.raises(OSError, match="No space"):
        import_catalog(stars, tmp_path / "sky", margins_arcsec=[10], overwrite=True)
    assert skies.contents(tmp_path / "sky") == before
    assert open_collection(tmp_path / "sky").margins == ("sky_10arcs",)


def test_rejected_rows_are_not_in_supplements(tmp_path: Path) -> None:
    stars = skies.stars(200, 1)
    lost = stars.set_column(
        stars.column_names.index("dec"), "dec", [[None] * 3 + stars["dec"].to_pylist()[3:]]
    )
    import_catalog(lost, tmp_path / "sky", indexes=["id"], bad_coordinates="quarantine")
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["sky", "sky.quarantine.parquet"]
    assert open_collection(tmp_path / "sky").index("id").properties.hats_nrows == 197


def test_in_a_bucket(s3, tmp_path: Path) -> None:
    from upath import UPath

    (s3.root / "members").mkdir()
    root = UPath("s3://members/sky", **s3.storage_options)
    stars = skies.stars(300, 1)
    import_catalog(stars, root, max_rows=40, margins_arcsec=[3600], indexes=["id"])
    import_catalog(stars, tmp_path / "sky", max_rows=40, margins_arcsec=[3600], indexes=["id"])
    build_index(root, "ra")
    collection = open_collection(root)
    assert len(collection.indexes) == 2
    here = open_collection(tmp_path / "sky")
    for there, own in ((collection.margin(), here.margin()), (collection.primary, here.primary)):
        assert skies.bits(there.scan().to_table()) == skies.bits(own.scan().to_table())
    assert sorted(collection.primary.lookup("id", [5, 7]).to_table()["id"].to_pylist()) == [5, 7]
