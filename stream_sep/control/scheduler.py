"""Scheduled changes and a periodic tick, on one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

MAX_SCHEDULED = 4096
"""Maximum number of pending changes."""

LEAD_SECONDS = 0.03
"""A change is applied this long before it is due: the audio thread starts it at the exact frame."""

TICK_SECONDS = 0.2
"""Interval of the tick."""

MAX_LOOKAHEAD_SECONDS = 2.0
"""A change that is due later than this is rejected, as clocks drift."""

_JOIN_TIMEOUT = 0.5


class ChangeScheduler:
    """Calls functions shortly before they are due, and one periodically.

    Args:
        tick: called every `TICK_SECONDS`.

    >>> scheduler, called = ChangeScheduler(lambda: None), threading.Event()
    >>> scheduler.start()
    >>> scheduler.schedule(time.monotonic() + 0.05, called.set)
    >>> called.wait(5)
    True
    >>> scheduler.stop()
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._due: list[tuple[float, int, Callable[[], Any]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and drop pending changes."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(_JOIN_TIMEOUT)  # a change may wait for a separator that hangs

    def schedule(self, at: float, change: Callable[[], Any]) -> None:
        """Schedule ``change`` to be called `LEAD_SECONDS` before ``at``.

        Args:
            at: a time of `time.monotonic`.
            change: called on the scheduler's thread.

        Raises:
            ConfigError: too many changes are pending.
        """
        with self._changed:
            if len(self._due) >= MAX_SCHEDULED:
                raise ConfigError(f"{MAX_SCHEDULED} changes are scheduled already")
            heapq.heappush(self._due, (at - LEAD_SECONDS, next(self._order), change))
            self._changed.notify()

    def _run(self) -> None:
        look = time.monotonic()
        while True:
            with self._changed:
                until = min(look, self._due[0][0]) if self._due else look
                if not self._stopped and until > time.monotonic():
                    self._changed.wait(until - time.monotonic())
                if self._stopped:
                    return
                now = time.monotonic()
                ready = []
                while self._due and self._due[0][0] <= now:
                    ready.append(heapq.heappop(self._due)[2])
            for change in ready:
                _call(change)
            if look <= now:
                look = now + TICK_SECONDS
                _call(self._tick)


def _call(change: Callable[[], Any]) -> None:
    try:
        change()
    except Exception:  # noqa: BLE001 - a failed change must not drop the later ones
        _log.exception("a scheduled change failed")
