"""Mapping all inputs: sent to the workers, read again where guessed types did not hold, and combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
from upath import UPath

from hatsformat.errors import InputError
from hatsformat.inputs import CsvSource, Source
from hatsformat.inputs.parquet import parquet_sources
from hatsformat.partitioner import map_notes, mapping
from hatsformat.partitioner.context import BuildContext
from hatsformat.partitioner.coordinates import has_coordinates
from hatsformat.partitioner.mapping import MappedInput, MappedRows, MapSettings
from hatsformat.partitioner.runs import Run, RunStore
from hatsformat.partitioner.schema import InputSchema, types_to_read_again
from hatsformat.partitioner.tasks import MapTask, ReadAgain, run_task

MOST_ROUNDS = 1000
"""How often inputs are read again, at most: every time, the types of more columns are known."""


def map_inputs(
    sources: Sequence[Source], settings: MapSettings, context: BuildContext
) -> tuple[MappedRows, list[InputSchema]]:
    """Map all inputs, and report each in the log.

    Return the rows, and the schemas of the inputs that can have rows with a position.
    """
    parts = _mapped(sources, settings, context)
    for source, part in zip(sources, parts, strict=True):
        context.log.add_input(source.name, part.rows_read, part.rows_rejected, source.estimated_bytes)
    columns = context.options.coordinates
    schemas = [part.schema for part in parts if has_coordinates(part.schema.schema, columns)]
    return mapping.merge(parts, settings.order), schemas


def map_leaf_files(paths: Sequence[UPath], column: str, context: BuildContext) -> list[list[Run]]:
    """Return the rows of leaf files as runs, by file.

    They are read like inputs, except that `column` already has their order-29 pixels.
    """
    chunk_bytes = context.memory.chunk_bytes
    found = [parquet_sources(path, chunk_bytes) for path in paths]
    file_of = [index for index, parts in enumerate(found) for _ in parts]
    settings = MapSettings(None, 0, column, chunk_bytes=chunk_bytes)
    runs: list[list[Run]] = [[] for _ in paths]
    if file_of:
        mapped = _mapped([part for parts in found for part in parts], settings, context)
        for index, part in zip(file_of, mapped, strict=True):
            runs[index] += part.runs
    return runs


def _mapped(sources: Sequence[Source], settings: MapSettings, context: BuildContext) -> list[MappedInput]:
    """Map inputs until the types of all their columns are settled."""
    # Inputs that fit stay in memory. Of larger ones everything goes to scratch, so that all can be resumed.
    fits = sum(source.estimated_bytes for source in sources) <= context.memory.runs_bytes
    store = context.run_store(spill=not fits)
    readers = None if fits else context.memory.readers(max(source.reading_bytes for source in sources))
    sources, parts = list(sources), dict[int, MappedInput]()
    waiting, resume = dict(enumerate(sources)), context.options.resume
    for _ in range(MOST_ROUNDS):
        if not waiting:
            return [parts[index] for index in range(len(sources))]
        tasks = [
            MapTask(index, source, settings, store, context.scratch, resume)
            for index, source in waiting.items()
        ]
        results = context.workers.in_order(run_task, tasks, store.stop, at_once=readers)
        again: dict[int, Source] = {}
        for index, result in zip(waiting, results, strict=True):
            if isinstance(result, ReadAgain):
                again[index] = result.source
            else:
                parts[index] = result
                context.progress("mapping", len(parts), len(sources))
        for index, source in again.items():
            sources[index] = source
        if not again:
            again = _retyped(sources, parts)
            _forget(again, parts, store, context)
        waiting, resume = again, False
    raise InputError("cannot determine the types of its columns", path=sources[min(waiting)].name)


def _retyped(sources: list[Source], parts: Mapping[int, MappedInput]) -> dict[int, Source]:
    """Return the inputs whose guessed types do not hold in other inputs, with the types to read instead."""
    found = types_to_read_again([parts[index].schema for index in range(len(sources))])
    for index, types in found.items():
        sources[index] = _with_types(sources[index], types)
    return {index: sources[index] for index in found}


def _with_types(source: Source, types: dict[str, pa.DataType]) -> Source:
    assert isinstance(source, CsvSource)  # no other source guesses
    return replace(source, column_types={**source.column_types, **types})


def _forget(
    again: Mapping[int, Source], parts: dict[int, MappedInput], store: RunStore, context: BuildContext
) -> None:
    for index in again:
        map_notes.remove_note(context.scratch, index)
        part = parts.pop(index)
        store.release([*part.runs, *part.rejected])
