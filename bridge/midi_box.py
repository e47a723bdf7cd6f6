"""A fader box that is none: a JACK client whose MIDI port plays what it is told, for measuring."""

from __future__ import annotations

import queue
from typing import Any

from stream_sep.errors import BridgeError
from stream_sep.io.jack_member import open_client


class MidiBox:
    """Sends MIDI messages over JACK, each in the next cycle of the server, as a plugged-in device would.

    Args:
        name: of the client.

    Raises:
        DeviceError: no JACK server.
    """

    def __init__(self, name: str = "stream_sep_box") -> None:
        self._client: Any = open_client(name)
        self._port = self._client.midi_outports.register("out")
        self._waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._client.set_process_callback(self._process)
        self._client.activate()

    def connect(self, pattern: str) -> None:
        """Connect to the MIDI port whose full name ``pattern``, a regular expression, fits.

        Raises:
            BridgeError: there is none.
        """
        ports = self._client.get_ports(pattern, is_midi=True, is_input=True)
        if not ports:
            raise BridgeError(f"no MIDI port of the JACK server fits {pattern!r}: does what should have it run?")
        self._client.connect(self._port, ports[0])

    def send(self, message: bytes) -> None:
        """Send one message; for any thread."""
        self._waiting.put(message)

    def close(self) -> None:
        """Leave the server."""
        self._client.deactivate()
        self._client.close()

    def _process(self, frames: int) -> None:
        self._port.clear_buffer()
        for frame in range(min(self._waiting.qsize(), frames)):
            self._port.write_midi_event(frame, self._waiting.get())
