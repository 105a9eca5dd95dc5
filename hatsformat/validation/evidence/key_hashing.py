"""Hash the values of columns to 64-bit keys, and store sets of keys that may be larger than memory.

Indexes and associations are compared with their tables by keys. Equal values have equal keys, and collisions
are so rare that they are ignored; a reported difference is always real.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hatsformat.arrays import as_floats, as_integers, as_numbers, valid_mask
from hatsformat.healpix import IntArray
from hatsformat.layout import HIVE_COLUMNS
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.schemas import plain, single_fields

KeyArray: TypeAlias = npt.NDArray[np.uint64]

NESTED = "nested"
BUCKET_BITS = 7
MOST_IN_MEMORY = 6_000_000
"""The most pairs kept in memory, about 100 MB; more go to temporary files."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_ODD_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))


def mixed(numbers: npt.NDArray[Any]) -> KeyArray:
    """Return 64-bit numbers with mixed bits, a bijection (splitmix64)."""
    bits = np.asarray(numbers).view(np.uint64) + _ODD
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: KeyArray = bits ^ (bits >> np.uint64(31))
    return result


def common_kind(kinds: Sequence[pa.DataType]) -> str:
    """Return how columns of these types are compared, such as ``integer``, ``real``, ``text`` or ``time``.

    Raises
    ------
    NoEvidenceError
        If they cannot be compared.
    """
    families = {family(kind) for kind in kinds}
    if families == {"integer", "real"}:
        return "real"
    if len(families) == 1 and (only := families.pop()) is not None:
        return only
    raise NoEvidenceError(f"columns of the types {', '.join(sorted(set(map(str, kinds))))} are not compared")


def family(kind: pa.DataType) -> str | None:
    """Return how values of a type are compared; None if they cannot be. See `common_kind`."""
    if pa.types.is_dictionary(kind):
        return family(kind.value_type)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "real"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view":
        return "text"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or str(kind) == "binary_view":
        return "text"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "time"
    if pa.types.is_time(kind):
        return "time of day"
    if pa.types.is_duration(kind):
        return "duration"
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return None
    if pa.types.is_nested(kind):
        inner = [kind.field(index).type for index in range(kind.num_fields)]
        return f"{NESTED} {plain(kind)}" if all(map(family, inner)) else None
    return f"decimal {kind.scale}" if pa.types.is_decimal(kind) else None


