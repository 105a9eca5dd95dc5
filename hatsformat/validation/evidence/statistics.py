"""Compare ``per_partition_statistics.parquet`` with the footers of the leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from hatsformat.errors import HatsError
from hatsformat.healpix import MAX_ORDER, uniq
from hatsformat.validation.check_api import NoEvidenceError
from hatsformat.validation.evidence.catalog import CatalogEvidence
from hatsformat.validation.evidence.footer_worker import ChunkStatistics, StatisticsQuestion
from hatsformat.validation.evidence.footers import FOOTER_LIMIT, ask_footers
from hatsformat.validation.evidence.streaming import Batch, need_batches

FIELDS = ("min_value", "max_value", "null_count", "row_count", "disk_bytes", "memory_bytes")
KEYS = ("Norder", "Npix", "row_group_index")
MOST_REPORTED = 1_000
"""The most different values that are reported."""

GroupKey: TypeAlias = tuple[int, int, int]
"""The order, the pixel and the number of a row group."""


@dataclass
class StatisticsScan:
    """The wrong rows of the statistics.

    Attributes
    ----------
    strange : list of (int, (int, int, int))
        Rows with an unknown or duplicate row group: the row, and its order, pixel and
        row group.
    wrong : list of (int, str, object, object)
        Values that differ from the footers: the row, the column, the value, and the expected value.
    sizes : list of (int, str, object, object)
        The same, of sizes in bytes.
    """

    strange: list[tuple[int, GroupKey]] = field(default_factory=list)
    wrong: list[tuple[int, str, Any, Any]] = field(default_factory=list)
    sizes: list[tuple[int, str, Any, Any]] = field(default_factory=list)


def scan_statistics(catalog: CatalogEvidence) -> StatisticsScan:
    """Compare the statistics file with the footers.

    Raises
    ------
    NoEvidenceError
        If the file or one of its columns is missing, or a leaf has several files.
    """
    footer = catalog.footers.statistics.need()
    if any(footer.schema.names.count(name) != 1 for name in KEYS):
        raise NoEvidenceError("required columns are missing from the statistics, or duplicate")
    catalog.footers.leaves.check_complete()
    leaves = catalog.files.leaves
    if len(np.unique(leaves.uniq)) < len(leaves):
        raise NoEvidenceError("a leaf has several files, which the statistics do not distinguish")
    files = dict(zip(leaves.uniq.tolist(), catalog.footers.leaves.readable, strict=True))
    scan = StatisticsScan()
    seen: set[tuple[int, int]] = set()
    for batch in need_batches(catalog.folder, footer):
        keys = _group_keys(batch)
        known: dict[int, tuple[str, int, int]] = {}
        for row, key in enumerate(keys):
            number = int(uniq(np.array([key[0]]), np.array([key[1]]))[0]) if _is_tile(key) else -1
            own = files.get(number)
            is_known = own is not None and 0 <= key[2] < len(own.group_rows)
            if own is None or not is_known or (number, key[2]) in seen:
                scan.strange.append((batch.first_row + row, key))
                continue
            seen.add((number, key[2]))
            known[row] = own.path, key[2], number
        try:
            _compare(catalog, batch, known, scan)
        except (ValueError, OverflowError) as error:  # dates outside Python's range
            raise NoEvidenceError(f"the statistics cannot be compared: {error}") from error
    return scan


def _is_tile(key: GroupKey) -> bool:
    return 0 <= key[0] <= MAX_ORDER and 0 <= key[1] < 12 << 2 * key[0]


def _group_keys(batch: Batch) -> list[GroupKey]:
    columns = []
    for name in KEYS:
        column = batch.table.column(name)
        if not pa.types.is_integer(column.type):
            raise NoEvidenceError(f"the column {name} of the statistics does not hold integers")
        columns.append(column.fill_null(-1 if pa.types.is_signed_integer(column.type) else 0).to_pylist())
    return list(zip(*columns, strict=True))


def _compare(
    catalog: CatalogEvidence, batch: Batch, known: Mapping[int, tuple[str, int, int]], scan: StatisticsScan
) -> None:
    """Compare the values of some rows; `known` has the file and the row group of each."""
    names = _columns(batch.table.column_names)
    statistics = _statistics(catalog, sorted({path for path, _, _ in known.values()}), list(names))
    for name, fields in names.items():
        for field_name, column_name in fields.items():
            values = batch.table.column(column_name).to_pylist()
            is_single = pa.types.is_float32(batch.table.schema.field(column_name).type)
            differing = scan.sizes if field_name.endswith("_bytes") else scan.wrong
            for row, (path, group, _) in known.items():
                expected = getattr(statistics[path][group].get(name), field_name, None)
                if is_single and isinstance(expected, float):
                    expected = float(np.float32(expected))
                is_wrong = expected is not None and not _same(values[row], expected)
                if is_wrong and len(differing) < MOST_REPORTED:
                    differing.append((batch.first_row + row, column_name, values[row], expected))


def _columns(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the columns of the statistics by catalog column and field."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        column, separator, field_name = name.rpartition("::")
        if separator and field_name in FIELDS:
            found.setdefault(column, {})[field_name] = name
    return found


def _statistics(
    catalog: CatalogEvidence, paths: Sequence[str], names: Sequence[str]
) -> dict[str, list[dict[str, ChunkStatistics]]]:
    """Return the statistics of columns in files: for each row group, by the column's name."""
    found: dict[str, list[dict[str, ChunkStatistics]]] = {}
    question = StatisticsQuestion(FOOTER_LIMIT, tuple(names))
    for path, groups in ask_footers(catalog.folder, paths, question):
        if isinstance(groups, HatsError):
            raise NoEvidenceError(f"the footer of {path} cannot be read")
        found[path] = [
            {name: entry for name, entry in zip(names, entries, strict=True) if entry is not None}
            for entries in groups
        ]
    return found


def _same(value: Any, expected: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, float) and isinstance(expected, float | int):
        return value == expected or (math.isnan(value) and math.isnan(expected))
    if isinstance(value, int | float) and isinstance(expected, int | float):
        return value == expected
    if type(value) is not type(expected):
        return True  # Arrow converts dates and bytes differently in columns and statistics
    return bool(value == expected)
