"""Peers that send feedback, such as another stream_sep: their values are not requests to set anything."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.network import Address
    from bridge.osc.codec import Message
    from bridge.osc.node import Node

REPLIES = frozenset({"/error", "/pong", "/list/end", "/list/added", "/list/removed"})
"""Messages that are only replies; replying to them could loop for ever between two programs."""

_LEASE_SECONDS = 10.0
_MAX_MIRRORS = 256
_TYPES = {float: "f", int: "i", str: "s"}


class Mirrors:
    """Recognizes the feedback of another stream_sep: read-only addresses with exactly their own types.

    Args:
        targets: addresses that always receive everything, and may send as much.
    """

    def __init__(self, targets: Iterable[Address]) -> None:
        self._targets = frozenset(targets)
        self._until: OrderedDict[Address, float] = OrderedDict()

    def note(self, sender: Address, messages: Sequence[Message], nodes: Callable[[str], Node | None]) -> None:
        """Inspect a packet: one with several read-only addresses is feedback.

        Args:
            sender: of the packet.
            messages: its messages.
            nodes: returns the node of an address.
        """
        readings = sum(is_read_only_value(nodes(message.address), message.arguments) for message in messages)
        if readings > 1 or (readings and sender in self._until):
            self._until[sender] = time.monotonic() + _LEASE_SECONDS
            self._until.move_to_end(sender)
            if len(self._until) > _MAX_MIRRORS:
                self._until.popitem(last=False)

    def is_feedback(self, sender: Address, node: Node | None, arguments: tuple[object, ...]) -> bool:
        """Return whether a message is only feedback of another program.

        Args:
            sender: of the message.
            node: of its address, if there is one.
            arguments: its arguments.

        Returns:
            Whether it requests nothing.
        """
        is_mirror = sender in self._targets or self._until.get(sender, 0.0) > time.monotonic()
        return is_mirror and is_read_only_value(node, arguments)


def is_read_only_value(node: Node | None, arguments: tuple[object, ...]) -> bool:
    """Return whether a message has exactly the types of a read-only node.

    Args:
        node: of the message's address, if there is one.
        arguments: of the message.

    Returns:
        Whether the types are the node's own.
    """
    if node is None or node.path or not arguments:
        return False
    types = "".join(_TYPES.get(type(argument), "?") for argument in arguments)
    return types == node.types or (len(node.types) == 1 and set(types) == {node.types})
