"""The bars that show the progress of a command in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from rich.console import Console


def progress_bars(console: Console, estimate_seconds: float = 30.0) -> Progress:
    """Return bars with a text, a percentage, the time so far and the time left, which vanish at the end.

    Args:
        console: for the bars; without a terminal nothing is shown.
        estimate_seconds: how far back the speed is measured for the time left.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(
        *columns,
        console=console,
        speed_estimate_period=estimate_seconds,
        transient=True,
        disable=not console.is_terminal,
    )
