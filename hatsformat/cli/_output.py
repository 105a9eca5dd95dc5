"""What commands print: tables and JSON on standard output, progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import click

ProgressCallback: TypeAlias = Callable[[str, int, int], None]
"""Called with a stage's name, the steps done and the steps in all."""


def print_json(value: Any) -> None:
    """Print a value as JSON, indented, in UTF-8."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def human_size(size: int) -> str:
    """Return a number of bytes as a person would say it, in powers of 1000."""
    if size < 1000:
        return f"{size} bytes"
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def print_pairs(pairs: Sequence[tuple[str, object]], indent: str = "") -> None:
    """Print names and values in two columns; what is None is left out."""
    shown = [(name, str(value)) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{indent}{name:<{width}}  {value}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns as wide as they need."""
    lines = [list(map(str, header)), *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[ProgressCallback | None]:
    """Show a bar a stage on standard error while the block runs; None where that is no terminal.

    Parameters
    ----------
    quiet : bool
        Show nothing, whatever standard error is.

    Yields
    ------
    callable or None
        To be called with a stage's name, the steps done and the steps in all.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report
