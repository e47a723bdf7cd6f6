"""Progress of the steps of a command in the terminal: a bar for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.markup import escape

from stream_sep.cli.progress_bars import progress_bars

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


class StepProgress:
    """Shows a bar for each step, while in a ``with`` statement.

    Args:
        console: for the bars; without a terminal nothing is shown.
    """

    def __init__(self, console: Console) -> None:
        self._bars = progress_bars(console)
        self._steps: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bars."""
        self._bars.stop()

    def show(self, step: str, share: float) -> None:
        """Show the progress of a step.

        Args:
            step: its name.
            share: of it that is done, 0 to 1.
        """
        if step not in self._steps:
            self._steps[step] = self._bars.add_task(escape(step), total=1.0)
        self._bars.update(self._steps[step], completed=share)
