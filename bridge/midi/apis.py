"""The MIDI systems of this machine: JACK, which we speak ourselves, and those that RtMidi speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.midi.jack_client import HostedPorts
from bridge.midi.rtmidi import RtMidiPorts, rtmidi_systems
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from bridge.midi.ports import MidiPorts, PortNames

JACK = "jack"


def system_ports(api: str | None = None) -> MidiPorts:
    """Return the system's ports.

    Args:
        api: ``alsa``, ``jack``, ``core`` or ``winmm``; None for the first that works.

    Raises:
        BridgeError: RtMidi is not installed or does not know ``api``, or no MIDI system runs.
    """
    if api == JACK:
        return HostedPorts()
    systems = rtmidi_systems()
    if api is not None and api not in systems:
        raise BridgeError(f"there is no MIDI system {api!r} here; there are: {', '.join((*systems, JACK))}")
    failures = []
    for name in (*systems, JACK) if api is None else (api,):
        try:
            return HostedPorts() if name == JACK else RtMidiPorts(name)
        except BridgeError as error:
            failures.append(str(error))
    raise BridgeError(f"no MIDI system runs here: {'; '.join(failures)}")


def list_midi_ports(api: str | None = None) -> PortNames:
    """Return the names of the system's MIDI ports.

    Raises:
        BridgeError: RtMidi is not installed, or no MIDI system runs.
    """
    ports = system_ports(api)
    try:
        return ports.names()
    finally:
        ports.close()
