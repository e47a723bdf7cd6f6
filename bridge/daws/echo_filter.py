"""What the other side of a connection is known to show, and which of its messages are only its echo."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from stream_sep.control.levels import LOUDEST_DB, SILENCE_DB, db_to_position

Setting: TypeAlias = float | bool
"""A value of a control that is no text."""

ECHO_SECONDS = 0.5
"""How long a program may take to tell back what it was told."""

_MOST_ECHOES = 64
_CLOSE = 0.0005  # of a fader's travel, half a step of a ten bit fader


class EchoFilter:
    """The values that a client last told or was told, by path.

    Args:
        echo_seconds: how long after it was told something the client may tell that back, which then is no news.
    """

    def __init__(self, echo_seconds: float = ECHO_SECONDS) -> None:
        self._echo_seconds = echo_seconds
        self._known: dict[str, Setting] = {}
        self._sent: dict[str, deque[tuple[float, Setting]]] = {}

    def matches(self, path: str, value: Setting) -> bool:
        """Say whether the client shows that value."""
        return path in self._known and self._known[path] == value

    def on_received(self, path: str, value: Setting, now: float) -> bool:
        """Note what the client tells; say whether that is news and not what it was told itself."""
        echoes = list(self._sent.pop(path, ()))
        for index, (until, told) in enumerate(echoes):
            if now <= until and is_close(path, told, value):
                self._sent[path] = deque(echoes[index + 1 :], maxlen=_MOST_ECHOES)
                return False
        self._known[path] = value
        return True

    def on_sent(self, path: str, value: Setting, held: Setting, now: float) -> None:
        """Note what the client was told, and as what it will hold that."""
        self._known[path] = value
        self._sent.setdefault(path, deque(maxlen=_MOST_ECHOES)).append((now + self._echo_seconds, held))

    def forget(self, path: str) -> None:
        """Know nothing of a control any more."""
        self._known.pop(path, None)
        self._sent.pop(path, None)


def is_close(path: str, one: Setting, other: Setting) -> bool:
    """Say whether two values are the same but for rounding on the way.

    >>> is_close("master/gain_db", -12.5, -12.500001), is_close("master/gain_db", -12.5, -12.4)
    (True, False)
    """
    if path.endswith("/gain_db") and max(one, other) <= LOUDEST_DB:
        return abs(db_to_position(one) - db_to_position(other)) < _CLOSE
    return abs(one - other) < _CLOSE


def normalize(path: str, value: Setting) -> Setting:
    """Return what a client means in the desk's terms: every level that cannot be heard is the same."""
    return max(value, SILENCE_DB) if path.endswith("/gain_db") else value
