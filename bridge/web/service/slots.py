"""Places for work that takes a core: a few threads do it at once, some more wait, further requests are rejected."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETRY_SECONDS = 2


class Slots:
    """Bounds the threads that work and those that wait, so that there are always others for short requests.

    Args:
        at_once: threads that work.
        waiting: threads that wait for them.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self.places = at_once + waiting
        self._working = threading.Semaphore(at_once)
        self._present = threading.Semaphore(self.places)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a slot and hold it.

        Raises:
            Problem: too many threads wait already; 503 with ``Retry-After``.
        """
        if not self._present.acquire(blocking=False):
            retry = {"Retry-After": str(_RETRY_SECONDS)}
            raise Problem(503, "busy", "The server is busy.", "Try again in a moment.", headers=retry)
        try:
            with self._working:
                yield
        finally:
            self._present.release()
