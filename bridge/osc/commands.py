"""OSC addresses that do something instead of holding a value: subscriptions, presets, lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from bridge.osc.clients import BY_NUMBER, Address
from bridge.osc.codec import Arguments
from bridge.osc.namespace import Group, number
from stream_sep.errors import ParameterError, PresetError

if TYPE_CHECKING:
    from bridge.osc.clients import Clients
    from bridge.osc.feedback import Feedback
    from bridge.osc.namespace import Node
    from bridge.protocols import Desk

Answers: TypeAlias = Iterable[tuple[str, Arguments]]
Command: TypeAlias = Callable[[tuple[object, ...], Address], Answers]

_HIGHEST_PORT = 65535


class Commands:
    """What commands do; each takes what its message carries and the sender, and returns what to answer.

    Args:
        desk: whose presets are recalled and stored.
        clients: who subscribes and leaves.
        feedback: what tells them.
        nodes: every address there is, for lists.
    """

    def __init__(self, desk: Desk, clients: Clients, feedback: Feedback, nodes: tuple[Node, ...]) -> None:
        self._desk, self._clients, self._feedback, self._nodes = desk, clients, feedback, nodes
        self.by_address: dict[str, Command] = {
            "/subscribe": self.subscribe,
            "/unsubscribe": self.unsubscribe,
            "/refresh": self.refresh,
            "/list": self.list,
            "/ping": self.ping,
            "/meters/rate": self.meter_rate,
            "/preset/recall": self.recall,
            "/preset/store": self.store,
        }

    def subscribe(self, arguments: tuple[object, ...], sender: Address) -> Answers:
        """Tell the sender of changes: ``[port] [mask]``, port 0 being the one it sends from."""
        port = _integer("/subscribe's port", arguments[:1], 0, _HIGHEST_PORT)
        mask = _integer("/subscribe's mask", arguments[1:2], Group.EVERYTHING, Group.EVERYTHING + BY_NUMBER)
        self._clients.subscribe(sender, (sender[0], port, *sender[2:]) if port else sender, mask)
        return ()

    def unsubscribe(self, _: tuple[object, ...], sender: Address) -> Answers:
        """Tell the sender of no more changes."""
        self._clients.unsubscribe(sender)
        return ()

    def refresh(self, _: tuple[object, ...], sender: Address) -> Answers:
        """Tell the sender everything again, or once if it is no client."""
        client = self._clients.of(sender)
        if client is None:
            return [(node.address, node.read(self._desk)) for node in self._nodes]
        self._clients.refresh(client)
        return ()

    def list(self, _: tuple[object, ...], __: Address) -> Answers:
        """Name every address, with its types and whether it is read, ``r``, or set too, ``rw``."""
        entries = [("/list", entry(node, node.address)) for node in self._nodes]
        return [*entries, ("/list/end", (len(entries),))]

    def ping(self, _: tuple[object, ...], __: Address) -> Answers:
        """Say that someone is there."""
        return [("/pong", ())]

    def meter_rate(self, arguments: tuple[object, ...], _: Address) -> Answers:
        """Set or ask for the rounds of meters a second."""
        if not arguments:
            return [("/meters/rate", (float(self._feedback.meter_rate),))]
        self._feedback.meter_rate = number("/meters/rate", arguments[0])
        return ()

    def recall(self, arguments: tuple[object, ...], _: Address) -> Answers:
        """Apply a preset: its name or its number in the list from 1, then how many ms it takes."""
        if not 1 <= len(arguments) <= 2:
            raise ParameterError("/preset/recall takes a preset's name or number, and how many ms it takes")
        fade_ms = number("/preset/recall", arguments[1]) if len(arguments) == 2 else None
        self._desk.recall(self._preset(arguments[0]), fade_ms=fade_ms)
        return ()

    def store(self, arguments: tuple[object, ...], _: Address) -> Answers:
        """Keep the controls as they are, under a name."""
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            raise ParameterError("/preset/store takes the name to keep the controls under, a text")
        self._desk.store(arguments[0])
        self._clients.mark(node for node in self._nodes if node.address == "/preset/list")
        return ()

    def _preset(self, given: object) -> str:
        presets = self._desk.presets()
        if isinstance(given, str) and (given in presets or not given.isdecimal()):
            return given
        index = number("/preset/recall", given)
        if index not in range(1, len(presets) + 1):
            raise PresetError(f"there is no preset number {index:g}, only 1 to {len(presets)}")
        return presets[int(index) - 1]


def entry(node: Node, name: str) -> Arguments:
    """Return what a list says of an address: its name, its types, and ``r`` if it is read, ``rw`` if set as well."""
    return name, node.types, "rw" if node.path else "r"


def _integer(what: str, given: tuple[object, ...], default: int, highest: int) -> int:
    if not given:
        return default
    value = number(what, given[0])
    if value not in range(highest + 1):
        raise ParameterError(f"{what} is 0 to {highest}, not {value:g}")
    return int(value)
