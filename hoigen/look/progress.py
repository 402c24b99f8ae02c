"""The progress bar of every long run."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def bars(console: Console, *, quiet: bool = False) -> Progress:
    """Bars with name, count, note (the field ``note`` of a task), time so far and time left; started by ``with``.

    quiet: nothing is shown where the console is no terminal.
    """
    return Progress(
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[note]}', markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=quiet and not console.is_terminal,
    )
