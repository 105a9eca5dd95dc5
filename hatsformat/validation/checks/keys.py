"""Checks of the keys of index and association tables (Note, section 3.1)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hatsformat.arrays import as_mask, valid_mask
from hatsformat.validation.check_api import NoEvidenceError, RowVerdict
from hatsformat.validation.evidence.row_batch import RowBatch
from hatsformat.validation.registry import row_check


@row_check("HATS-SUPP-109", "rows of the index are not sorted by the indexed column")
def sorted_by_key(batch: RowBatch) -> RowVerdict:
    """Check that the rows of each file of an index are sorted by the indexed column."""
    if batch.plan.indexed is None:
        raise NoEvidenceError("hats_index_column is missing from the properties")
    values = batch.column(batch.plan.indexed)
    wrong = np.zeros(len(values), dtype=bool)
    try:
        wrong[1:] = as_mask(pc.less(values[1:], values[:-1]))
    except pa.ArrowNotImplementedError as error:
        raise NoEvidenceError(f"values of type {values.type} cannot be ordered") from error
    actual = values.to_pylist() if wrong.any() else None
    return RowVerdict(wrong, batch.plan.indexed, actual, "ascending values")


@row_check("HATS-SUPP-211", "rows of the association have no key")
def keys_are_there(batch: RowBatch) -> RowVerdict:
    """Check that every row of an association has both of its keys."""
    wrong = np.zeros(batch.table.num_rows, dtype=bool)
    column = None
    for name in batch.plan.keys:
        values = batch.column(name)
        if values.null_count:
            wrong |= ~valid_mask(values)
            column = column or name
    return RowVerdict(wrong, column, None, "a value")
