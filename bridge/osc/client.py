"""A client that receives changes: its subscriptions, and the values that it received last."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.osc.node import Group

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.network import Address
    from bridge.osc.codec import Arguments
    from bridge.osc.node import Node

BY_NUMBER = 64
"""Flag of a subscription's mask: stems are addressed by number, not by name."""

_TOLERANCE = 1e-6


@dataclass(eq=False)
class Client:
    """A client that receives changes.

    Attributes:
        address: where it listens.
        mask: the groups it subscribes to, and `BY_NUMBER`.
        subscriptions: addresses that it subscribed to one by one; None if it subscribes to groups.
        expires: when it is dropped unless it subscribes again.
        last_values: arguments last sent to it or received from it, by address.
        pending: nodes that may have changed since.
        touched: until when each fader is touched, by base address; no feedback is sent for it before.
    """

    address: Address
    mask: int = Group.EVERYTHING
    subscriptions: set[str] | None = None
    expires: float = math.inf
    last_values: dict[str, Arguments] = field(default_factory=dict)
    pending: dict[str, Node] = field(default_factory=dict)
    touched: dict[str, float] = field(default_factory=dict)

    @property
    def by_number(self) -> bool:
        """Whether stems are addressed by number."""
        return bool(self.mask & BY_NUMBER)

    def subscribes_to(self, node: Node) -> bool:
        """Return whether it subscribes to this address."""
        return node.address in self.subscriptions if self.subscriptions is not None else bool(node.group & self.mask)

    def mark(self, nodes: Iterable[Node]) -> None:
        """Check these nodes again at the next flush."""
        self.pending.update((node.address, node) for node in nodes if self.subscribes_to(node))

    def is_current(self, node: Node, arguments: Arguments) -> bool:
        """Return whether the client has these arguments already.

        Args:
            node: the address.
            arguments: its current arguments.

        Returns:
            Whether they were sent to the client or received from it last.
        """
        last = self.last_values.get(node.address)
        return last is not None and len(last) == len(arguments) and all(map(_same, last, arguments))

    def is_touched(self, node: Node, now: float) -> bool:
        """Return whether a hand is on that fader.

        Args:
            node: a fader's address, or another.
            now: seconds of the clock of leases.

        Returns:
            Whether a hand is on that fader.
        """
        base, _, name = node.address.rpartition("/")
        return name in ("fader", "gain") and self.touched.get(base, -math.inf) > now


def _same(left: float | str, right: float | str) -> bool:
    if isinstance(left, str) or isinstance(right, str):
        return left == right
    return math.isclose(left, right, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
