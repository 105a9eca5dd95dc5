"""The data files of a catalog, sorted by their paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hatsformat.healpix import IntArray, dir_number, uniq
from hatsformat.layout import (
    COMMON_METADATA,
    DATASET,
    DIRECTORY_SUFFIX,
    METADATA,
    LeafNames,
    leaf_paths,
    parse_leaf_paths,
)

INDEX_DIRECTORY = f"{DATASET}/index/"
"""The folder of the files of an index table."""

_PARQUET_ENDINGS = (".parquet", ".pq", ".parq")


@dataclass(frozen=True)
class Leaves:
    """Data files in columns; all sequences have shape (n,), and the files are in the order of their paths.

    Attributes
    ----------
    paths : list of str
        Relative to the catalog.
    orders, pixels, dirs : ndarray of int64
        The numbers in the path; -1 for the files of an index.
    """

    paths: list[str]
    orders: IntArray
    pixels: IntArray
    dirs: IntArray

    @classmethod
    def of_index(cls, paths: Iterable[str]) -> Leaves:
        """Create it from the files of an index."""
        known = sorted(paths)
        none = np.full(len(known), -1, dtype=np.int64)
        return cls(known, none, none, none)

    @classmethod
    def of_tiles(cls, orders: npt.NDArray[np.integer], pixels: IntArray, suffix: str) -> Leaves:
        """Create it from the tiles of a catalog whose files cannot be listed."""
        paths = np.array(leaf_paths(orders, pixels, suffix), dtype=object)
        by_path = np.argsort(paths, kind="stable")
        wide, numbers = np.asarray(orders, dtype=np.int64)[by_path], pixels[by_path]
        return cls(paths[by_path].tolist(), wide, numbers, dir_number(numbers))

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def units(self) -> list[str]:
        """The leaf that each file belongs to: the file itself, or its leaf directory."""
        # Most catalogs have no leaf directories, and a million paths take a while.
        plain = not any("/" in path.rpartition("/Npix=")[2] for path in self.paths)
        return self.paths if plain else [unit_of(path) for path in self.paths]

    @cached_property
    def uniq(self) -> IntArray:
        """One number for each file's tile (see `healpix.uniq`); 3 for all files of an index."""
        return uniq(self.orders.clip(0), self.pixels)

    @property
    def wrong_dirs(self) -> list[int]:
        """The indices of files whose ``Dir=`` does not match their pixel."""
        tiled = self.orders >= 0
        return np.flatnonzero(tiled & (self.dirs != dir_number(self.pixels))).tolist()


def unit_of(path: str) -> str:
    """Return the leaf that a file belongs to: itself, or the directory ``Npix=K`` of the file."""
    head, found, tail = path.rpartition("/Npix=")
    return f"{head}{found}{tail.partition('/')[0]}" if found else path


@dataclass(frozen=True)
class Dataset:
    """The files below ``dataset/``, classified.

    Attributes
    ----------
    leaves : Leaves
        The data files that readers find by tile, or the files of an index table.
    strays : Leaves
        Parquet files at the path of a tile, with another suffix than the catalog's.
    impossible : list of str
        Parquet files whose path is not that of an existing tile.
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


def sort_out(files: Iterable[str], table_type: str, declared: str) -> Dataset:
    """Classify the files of a catalog by their paths.

    Parameters
    ----------
    files : iterable of str
        Paths relative to the catalog.
    table_type : str
    declared : str
        ``hats_npix_suffix``.
    """
    start = f"{DATASET}/"
    paths = sorted(
        path for path in files if path.startswith(start) and path not in (METADATA, COMMON_METADATA)
    )
    if table_type == "index":
        # Readers open the whole directory, whatever the names of its files.
        parts = {path for path in paths if _is_index_part(path)}
        others = [path for path in paths if path not in parts]
        return Dataset(Leaves.of_index(parts), Leaves.of_index(()), [], others, declared)
    names = parse_leaf_paths(paths)
    is_folder = np.array([suffix == DIRECTORY_SUFFIX for suffix in (*names.suffixes, "")])[names.suffix]
    # Files named like a leaf directory, and files that readers ignore, are not leaves.
    is_leaf = names.found & ~(is_folder & ~names.has_part)
    suffix = _effective_suffix(names, is_leaf, declared)
    impossible: list[str] = []
    unexpected: list[str] = []
    for at in np.flatnonzero(~is_leaf).tolist():
        hidden = paths[at].rsplit("/", 1)[-1].startswith((".", "_"))
        is_data = not names.found[at] and paths[at].endswith(_PARQUET_ENDINGS) and not hidden
        (impossible if is_data else unexpected).append(paths[at])
    stray_suffixes = np.array(
        [
            other != suffix and (other == DIRECTORY_SUFFIX or other.endswith((*_PARQUET_ENDINGS, suffix)))
            for other in (*names.suffixes, "")
        ]
    )
    own = np.array([other == suffix for other in (*names.suffixes, "")])[names.suffix] & is_leaf
    stray = stray_suffixes[names.suffix] & is_leaf
    unexpected += [paths[at] for at in np.flatnonzero(is_leaf & ~own & ~stray).tolist()]

    def chosen(mask: npt.NDArray[np.bool_]) -> Leaves:
        some = paths if mask.all() else [paths[at] for at in np.flatnonzero(mask).tolist()]
        return Leaves(some, names.orders[mask], names.pixels[mask], names.dirs[mask])

    return Dataset(chosen(own), chosen(stray), impossible, sorted(unexpected), suffix)


def _is_index_part(path: str) -> bool:
    hidden = path.rsplit("/", 1)[-1].startswith((".", "_"))
    return path.startswith(INDEX_DIRECTORY) and path.endswith(_PARQUET_ENDINGS) and not hidden


def _effective_suffix(names: LeafNames, is_leaf: npt.NDArray[np.bool_], declared: str) -> str:
    counts = Counter(
        {
            suffix: int(np.count_nonzero(is_leaf & (names.suffix == number)))
            for number, suffix in enumerate(names.suffixes)
        }
    )
    if counts[declared] or not is_leaf.any():
        return declared
    common = Counter(
        {
            suffix: count
            for suffix, count in counts.items()
            if count and (suffix == DIRECTORY_SUFFIX or suffix.endswith(_PARQUET_ENDINGS))
        }
    )
    return common.most_common(1)[0][0] if common else declared
