"""Filters the echoes of sent values out of the messages that a client sends."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from stream_sep.control.levels import LOUDEST_DB, SILENCE_DB, db_to_position

Setting: TypeAlias = float | bool
"""A value of a control that is not a text."""

ECHO_SECONDS = 0.5
"""How long a program may take to echo a value."""

_MAX_ECHOES = 64
_CLOSE = 0.0005  # of a fader's travel, half a step of a ten bit fader


class EchoFilter:
    """The values last sent to a client or received from it, by path.

    Args:
        echo_seconds: how long after a value was sent the same value counts as its echo.
    """

    def __init__(self, echo_seconds: float = ECHO_SECONDS) -> None:
        self._echo_seconds = echo_seconds
        self._values: dict[str, Setting] = {}
        self._sent: dict[str, deque[tuple[float, Setting]]] = {}

    def matches(self, path: str, value: Setting) -> bool:
        """Return whether the client shows that value.

        Args:
            path: of the control.
            value: of the mixer.

        Returns:
            Whether it was the last value sent to the client or received from it.
        """
        return path in self._values and self._values[path] == value

    def on_received(self, path: str, value: Setting, now: float) -> bool:
        """Record a received value; return whether it is new and not an echo.

        Args:
            path: of the control.
            value: as `normalize` returns it.
            now: `time.monotonic`.

        Returns:
            Whether it is new; False for an echo of a sent value.
        """
        echoes = list(self._sent.pop(path, ()))
        for index, (until, sent) in enumerate(echoes):
            if now <= until and is_close(path, sent, value):
                self._sent[path] = deque(echoes[index + 1 :], maxlen=_MAX_ECHOES)
                return False
        self._values[path] = value
        return True

    def on_sent(self, path: str, value: Setting, held: Setting, now: float) -> None:
        """Record a sent value, and the same value as the client rounds it.

        Args:
            path: of the control.
            value: of the mixer.
            held: the value in the client's steps.
            now: `time.monotonic`.
        """
        self._values[path] = value
        self._sent.setdefault(path, deque(maxlen=_MAX_ECHOES)).append((now + self._echo_seconds, held))

    def discard(self, path: str) -> None:
        """Drop the values of a control."""
        self._values.pop(path, None)
        self._sent.pop(path, None)


def is_close(path: str, one: Setting, other: Setting) -> bool:
    """Return whether two values are the same but for rounding on the way.

    Args:
        path: of the control; levels are compared by fader travel.
        one: a value.
        other: another.

    Returns:
        Whether only rounding is between them.

    >>> is_close("master/gain_db", -12.5, -12.500001), is_close("master/gain_db", -12.5, -12.4)
    (True, False)
    """
    if path.endswith("/gain_db") and max(one, other) <= LOUDEST_DB:
        return abs(db_to_position(one) - db_to_position(other)) < _CLOSE
    return abs(one - other) < _CLOSE


def normalize(path: str, value: Setting) -> Setting:
    """Return a client's value in the mixer's terms: all inaudible levels are the same.

    Args:
        path: of the control.
        value: as the client sent it.

    Returns:
        The value; of a level, at least `SILENCE_DB`.
    """
    return max(value, SILENCE_DB) if path.endswith("/gain_db") else value
