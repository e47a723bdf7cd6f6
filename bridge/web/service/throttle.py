"""Rate limits by address, in the memory of one web process."""

from __future__ import annotations

import ipaddress
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.web.problems import too_many

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_KEYS = 10_000
_NETWORK_BITS = 64  # of an IPv6 address: a provider gives each customer at least such a network


@dataclass
class _Window:
    seconds: float
    tries: deque[float] = field(default_factory=deque)

    def forget(self, now: float) -> None:
        """Forget the attempts that are older than the window."""
        while self.tries and self.tries[0] <= now - self.seconds:
            self.tries.popleft()


class Throttle:
    """Sliding windows of attempts; threads may share it.

    Args:
        clock: the seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], _Window] = {}
        self._max_keys = _MAX_KEYS

    def check(self, what: str, who: str, limit: int, seconds: float) -> None:
        """Count an attempt.

        Args:
            what: the action, such as ``login``.
            who: the address; of one in IPv6 its network counts.
            limit: attempts allowed within ``seconds``.
            seconds: the length of the window, the same for each call with ``what``.

        Raises:
            Problem: there were too many; 429 with ``Retry-After``.
        """
        now = self._clock()
        with self._lock:
            window = self._windows.setdefault((what, network_of(who)), _Window(seconds))
            window.forget(now)
            if len(window.tries) >= limit:
                raise too_many("Too many attempts.", window.tries[0] + seconds - now)
            window.tries.append(now)
            if len(self._windows) > self._max_keys:
                self._prune(now)

    def _prune(self, now: float) -> None:
        for window in self._windows.values():
            window.forget(now)
        self._windows = {key: window for key, window in self._windows.items() if window.tries}
        self._max_keys = max(_MAX_KEYS, 2 * len(self._windows))  # so that not every attempt prunes


def network_of(who: str) -> str:
    """Return what an attempt is counted for: an IPv4 address, the network of an IPv6 address, or any other text.

    >>> network_of("192.0.2.7"), network_of("::ffff:192.0.2.7"), network_of("2001:db8::1:2:3:4")
    ('192.0.2.7', '192.0.2.7', '2001:db8::/64')
    """
    try:
        address = ipaddress.ip_address(who)
    except ValueError:
        return who
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _NETWORK_BITS), strict=False))
