"""Limits replies: an unproved address is sent no more than it sent, and every host has a rate limit.

Replies are limited before they are computed: one packet may hold thousands of queries, and every reply takes time of
the thread that moves faders. Senders of unproved addresses share one limit, since a forged address costs nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from bridge.osc.codec import write_message, write_packets
from bridge.rate_limit import KeyedBuckets, TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.network import Address
    from bridge.osc.address_proof import AddressProofs
    from bridge.osc.codec import Arguments
    from bridge.osc.feedback import Send

ECHO = "/echo"
"""The address of a challenge; a client that receives it sends the same message back."""

BURST_BYTES = 2**17
"""Largest burst of replies to one host, in bytes."""

BYTES_PER_SECOND = 2**16
"""Average rate of replies to one host, in bytes per second."""

UNPROVED_BURST_BYTES = 2**16
"""Largest burst of replies computed for all unproved addresses together, whether they may be sent or not."""

UNPROVED_BYTES_PER_SECOND = 2**15
"""Average rate of the same, in bytes per second."""

_MAX_CREDIT = 2**16
_MAX_ADDRESSES = 1024
_MIN_MESSAGE = 12


class ReplyGate:
    """Sends replies within the limits of their receivers.

    Args:
        send: sends a packet to the network.
        proofs: which addresses have proved that they receive.
        prefix: of every OSC address.
        clock: seconds.
    """

    def __init__(
        self, send: Send, proofs: AddressProofs, prefix: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send, self._proofs, self._prefix = send, proofs, prefix
        self._buckets: KeyedBuckets[object] = KeyedBuckets(BURST_BYTES, BYTES_PER_SECOND, clock)
        self._unproved = TokenBucket(UNPROVED_BURST_BYTES, UNPROVED_BYTES_PER_SECOND, clock)
        self._credit: OrderedDict[Address, int] = OrderedDict()

    def received(self, address: Address, size: int) -> None:
        """Credit an address with the size of a message that it is sent the reply to.

        Args:
            address: host and port.
            size: bytes of the message.
        """
        if not self._proofs.is_proved(address):
            self._credit[address] = min(self._credit.get(address, 0) + size, _MAX_CREDIT)
            self._credit.move_to_end(address)
            while len(self._credit) > _MAX_ADDRESSES:
                self._credit.popitem(last=False)

    def is_exhausted(self, address: Address) -> bool:
        """Return whether the host of a proved address has reached its rate limit.

        Args:
            address: host and port.

        Returns:
            Whether further queries from there are refused.
        """
        return self._proofs.is_proved(address) and self._buckets[address[0]].is_empty

    def reply(self, address: Address, compute: Callable[[], Iterable[tuple[str, Arguments]]]) -> bool:
        """Send a reply, or a challenge in its place if the reply is too large for an unproved address.

        Args:
            address: host and port.
            compute: returns the messages: addresses, without the prefix, and arguments. It is not called for an
                unproved address once too much was computed for those.

        Returns:
            Whether the reply itself was sent.
        """
        bucket = self._buckets[address[0]] if self._proofs.is_proved(address) else self._unproved
        if bucket is self._unproved and bucket.is_empty:
            self.challenge(address)
            return False
        packets = write_packets([write_message(self._prefix + at, arguments) for at, arguments in compute()])
        size = sum(map(len, packets))
        bucket.charge(size)
        if not self._may_send(address, size):
            self.challenge(address)
            return False
        for packet in packets:
            self._send(address, packet)
        return bool(packets)

    def challenge(self, address: Address) -> None:
        """Send a challenge to an address that is not trusted, if its credit allows.

        Args:
            address: host and port.
        """
        if self._proofs.is_trusted(address):
            return
        packet = write_message(self._prefix + ECHO, (self._proofs.challenge(address),))
        if self._may_send(address, len(packet)):
            self._send(address, packet)

    def fitted(self, address: Address, at: str, message: str) -> str:
        """Return an error message, cut to what may be sent.

        Args:
            address: host and port.
            at: the OSC address of the message.
            message: ASCII or not.

        Returns:
            The message, its beginning, or an empty text.
        """
        if self._proofs.is_proved(address):
            return message
        head = (len(self._prefix + at) // 4 + 1) * 4 + 4
        room = (self._credit.get(address, 0) - head) // 4 * 4 - 1
        cut = message.encode()[: max(room, 0)].decode(errors="ignore")
        return cut if len(cut) >= min(_MIN_MESSAGE, len(message)) else ""

    def _may_send(self, address: Address, size: int) -> bool:
        if self._proofs.is_proved(address):
            return True
        left = self._credit.get(address, 0) - size
        if left < 0:
            return False
        self._credit[address] = left
        return True
