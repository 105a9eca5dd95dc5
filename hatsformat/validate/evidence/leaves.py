"""The data files of a catalog, by what their paths say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hatsformat.healpix import IntArray, dir_number
from hatsformat.layout import (
    COMMON_METADATA,
    DATASET,
    DIRECTORY_SUFFIX,
    METADATA,
    parse_index_part,
    parse_leaf_path,
)

_PARQUET_ENDINGS = (".parquet", ".pq", ".parq")


@dataclass(frozen=True)
class Leaves:
    """Data files in columns; all sequences have shape (n,), and the files are in the order of their paths.

    Attributes
    ----------
    paths : list of str
        Relative to the catalog.
    sizes, orders, pixels, dirs : ndarray of int64
        Bytes (-1 where unknown), and the numbers in the path; orders are -1 for the files of an index.
    """

    paths: list[str]
    sizes: IntArray
    orders: IntArray
    pixels: IntArray
    dirs: IntArray

    @classmethod
    def of(cls, rows: Iterable[tuple[str, int, int, int, int]]) -> Leaves:
        """Make it from rows of path, size, order, pixel and dir."""
        table = sorted(rows)
        numbers = np.array([row[1:] for row in table], dtype=np.int64).reshape(-1, 4)
        return cls([row[0] for row in table], numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3])

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def units(self) -> list[str]:
        """The leaf that each file belongs to: the file itself, or its leaf directory."""
        return [unit_of(path) for path in self.paths]

    @cached_property
    def uniq(self) -> IntArray:
        """One number for each file's tile; see `uniq`."""
        return uniq(self.orders, self.pixels)

    @property
    def wrong_dirs(self) -> list[int]:
        """The indices of files whose ``Dir=`` is not that of their pixel."""
        tiled = self.orders >= 0
        return np.flatnonzero(tiled & (self.dirs != dir_number(self.pixels))).tolist()


def uniq(orders: IntArray, pixels: IntArray) -> IntArray:
    """Return one number for each tile, the ``uniq`` of MOC: ``4 * 4**order + pixel``."""
    wide = np.asarray(orders, dtype=np.int64)
    number: IntArray = np.left_shift(np.int64(4), 2 * wide.clip(0)) + np.asarray(pixels, dtype=np.int64)
    return number


def unit_of(path: str) -> str:
    """Return the leaf that a file belongs to: itself, or the directory ``Npix=K`` that it lies in."""
    head, found, tail = path.rpartition("/Npix=")
    return f"{head}{found}{tail.partition('/')[0]}" if found else path


@dataclass(frozen=True)
class Dataset:
    """The files below ``dataset/``, sorted out.

    Attributes
    ----------
    leaves : Leaves
        The data files that readers find by tile, or the files of an index table.
    strays : Leaves
        Parquet files at the path of a tile, with another suffix than the catalog's.
    impossible : list of str
        Parquet files that do not lie at the path of a tile that exists.
    unexpected : list of str
        Everything else but the two metadata files.
    suffix : str
        The suffix of `leaves`: the declared one if any file has it, else the most common.
    """

    leaves: Leaves
    strays: Leaves
    impossible: list[str]
    unexpected: list[str]
    suffix: str


def sort_out(files: Mapping[str, int], table_type: str, declared: str) -> Dataset:
    """Sort the files of a catalog by what their paths say.

    Parameters
    ----------
    files : mapping of str to int
        Sizes by path, relative to the catalog.
    table_type : str
    declared : str
        ``hats_npix_suffix``.
    """
    impossible: list[str] = []
    unexpected: list[str] = []
    by_suffix: dict[str, list[tuple[str, int, int, int, int]]] = {}
    index: list[tuple[str, int, int, int, int]] = []
    for path, size in files.items():
        if not path.startswith(f"{DATASET}/") or path in (METADATA, COMMON_METADATA):
            continue
        if table_type == "index":
            if parse_index_part(path) is not None:
                index.append((path, size, -1, -1, -1))
            else:
                unexpected.append(path)
            continue
        name = parse_leaf_path(path)
        hidden = path.rsplit("/", 1)[-1].startswith((".", "_"))
        if name is None:
            is_data = path.endswith(_PARQUET_ENDINGS) and not hidden
            (impossible if is_data else unexpected).append(path)
        elif hidden or (name.suffix == DIRECTORY_SUFFIX and name.part is None):
            unexpected.append(path)
        else:
            row = (path, size, name.order, name.pixel, name.dir)
            by_suffix.setdefault(name.suffix, []).append(row)
    suffix = _effective_suffix(by_suffix, declared)
    strays: list[tuple[str, int, int, int, int]] = []
    for other, rows in by_suffix.items():
        if other == suffix:
            continue
        if other == DIRECTORY_SUFFIX or other.endswith((*_PARQUET_ENDINGS, suffix)):
            strays.extend(rows)
        else:
            unexpected.extend(row[0] for row in rows)
    leaves = Leaves.of(index if table_type == "index" else by_suffix.get(suffix, []))
    return Dataset(leaves, Leaves.of(strays), sorted(impossible), sorted(unexpected), suffix)


def _effective_suffix(by_suffix: Mapping[str, list[tuple[str, int, int, int, int]]], declared: str) -> str:
    if declared in by_suffix or not by_suffix:
        return declared
    counts = Counter(
        {
            suffix: len(rows)
            for suffix, rows in by_suffix.items()
            if suffix == DIRECTORY_SUFFIX or suffix.endswith(_PARQUET_ENDINGS)
        }
    )
    return counts.most_common(1)[0][0] if counts else declared
