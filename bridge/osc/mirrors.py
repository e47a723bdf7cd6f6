"""Programs that tell us everything they have: another stream_sep, whose feedback is no wish to set anything."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.network import Address
    from bridge.osc.codec import Message
    from bridge.osc.namespace import Node

REPLIES = frozenset({"/error", "/pong", "/list/end", "/list/added", "/list/removed"})
"""What is only ever told; answering it could go on for ever between two programs."""

_LEASE_SECONDS = 10.0
_MAX_MIRRORS = 256
_TYPES = {float: "f", int: "i", str: "s"}


class Mirrors:
    """Recognizes the feedback of another stream_sep: read-only addresses with the very types that they tell.

    Args:
        targets: addresses that are told everything always, and may tell as much.
        clock: seconds.
    """

    def __init__(self, targets: Iterable[Address], clock: Callable[[], float] = time.monotonic) -> None:
        self._targets, self._clock = frozenset(targets), clock
        self._until: OrderedDict[Address, float] = OrderedDict()

    def note(self, sender: Address, messages: Sequence[Message], nodes: Callable[[str], Node | None]) -> None:
        """Look at a packet: one that tells of several read-only addresses is feedback.

        Args:
            sender: where it came from.
            messages: what it holds.
            nodes: gives the node of an address.
        """
        told = sum(is_told(nodes(message.address), message.arguments) for message in messages)
        if told > 1 or (told and sender in self._until):
            self._until[sender] = self._clock() + _LEASE_SECONDS
            self._until.move_to_end(sender)
            if len(self._until) > _MAX_MIRRORS:
                self._until.popitem(last=False)

    def is_feedback(self, sender: Address, node: Node | None, arguments: tuple[object, ...]) -> bool:
        """Return whether a message only tells what another program has.

        Args:
            sender: where it came from.
            node: what its address means here.
            arguments: what it carries.

        Returns:
            Whether nobody asked for anything.
        """
        known = sender in self._targets or self._until.get(sender, 0.0) > self._clock()
        return known and is_told(node, arguments)


def is_told(node: Node | None, arguments: tuple[object, ...]) -> bool:
    """Return whether a message is what a read-only node tells, as far as its types go.

    Args:
        node: of the message's address, if there is one.
        arguments: what the message carries.

    Returns:
        Whether the types are the node's own.
    """
    if node is None or node.path or not arguments:
        return False
    types = "".join(_TYPES.get(type(argument), "?") for argument in arguments)
    return types == node.types or (len(node.types) == 1 and set(types) == {node.types})
