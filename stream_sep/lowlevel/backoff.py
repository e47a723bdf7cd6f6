"""Exponential backoff between restarts: no pause at first, then longer and longer ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Backoff:
    """Doubles the pause with each failure in a row.

    Args:
        first: seconds before the second restart; the first one comes at once.
        longest: most seconds.
        healthy: seconds of work after which earlier failures no longer count.

    >>> backoff = Backoff(first=0.5, longest=3.0)
    >>> [backoff.delay_after(lived=0.1) for _ in range(6)]
    [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]
    >>> backoff.delay_after(lived=60)
    0.0
    """

    first: float = 0.5
    longest: float = 30.0
    healthy: float = 10.0
    failures: int = 0

    def delay_after(self, lived: float) -> float:
        """Return the seconds to wait after a failure that followed ``lived`` seconds of work."""
        if lived >= self.healthy:
            self.failures = 0
        delay = min(self.first * 2.0 ** (self.failures - 1), self.longest) if self.failures else 0.0
        self.failures += 1
        return delay

    def clear(self) -> None:
        """Reset the count of failures, as after a regular end."""
        self.failures = 0
