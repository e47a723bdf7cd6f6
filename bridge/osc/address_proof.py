"""Address validation: a UDP sender's address is proved once it returns a number that was sent there.

The scheme is that of QUIC (RFC 9000, section 8): a challenge is sent to the address, the reply holds the same number,
and until then no reply is larger than its request.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.network import Address

PROOF_SECONDS = 60.0
"""Seconds for which an address stays proved."""

CHALLENGE_SECONDS = 10.0
"""Seconds in which the reply to a challenge must arrive."""

_RENEW_SECONDS = 30.0
_MAX_ADDRESSES = 256
_MAX_GUESSES = 4
_MAX_NUMBER = 2**31 - 1


@dataclass
class _Challenge:
    number: int
    expires: float
    guesses: int = 0


class AddressProofs:
    """The addresses that have proved that they receive what is sent to them.

    Args:
        trusted: returns whether an address needs no proof.
        clock: seconds.

    >>> proofs = AddressProofs(lambda address: False)
    >>> address = ("192.0.2.1", 9138)
    >>> number = proofs.challenge(address)
    >>> proofs.is_proved(address), proofs.confirm("192.0.2.1", number), proofs.is_proved(address)
    (False, ('192.0.2.1', 9138), True)
    """

    def __init__(self, trusted: Callable[[Address], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._trusted, self._clock = trusted, clock
        self._challenges: OrderedDict[Address, _Challenge] = OrderedDict()
        self._proved: OrderedDict[Address, float] = OrderedDict()

    def is_trusted(self, address: Address) -> bool:
        """Return whether an address needs no proof.

        Args:
            address: host and port.

        Returns:
            The result of the ``trusted`` predicate.
        """
        return self._trusted(address)

    def is_proved(self, address: Address) -> bool:
        """Return whether an address is trusted or has proved that it receives.

        Args:
            address: host and port.

        Returns:
            Whether anything may be sent there.
        """
        return self._trusted(address) or self._proved.get(address, 0.0) > self._clock()

    def is_ageing(self, address: Address) -> bool:
        """Return whether it is time for another challenge, so that a proof is renewed without a gap.

        Args:
            address: host and port.

        Returns:
            Whether the proof expires soon, or there is none.
        """
        return not self._trusted(address) and self._proved.get(address, 0.0) < self._clock() + _RENEW_SECONDS

    def challenge(self, address: Address) -> int:
        """Return the number that proves an address when the address returns it.

        Args:
            address: host and port.

        Returns:
            1 to 2**31 - 1, the same while the challenge lasts.
        """
        now = self._clock()
        there = self._challenges.get(address)
        if there is None or there.expires <= now:
            there = self._challenges[address] = _Challenge(
                1 + secrets.randbelow(_MAX_NUMBER), now + CHALLENGE_SECONDS
            )
            _trim(self._challenges)
        return there.number

    def confirm(self, host: str, number: object) -> Address | None:
        """Check the number of a reply to a challenge.

        Args:
            host: that sent it; a program may send from another port than it listens at.
            number: the received number.

        Returns:
            The address that it proves; None if it proves none.
        """
        now = self._clock()
        for address, challenge in list(self._challenges.items()):
            if address[0] != host:
                continue
            if challenge.expires > now and challenge.number == number:
                del self._challenges[address]
                self._proved[address] = now + PROOF_SECONDS
                self._proved.move_to_end(address)
                _trim(self._proved)
                return address
            challenge.guesses += 1
            if challenge.guesses >= _MAX_GUESSES:
                del self._challenges[address]
        return None


def _trim(
    table: OrderedDict[Address, object] | OrderedDict[Address, float] | OrderedDict[Address, _Challenge],
) -> None:
    while len(table) > _MAX_ADDRESSES:
        table.popitem(last=False)
