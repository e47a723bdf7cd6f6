"""An OSC session: applies messages to the mixer, and sends replies and feedback."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bridge.mixer_jobs import MixerJobs
from bridge.osc.address_proof import AddressProofs
from bridge.osc.clients import MAX_CLIENTS, Clients
from bridge.osc.codec import describe, read_packet, write_message, write_packets
from bridge.osc.commands import Commands, entry
from bridge.osc.error_replies import ErrorReplies
from bridge.osc.feedback import Feedback
from bridge.osc.mirrors import REPLIES, Mirrors
from bridge.osc.namespace import PRESET_LIST, nodes_of
from bridge.osc.node import number
from bridge.osc.reply_gate import ReplyGate
from bridge.osc.router import Router, UnknownAddressError, is_pattern, routes_of
from bridge.osc.write_batch import WriteBatch
from bridge.unexpected import UnexpectedErrors
from stream_sep.errors import BridgeError, ParameterError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.network import Address
    from bridge.osc.client import Client
    from bridge.osc.codec import Arguments, Message
    from bridge.osc.feedback import Send
    from bridge.osc.node import Node
    from bridge.osc.router import Route
    from bridge.protocols import MixerControl

_log = logging.getLogger(__name__)

_FAR = "a bundle's time was more than 2 s ahead, so it was applied at once: set the clock?"
_BUSY = "too many queries from this host; some had no reply"


@dataclass
class ReceiveLog:
    """Counts the received messages: the last one, and how many were invalid."""

    last: Message | None = None
    errors: int = 0

    def __str__(self) -> str:
        return "" if self.last is None else describe(self.last)


class OscSession:
    """Receives packets, sets the mixer's controls, and sends replies and feedback.

    For one thread, except `feedback.changed` and `tree_changed`.

    Args:
        mixer: the mixer to control.
        send: sends a packet to the network; returns False if it should be tried again.
        wake: called, from any thread, when `run_due` becomes due.
        received: keeps the last message and counts the invalid ones.
        targets: addresses that always receive everything.
        meter_rate: meter messages per second; 0 is none.
        prefix: of every address; messages without it are ignored.
        clock: seconds that leases and limits are measured in.
        on_tree_change: called with the added and the removed addresses; by default they are sent over OSC.
        trusted: returns whether an address needs no proof that it receives; by default none does, as over
            connections that cannot be forged.
        max_per_host: how many clients one host may have.

    Attributes:
        nodes: every address that holds a value.
        clients: the clients that receive changes.
        feedback: sends changes to them.
    """

    def __init__(
        self,
        mixer: MixerControl,
        send: Send,
        wake: Callable[[], None],
        received: ReceiveLog,
        *,
        targets: Iterable[Address] = (),
        meter_rate: float = 20.0,
        prefix: str = "",
        clock: Callable[[], float] = time.monotonic,
        on_tree_change: Callable[[tuple[Node, ...], tuple[Node, ...]], None] | None = None,
        trusted: Callable[[Address], bool] = lambda _: True,
        max_per_host: int = MAX_CLIENTS,
    ) -> None:
        targets = tuple(targets)
        self._mixer, self._send, self._prefix, self._received = mixer, send, prefix, received
        self._jobs = MixerJobs(mixer, wake, self._presets_changed)
        self._jobs.load_names()
        self.nodes = self._read_tree()
        self._wake, self._on_tree_change = wake, on_tree_change or self._send_tree_changes
        self._tree_changed = threading.Event()
        self.clients = Clients(self.nodes, targets, clock, max_per_host=max_per_host)
        self.feedback = Feedback(
            mixer,
            self.nodes,
            self.clients,
            send,
            name=self._name,
            meter_rate=meter_rate,
            wake=wake,
            failed=self._note_unexpected,
        )
        self._proofs = AddressProofs(lambda address: address in targets or trusted(address), clock)
        self._gate = ReplyGate(send, self._proofs, prefix, clock)
        self._errors = ErrorReplies(self._gate)
        self._mirrors = Mirrors(targets)
        self._writes = WriteBatch(mixer, self._jobs, self.feedback.changed, self._refuse_sender)
        self._unexpected = UnexpectedErrors(_log, "OSC")
        self._commands = Commands(
            mixer,
            self.clients,
            self.feedback,
            jobs=self._jobs,
            proofs=self._proofs,
            gate=self._gate,
            nodes=self.nodes,
            refuse=self._refuse_sender,
            read=self._read,
        )
        self._route()

    # scheduling

    def tree_changed(self) -> None:
        """Schedule an update of the addresses after controls were added or removed; from any thread."""
        self._tree_changed.set()
        self._wake()

    @property
    def next_deadline(self) -> float | None:
        """Seconds until `run_due` is due; None if nothing is scheduled."""
        return self.feedback.next_deadline

    def run_due(self) -> None:
        """Apply added and removed controls, finish preset jobs, and send the feedback that is due."""
        if self._tree_changed.is_set():
            self._tree_changed.clear()
            self._rebuild()
        self._jobs.finish()
        self.feedback.run_due()

    def _rebuild(self) -> None:
        before = {_shape(node): node for node in self.nodes}
        self.nodes = self._read_tree()
        after = {_shape(node): node for node in self.nodes}
        added = tuple(node for shape, node in after.items() if shape not in before)
        removed = tuple(node for shape, node in before.items() if shape not in after)
        self.feedback.set_nodes(self.nodes)
        self.clients.set_nodes(self.nodes, added, removed)
        self._route()
        self._on_tree_change(added, removed)

    def _read_tree(self) -> tuple[Node, ...]:
        return nodes_of(self._mixer, lambda: self._jobs.names)

    def _route(self) -> None:
        self._router = Router(routes_of(self.nodes), self._mixer.stems)
        self._commands.set_nodes(self.nodes)

    def _name(self, client: Client, address: str) -> str:
        return self._prefix + (self._router.numbered(address) if client.by_number else address)

    def _send_tree_changes(self, added: tuple[Node, ...], removed: tuple[Node, ...]) -> None:
        for client in self.clients:
            old, new = ([node for node in nodes if client.subscribes_to(node)] for nodes in (removed, added))
            changes: list[tuple[str, Arguments]] = [
                ("/list/removed", (self._name(client, node.address),)) for node in old
            ]
            changes += [("/list/added", entry(node, self._name(client, node.address))) for node in new]
            for packet in write_packets([write_message(self._prefix + at, arguments) for at, arguments in changes]):
                self._send(client.address, packet)

    def _presets_changed(self) -> None:
        self.clients.mark(node for node in self.nodes if node.address == PRESET_LIST)

    # receiving

    def receive(self, packets: Iterable[tuple[bytes, Address]]) -> None:
        """Apply packets; of several values for one control, only the newest is applied.

        Args:
            packets: each with its sender; an invalid one leaves the others valid.
        """
        for data, sender in packets:
            packet = read_packet(data)
            if packet.problems:
                self._gate.received(self._reply_address(sender), len(data))
            for problem in packet.problems:
                self._refuse(self._reply_address(sender), problem)
            messages = [message for message in packet.messages if message.address.startswith(f"{self._prefix}/")]
            self._mirrors.note(sender, messages, self._node)
            for message in messages:
                self._received.last = message
                self._guard(partial(self._take, message, sender), self._destination(message, sender))
            if any(message.far for message in messages):
                self._refuse(self._reply_address(sender), _FAR, once=True)
        self._guard(self._writes.apply, None)

    def _guard(self, call: Callable[[], None], to: Address | None) -> None:
        """Make a call whose errors affect nothing else; send them to ``to``."""
        try:
            call()
        except StreamSepError as error:
            if to is not None:
                self._refuse_error(to, error)
        except Exception as error:  # noqa: BLE001 - an error in one message must not lose the next
            self._note_unexpected(error)
            if to is not None:
                self._errors.send(to, f"unexpected {type(error).__name__}; the log has more")

    def _note_unexpected(self, error: Exception) -> None:
        self._unexpected.note(error)
        self._received.errors += 1

    def _take(self, message: Message, sender: Address) -> None:
        address, arguments = message.address.removeprefix(self._prefix), message.arguments
        if address in REPLIES or (address == "/list" and arguments):
            return
        if self._mirrors.is_feedback(sender, self._node(message.address), arguments):
            return
        to = self._destination(message, sender)
        self._gate.received(to, message.size)
        action = self._commands.find_action(address)
        if action is not None:
            self._writes.apply()
            action(arguments, sender)
            return
        command = self._commands.find(address, arguments)
        routes = self._router.find(address) if command is None else ()
        if routes and (arguments or routes[0].verb != "value"):
            self._write(routes, message, sender)
            return
        self._writes.apply()
        if self._gate.is_exhausted(to):
            raise BridgeError(_BUSY)
        self._gate.reply(to, lambda: self._read(address) if command is None else command(arguments, sender))

    def _destination(self, message: Message, sender: Address) -> Address:
        address = message.address.removeprefix(self._prefix)
        return self._commands.reply_address(address, message.arguments, sender) or self._reply_address(sender)

    def _reply_address(self, sender: Address) -> Address:
        client = self.clients.of(sender)
        return client.address if client is not None else sender

    def _read(self, address: str) -> Sequence[tuple[str, Arguments]]:
        """Return the arguments of an address, or of every address of a pattern."""
        nodes = [route.node for route in self._router.find(address) if route.verb == "value"]
        return [((node.address if is_pattern(address) else address), node.read(self._mixer)) for node in nodes]

    def _node(self, address: str) -> Node | None:
        route = self._router.exact(address.removeprefix(self._prefix))
        return route.node if route is not None and route.verb == "value" else None

    def _write(self, routes: tuple[Route, ...], message: Message, sender: Address) -> None:
        if len(message.arguments) > 1:
            raise ParameterError(f"{message.address:.60} takes one value, not {len(message.arguments)}")
        self._writes.begin(message.at)
        argument = message.arguments[0] if message.arguments else 1
        moves = []
        for route in routes:
            if route.verb == "touch":
                held = number(route.node.address, argument) > 0
                self.clients.touch(sender, route.node.address.removesuffix("/fader"), held=held)
            elif route.verb == "toggle":
                self._toggle(route.node, argument, sender)
            else:
                moves.append((route.node, *route.node.decode(argument)))
        self._mixer.controls.check({node.path: value for node, value, _ in moves})
        for node, value, assumed in moves:
            self._writes.put(node.path, value, sender)
            self.clients.record_write(sender, node, assumed)

    def _toggle(self, node: Node, argument: object, sender: Address) -> None:
        if number(node.address, argument) > 0:  # else a button let go
            current = self._writes.value(node.path)
            self._writes.put(node.path, float(not current) if node.types == "f" else not current, sender)

    # errors

    def _refuse_sender(self, sender: Address, error: StreamSepError) -> None:
        self._refuse_error(self._reply_address(sender), error)

    def _refuse_error(self, to: Address, error: StreamSepError) -> None:
        unknown = error.unknown_address if isinstance(error, UnknownAddressError) else None
        self._refuse(to, str(error), str if unknown is None else lambda: self._router.hint(unknown))

    def _refuse(self, to: Address, text: str, hint: Callable[[], str] = str, *, once: bool = False) -> None:
        self._received.errors += 1
        self._errors.send(to, text, hint, once=once)


def _shape(node: Node) -> tuple[object, ...]:
    """Return the identity of a node, to detect added and removed ones: all but its reader."""
    return node.address, node.types, node.path, node.low, node.high, node.unit
