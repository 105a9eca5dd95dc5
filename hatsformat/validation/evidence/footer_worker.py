"""The program that opens footers, run as a process of its own by `guard`; it imports nothing of the package.

Arrow ends the whole process on some footers that are broken on purpose: reading them here, that is an answer.
A request is a pickled pair of an operation and a list of sources; the answer is a pickled list of results, a
dictionary each. After each source, one byte goes to the second pipe, so that the culprit is known.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

HEADER = struct.Struct("<Q")
MEMORY_LIMIT = 8 << 30
"""Bytes of address space that this process may have; a footer that needs more is made to explode."""

THRIFT_STRING_LIMIT = 256 << 20
THRIFT_LIST_LIMIT = 4_000_000
"""What one text and one list of a footer may hold: room for a ``_metadata`` of a million row groups."""

BROKEN = (
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
)
"""What Arrow raises on a broken footer: that is the answer, then."""

PRIVATE_KEYS = ("ARROW:schema", "pandas")


def describe(source: str | bytes, options: dict[str, Any]) -> dict[str, Any]:
    """Return what a footer says; ``error`` is why it cannot be read, or ``broken`` why not be understood."""
    try:
        footer = _open(source, options["limit"])
    except FileNotFoundError:
        return {"gone": True}
    except BROKEN as error:
        return {"error": str(error).strip().partition("\n")[0] or type(error).__name__}
    try:
        return _summary(footer, options["column"], options["files"])
    except BROKEN as error:
        return {"broken": str(error)}


def _open(source: str | bytes, limit: int) -> Any:
    with pa.OSFile(source, "rb") if isinstance(source, str) else pa.BufferReader(source) as stream:
        size = stream.size()
        if size >= 8:
            stream.seek(size - 8)
            ending = stream.read(8)
            length = int.from_bytes(ending[:4], "little")
            if ending[4:] == b"PAR1" and min(length, size) > limit:
                raise ValueError(f"the footer is larger than {limit} bytes, and is not read")
        stream.seek(0)
        return pq.ParquetFile(stream, **_LIMITS).metadata


_LIMITS = {
    "thrift_string_size_limit": THRIFT_STRING_LIMIT,
    "thrift_container_size_limit": THRIFT_LIST_LIMIT,
    "pre_buffer": False,
}
_known: list[pa.Schema] = []


def _share(schema: pa.Schema) -> pa.Schema:
    """Return one object for all schemas that are the same, which is then pickled once."""
    for other in reversed(_known):
        if schema.equals(other):
            return other
    _known.append(schema)
    del _known[:-50]
    return schema


def _summary(footer: Any, column: str | None, with_files: bool) -> dict[str, Any]:
    told = footer.schema.to_arrow_schema()
    keys = {
        name: raw.decode("utf-8", "replace")
        for key, raw in (told.metadata or {}).items()
        if (name := key.decode("utf-8", "replace")) not in PRIVATE_KEYS
    }
    schema = _share(told.remove_metadata())
    _ = schema.names  # names that are no text raise here
    width = footer.num_columns
    names = [footer.schema.column(index).path for index in range(width)]
    number = names.index(column) if column in names else None
    rows, sizes, files, statistics = [], [], [], []
    for index in range(footer.num_row_groups):
        group = footer.row_group(index)
        chunks = [group.column(at) for at in range(width)]
        rows.append(group.num_rows)
        sizes.append(sum(chunk.total_compressed_size for chunk in chunks))
        if number is not None:
            statistics.append(bounds(chunks[number]))
        if with_files:
            files.append(chunks[0].file_path if chunks else "")
    if min(rows, default=0) < 0 or sum(rows) != footer.num_rows:
        raise ValueError(f"it says {footer.num_rows} rows, and its row groups have {sum(rows)}")
    return {
        "rows": footer.num_rows,
        "group_rows": tuple(rows),
        "group_bytes": tuple(sizes),
        "schema": schema,
        "keys": keys,
        "statistics": tuple(statistics),
        "files": tuple(files),
    }


def bounds(chunk: Any) -> tuple[int | None, int | None, int | None]:
    """Return the smallest and the greatest value of a chunk of integers, and how many it lacks."""
    found = chunk.statistics
    if found is None:
        return None, None, None
    nulls = found.null_count if found.has_null_count else None
    if not found.has_min_max or not isinstance(found.min, int) or not isinstance(found.max, int):
        return None, None, nulls
    return found.min, found.max, nulls


def columns(source: str | bytes, options: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics of flat columns: a list for each row group, with an entry for each column.

    An entry is None where there is no such column, or (low, high, nulls, values, bytes on disk, in memory).
    """
    try:
        footer = _open(source, options["limit"])
        paths = [footer.schema.column(index).path for index in range(footer.num_columns)]
        # Statistics name the values inside lists by their fields alone.
        at = {path.replace(".list.element", ""): index for index, path in enumerate(paths)}
        numbers = [at.get(name) for name in options["names"]]
        groups = []
        for index in range(footer.num_row_groups):
            group = footer.row_group(index)
            groups.append([None if number is None else _entry(group.column(number)) for number in numbers])
        return {"groups": groups}
    except BROKEN as error:
        return {"error": str(error)}


def _entry(chunk: Any) -> tuple[Any, ...]:
    found = chunk.statistics
    low = high = nulls = None
    if found is not None:
        nulls = found.null_count if found.has_null_count else None
        if found.has_min_max:
            low, high = found.min, found.max
    return low, high, nulls, chunk.num_values, chunk.total_compressed_size, chunk.total_uncompressed_size


OPERATIONS = {"describe": describe, "columns": columns}


def _serve(requests: IO[bytes], answers: IO[bytes], progress: int) -> None:
    while len(head := requests.read(HEADER.size)) == HEADER.size:
        operation, options, sources = pickle.loads(requests.read(HEADER.unpack(head)[0]))
        results = []
        for source in sources:
            try:
                results.append(OPERATIONS[operation](source, options))
            except MemoryError:
                results.append({"error": "it needs more memory than a footer may"})
            os.write(progress, b".")
        content = pickle.dumps(results, pickle.HIGHEST_PROTOCOL)
        answers.write(HEADER.pack(len(content)))
        answers.write(content)
        answers.flush()


def _bound_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return  # a system without such limits


if __name__ == "__main__":
    _bound_memory()
    pa.set_cpu_count(1)
    _serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
