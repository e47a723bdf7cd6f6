"""The connection to one device: opened by a part of its port's name, and opened again when the port is back."""

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
"""The name that opens a virtual port, which other programs connect to."""

_IDLE_S = 0.04


class MidiConnection:
    """Messages from and to one device. For one thread; messages are queued from any.

    Args:
        pattern: part of the name of the device's port; `VIRTUAL_PORT` makes one.
        ports: the system's ports, to be closed with the connection.
        report: callback that receives a message when the device is disconnected or is back.
    """

    def __init__(self, pattern: str, ports: MidiPorts, report: Callable[[str], None]) -> None:
        self._pattern, self._ports, self._report = pattern, ports, report
        self._inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._port: MidiPort | None = None
        self._was_open = False

    @property
    def name(self) -> str:
        """Name of the port that is open, or empty."""
        return "" if self._port is None else self._port.input

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
        if self._pattern != VIRTUAL_PORT and find_port(self._pattern, names.inputs) is None:
            there = ", ".join(names.inputs) or "none"
            raise AbsentPortError(f"no MIDI port's name contains {self._pattern!r}; the ports are: {there}")
        self._open(names)

    def poll_port(self) -> bool:
        """Check whether the device is connected; return whether it was just reconnected."""
        if self._port is not None and self._port.disconnected:
            self._disconnect(_gone(self._port.input))
        try:
            names = self._ports.names()
        except BridgeError:
            return False  # RtMidi fails where a port goes while it lists ports; the next poll tries again
        try:
            if self._port is not None:
                self._check(names)
            elif self._pattern == VIRTUAL_PORT or find_port(self._pattern, names.inputs) is not None:
                word = "back" if self._was_open else "there"
                self._open(names)
                self._report(f"MIDI port {self.name!r} is {word}")
                return True
        except BridgeError as error:
            self._disconnect(str(error))
        return False

    def _open(self, names: PortNames) -> None:
        self._open_port(names)
        self._was_open = True

    def _open_port(self, names: PortNames) -> None:
        if self._pattern == VIRTUAL_PORT:
            self._port = self._ports.open_virtual(self._pattern, self._inbox.put)
            return
        source, sink = find_port(self._pattern, names.inputs), find_port(self._pattern, names.outputs)
        assert source is not None
        self._port = self._ports.open(source, sink, self._inbox.put)
        if sink is None:
            self._report(f"MIDI port {source!r} cannot be sent to: its LEDs and motors stay as they are")

    def _check(self, names: PortNames) -> None:
        port = self._port
        assert port is not None
        if self._pattern == VIRTUAL_PORT:
            return
        gone = port.input not in names.inputs or (port.output is not None and port.output not in names.outputs)
        if gone:
            self._disconnect(_gone(port.input))

    def _disconnect(self, why: str) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None
            self._report(why)

    def send(self, message: bytes) -> None:
        """Send one message; a port that fails is closed, and searched for again."""
        if self._port is None:
            return
        try:
            self._port.send(message)
        except BridgeError as error:
            self._disconnect(str(error))

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
        if self._port is not None:
            self._port.close()
            self._port = None
        self._ports.close()


def _gone(name: str) -> str:
    return f"MIDI port {name!r} is gone; it is used again as soon as it is back"
