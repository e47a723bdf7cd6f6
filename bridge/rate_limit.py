"""Token buckets: rate limits with bursts."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_Key = TypeVar("_Key", bound="Hashable")


class TokenBucket:
    """A bucket that fills with tokens at a steady rate, up to a burst.

    Args:
        burst: its capacity; it starts full.
        per_second: tokens added per second.
        clock: seconds.

    >>> bucket = TokenBucket(2, 1.0, clock=lambda: 0.0)
    >>> [bucket.take() for _ in range(3)]
    [True, True, False]
    """

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._tokens, self._at = burst, clock()

    @property
    def is_empty(self) -> bool:
        """Whether there is no token to take."""
        self._refill()
        return self._tokens < 1

    def take(self, amount: float = 1.0) -> bool:
        """Take ``amount`` tokens if there are enough.

        Args:
            amount: how many.

        Returns:
            Whether they were taken.
        """
        self._refill()
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def charge(self, amount: float) -> None:
        """Take ``amount`` tokens, even if there are not enough: the debt is paid by later ones.

        Args:
            amount: how many.
        """
        self._refill()
        self._tokens -= amount

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now


class KeyedBuckets(Generic[_Key]):
    """A bucket for each of the last keys; the oldest is evicted.

    Args:
        burst: of each.
        per_second: of each.
        clock: seconds.
        max_keys: how many are kept.
    """

    def __init__(
        self,
        burst: float,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        max_keys: int = 1024,
    ) -> None:
        self._settings = burst, per_second, clock
        self._max_keys = max_keys
        self._buckets: OrderedDict[_Key, TokenBucket] = OrderedDict()

    def __getitem__(self, key: _Key) -> TokenBucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(*self._settings)
            if len(self._buckets) > self._max_keys:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket
