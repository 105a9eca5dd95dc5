"""Build and parse every path of the format (Note, sections 3.1 to 3.3 and 3.6).

Paths are POSIX strings relative to the root of a catalog or collection. This module touches no files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.arrays import as_integers, as_mask, as_numbers, from_numbers, from_strings, valid_mask
from hatsformat.errors import LayoutError
from hatsformat.healpix import BASE_TILES, MAX_ORDER, HealpixPixel, IntArray, IntLike, dir_number, npix

PROPERTIES = "hats.properties"
LEGACY_PROPERTIES = "properties"
CATALOG_PROPERTIES = (PROPERTIES, LEGACY_PROPERTIES)
"""The names of a catalog's properties file, the preferred one first."""

COLLECTION_PROPERTIES = "collection.properties"
PARTITION_INFO = "partition_info.csv"
PARTITION_JOIN_INFO = "partition_join_info.csv"
SKYMAP = "skymap.fits"
POINT_MAP = "point_map.fits"
THUMBNAIL = "data_thumbnail.parquet"
STATISTICS = "per_partition_statistics.parquet"
DATASET = "dataset"
METADATA = "dataset/_metadata"
COMMON_METADATA = "dataset/_common_metadata"
INDEX_DIR = "dataset/index"

LEAF_SUFFIX = ".parquet"
"""The default suffix of leaf files, without ``hats_npix_suffix``."""

DIRECTORY_SUFFIX = "/"
"""The suffix of catalogs whose leaves are directories of Parquet files."""

HIVE_COLUMNS = ("Norder", "Dir", "Npix", "margin_Norder", "margin_Dir", "margin_Npix")
"""Path parts that older writers also wrote as columns of the leaf files."""


@dataclass(frozen=True, slots=True)
class LeafName:
    """The parts of a leaf path.

    Attributes
    ----------
    order, dir, pixel : int
        The values of ``Norder=``, ``Dir=`` and ``Npix=``.
    suffix : str
        What follows the pixel number: ``.parquet``, another file suffix, or ``/`` for a leaf directory.
    part : str or None
        The file's path inside its leaf directory; None for a single file, or for the directory itself.
    """

    order: int
    dir: int
    pixel: int
    suffix: str = LEAF_SUFFIX
    part: str | None = None

    @property
    def tile(self) -> HealpixPixel:
        """The tile; raises `UsageError` if the order has no such pixel."""
        return HealpixPixel(self.order, self.pixel)

    @property
    def has_expected_dir(self) -> bool:
        """Whether ``Dir=`` is the right directory for the pixel."""
        return self.dir == int(dir_number(self.pixel))

    @property
    def path(self) -> str:
        """The path; a wrong ``Dir=`` stays as it is."""
        folder = f"{DATASET}/Norder={self.order}/Dir={self.dir}/Npix={self.pixel}"
        if self.suffix != DIRECTORY_SUFFIX:
            return folder + self.suffix
        return folder if self.part is None else f"{folder}/{self.part}"


def leaf_path(order: int, pixel: int, suffix: str = LEAF_SUFFIX, part: str | None = None) -> str:
    """Return the path of one leaf: a file, a leaf directory (suffix ``/``), or a file within it.

    Parameters
    ----------
    order, pixel : int
        The tile.
    suffix : str
        ``hats_npix_suffix``.
    part : str, optional
        A file of the leaf directory.

    Raises
    ------
    LayoutError
        If `suffix` is invalid, or `part` is not a path inside a leaf directory.
    """
    check_suffix(suffix)
    if part is not None and (suffix != DIRECTORY_SUFFIX or not is_inside(part)):
        raise LayoutError(
            f"invalid name for a file of a leaf directory: {part!r}",
            found=f"suffix {suffix!r}",
            expected="a relative path, and suffix / for a leaf directory",
        )
    return LeafName(int(order), int(dir_number(pixel)), int(pixel), suffix, part).path


