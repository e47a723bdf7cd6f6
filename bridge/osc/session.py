"""A desk that speaks OSC: what every message does to it, and what is answered."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.osc.clients import Clients
from bridge.osc.codec import read_packet, write_message, write_packets
from bridge.osc.commands import Commands, entry
from bridge.osc.feedback import Feedback
from bridge.osc.namespace import nodes_of, number
from bridge.osc.router import Router, is_pattern, routes_of
from stream_sep.errors import BridgeError, ParameterError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.osc.clients import Address, Client
    from bridge.osc.codec import Arguments, Message
    from bridge.osc.feedback import Send
    from bridge.osc.namespace import Node
    from bridge.osc.router import Route
    from bridge.protocols import Desk

_log = logging.getLogger(__name__)

_NEVER_ANSWERED = ("/error", "/pong")  # two desks that tell each other must not do so for ever
_LONGEST_SENTENCE = 400
_REPEAT_SECONDS = 1.0
_MOST_REMEMBERED = 256


@dataclass
class Reception:
    """What came in: the message received last, and how many made no sense."""

    last: Message | None = None
    errors: int = 0

    def __str__(self) -> str:
        if self.last is None:
            return ""
        return " ".join([self.last.address, *map(_short, self.last.arguments)])


def _short(argument: object) -> str:
    return f"{argument:g}" if isinstance(argument, float) else f"{argument!s:.60}"


class OscDesk:
    """Takes packets, moves the desk, answers and tells clients; for one thread, but ``feedback.changed`` and `grown`.

    Args:
        desk: what is moved.
        send: gives a packet to the network; False if it should be tried again.
        wake: called, from any thread, when `work` has something new to do.
        reception: keeps what came in last and counts what made no sense.
        targets: where everything is told, always.
        meter_rate: rounds of meters a second; 0 is none.
        prefix: what every address begins with; messages without it are for someone else.
        clock: seconds that leases are measured in.
        tell_tree: told which addresses came and which went; unless given, clients are told over OSC.

    Attributes:
        nodes: every address that holds a value.
        clients: who is told of changes.
        feedback: what tells them.
    """

    def __init__(
        self,
        desk: Desk,
        send: Send,
        wake: Callable[[], None],
        reception: Reception,
        *,
        targets: Iterable[Address] = (),
        meter_rate: float = 20.0,
        prefix: str = "",
        clock: Callable[[], float] = time.monotonic,
        tell_tree: Callable[[tuple[Node, ...], tuple[Node, ...]], None] | None = None,
    ) -> None:
        self.nodes = nodes_of(desk)
        self._wake, self._tell_tree = wake, tell_tree or self._tell_clients
        self._grown = threading.Event()
        self.clients = Clients(self.nodes, targets, clock)
        self.feedback = Feedback(
            desk, self.nodes, self.clients, send, name=self._name, meter_rate=meter_rate, wake=wake
        )
        self._desk, self._send, self._prefix, self._reception = desk, send, prefix, reception
        self._learn()
        self._writes: dict[str, object] = {}
        self._writers: set[Address] = set()
        self._at: float | None = None
        self._refused: dict[tuple[Address, str], float] = {}

    def _name(self, client: Client, address: str) -> str:
        return self._prefix + (self._router.numbered(address) if client.by_number else address)

    def _learn(self) -> None:
        self._router = Router(routes_of(self.nodes), self._desk.stems)
        self._commands = Commands(self._desk, self.clients, self.feedback, self.nodes).by_address

    def grown(self) -> None:
        """Note that controls of the desk have come or gone; from any thread."""
        self._grown.set()
        self._wake()

    def work(self) -> None:
        """Take in controls that have come or gone, and tell clients what is due."""
        if self._grown.is_set():
            self._grown.clear()
            self._regrow()
        self.feedback.work()

    def _regrow(self) -> None:
        before, self.nodes = {_shape(node): node for node in self.nodes}, nodes_of(self._desk)
        after = {_shape(node): node for node in self.nodes}
        added = tuple(node for shape, node in after.items() if shape not in before)
        removed = tuple(node for shape, node in before.items() if shape not in after)
        self.feedback.learn(self.nodes)
        self.clients.learn(self.nodes, added, removed)
        self._learn()
        self._tell_tree(added, removed)

    def _tell_clients(self, added: tuple[Node, ...], removed: tuple[Node, ...]) -> None:
        for client in self.clients:
            gone, come = ([node for node in nodes if client.wants(node)] for nodes in (removed, added))
            news: list[tuple[str, Arguments]] = [
                ("/list/removed", (self._name(client, node.address),)) for node in gone
            ]
            news += [("/list/added", entry(node, self._name(client, node.address))) for node in come]
            for packet in write_packets([write_message(self._prefix + at, told) for at, told in news]):
                self._send(client.address, packet)

    def receive(self, packets: Iterable[tuple[bytes, Address]]) -> None:
        """Do what packets say; of many values for one control in a row only the newest is applied."""
        for packet, sender in packets:
            try:
                messages = read_packet(packet)
            except BridgeError as error:
                self._reception.errors += 1
                _log.debug("from %s: %s", sender, error)
                continue
            self._receive_messages(messages, sender)
        self._apply()

    def _receive_messages(self, messages: tuple[Message, ...], sender: Address) -> None:
        for message in messages:
            if message.address.startswith(f"{self._prefix}/"):
                self._reception.last = message
                try:
                    self._act(message, message.address.removeprefix(self._prefix), sender)
                except StreamSepError as error:
                    self._refuse(sender, str(error))
        if any(message.far for message in messages):
            sentence = "a bundle's time was more than 2 s ahead, so it was applied at once: set the clock?"
            self._refuse(sender, sentence, silent_for=math.inf)

    def _act(self, message: Message, address: str, sender: Address) -> None:
        if address in _NEVER_ANSWERED:
            return
        if address in self._commands:
            self._apply()
            self._answer(sender, self._commands[address](message.arguments, sender))
            return
        routes = self._router.find(address)
        if message.arguments or routes[0].verb != "value":
            self._move(routes, message, sender)
        else:
            self._apply()
            self._answer(sender, [self._told(route.node, address) for route in routes if route.verb == "value"])

    def _told(self, node: Node, address: str) -> tuple[str, Arguments]:
        return (node.address if is_pattern(address) else address), node.read(self._desk)

    def _move(self, routes: tuple[Route, ...], message: Message, sender: Address) -> None:
        if len(message.arguments) > 1:
            raise ParameterError(f"{message.address:.60} takes one value, not {len(message.arguments)}")
        if message.at != self._at:
            self._apply()
            self._at = message.at
        argument = message.arguments[0] if message.arguments else 1
        moves = []
        for route in routes:
            if route.verb == "touch":
                held = number(route.node.address, argument) > 0
                self.clients.touch(sender, route.node.address.removesuffix("/fader"), held=held)
            elif route.verb == "toggle":
                self._toggle(route.node, argument, sender)
            else:
                moves.append((route.node, *route.node.received(argument)))
        self._desk.controls.check({node.path: value for node, value, _ in moves})
        for node, value, believes in moves:
            self._write(node, value, sender)
            self.clients.wrote(sender, node, believes)

    def _toggle(self, node: Node, argument: object, sender: Address) -> None:
        if number(node.address, argument) <= 0:  # a button let go
            return
        current = self._writes.get(node.path, self._desk.controls[node.path])
        self._write(node, float(not current) if node.types == "f" else not current, sender)

    def _write(self, node: Node, value: object, sender: Address) -> None:
        self._writes[node.path] = value
        self._writers.add(sender)
        if self._at is None:  # one that asked for too much is told so even if nothing changed
            self.feedback.changed(node.path)

    def _apply(self) -> None:
        values, writers, at = self._writes, self._writers, self._at
        self._writes, self._writers, self._at = {}, set(), None
        if not values:
            return
        try:
            self._desk.apply(values, at=at)
        except StreamSepError as error:
            for writer in writers:
                self._refuse(writer, str(error))

    def _answer(self, sender: Address, answers: Iterable[tuple[str, Arguments]]) -> None:
        client = self.clients.of(sender)
        messages = [write_message(self._prefix + address, arguments) for address, arguments in answers]
        for packet in write_packets(messages):
            self._send(client.address if client else sender, packet)

    def _refuse(self, sender: Address, sentence: str, silent_for: float = _REPEAT_SECONDS) -> None:
        self._reception.errors += 1
        now = time.monotonic()
        if self._refused.get((sender, sentence), now) > now:
            return
        if len(self._refused) >= _MOST_REMEMBERED:
            self._refused.clear()
        self._refused[sender, sentence] = now + silent_for
        _log.info("to %s: %s", sender, sentence)
        with contextlib.suppress(ValueError):  # a text that OSC cannot carry
            self._answer(sender, [("/error", (sentence[:_LONGEST_SENTENCE].replace("\0", ""),))])


def _shape(node: Node) -> tuple[object, ...]:
    """Return what tells addresses apart that have come and gone: all but how they are read."""
    return node.address, node.types, node.path, node.low, node.high, node.unit
