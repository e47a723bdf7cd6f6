"""Rate limits by address, in the memory of one web process."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from bridge.web.problems import too_many

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_KEYS = 10_000


class Throttle:
    """Sliding windows of attempts; threads may share it.

    Args:
        clock: the seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tries: dict[tuple[str, str], deque[float]] = {}

    def check(self, what: str, who: str, limit: int, seconds: float) -> None:
        """Count an attempt.

        Args:
            what: the action, such as ``login``.
            who: the address.
            limit: attempts allowed within ``seconds``.
            seconds: the length of the window.

        Raises:
            Problem: there were too many; 429 with ``Retry-After``.
        """
        now = self._clock()
        with self._lock:
            tries = self._tries.setdefault((what, who), deque())
            while tries and tries[0] <= now - seconds:
                tries.popleft()
            if len(tries) >= limit:
                raise too_many("Too many attempts.", tries[0] + seconds - now)
            tries.append(now)
            if len(self._tries) > _MAX_KEYS:
                self._prune(now - seconds)

    def _prune(self, before: float) -> None:
        self._tries = {key: tries for key, tries in self._tries.items() if tries and tries[-1] > before}