def keys_of(column: Any, kind: str) -> tuple[KeyArray, npt.NDArray[np.bool_]]:
    """Return a key for each value, and which values are valid; see `common_kind`.

    Parameters
    ----------
    column : pyarrow.ChunkedArray, shape (n,)
    kind : str
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    there = valid_mask(column)
    if kind.startswith(NESTED):
        return nested_keys(column.combine_chunks()), there
    if kind == "text":
        return _text_keys(column), there
    if kind == "time":
        column = column.cast(pa.timestamp("ns", getattr(column.type, "tz", None)), safe=False).cast(
            pa.int64()
        )
    if kind == "time of day":
        column = column.cast(pa.time64("ns"))
    if kind == "duration":
        column = column.cast(pa.duration("ns"), safe=False)
    if kind.startswith("decimal"):
        return _text_keys(column.cast(pa.string())), there
    if kind == "real":
        values = as_floats(column)
        # Minus zero equals zero; NaN is treated as missing.
        return mixed(values + 0.0), there & ~np.isnan(values)
    if not pa.types.is_integer(column.type):
        column = column.cast(pa.int64())
    numbers = as_numbers(column)
    wide = np.where(there, numbers, 0).astype(np.uint64 if numbers.dtype.kind == "u" else np.int64)
    return mixed(wide), there


def _text_keys(column: Any) -> KeyArray:
    """Return a key for each string: a polynomial of its bytes, from cumulative sums."""
    keys = []
    for chunk in column.cast(pa.large_binary()).chunks:
        if len(chunk) == 0:
            continue
        offsets = np.frombuffer(chunk.buffers()[1], dtype=np.int64)[
            chunk.offset : chunk.offset + len(chunk) + 1
        ]
        data = chunk.buffers()[2]
        first, last = int(offsets[0]), int(offsets[-1])
        letters = np.zeros(0, dtype=np.uint8) if data is None else np.frombuffer(data, np.uint8)[first:last]
        starts, stops = offsets[:-1] - first, offsets[1:] - first
        powers = np.full(letters.size + 1, _ODD)
        powers[0] = 1
        np.cumprod(powers, out=powers)
        sums = np.zeros(letters.size + 1, dtype=np.uint64)
        np.cumsum((letters.astype(np.uint64) + np.uint64(1)) * powers[:-1], out=sums[1:])
        back = np.full(letters.size + 1, _ODD_INVERSE)
        back[0] = 1
        np.cumprod(back, out=back)
        keys.append(mixed((sums[stops] - sums[starts]) * back[starts] + (stops - starts).astype(np.uint64)))
    return np.concatenate(keys) if keys else np.zeros(0, dtype=np.uint64)


def nested_keys(array: pa.Array) -> KeyArray:
    """Return a key for each list or struct, from all its values; missing and empty lists are the same."""
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    kind = array.type
    if pa.types.is_struct(kind):
        total = np.zeros(len(array), dtype=np.uint64)
        for child in array.flatten():
            total = mixed(total + _inner_keys(child))
        return total
    if pa.types.is_fixed_size_list(kind):
        array = array.cast(pa.list_(kind.value_field))
    if pa.types.is_map(kind):
        inner = mixed(_inner_keys(array.keys)) + _inner_keys(array.items)
    else:
        inner = _inner_keys(array.values)
    offsets = as_integers(array.offsets)
    starts, stops = offsets[:-1], offsets[1:]
    index = np.arange(len(inner), dtype=np.int64)
    if len(starts):
        # The index of each element in its list; elements outside lists are ignored.
        index -= np.repeat(np.append(starts, 0), np.diff(np.append(np.append(0, stops), len(inner))))
    sums = np.zeros(len(inner) + 1, dtype=np.uint64)
    np.cumsum(mixed(inner + index.view(np.uint64) * _ODD), out=sums[1:])
    return mixed(sums[stops] - sums[starts] + (stops - starts).astype(np.uint64))


def _inner_keys(array: pa.Array) -> KeyArray:
    keys, there = keys_of(pa.chunked_array([array]), common_kind([array.type]))
    return np.where(there, keys, np.uint64(0))


def _temporary() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="hatsformat-")


class PairSet:
    """A set of pairs of a key and a number; only one bucket at a time has to fit into memory.

    Use it as a context manager, which removes the temporary files.
    """

    def __init__(self, most: int = MOST_IN_MEMORY) -> None:
        self._most = most
        self._waiting: list[tuple[KeyArray, IntArray]] = []
        self._count = 0
        self._files: list[IO[bytes]] = []
        self._open = ExitStack()

    def __enter__(self) -> PairSet:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, keys: KeyArray, numbers: IntArray) -> None:
        """Add pairs, shape (n,) each."""
        self._waiting.append((keys, numbers))
        self._count += len(keys)
        if self._count > self._most:
            self._spill()

    def _spill(self) -> None:
        if not self._files:
            self._files = [self._open.enter_context(_temporary()) for _ in range(1 << BUCKET_BITS)]
        for file, pairs in zip(self._files, self._sorted_out(), strict=True):
            file.write(pairs.tobytes())

    def _sorted_out(self) -> list[KeyArray]:
        """Return the pending pairs as arrays of shape (k, 2), one per bucket."""
        empty = (np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))
        keys = np.concatenate([keys for keys, _ in (empty, *self._waiting)])
        numbers = np.concatenate([numbers for _, numbers in (empty, *self._waiting)])
        self._waiting, self._count = [], 0
        pairs = np.stack((keys, numbers.view(np.uint64)), axis=1)
        bucket = (keys >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)
        pairs = pairs[np.argsort(bucket, kind="stable")]
        ends = np.cumsum(np.bincount(bucket, minlength=1 << BUCKET_BITS))
        return np.split(pairs, ends[:-1])

    def buckets(self) -> Iterator[KeyArray]:
        """Yield the distinct pairs of each bucket, shape (k, 2): keys, and numbers as unsigned bits."""
        if not self._files:
            rest = self._sorted_out()
            everything = np.concatenate(rest)
            self._waiting = [(everything[:, 0], everything[:, 1].view(np.int64))]
            yield from map(distinct, rest)
            return
        self._spill()
        for file in self._files:
            file.seek(0)
            yield distinct(np.frombuffer(file.read(), dtype=np.uint64).reshape(-1, 2))


def distinct(pairs: KeyArray) -> KeyArray:
    """Return pairs, shape (n, 2), sorted and without duplicates."""
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    keep = np.ones(len(pairs), dtype=bool)
    keep[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    kept: KeyArray = pairs[keep]
    return kept


def is_among(pairs: KeyArray, others: KeyArray) -> npt.NDArray[np.bool_]:
    """Return which of the pairs, shape (n, 2), are among the others; both have no duplicates."""
    both = np.concatenate((pairs, others))
    order = np.lexsort((both[:, 1], both[:, 0]))
    again = np.zeros(len(both), dtype=bool)
    same = (both[order[1:]] == both[order[:-1]]).all(axis=1)
    again[order[1:][same]] = True
    again[order[:-1][same]] = True
    found: npt.NDArray[np.bool_] = again[: len(pairs)]
    return found


def comparable_columns(schema: pa.Schema, other: pa.Schema) -> list[str]:
    """Return the shared columns of two schemas whose types can be compared.

    Not those that repeat a path, which not all files of a catalog have.
    """
    theirs = single_fields(other)
    return [
        name
        for name, field in single_fields(schema).items()
        if name not in HIVE_COLUMNS
        and name in theirs
        and plain(field.type).equals(plain(theirs[name].type))
        and _is_comparable(field.type)
    ]


def _is_comparable(kind: pa.DataType) -> bool:
    try:
        common_kind([kind])
    except NoEvidenceError:
        return False
    return True