def check_suffix(suffix: str) -> str:
    """Return a leaf suffix; raise `LayoutError` unless it is ``/`` or like ``.parquet``.

    Suffixes come from properties files, and one such as ``/../x`` would lead out of the catalog.
    """
    if suffix != DIRECTORY_SUFFIX and (not suffix.startswith(".") or "/" in suffix or "\\" in suffix):
        raise LayoutError("invalid leaf suffix", found=suffix, expected="/ or a suffix like .parquet")
    return suffix


def leaf_paths(orders: IntLike, pixels: IntLike, suffix: str = LEAF_SUFFIX) -> list[str]:
    """Return the paths of many leaves, shape (n,); see `leaf_path`."""
    check_suffix(suffix)
    ending = "" if suffix == DIRECTORY_SUFFIX else suffix
    folders = dir_number(pixels)
    return [
        f"{DATASET}/Norder={order}/Dir={folder}/Npix={pixel}{ending}"
        for order, folder, pixel in zip(
            np.asarray(orders).tolist(), folders.tolist(), np.asarray(pixels).tolist(), strict=True
        )
    ]


# Digits are ASCII, bounded and without leading zeros, to reject "Npix=١", numbers of a million digits, and
# "Npix=007", which would be another name for tile 7.
_LEAF = re.compile(
    r"(?:^|/)Norder=(?P<order>0|[1-9][0-9]?)/Dir=(?P<dir>0|[1-9][0-9]{0,18})/"
    r"Npix=(?P<pixel>0|[1-9][0-9]{0,18})(?P<suffix>\.[^/]*|)(?P<part>/.*)?\Z"
)
_LARGEST = 2**63 - 1
_INDEX_PART = re.compile(r"(?:^|/)index/part\.(?P<number>[0-9]{1,9})\.parquet\Z")


def parse_leaf_path(path: str) -> LeafName | None:
    """Parse the path of a leaf.

    Percent-encoded names (``Norder%3D0``), as HTTP servers list them, and query strings are accepted. Any
    prefix may come before ``Norder=``, so older trees without ``dataset/`` and absolute paths parse too.

    Parameters
    ----------
    path : str
        A path with ``/`` as its separator.

    Returns
    -------
    LeafName or None
        None if this is not the path of a leaf, the tile does not exist, or readers skip the file in its leaf
        directory (``_metadata``, partial files). A wrong ``Dir=`` is returned unchanged: see
        `LeafName.has_expected_dir`.
    """
    text = unquote(path.split("?", 1)[0])
    found = _LEAF.search(text)
    if found is None:
        return None
    order, pixel = int(found["order"]), int(found["pixel"])
    if order > MAX_ORDER or pixel >= npix(order):
        return None
    suffix, tail = found["suffix"], found["part"]
    if suffix and tail:
        return None  # "Npix=1.parquet/x"
    if suffix:
        return LeafName(order, int(found["dir"]), pixel, suffix)
    part = tail.strip("/") if tail else None
    if part and not _is_data_file(part):
        return None
    return LeafName(order, int(found["dir"]), pixel, DIRECTORY_SUFFIX, part or None)


@dataclass(frozen=True)
class LeafNames:
    """The parts of many leaf paths: `LeafName` in columns, shape (n,) each.

    Attributes
    ----------
    found : ndarray of bool
        Which paths are leaf paths; for the others the numbers are -1.
    orders, dirs, pixels : ndarray of int64
        A ``Dir=`` beyond 64 bits becomes the largest int64.
    suffixes : tuple of str
        The suffixes that occur.
    suffix : ndarray of int64
        The index of each path's suffix in `suffixes`; -1 if there is none.
    has_part : ndarray of bool
        Which paths are files inside a leaf directory.
    """

    found: npt.NDArray[np.bool_]
    orders: IntArray
    dirs: IntArray
    pixels: IntArray
    suffixes: tuple[str, ...]
    suffix: IntArray
    has_part: npt.NDArray[np.bool_]


