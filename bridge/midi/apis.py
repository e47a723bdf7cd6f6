"""The MIDI systems of this machine together: JACK by a client of our own, the others through RtMidi."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bridge.midi.jack_client import JackMidiClient
from bridge.midi.ports import PortNames
from bridge.midi.rtmidi import RtMidiPorts, rtmidi_systems
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.midi.ports import MidiPort, MidiPorts

JACK = "jack"

_RETRY_SECONDS = 5.0
_MAX_RETRY_SECONDS = 60.0


class AllPorts:
    """The ports of all systems that run; see `MidiPorts`. One connection at a time.

    A system that does not run is tried again now and then, while no port is open.

    Args:
        systems: makes the ports of each system, by its name; the first that has a port wins.
        clock: seconds.
    """

    def __init__(
        self, systems: Mapping[str, Callable[[], MidiPorts]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._systems, self._clock = systems, clock
        self._running: dict[str, MidiPorts] = {}
        self._failures: dict[str, str] = {}
        self._retry_at, self._retry_seconds = 0.0, _RETRY_SECONDS
        self._open: tuple[MidiPort, MidiPorts] | None = None

    def names(self) -> PortNames:
        """See `MidiPorts.names`; while a port is open, only those of its system.

        Raises:
            BridgeError: no system runs.
        """
        if self._open is not None and not self._open[0].disconnected:
            return self._open[1].names()
        self._open_systems()
        if not self._running:
            raise BridgeError(f"no MIDI system runs here: {'; '.join(self._failures.values())}")
        found = [ports.names() for ports in self._running.values()]
        return PortNames(
            tuple(dict.fromkeys(name for names in found for name in names.inputs)),
            tuple(dict.fromkeys(name for names in found for name in names.outputs)),
        )

    def open(self, input_name: str, output_name: str | None, receive: Callable[[bytes], None]) -> MidiPort:
        """See `MidiPorts.open`."""
        self._open_systems()
        for ports in self._running.values():
            if input_name in ports.names().inputs:
                return self._opened(ports.open(input_name, output_name, receive), ports)
        raise BridgeError(f"MIDI port {input_name!r} has gone")

    def open_virtual(self, name: str, receive: Callable[[bytes], None]) -> MidiPort:
        """See `MidiPorts.open_virtual`: on the first system that has such ports."""
        self._open_systems()
        failures = list(self._failures.values())
        for ports in self._running.values():
            try:
                return self._opened(ports.open_virtual(name, receive), ports)
            except BridgeError as error:
                failures.append(str(error))
        raise BridgeError("; ".join(failures))

    def close(self) -> None:
        """See `MidiPorts.close`."""
        running, self._running = self._running, {}
        for ports in running.values():
            ports.close()

    def _opened(self, port: MidiPort, ports: MidiPorts) -> MidiPort:
        self._open = _TrackedPort(port, self._closed), ports
        return self._open[0]

    def _closed(self) -> None:
        self._open = None

    def _open_systems(self) -> None:
        now = self._clock()
        if len(self._running) == len(self._systems) or now < self._retry_at:
            return
        self._failures = {}
        for name, make in self._systems.items():
            if name not in self._running:
                try:
                    self._running[name] = make()
                except BridgeError as error:
                    self._failures[name] = str(error)
        self._running = {name: self._running[name] for name in self._systems if name in self._running}
        self._retry_at = now + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, _MAX_RETRY_SECONDS)


class _TrackedPort:
    """A port that calls `closed` when it is closed."""

    def __init__(self, port: MidiPort, closed: Callable[[], None]) -> None:
        self._port, self._closed = port, closed

    @property
    def input(self) -> str:
        """See `MidiPort.input`."""
        return self._port.input

    @property
    def output(self) -> str | None:
        """See `MidiPort.output`."""
        return self._port.output

    @property
    def disconnected(self) -> bool:
        """See `MidiPort.disconnected`."""
        return self._port.disconnected

    def send(self, message: bytes) -> None:
        """See `MidiPort.send`."""
        self._port.send(message)

    def close(self) -> None:
        """See `MidiPort.close`."""
        self._closed()
        self._port.close()


def system_ports(api: str | None = None) -> MidiPorts:
    """Return the system's ports.

    Args:
        api: ``alsa``, ``jack``, ``core`` or ``winmm``; None for all that run.

    Returns:
        The ports, to be closed.

    Raises:
        BridgeError: ``api`` is unknown or does not run, or RtMidi is not installed, which all but JACK need.
    """
    if api == JACK:
        return JackMidiClient()
    if api is None:
        return AllPorts({**_rtmidi_makers(), JACK: JackMidiClient})
    systems = rtmidi_systems()
    if api not in systems:
        raise BridgeError(f"unknown MIDI system {api!r}; choose from {', '.join((*systems, JACK))}")
    return RtMidiPorts(api)


def _rtmidi_makers() -> dict[str, Callable[[], MidiPorts]]:
    """Return what makes the ports of each system; without RtMidi, one that raises why, as JACK may do without."""
    try:
        return {name: _rtmidi_maker(name) for name in rtmidi_systems()}
    except BridgeError:
        return {"rtmidi": _rtmidi_maker("rtmidi")}


def _rtmidi_maker(name: str) -> Callable[[], MidiPorts]:
    return lambda: RtMidiPorts(name)


def list_midi_ports(api: str | None = None) -> PortNames:
    """Return the names of the system's MIDI ports.

    Args:
        api: as `system_ports`.

    Returns:
        The names, of all systems one after another.

    Raises:
        BridgeError: no MIDI system runs, or none that can be used without RtMidi.
    """
    ports = system_ports(api)
    try:
        return ports.names()
    finally:
        ports.close()
