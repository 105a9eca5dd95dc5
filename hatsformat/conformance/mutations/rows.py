"""Mutations of the rows of Parquet files; dependent files are not updated."""

from __future__ import annotations

import pyarrow as pa

from hatsformat.conformance.mutations.columns import edit
from hatsformat.conformance.mutations.registry import LEAVES, Mutated, Paths, Value, mutation
from hatsformat.conformance.parquet import decode, rewritten
from hatsformat.conformance.tree import Tree, content


def _with_column(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    field = table.schema.field(name)
    return table.set_column(table.column_names.index(name), field, pa.array(values, field.type))


@mutation
def set_values(
    tree: Tree, *, column: str, value: Value, path: Paths = LEAVES, rows: list[int] | None = None
) -> Mutated:
    """Set a column to one value in some rows of Parquet files; by default in all rows."""

    def change(table: pa.Table, _: str) -> pa.Table:
        values = table.column(column).to_pylist()
        for row in range(len(values)) if rows is None else rows:
            values[row] = value
        index = table.column_names.index(column)
        return table.set_column(
            index, table.schema.field(column), pa.array(values, table.column(column).type)
        )

    return edit(tree, path, change)


@mutation
def add_to_values(
    tree: Tree, *, column: str, by: float, path: Paths = LEAVES, rows: list[int] | None = None
) -> Mutated:
    """Add a number to a column in some rows of Parquet files; by default in all rows."""

    def change(table: pa.Table, _: str) -> pa.Table:
        values = table.column(column).to_pylist()
        for row in range(len(values)) if rows is None else rows:
            values[row] = type(values[row])(values[row] + by)
        index = table.column_names.index(column)
        return table.set_column(
            index, table.schema.field(column), pa.array(values, table.column(column).type)
        )

    return edit(tree, path, change)


@mutation
def shorten_list(tree: Tree, *, path: Paths, column: str, field: str, row: int) -> Mutated:
    """Remove the last value of a list in a column that is a struct of lists."""

    def change(table: pa.Table, _: str) -> pa.Table:
        values = table.column(column).to_pylist()
        values[row] = {**values[row], field: values[row][field][:-1]}
        return _with_column(table, column, values)

    return edit(tree, path, change)


@mutation
def reverse_rows(tree: Tree, *, path: Paths = LEAVES) -> Mutated:
    """Reverse the rows of Parquet files."""
    return edit(tree, path, lambda table, _: table.take(list(range(table.num_rows))[::-1]))


@mutation
def keep_rows(tree: Tree, *, count: int, path: Paths = LEAVES) -> Mutated:
    """Keep the first rows of Parquet files; a negative count removes that many from the end."""

    def keep(table: pa.Table, _: str) -> pa.Table:
        return table.slice(0, count if count >= 0 else table.num_rows + count)

    return edit(tree, path, keep)


@mutation
def repeat_rows(tree: Tree, *, times: int, path: Paths = LEAVES) -> Mutated:
    """Repeat every row of Parquet files several times."""
    return edit(
        tree, path, lambda table, _: table.take([row for row in range(table.num_rows) for _ in range(times)])
    )


@mutation
def move_rows(tree: Tree, *, path: str, to: str, count: int, front: bool = False) -> Mutated:
    """Move the first rows of a Parquet file to the end, or the front, of another."""
    source, target = decode(content(tree, path)), decode(content(tree, to))
    moved, rest = source.slice(0, count), source.slice(count)
    if path == to:
        return {**tree, path: rewritten(tree[path], pa.concat_tables([rest, moved]))}
    joined = pa.concat_tables([moved, target] if front else [target, moved])
    return {**tree, path: rewritten(tree[path], rest), to: rewritten(tree[to], joined)}


@mutation
def copy_rows(tree: Tree, *, path: str, to: str, rows: list[int]) -> Mutated:
    """Append some rows of a Parquet file to another, and sort that by its first column."""
    source, target = decode(content(tree, path)), decode(content(tree, to))
    joined = pa.concat_tables([target, source.take(rows).select(target.column_names)])
    return {**tree, to: rewritten(tree[to], joined.sort_by(target.column_names[0]))}
