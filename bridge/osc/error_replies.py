"""Error replies to clients that send invalid messages, rate-limited."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from bridge.rate_limit import KeyedBuckets

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.network import Address
    from bridge.osc.reply_gate import ReplyGate

_log = logging.getLogger(__name__)

ERROR = "/error"
"""Address of error messages."""

MAX_MESSAGE = 400
"""Longest error message in characters."""

_REPEAT_SECONDS = 1.0
_MAX_RECENT = 256
_BURST, _PER_SECOND = 30.0, 10.0


class ErrorReplies:
    """Sends error messages: each at most once a second, and a few a second to a host.

    Args:
        gate: sends them.
    """

    def __init__(self, gate: ReplyGate) -> None:
        self._gate = gate
        self._silent_until: dict[tuple[Address, str], float] = {}
        self._buckets: KeyedBuckets[object] = KeyedBuckets(_BURST, _PER_SECOND)

    def send(self, address: Address, message: str, hint: Callable[[], str] = str, *, once: bool = False) -> None:
        """Send a client an error message, within the rate limit.

        Args:
            address: host and port.
            message: the error.
            hint: returns the end of the message; called only if the message is sent.
            once: never send this message to this client again.
        """
        now = time.monotonic()
        if self._silent_until.get((address, message), 0.0) > now or not self._buckets[address[0]].take():
            return
        if len(self._silent_until) >= _MAX_RECENT:
            self._silent_until = {key: until for key, until in self._silent_until.items() if until == math.inf}
        if len(self._silent_until) >= _MAX_RECENT:
            self._silent_until.clear()
        self._silent_until[address, message] = math.inf if once else now + _REPEAT_SECONDS
        whole = (message + hint())[:MAX_MESSAGE].replace("\0", "")
        text = whole.encode(errors="replace").decode()
        _log.info("to %s: %s", address, text)
        if fitted := self._gate.fitted(address, ERROR, text):
            self._gate.reply(address, lambda: [(ERROR, (fitted,))])
        else:
            self._gate.challenge(address)
