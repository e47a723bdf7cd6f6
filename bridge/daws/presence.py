"""Whether a DAW answers: at the start, and while it is polled."""

from __future__ import annotations

import math

ABSENT_SECONDS = 3.0
"""A DAW that has not answered for so long at the start is reported as absent."""

MAX_MISSED_POLLS = 2
"""After so many unanswered polls the session is initialized anew."""


class DawPresence:
    """Follows whether a DAW answers; times are `time.monotonic`.

    Attributes:
        connected: whether it has answered since it was last lost.

    >>> presence = DawPresence()
    >>> presence.wait(10.0)
    >>> presence.is_absent(12.0), presence.is_absent(13.0)
    (False, True)
    """

    def __init__(self) -> None:
        self.connected = False
        self._waiting_since = math.inf
        self._unanswered = 0

    def wait(self, now: float) -> None:
        """Begin to wait for an answer, or go on waiting."""
        self._waiting_since = min(self._waiting_since, now)
        self._unanswered = 0

    def answered(self) -> None:
        """Note that something came from the DAW."""
        self._unanswered, self.connected = 0, True

    def miss(self) -> bool:
        """Note that it is polled; return whether too many polls before were not answered."""
        self._unanswered += 1
        return self._unanswered > MAX_MISSED_POLLS

    def lose(self) -> None:
        """Note that it must be found again; where it had answered, it counts as absent at once."""
        if self.connected:
            self.connected, self._waiting_since = False, -math.inf

    def is_absent(self, now: float) -> bool:
        """Return whether it has been waited for long enough to be reported."""
        return not self.connected and now >= self._absent_at

    def report_due(self, now: float) -> float | None:
        """Return when it will be reported as absent; None if it answers, or is reported already."""
        return self._absent_at if not self.connected and self._absent_at > now else None

    @property
    def _absent_at(self) -> float:
        return self._waiting_since + ABSENT_SECONDS
