"""Quarantine: rows without a position, with their file, row and reason, in a Parquet file next to the
catalog.
"""

from __future__ import annotations

from collections.abc import Sequence

from upath import UPath

from hatsformat.artefacts.leaf import LeafFormat, leaf_writer
from hatsformat.partitioner.runs import Run
from hatsformat.partitioner.schema import InputSchema, fit, plan_schema


def write_quarantine(path: UPath, rejected: Sequence[Run]) -> str | None:
    """Write rejected rows, one run in memory at a time; return the path, or None if there are none."""
    if not rejected:
        return None
    schemas = (InputSchema(run.name, run.rows.slice(0, 0).schema, inferred=True) for run in rejected)
    schema = plan_schema(schemas)
    with leaf_writer(path, schema, LeafFormat(sorting=())) as sink:
        for run in rejected:
            sink.write(fit(run.rows.slice(0, run.rows.pixels.size), schema, run.name))
    return str(path)
