"""Imports as tests run them: into folders that go away, with little memory, refused; and what they wrote."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from hatsformat.errors import InputError
from hatsformat.importing import import_catalog
from hatsformat.partitioner.memory import MemoryBudget
from tests.support import skies

# What differs between two runs that are a second apart, and what their file sizes do.
DATED = ("hats_creation_date", "hats_release_date", "hats_estsize")


@contextmanager
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def little_memory(runs=0, chunk=2000):
    """Runs are spilled to scratch once they are larger than `runs`, and chunks are small, both in bytes."""
    with (
        mock.patch.object(MemoryBudget, "runs_bytes", property(lambda self: runs)),
        mock.patch.object(MemoryBudget, "chunk_bytes", property(lambda self: chunk)),
    ):
        yield


def content(root):
    """Every file of a catalog by its path, the properties without their dates."""
    found = {path: (root / path).read_bytes() for path in skies.files(root)}
    for name in ("hats.properties", "properties"):
        lines = found[name].decode().splitlines()
        found[name] = [line for line in lines if not line.startswith(DATED)]
    return found


def densest(table, order):
    return int(np.unique(skies.healpix(table["ra"], table["dec"], order), return_counts=True)[1].max())


def rows_of(tmp_path, *inputs, **options):
    """Import and return all rows, sorted by id."""
    import_catalog(list(inputs), tmp_path / "sky", **options)
    return skies.read_rows(tmp_path / "sky").sort_by("id")


def refused(tmp_path, *inputs, error=InputError, **options):
    """The import is refused in one line, and leaves nothing; returns the line."""
    before = skies.files(tmp_path)
    with pytest.raises(error) as raised:
        import_catalog(list(inputs), tmp_path / "sky", **options)
    assert skies.files(tmp_path) == before
    assert not (tmp_path / "sky").exists()
    assert "\n" not in str(raised.value)
    return str(raised.value)
