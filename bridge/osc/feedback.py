"""Sends changes to clients: batched, at most thirty times a second, and meters at a rate of their own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeAlias

from bridge.osc.codec import write_message, write_packets
from bridge.osc.node import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.network import Address
    from bridge.osc.client import Client
    from bridge.osc.clients import Clients
    from bridge.osc.codec import Arguments
    from bridge.osc.node import Node
    from bridge.protocols import MixerControl

    Send: TypeAlias = Callable[[Address, bytes], bool]

FLUSH_SECONDS = 1 / 30
"""The least time between two updates."""

MIN_METER_RATE, MAX_METER_RATE = 0.1, 100.0
"""Meter messages per second; 0 is none."""


class Feedback:
    """Feedback to subscribed clients; all but `changed` is for one thread.

    Args:
        mixer: read when feedback is sent.
        nodes: every address there is.
        clients: the receivers.
        send: sends a packet to the network; returns False if it should be tried again.
        name: returns the name of an address in a client's messages.
        meter_rate: meter messages per second; 0 is none.
        wake: called, from any thread, when `run_due` becomes due.
        failed: called with an unexpected error while reading a value, which is then not sent.
    """

    def __init__(
        self,
        mixer: MixerControl,
        nodes: tuple[Node, ...],
        clients: Clients,
        send: Send,
        *,
        name: Callable[[Client, str], str],
        meter_rate: float,
        wake: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._mixer, self._clients, self._send, self._name, self._wake = mixer, clients, send, name, wake
        self._failed = failed
        self.set_nodes(nodes)
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._next_flush = self._next_meters = 0.0
        self.meter_rate = meter_rate

    def set_nodes(self, nodes: tuple[Node, ...]) -> None:
        """Replace the addresses.

        Args:
            nodes: every address there is.
        """
        self._by_source: dict[str, list[Node]] = {}
        self._meters: tuple[Node, ...] = tuple(node for node in nodes if node.group & Group.METERS)
        for node in nodes:
            for source in node.sources:
                self._by_source.setdefault(source, []).append(node)

    @property
    def meter_rate(self) -> float:
        """Meter messages per second; 0 is none."""
        return self._meter_rate

    @meter_rate.setter
    def meter_rate(self, rate: float) -> None:
        self._meter_rate = min(max(rate, MIN_METER_RATE), MAX_METER_RATE) if rate > 0 else 0.0
        self._next_meters = 0.0

    def changed(self, path: str) -> None:
        """Queue a control whose value may have changed; from any thread."""
        with self._lock:
            first = not self._paths
            self._paths.add(path)
        if first:
            self._wake()

    @property
    def next_deadline(self) -> float | None:
        """Seconds until `run_due` is due; None if nothing is scheduled."""
        now = time.monotonic()
        moments = []
        if self._paths or self._clients.has_pending:
            moments.append(max(0.0, self._next_flush - now))
        if self._metering:
            moments.append(max(0.0, self._next_meters - now))
        if self._clients.next_touch_expiry is not None:
            moments.append(self._clients.next_touch_expiry)
        return min(moments, default=None)

    @property
    def _metering(self) -> bool:
        return self._meter_rate > 0 and self._clients.has_subscriber(self._meters)

    def run_due(self) -> None:
        """Send the feedback that is due."""
        now = time.monotonic()
        self._mark_changes()
        metering = self._metering and now >= self._next_meters
        if metering:
            self._next_meters = max(self._next_meters + 1 / self._meter_rate, now)
            self._clients.mark(self._meters)
        if metering or (self._clients.has_pending and now >= self._next_flush):
            self._next_flush = now + FLUSH_SECONDS
            self._flush()

    def _mark_changes(self) -> None:
        with self._lock:
            paths, self._paths = self._paths, set()
        for path in paths:
            self._clients.mark(self._by_source.get(path, ()))

    def _flush(self) -> None:
        self._clients.forget_expired()
        values: dict[str, Arguments] = {}

        def read(node: Node) -> Arguments | None:
            if node.address not in values:
                try:
                    values[node.address] = node.read(self._mixer)
                except Exception as error:  # noqa: BLE001 - one broken reading may not end all feedback
                    self._failed(error)
                    return None
            return values[node.address]

        for client in self._clients:
            updates = self._clients.pending_updates(client, read)
            if self._send_updates(client, updates):
                client.last_values.update((node.address, arguments) for node, arguments in updates)
            else:
                client.mark(node for node, _ in updates)

    def _send_updates(self, client: Client, updates: list[tuple[Node, Arguments]]) -> bool:
        messages = [write_message(self._name(client, node.address), arguments) for node, arguments in updates]
        return all(self._send(client.address, packet) for packet in write_packets(messages))
