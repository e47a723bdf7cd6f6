"""Counts the steps that a training skips because their gradients are not finite, and reports them."""

from __future__ import annotations


class SkippedSteps:
    """Counts of skipped steps; a step with a non-finite gradient would ruin the weights for good.

    Attributes:
        count: steps skipped, over all runs of a training.
        in_a_row: length of the current run of skipped steps.
    """

    def __init__(self) -> None:
        self.count = self.in_a_row = 0
        self._reported = 0

    def add(self, *, skipped: bool) -> None:
        """Count a step.

        Args:
            skipped: whether its gradient was not finite.
        """
        self.in_a_row = self.in_a_row + 1 if skipped else 0
        self.count += skipped

    def restore(self, count: int) -> None:
        """Resume from a checkpoint.

        Args:
            count: steps skipped before it.
        """
        self.count = self._reported = count

    def warning(self, steps: int) -> str:
        """Return a warning if steps were skipped since the last; else nothing.

        Args:
            steps: steps of the training so far.
        """
        new = self.count - self._reported
        self._reported = self.count
        if not new:
            return ""
        last = f", the last {self.in_a_row} in a row" if self.in_a_row > 1 else ""
        return f"warning: {new} steps skipped{last}: {self.describe(steps)}"

    def describe(self, steps: int) -> str:
        """Return how many steps were skipped, why, and a remedy.

        Args:
            steps: steps of the training so far.

        >>> skipped = SkippedSteps()
        >>> skipped.add(skipped=True)
        >>> skipped.describe(50)
        "1 of 50 steps had gradients that are not finite; try precision = 'float32' or a lower learning_rate"
        """
        return (
            f"{self.count} of {steps} steps had gradients that are not finite; try precision = 'float32' or a "
            "lower learning_rate"
        )
