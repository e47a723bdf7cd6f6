"""Detects whether a DAW replies: at the start, and while it is polled."""

from __future__ import annotations

import math

ABSENT_SECONDS = 3.0
"""Seconds without a message, at the start, after which a DAW is reported as absent."""

MAX_MISSED_POLLS = 2
"""Polls without a reply after which the session is initialized again."""


class DawPresence:
    """Tracks whether a DAW is connected; times are `time.monotonic`.

    Attributes:
        connected: whether it has sent a message since the connection was last lost.

    >>> presence = DawPresence()
    >>> presence.wait(10.0)
    >>> presence.is_absent(12.0), presence.is_absent(13.0)
    (False, True)
    """

    def __init__(self) -> None:
        self.connected = False
        self._waiting_since = math.inf
        self._missed_polls = 0

    def wait(self, now: float) -> None:
        """Begin to wait for a message, or continue."""
        self._waiting_since = min(self._waiting_since, now)
        self._missed_polls = 0

    def received(self) -> None:
        """Record a message from the DAW."""
        self._missed_polls, self.connected = 0, True

    def miss(self) -> bool:
        """Count a poll; return whether too many earlier ones had no reply."""
        self._missed_polls += 1
        return self._missed_polls > MAX_MISSED_POLLS

    def lose(self) -> None:
        """Record a lost connection: a connected DAW is absent at once."""
        if self.connected:
            self.connected, self._waiting_since = False, -math.inf

    def is_absent(self, now: float) -> bool:
        """Return whether the DAW is to be reported as absent."""
        return not self.connected and now >= self._absent_at

    def report_due(self, now: float) -> float | None:
        """Return when it will be reported as absent; None if it is connected, or reported already."""
        return self._absent_at if not self.connected and self._absent_at > now else None

    @property
    def _absent_at(self) -> float:
        return self._waiting_since + ABSENT_SECONDS