def parse_leaf_paths(paths: Sequence[str]) -> LeafNames:
    """Parse many leaf paths at once, with the results of `parse_leaf_path`.

    Parameters
    ----------
    paths : sequence of str, shape (n,)

    Returns
    -------
    LeafNames
    """
    import pyarrow.compute as pc

    count = len(paths)
    try:
        texts = from_strings(paths)
        odd = as_mask(pc.match_substring_regex(texts, "[%?]"))
    except UnicodeEncodeError:  # only the slow path can read a name that is not UTF-8
        texts, odd = pa.nulls(count, pa.string()), np.ones(count, dtype=bool)
    groups = pc.extract_regex(texts, _LEAF.pattern.replace(r"\Z", r"\z"))
    found = valid_mask(groups) & ~odd
    rows = from_numbers(np.flatnonzero(found))

    def numbers(name: str) -> IntArray:
        # 19 digits always fit in uint64, but not in int64.
        column = as_numbers(pc.struct_field(groups, name).take(rows).cast(pa.uint64()))
        values = np.zeros(count, dtype=np.int64)
        values[found] = np.minimum(column, np.uint64(_LARGEST)).astype(np.int64)
        return values

    orders, dirs, pixels = numbers("order"), numbers("dir"), numbers("pixel")
    part, ending = pc.struct_field(groups, "part"), pc.struct_field(groups, "suffix")
    has_part = _has_text(pc.utf8_trim(part, "/")) & found
    has_slash, is_file = _has_text(part), _has_text(ending)
    limit = np.left_shift(np.int64(BASE_TILES), 2 * np.minimum(orders, MAX_ORDER))
    found &= (orders <= MAX_ORDER) & (pixels < limit) & ~(is_file & has_slash)
    endings = ending.take(from_numbers(np.flatnonzero(is_file))).dictionary_encode()
    suffixes = [DIRECTORY_SUFFIX, *map(str, endings.dictionary.to_pylist())]
    suffix = np.zeros(count, dtype=np.int64)
    suffix[is_file] = as_integers(endings.indices) + 1
    # The few special paths: names with escapes, and files in leaf directories.
    for index in np.flatnonzero(odd | (found & has_part)).tolist():
        name = parse_leaf_path(paths[index])
        found[index] = name is not None
        if name is not None:
            orders[index], pixels[index], dirs[index] = name.order, name.pixel, min(name.dir, _LARGEST)
            has_part[index] = name.part is not None
            if name.suffix not in suffixes:
                suffixes.append(name.suffix)
            suffix[index] = suffixes.index(name.suffix)
    for values in (orders, dirs, pixels, suffix):
        values[~found] = -1
    return LeafNames(found, orders, dirs, pixels, tuple(suffixes), suffix, has_part & found)


def _has_text(texts: pa.Array) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    return as_integers(pc.binary_length(texts), missing=0) > 0


def _is_data_file(part: str) -> bool:
    """Return whether a file of a leaf directory holds rows: readers skip ``_`` and ``.`` names."""
    return is_inside(part) and not any(name.startswith((".", "_")) for name in part.split("/"))


def index_part_path(number: int) -> str:
    """Return the path of one part of an index table."""
    return f"{INDEX_DIR}/part.{number}.parquet"


def parse_index_part(path: str) -> int | None:
    """Return the number of a part of an index table, or None if the path is not one."""
    found = _INDEX_PART.search(unquote(path.split("?", 1)[0]))
    return None if found is None else int(found["number"])


def skymap_path(order: int | None = None) -> str:
    """Return the path of the skymap, or of its down-sampled copy at `order` (``hats_skymap_alt_orders``)."""
    return SKYMAP if order is None else f"skymap.{order}.fits"


def is_inside(path: str) -> bool:
    """Return whether a relative path stays inside its root: not absolute, no ``..``, no URL."""
    text = unquote(path).replace("\\", "/")
    if not text or text.startswith(("/", "~")) or ":" in text.split("/", 1)[0]:
        return False
    return ".." not in text.split("/") and "\0" not in text
