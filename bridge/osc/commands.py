"""OSC addresses that do something instead of holding a value: subscriptions, presets, lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from bridge.network import MAX_PORT, Address
from bridge.osc.client import BY_NUMBER
from bridge.osc.codec import Arguments
from bridge.osc.namespace import PRESET_LIST
from bridge.osc.node import Group, number
from bridge.osc.reply_gate import ECHO
from bridge.rate_limit import KeyedBuckets
from stream_sep.errors import ParameterError

if TYPE_CHECKING:
    from bridge.mixer_jobs import MixerJobs
    from bridge.osc.address_proof import AddressProofs
    from bridge.osc.clients import Clients
    from bridge.osc.feedback import Feedback
    from bridge.osc.node import Node
    from bridge.osc.reply_gate import ReplyGate
    from bridge.protocols import MixerControl
    from stream_sep.errors import StreamSepError

Replies: TypeAlias = Iterable[tuple[str, Arguments]]
Command: TypeAlias = Callable[[tuple[object, ...], Address], Replies]
Action: TypeAlias = Callable[[tuple[object, ...], Address], None]

COMMANDS: Mapping[str, tuple[str, str]] = {
    "/list": ("", "lists every address with its types and `r` or `rw`, then sends `/list/end`"),
    "/ping": ("", "replies with `/pong`"),
    "/refresh": ("", "sends all values again; to a client without a subscription, once"),
    "/subscribe": (
        "[port] [mask]",
        "sends changes for 10 s, to the given port or that of the request; the mask is a sum of groups",
    ),
    "/unsubscribe": ("", "ends a subscription"),
    ECHO: ("number", "returns the number of a challenge; it proves that the client receives what is sent to it"),
    "/query": ("address [port]", "queries an address; the reply goes to the given port of the sender's host"),
    "/meters/rate": ("[rate]", "sets the meter messages per second; without a value, queries them"),
    "/preset/recall": ("name or number [ms]", "applies a preset, with a fade of the given length"),
    "/preset/save": ("name [1]", "saves the current values as a preset; replaces an existing one only with 1"),
    "/preset/store": ("name", "saves the current values as a preset, replacing an existing one"),
}
"""Arguments and meaning of each command."""

_MAX_WAITING = 64
_REFRESHES = 4, 1.0  # at once, and a second; each is everything there is


class Commands:
    """The commands; each takes the arguments of its message and the sender, and returns its replies.

    Args:
        mixer: read for `refresh`.
        clients: the subscriptions.
        feedback: sends changes to clients.
        jobs: recalls and stores presets.
        proofs: which addresses have proved that they receive.
        gate: sends challenges and later replies.
        nodes: every address there is, for lists.
        refuse: callback that receives the sender and the error when a command fails after it returned.
        read: returns the current arguments of an address.
    """

    def __init__(
        self,
        mixer: MixerControl,
        clients: Clients,
        feedback: Feedback,
        *,
        jobs: MixerJobs,
        proofs: AddressProofs,
        gate: ReplyGate,
        nodes: tuple[Node, ...],
        refuse: Callable[[Address, StreamSepError], None],
        read: Callable[[str], Replies],
    ) -> None:
        self._mixer, self._clients, self._feedback, self._nodes = mixer, clients, feedback, nodes
        self._jobs, self._proofs, self._gate, self._refuse, self._read = jobs, proofs, gate, refuse, read
        self._refreshes: KeyedBuckets[Address] = KeyedBuckets(*_REFRESHES)
        self._unproved: dict[Address, tuple[Address, int]] = {}
        self._queries: dict[str, Command] = {"/list": self._list, "/ping": self._ping, "/refresh": self._refresh}
        self._replying: dict[str, Command] = {
            **self._queries,
            "/query": self._query,
            "/meters/rate": self._meter_rate,
        }
        self._actions: dict[str, Action] = {
            "/subscribe": self._subscribe,
            "/unsubscribe": self._unsubscribe,
            ECHO: self._echo,
            "/preset/recall": self._recall,
            "/preset/save": self._save,
            "/preset/store": self._store,
        }

    def set_nodes(self, nodes: tuple[Node, ...]) -> None:
        """Replace the addresses.

        Args:
            nodes: every address there is.
        """
        self._nodes = nodes

    def find(self, address: str, arguments: tuple[object, ...]) -> Command | None:
        """Return the command of an address that may reply.

        Args:
            address: without the prefix.
            arguments: of its message.

        Returns:
            The command; None for an address that holds a value.
        """
        if address == PRESET_LIST and not arguments:
            return self._preset_list
        return self._replying.get(address)

    def find_action(self, address: str) -> Action | None:
        """Return the command of an address that never replies, so that no limit of replies applies to it.

        Args:
            address: without the prefix.

        Returns:
            The command; None for any other address.
        """
        return self._actions.get(address)

    def reply_address(self, address: str, arguments: tuple[object, ...], sender: Address) -> Address | None:
        """Return the reply address that a command names.

        Args:
            address: of the command, without the prefix.
            arguments: of its message.
            sender: of the message.

        Returns:
            A port of the sender's host; None if the command does not name one that exists.
        """
        place = {"/subscribe": 0, "/query": 1}.get(address)
        if place is None:
            return None
        try:
            port = _integer("port", arguments[place : place + 1], 0, MAX_PORT)
        except ParameterError:
            return None
        return (sender[0], port, *sender[2:]) if port else None

    def _subscribe(self, arguments: tuple[object, ...], sender: Address) -> None:
        """Send changes to the sender: ``[port] [mask]``, port 0 being the one it sends from."""
        _integer("/subscribe's port", arguments[:1], 0, MAX_PORT)
        address = self.reply_address("/subscribe", arguments, sender) or sender
        mask = _integer("/subscribe's mask", arguments[1:2], Group.EVERYTHING, Group.EVERYTHING + BY_NUMBER)
        if self._proofs.is_ageing(address):
            self._gate.challenge(address)
        if self._proofs.is_proved(address):
            self._clients.subscribe(sender, address, mask)
        else:
            if len(self._unproved) >= _MAX_WAITING:
                self._unproved.clear()
            self._unproved[address] = sender, mask

    def _echo(self, arguments: tuple[object, ...], sender: Address) -> None:
        """Check the number of a challenge, and begin the subscription that waits for it."""
        address = self._proofs.confirm(str(sender[0]), arguments[0] if arguments else None)
        if address is None:
            raise ParameterError(f"{ECHO} takes the number that was sent with {ECHO} a moment ago")
        waiting = self._unproved.pop(address, None)
        if waiting is not None:
            subscriber, mask = waiting
            self._clients.subscribe(subscriber, address, mask)

    def _unsubscribe(self, _: tuple[object, ...], sender: Address) -> None:
        """Send the sender no more changes."""
        self._clients.unsubscribe(sender)

    def _query(self, arguments: tuple[object, ...], sender: Address) -> Replies:
        """Reply to a query of another address: ``ADDRESS [PORT]``, for programs that cannot wait for a reply."""
        if not 1 <= len(arguments) <= 2 or not isinstance(arguments[0], str):
            raise ParameterError("/query takes an address, as text, and the port for the reply")
        _integer("/query's port", arguments[1:], 0, MAX_PORT)
        address = arguments[0]
        return self._queries[address]((), sender) if address in self._queries else self._read(address)

    def _refresh(self, _: tuple[object, ...], sender: Address) -> Replies:
        """Send the sender all values again, or once if it is not a client."""
        client = self._clients.of(sender)
        if client is None:
            return [(node.address, node.read(self._mixer)) for node in self._nodes]
        if not self._refreshes[client.address].take():
            raise ParameterError("/refresh sends everything at most once a second")
        self._clients.refresh(client)
        return ()

    def _list(self, _: tuple[object, ...], __: Address) -> Replies:
        """List every address, with its types and access: ``r`` to read, ``rw`` to read and set."""
        entries = [("/list", entry(node, node.address)) for node in self._nodes]
        return [*entries, ("/list/end", (len(entries),))]

    def _ping(self, _: tuple[object, ...], __: Address) -> Replies:
        """Reply with ``/pong``."""
        return [("/pong", ())]

    def _meter_rate(self, arguments: tuple[object, ...], _: Address) -> Replies:
        """Set or query the meter messages per second."""
        if not arguments:
            return [("/meters/rate", (float(self._feedback.meter_rate),))]
        self._feedback.meter_rate = number("/meters/rate", arguments[0])
        return ()

    def _recall(self, arguments: tuple[object, ...], sender: Address) -> None:
        """Apply a preset, by its name or by its number in the list from 1, with a fade of the given ms."""
        if not 1 <= len(arguments) <= 2:
            raise ParameterError("/preset/recall takes a preset's name or number, and how many ms it takes")
        fade_ms = number("/preset/recall", arguments[1]) if len(arguments) == 2 else None
        preset = arguments[0] if isinstance(arguments[0], str) else number("/preset/recall", arguments[0])
        self._jobs.recall(preset, fade_ms, lambda error: self._refuse(sender, error))

    def _store(self, arguments: tuple[object, ...], sender: Address) -> None:
        """Save the controls as a preset of the given name."""
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            raise ParameterError("/preset/store takes the name to keep the controls under, a text")
        self._jobs.store(arguments[0], lambda error: self._refuse(sender, error))

    def _save(self, arguments: tuple[object, ...], sender: Address) -> None:
        """Save the controls as a preset of a new name, or of any name if 1 follows it."""
        name, *more = arguments or (None,)
        if not isinstance(name, str) or len(more) > 1:
            raise ParameterError("/preset/save takes the name to save the mix under, and 1 to replace a preset")
        replace = bool(more) and number("/preset/save", more[0]) != 0
        self._jobs.store(name, lambda error: self._refuse(sender, error), replace=replace)

    def _preset_list(self, _: tuple[object, ...], sender: Address) -> Replies:
        """Send the names of all presets, once their folder has been read."""
        if self._jobs.is_fresh:
            return [(PRESET_LIST, self._jobs.names)]
        client = self._clients.of(sender)
        to = client.address if client is not None else sender
        self._jobs.refresh(lambda: self._send_preset_names(to))
        return ()

    def _send_preset_names(self, to: Address) -> None:
        self._gate.reply(to, lambda: [(PRESET_LIST, self._jobs.names)])


def entry(node: Node, name: str) -> Arguments:
    """Return the list entry of an address: its name, its types, and ``r`` if it is read, ``rw`` if set as well.

    Args:
        node: the address.
        name: its name in the list.

    Returns:
        The arguments of a ``/list`` message.
    """
    return name, node.types, "rw" if node.path else "r"


def _integer(what: str, given: tuple[object, ...], default: int, highest: int) -> int:
    if not given:
        return default
    value = number(what, given[0])
    if not (0 <= value <= highest and value == int(value)):  # `in range` compares a float with every number
        raise ParameterError(f"{what} is 0 to {highest}, not {value:g}")
    return int(value)
