"""What may be sent in reply: no more than was received until an address is proved, and never without a limit."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from bridge.osc.codec import write_message, write_packets
from bridge.rate_limit import KeyedBuckets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.network import Address
    from bridge.osc.address_proof import AddressProofs
    from bridge.osc.codec import Arguments
    from bridge.osc.feedback import Send

ECHO = "/echo"
"""The address of a challenge; a client that receives it sends the same message back."""

BURST_BYTES = 2**17
"""How much may be sent to one host in reply at once."""

BYTES_PER_SECOND = 2**16
"""How much in the long run."""

_MAX_CREDIT = 2**16
_MAX_ADDRESSES = 1024
_MIN_SENTENCE = 12


class ReplyGate:
    """Sends replies within what the address at the other end may cause.

    Args:
        send: takes a packet to the network.
        proofs: which addresses receive what is sent to them.
        prefix: what every address begins with.
        clock: seconds.
    """

    def __init__(
        self, send: Send, proofs: AddressProofs, prefix: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send, self._proofs, self._prefix = send, proofs, prefix
        self._buckets: KeyedBuckets[object] = KeyedBuckets(BURST_BYTES, BYTES_PER_SECOND, clock)
        self._credit: OrderedDict[Address, int] = OrderedDict()

    def received(self, address: Address, size: int) -> None:
        """Note that a message came whose reply goes to ``address``.

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
        """Return whether so much was sent to a host that nothing more should be asked on its behalf.

        Args:
            address: host and port.

        Returns:
            Whether a reply is not worth its making.
        """
        return self._buckets[address[0]].is_empty

    def reply(self, address: Address, messages: Iterable[tuple[str, Arguments]]) -> bool:
        """Send a reply, or a challenge in its place where the address is not proved and the reply is too large.

        Args:
            address: host and port.
            messages: addresses, without the prefix, and arguments.

        Returns:
            Whether the reply itself was sent.
        """
        packets = write_packets([write_message(self._prefix + at, arguments) for at, arguments in messages])
        size = sum(map(len, packets))
        if not self._may_send(address, size):
            self.challenge(address)
            return False
        self._buckets[address[0]].charge(size)
        for packet in packets:
            self._send(address, packet)
        return True

    def challenge(self, address: Address) -> None:
        """Ask an address to prove that it receives, as far as what came from there allows.

        Args:
            address: host and port.
        """
        if self._proofs.is_trusted(address):
            return
        packet = write_message(self._prefix + ECHO, (self._proofs.challenge(address),))
        if self._may_send(address, len(packet)):
            self._send(address, packet)

    def fitted(self, address: Address, at: str, sentence: str) -> str:
        """Return as much of a sentence as may be sent.

        Args:
            address: host and port.
            at: the OSC address it goes under.
            sentence: ASCII or not.

        Returns:
            The sentence, its beginning, or nothing.
        """
        if self._proofs.is_proved(address):
            return sentence
        head = (len(self._prefix + at) // 4 + 1) * 4 + 4
        room = (self._credit.get(address, 0) - head) // 4 * 4 - 1
        cut = sentence.encode()[: max(room, 0)].decode(errors="ignore")
        return cut if len(cut) >= min(_MIN_SENTENCE, len(sentence)) else ""

    def _may_send(self, address: Address, size: int) -> bool:
        if self._proofs.is_proved(address):
            return True
        if self._credit.get(address, 0) < size:
            return False
        self._credit[address] -= size
        return True
