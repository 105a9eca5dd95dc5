"""What fuzzing once broke, and inputs made to break: every parser comes back from all of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from upath import UPath

from hatsformat.validation.evidence import footer_sandbox, footers
from hatsformat.validation.evidence.folder import CatalogFolder
from hatsformat.validation.evidence.tree import Tree

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"


def load(name: str):
    """Load a module of the harness, which is no package."""
    spec = importlib.util.spec_from_file_location(name, FUZZ / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TARGETS, framed, seeds = load("targets").TARGETS, load("targets").framed, load("fuzz").seeds
CASES = sorted(path for path in (FUZZ / "cases").rglob("*") if path.is_file())


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_kept_case_does_no_harm(case):
    TARGETS[case.parent.name](case.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_the_seeds_are_sound(target):
    for content in seeds(target).values():
        TARGETS[target](content)


FATAL = sorted((FUZZ / "cases" / "footer").glob("fatal-*"))


def test_a_footer_that_ends_its_reader_is_told_and_others_are_read(tmp_path):
    """The sound files around it are read all the same, and by a new process."""
    assert FATAL
    sound = framed(seeds("footer")["flat"])
    fatal = [framed(path.read_bytes()) for path in FATAL]
    names = [f"{number}.parquet" for number in range(len(fatal) + 3)]
    for name, content in zip(names, [sound, fatal[0], sound, *fatal], strict=True):
        (tmp_path / name).write_bytes(content)
    column = "_healpix_29"
    found = footers.read_footers(CatalogFolder(Tree(UPath(tmp_path))), names, footers.SchemaPool(), column)
    assert [footer.path for footer in found.readable] == ["0.parquet", "2.parquet"]
    assert all(footer_sandbox.FATAL in str(broken.error) for broken in found.broken)


def test_a_catalog_full_of_such_footers_takes_a_bounded_time(tmp_path, monkeypatch):
    monkeypatch.setattr(footer_sandbox, "MOST_CRASHES", 2)
    names = [f"{number}.parquet" for number in range(12)]
    for name in names:
        (tmp_path / name).write_bytes(framed(FATAL[0].read_bytes()))
    found = footers.read_footers(CatalogFolder(Tree(UPath(tmp_path))), names, footers.SchemaPool(), None)
    told = [str(broken.error) for broken in found.broken]
    assert len(told) == len(names)
    assert sum(footer_sandbox.FATAL in text for text in told) == 3
    assert sum("too many other files" in text for text in told) == 9
