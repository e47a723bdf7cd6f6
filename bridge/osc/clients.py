"""All clients that receive changes: their leases, and the updates pending for each."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from bridge.osc.client import Client
from bridge.osc.node import Group
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bridge.network import Address
    from bridge.osc.codec import Arguments
    from bridge.osc.node import Node

LEASE_SECONDS = 10.0
"""Seconds until a subscription ends if it is not renewed."""

MAX_CLIENTS = 64
"""Most clients with a subscription."""

MAX_PER_HOST = 16
"""Most subscriptions of one host, unless OSC is bound to loopback."""

_MAX_SENDERS = 1024


class Clients:
    """All clients; for use by one thread.

    Args:
        nodes: every address there is.
        targets: addresses that always receive everything.
        clock: seconds that leases are measured in.
        max_per_host: how many clients one host may have, targets among them.
    """

    def __init__(
        self,
        nodes: tuple[Node, ...],
        targets: Iterable[Address] = (),
        clock: Callable[[], float] = time.monotonic,
        *,
        max_per_host: int = MAX_CLIENTS,
    ) -> None:
        self._nodes, self._clock, self._max_per_host = nodes, clock, max_per_host
        self._clients = {address: Client(address) for address in targets}
        self._senders: dict[Address, Address] = {}
        for client in self:
            client.mark(nodes)

    def __iter__(self) -> Iterator[Client]:
        return iter(tuple(self._clients.values()))

    def of(self, sender: Address) -> Client | None:
        """Return the client of a sender's address, if there is one."""
        return self._clients.get(self._senders.get(sender, sender))

    def subscribe(self, sender: Address, address: Address, mask: int = Group.EVERYTHING) -> Client:
        """Send changes to ``address`` for `LEASE_SECONDS` more; a new one receives everything first.

        Args:
            sender: of the message.
            address: where changes go.
            mask: the groups, and `BY_NUMBER`.

        Returns:
            The client.

        Raises:
            BridgeError: there are too many already.
        """
        self.forget_expired()
        client = self._clients.get(address) or self._new_client(address)
        if len(self._senders) >= _MAX_SENDERS:  # tools that send from a new port every time
            self._senders.clear()
        self._senders[sender] = address
        if client.mask != mask:
            client.mask, client.subscriptions = mask, None
            client.mark(self._nodes)
        if client.expires < math.inf:
            client.expires = self._clock() + LEASE_SECONDS
        return client

    def join(self, address: Address) -> Client:
        """Add a client that subscribes to addresses one by one, until it is dropped.

        Raises:
            BridgeError: there are too many already.
        """
        client = self._new_client(address)
        client.subscriptions, client.expires = set(), math.inf
        return client

    def listen(self, address: Address, nodes: Iterable[Node], *, listening: bool) -> None:
        """Subscribe a client to these, beginning with their current values, or unsubscribe it.

        Args:
            address: of a client that joined.
            nodes: the addresses.
            listening: whether it receives them from now on.
        """
        client = self._clients[address]
        chosen = {node.address: node for node in nodes}
        current = {node.address for node in self._nodes if client.subscribes_to(node)}
        client.subscriptions = current | chosen.keys() if listening else current - chosen.keys()
        client.last_values = {at: last for at, last in client.last_values.items() if at not in chosen}
        client.pending = {at: node for at, node in client.pending.items() if at in client.subscriptions}
        client.mark(chosen.values())

    def set_nodes(self, nodes: tuple[Node, ...], added: Iterable[Node], removed: Iterable[Node]) -> None:
        """Replace the addresses: send the added ones, and drop the state of the removed ones.

        Args:
            nodes: every address there is.
            added: those that were not there before.
            removed: those that are gone.
        """
        self._nodes = nodes
        gone = {node.address for node in removed}
        for client in self:
            for of_client in (client.last_values, client.pending):
                for address in gone & of_client.keys():
                    del of_client[address]
            if client.subscriptions is not None:
                client.subscriptions -= gone
            client.mark(added)

    def drop(self, client: Client) -> None:
        """Remove a client and all its subscriptions."""
        self._clients.pop(client.address, None)
        self._senders = {sender: at for sender, at in self._senders.items() if at != client.address}

    def _new_client(self, address: Address) -> Client:
        if len(self._clients) >= MAX_CLIENTS:
            raise BridgeError(f"{MAX_CLIENTS} clients are subscribed already, and no more can be")
        if sum(at[0] == address[0] for at in self._clients) >= self._max_per_host:
            raise BridgeError(
                f"{self._max_per_host} clients at {address[0]} are subscribed already, and no more can be"
            )
        client = self._clients[address] = Client(address, mask=0, expires=self._clock())
        return client

    def unsubscribe(self, sender: Address) -> None:
        """Remove a client; a fixed target keeps receiving changes."""
        client = self.of(sender)
        if client is not None and client.expires < math.inf:
            self.drop(client)

    def refresh(self, client: Client) -> None:
        """Send everything to a client again."""
        client.last_values.clear()
        client.mark(self._nodes)

    def forget_expired(self) -> None:
        """Drop the clients that did not renew their lease."""
        now = self._clock()
        for client in self:
            if client.expires <= now:
                self.unsubscribe(client.address)

    def record_write(self, sender: Address, node: Node, assumed: Arguments) -> None:
        """Record a value that a sender wrote: it receives feedback only if the result differs.

        Args:
            sender: of the message.
            node: the address.
            assumed: the arguments that the sender now assumes.
        """
        client = self.of(sender)
        if client is not None:
            client.last_values[node.address] = assumed

    def touch(self, sender: Address, base: str, *, held: bool) -> None:
        """Mark a fader as touched, for a lease at most, or as released.

        Args:
            sender: of the message.
            base: the address without ``/fader``.
            held: whether a hand is on it.
        """
        client = self.of(sender)
        if client is not None:
            client.touched[base] = self._clock() + LEASE_SECONDS if held else -math.inf
            client.mark(node for node in self._nodes if node.address.startswith(f"{base}/"))

    def mark(self, nodes: Iterable[Node]) -> None:
        """Check these nodes again for every client."""
        changed = tuple(nodes)
        for client in self:
            client.mark(changed)

    def has_subscriber(self, nodes: Iterable[Node]) -> bool:
        """Return whether a client is subscribed to one of these."""
        return any(client.subscribes_to(node) for node in nodes for client in self)

    @property
    def next_touch_expiry(self) -> float | None:
        """Seconds until the next touch that holds back feedback expires."""
        now = self._clock()
        ends = (end for client in self if client.pending for end in client.touched.values() if end > now)
        return min((end - now for end in ends), default=None)

    @property
    def has_pending(self) -> bool:
        """Whether an update may be due for a client now."""
        now = self._clock()
        return any(not client.is_touched(node, now) for client in self for node in client.pending.values())

    def pending_updates(
        self, client: Client, read: Callable[[Node], Arguments | None]
    ) -> list[tuple[Node, Arguments]]:
        """Take the updates that are due for a client.

        Args:
            client: the receiver.
            read: returns the current arguments of a node; None if it cannot be read.

        Returns:
            Nodes and their arguments.
        """
        now = self._clock()
        updates = []
        for node in [node for node in client.pending.values() if not client.is_touched(node, now)]:
            del client.pending[node.address]
            arguments = read(node)
            if arguments is not None and not client.is_current(node, arguments):
                updates.append((node, arguments))
        return updates
