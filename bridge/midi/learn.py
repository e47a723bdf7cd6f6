"""MIDI learn: move a control of a device, and get its entry for a map."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.midi.address import Address
from bridge.midi.apis import system_ports
from bridge.midi.connection import MidiConnection
from bridge.midi.map import Control
from bridge.midi.messages import Decoder, Event, parse_message
from bridge.midi.targets import target_kind
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.midi.ports import MidiPorts

_ENOUGH = 3
_REST_S = 0.4
_ENCODER_REST_S = 2.0
_RIGHT, _LEFT_2S, _LEFT_SIGN = frozenset(range(1, 9)), frozenset(range(120, 128)), frozenset(range(65, 73))
_TURNS = {
    "relative-2s": (_RIGHT, _LEFT_2S),
    "relative-sign": (_RIGHT, _LEFT_SIGN),
    "relative-sign-inverted": (_LEFT_SIGN, _RIGHT),
    "relative-offset": (_LEFT_SIGN, frozenset(range(56, 64))),
}
"""Style of an endless knob -> the values it sends when turned right, and left."""


@dataclass(frozen=True)
class Learned:
    """A control that was moved.

    Attributes:
        control: its entry for a map.
        port: name of its port.
    """

    control: Control
    port: str


class Learner:
    """Identifies the control that is moved from a device's messages; without ports or clocks.

    A button is identified when pressed; a fader or knob when it has been moved and rests; an endless knob when it has
    been turned right, then left.

    Args:
        to: the target, as in a map.

    Raises:
        ConfigError: the target is unknown.
    """

    def __init__(self, to: str) -> None:
        self._to, self._kind = to, target_kind(to)
        self._decoder = Decoder()
        self._moves: dict[Address, list[Event]] = {}
        self._latest = 0.0

    def feed(self, data: bytes, now: float) -> Control | None:
        """Process one message; return the control once it is identified.

        Args:
            data: the message as bytes; invalid ones are ignored.
            now: time in seconds.

        Returns:
            The control; None while it is not identified.
        """
        try:
            events = self._decoder.decode(parse_message(data))
        except ValueError:
            return None
        for event in events:
            if button := self._button(event):
                return button
            self._moves.setdefault(event.address, []).append(event)
        self._latest = now if events else self._latest
        return None

    def _button(self, event: Event) -> Control | None:
        press = event.address.kind in {"note", "program"} and event.pressed
        switch = event.address.kind == "cc" and event.pressed and self._kind != "value"
        if not press and not switch:
            return None
        modes = {"switch": "toggle", "press": "press"}
        mode = "toggle" if self._to == "karaoke" else modes.get(self._kind, "reset")
        lit = event.address.kind != "program" and mode in {"toggle", "press"}
        return Control(event.address, self._to, mode, led=event.address if lit else None)

    def poll(self, now: float) -> Control | None:
        """Return the control if it has been moved enough and rests now."""
        ranked = sorted(self._moves.items(), key=lambda move: (len(move[1]), move[0].bits), reverse=True)
        for address, events in ranked:
            control = self._fader(address, [event.value for event in events], now - self._latest)
            if control is not None:
                return control
        return None

    def _fader(self, address: Address, values: list[int], rest_s: float) -> Control | None:
        if self._kind != "value" or address.kind in {"note", "program"}:
            return None
        if address.kind == "cc" and _turned(values):
            mode = _turn(values)
            return Control(address, self._to, mode) if mode and rest_s >= _REST_S else self._half(address, rest_s)
        if rest_s < _REST_S or len(set(values)) < _ENOUGH or self._is_part(address):
            return None
        return Control(address, self._to, "absolute")

    def _half(self, address: Address, rest_s: float) -> Control | None:
        """Return the most common style for an endless knob that has been turned one way only."""
        return Control(address, self._to, "relative-2s") if rest_s >= _ENCODER_REST_S else None

    def _is_part(self, address: Address) -> bool:
        """Return whether the address is half of a 14-bit value, or a pair whose lower half never came."""
        if address.kind == "cc" and address.number in {6, 38, 98, 99}:
            return any(other.kind == "nrpn" for other in self._moves)
        if address.kind == "cc":
            return address.number < 64 and self._is_pair(Address("cc14", address.channel, address.number % 32))
        return address.kind == "cc14" and not self._is_pair(address)

    def _is_pair(self, pair: Address) -> bool:
        halves = [self._moves.get(Address("cc", pair.channel, pair.number + part), []) for part in (0, 32)]
        nrpn = any(other.kind == "nrpn" and other.channel == pair.channel for other in self._moves)
        return all(len(half) >= 2 for half in halves) and not (pair.number == 6 and nrpn)


def _turned(values: list[int]) -> bool:
    repeats = sum(one == other for one, other in itertools.pairwise(values))
    return repeats >= _ENOUGH - 1 and any(set(values) <= right | left for right, left in _TURNS.values())


def _turn(values: list[int]) -> str:
    for mode, (right, left) in _TURNS.items():
        both = any(value in right for value in values) and any(value in left for value in values)
        if values[0] in right and set(values) <= right | left and both:
            return mode
    return ""


def learn(
    to: str,
    port: str,
    *,
    timeout_s: float = 30.0,
    report: Callable[[str], None] = print,
    ports: Callable[[], MidiPorts] = system_ports,
) -> Learned:
    """Wait for a control to be moved; return its entry for a map, for `save_control`.

    Args:
        to: the target, as in a map: ``stem/1/fader``.
        port: part of the name of the device's port.
        timeout_s: how long to wait, in seconds.
        report: callback that receives messages for the user.
        ports: makes the system's ports.

    Returns:
        The control, and the name of its port.

    Raises:
        BridgeError: the port is not there, or nothing was moved in time.
        ConfigError: there is nothing to move at ``to``.
    """
    learner = Learner(to)
    connection = MidiConnection(port, ports(), report)
    try:
        connection.connect()
        report(f"move the control for {to} on {connection.name!r}; turn an endless knob right, then left")
        deadline = time.monotonic() + timeout_s
        while (now := time.monotonic()) < deadline:
            found = [learner.feed(message, now) for message in connection.receive()]
            control = next((one for one in found if one is not None), None) or learner.poll(now)
            if control is not None:
                return Learned(control, connection.name)
    finally:
        connection.close()
    raise BridgeError(
        f"nothing was moved on {port!r} in {timeout_s:g} s; run monitor to see whether it sends anything"
    )
