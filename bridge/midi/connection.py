"""The line to one device: opened by a part of its port's name, and opened again when the port comes back."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from bridge.midi.ports import find_port
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.midi.ports import MidiPort, MidiPorts, PortNames


class AbsentPortError(BridgeError):
    """The device's port is not there, and may be plugged in later."""


VIRTUAL_PORT = "stream_sep"
"""Asking for this name makes a port that other programs connect to."""

_IDLE_S = 0.04


class MidiConnection:
    """Messages from and to one device. For one thread; messages are taken in on any.

    Args:
        wanted: part of the name of the device's port; `VIRTUAL_PORT` makes one.
        ports: the system's ports, to be closed with the line.
        report: told in sentences when the device goes and comes.
    """

    def __init__(self, wanted: str, ports: MidiPorts, report: Callable[[str], None]) -> None:
        self._wanted, self._ports, self._report = wanted, ports, report
        self._inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._link: MidiPort | None = None
        self._was_open = False

    @property
    def name(self) -> str:
        """Name of the port that is open, or empty."""
        return "" if self._link is None else self._link.input

    def connect(self) -> None:
        """Open the device's port.

        Raises:
            AbsentPortError: it is not there.
            BridgeError: it is taken.
        """
        try:
            names = self._ports.names()
        except BridgeError as error:
            raise AbsentPortError(str(error)) from error
        if self._wanted != VIRTUAL_PORT and find_port(self._wanted, names.inputs) is None:
            there = ", ".join(names.inputs) or "none"
            raise AbsentPortError(f"no MIDI port has {self._wanted!r} in its name; the ports are: {there}")
        self._open(names)

    def poll_port(self) -> bool:
        """Look whether the device is still there, or there again; return whether it has just come back."""
        if self._link is not None and self._link.disconnected:
            self._lose(_gone(self._link.input))
        try:
            names = self._ports.names()
        except BridgeError:
            return False  # a port that goes while ports are counted makes RtMidi stumble: the next look will tell
        try:
            if self._link is not None:
                self._check(names)
            elif self._wanted == VIRTUAL_PORT or find_port(self._wanted, names.inputs) is not None:
                word = "back" if self._was_open else "there"
                self._open(names)
                self._report(f"MIDI port {self.name!r} is {word}")
                return True
        except BridgeError as error:
            self._lose(str(error))
        return False

    def _open(self, names: PortNames) -> None:
        self._open_port(names)
        self._was_open = True

    def _open_port(self, names: PortNames) -> None:
        if self._wanted == VIRTUAL_PORT:
            self._link = self._ports.open_virtual(self._wanted, self._inbox.put)
            return
        source, sink = find_port(self._wanted, names.inputs), find_port(self._wanted, names.outputs)
        assert source is not None
        self._link = self._ports.open(source, sink, self._inbox.put)
        if sink is None:
            self._report(f"MIDI port {source!r} cannot be sent to: its LEDs and motors stay as they are")

    def _check(self, names: PortNames) -> None:
        link = self._link
        assert link is not None
        if self._wanted == VIRTUAL_PORT:
            return
        gone = link.input not in names.inputs or (link.output is not None and link.output not in names.outputs)
        if gone:
            self._lose(_gone(link.input))

    def _lose(self, why: str) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
            self._report(why)

    def send(self, message: bytes) -> None:
        """Send one message; a port that fails is gone, and is looked for again."""
        if self._link is None:
            return
        try:
            self._link.send(message)
        except BridgeError as error:
            self._lose(str(error))

    def receive(self, timeout_s: float = _IDLE_S) -> list[bytes]:
        """Return the messages that have come; waits at most ``timeout_s`` seconds for the first."""
        received = []
        try:
            received.append(self._inbox.get(timeout=timeout_s))
            while True:
                received.append(self._inbox.get_nowait())
        except queue.Empty:
            return received

    def close(self) -> None:
        """Release the ports; harmless when closed."""
        if self._link is not None:
            self._link.close()
            self._link = None
        self._ports.close()


def _gone(name: str) -> str:
    return f"MIDI port {name!r} is gone; it is used again as soon as it is back"
