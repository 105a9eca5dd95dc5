"""What commands print: tables and JSON on standard output, progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import click

if TYPE_CHECKING:
    from hatsformat.partitioner.build_log import BuildLog

ProgressCallback: TypeAlias = Callable[[str, int, int], None]
"""Called with the name of a stage, the steps done and the total number of steps."""


def print_json(value: Any) -> None:
    """Print a value as JSON, indented, in UTF-8."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def human_size(size: int) -> str:
    """Return a number of bytes as text, in powers of 1000: ``12.3 MB``."""
    if size < 1000:
        return f"{size} bytes"
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def print_pairs(pairs: Sequence[tuple[str, object]], indent: str = "") -> None:
    """Print names and values in two columns, without values that are None."""
    shown = [(name, str(value)) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{indent}{name:<{width}}  {value}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in aligned columns."""
    lines = [list(map(str, header)), *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_build(log: BuildLog, written: str) -> None:
    """Print the result of an import, an append or a rebuild.

    Parameters
    ----------
    log : BuildLog
        The log of the build.
    written : str
        What the rows were written to, such as ``12 tiles``.
    """
    click.echo(
        f"{log.path}: {log.rows_written} rows in {written}, {human_size(log.size_bytes)}, "
        f"in {sum(log.seconds.values()):.1f} s"
    )
    for note in log.notes:
        click.echo(f"note: {note}")
    if log.rows_rejected:
        action = f"moved to {log.quarantine}" if log.quarantine else "dropped"
        click.echo(f"{log.rows_rejected} of {log.rows_read} rows have no valid position: {action}")


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[ProgressCallback | None]:
    """Show progress bars on standard error while the block runs, one per stage.

    Parameters
    ----------
    quiet : bool
        Show nothing, even on a terminal.

    Yields
    ------
    callable or None
        The callback for progress; None if standard error is not a terminal.
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
