"""Mutations of the columns and the encoding of Parquet files; dependent files are not updated."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from hatsformat import layout
from hatsformat.conformance.mutations.registry import LEAVES, Mutated, Paths, Value, expand, mutation
from hatsformat.conformance.parquet import Writing, decode, encode, footer_of, rewritten, schema_only
from hatsformat.conformance.tree import Tree, content
from hatsformat.errors import UsageError


def edit(tree: Tree, path: Paths, change: Callable[[pa.Table, str], pa.Table]) -> Mutated:
    """Return a tree with changed rows or columns in Parquet files."""
    changed = {}
    for name in expand(tree, path):
        data = content(tree, name)
        if footer_of(data).num_row_groups or name.endswith((".parquet", ".pq")):
            changed[name] = rewritten(data, change(decode(data), name))
        else:
            empty = footer_of(data).schema.to_arrow_schema().empty_table()
            changed[name] = schema_only(change(empty, name).schema)
    return {**tree, **changed}


def arrow_type(name: str) -> pa.DataType:
    """Return the type of a name such as ``int32``, ``string`` or ``list<double>``."""
    inner = name.removeprefix("list<").removesuffix(">")
    if inner != name:
        return pa.list_(arrow_type(inner))
    return pa.type_for_alias(name)


@mutation
def drop_columns(tree: Tree, *, names: list[str], path: Paths = LEAVES) -> Mutated:
    """Remove columns from Parquet files."""
    return edit(tree, path, lambda table, _: table.drop_columns(names))


@mutation
def rename_column(tree: Tree, *, name: str, to: str, path: Paths = LEAVES) -> Mutated:
    """Rename a column of Parquet files."""
    return edit(
        tree,
        path,
        lambda table, _: table.rename_columns([to if n == name else n for n in table.column_names]),
    )


@mutation
def cast_column(tree: Tree, *, name: str, kind: str, path: Paths = LEAVES) -> Mutated:
    """Change the type of a column of Parquet files."""

    def cast(table: pa.Table, _: str) -> pa.Table:
        index = table.column_names.index(name)
        return table.set_column(index, name, table.column(name).cast(arrow_type(kind), safe=False))

    return edit(tree, path, cast)


@mutation
def require_column(tree: Tree, *, name: str, path: Paths = LEAVES) -> Mutated:
    """Declare a column of Parquet files as not nullable."""

    def require(table: pa.Table, _: str) -> pa.Table:
        index = table.column_names.index(name)
        field = table.schema.field(index).with_nullable(False)
        return table.set_column(index, field, table.column(name))

    return edit(tree, path, require)


@mutation
def move_column(tree: Tree, *, name: str, to: int, path: Paths = LEAVES) -> Mutated:
    """Move a column of Parquet files to another index."""

    def move(table: pa.Table, _: str) -> pa.Table:
        names = [other for other in table.column_names if other != name]
        names.insert(to, name)
        return table.select(names)

    return edit(tree, path, move)


@mutation
def repeat_column(tree: Tree, *, name: str, path: Paths = LEAVES) -> Mutated:
    """Append a second column with the same name and values to Parquet files."""
    return edit(tree, path, lambda table, _: table.append_column(name, table.column(name)))


@mutation
def add_column(tree: Tree, *, name: str, value: Value, kind: str, path: Paths = LEAVES) -> Mutated:
    """Append a constant column to Parquet files; the values ``order``, ``dir``, ``pixel`` are the path's."""

    def add(table: pa.Table, path: str) -> pa.Table:
        found = layout.parse_leaf_path(path)
        known: dict[Value, int] = (
            {"order": found.order, "dir": found.dir, "pixel": found.pixel} if found else {}
        )
        values = pa.array([known.get(value, value)] * table.num_rows, arrow_type(kind))
        return table.append_column(name, values)

    return edit(tree, path, add)


@mutation
def set_key_values(tree: Tree, *, values: dict[str, str], path: Paths = LEAVES) -> Mutated:
    """Replace the key-value metadata of Parquet files."""
    return edit(tree, path, lambda table, _: table.replace_schema_metadata(values))


@mutation
def rewrite(
    tree: Tree,
    *,
    path: Paths = LEAVES,
    group_rows: int = 10,
    statistics: bool = True,
    plain: bool = False,
    sorted_by: str = "",
) -> Mutated:
    """Rewrite Parquet files with the same rows, in other row groups, without statistics or unencoded.

    With ``sorted_by``, the footer declares that the rows are sorted by that column.
    """
    writing = Writing(group_rows, statistics, plain, sorted_by)
    changed = {name: encode(decode(content(tree, name)), writing) for name in expand(tree, path)}
    return {**tree, **changed}


@mutation
def lie_in_statistics(tree: Tree, *, path: Paths, column: str, by: int) -> Mutated:
    """Add a number to the statistics of a column in the footer of Parquet files; the rows stay the same."""
    changed = {}
    for name in expand(tree, path):
        table = decode(content(tree, name))
        index = table.column_names.index(column)
        other = pa.array(table.column(column).to_numpy() + by, table.column(column).type)
        plain = Writing(plain=True)
        rows, footer = encode(table, plain), encode(table.set_column(index, column, other), plain)
        start, end = _footer_start(rows), _footer_start(footer)
        if start != end:
            raise UsageError("the two files have different layouts", path=name)
        changed[name] = rows[:start] + footer[end:]
    return {**tree, **changed}


def _footer_start(data: bytes) -> int:
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


@mutation
def garble_column(tree: Tree, *, path: Paths, column: str, group: int = 0) -> Mutated:
    """Overwrite the pages of a column in one row group with noise; the footer stays the same."""
    changed = {}
    for name in expand(tree, path):
        data = bytearray(content(tree, name))
        row_group = footer_of(bytes(data)).row_group(group)
        paths = [row_group.column(index).path_in_schema for index in range(row_group.num_columns)]
        chunk = row_group.column(paths.index(column))
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        size = chunk.total_compressed_size
        data[start : start + size] = bytes(index * 131 % 251 for index in range(size))
        changed[name] = bytes(data)
    return {**tree, **changed}
