"""The process that has JACK's MIDI ports: ``python -m bridge.midi_host jack``. `bridge.midi_hosted` talks to it.

A line is a JSON table. In: ``do`` and its arguments. Out: ``error`` or what was asked, in the order asked, and ``in``
with the bytes of a message whenever one comes.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any

from bridge.midi_rtmidi import RtMidiPorts
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from bridge.midi_rtmidi import RtMidiLink

_IDLE_S = 0.5


def _tell(**table: object) -> None:
    sys.stdout.write(json.dumps(table) + "\n")
    sys.stdout.flush()


def _receive(message: bytes) -> None:
    _tell(**{"in": message.hex()})


class _Host:
    """The ports, and at most one connection."""

    def __init__(self, api: str) -> None:
        self._ports = RtMidiPorts(api)
        self._link: RtMidiLink | None = None

    def names(self) -> None:
        found = self._ports.names()
        _tell(inputs=found.inputs, outputs=found.outputs)

    def open(self, source: str, sink: str | None) -> None:
        self._link = self._ports.open(source, sink, _receive)
        _tell()

    def open_virtual(self, name: str) -> None:
        self._link = self._ports.open_virtual(name, _receive)
        _tell()

    def send(self, message: str) -> None:
        if self._link is not None:
            self._link.send(bytes.fromhex(message))

    def leave(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def act(self, do: str, **arguments: Any) -> None:  # noqa: ANN401 - whatever the verb takes
        try:
            getattr(self, do)(**arguments)
        except BridgeError as error:
            _tell(error=str(error))

    def wait(self, inbox: queue.SimpleQueue[str]) -> str | None:
        """Hand over what has come from the device; return the next line, if there is one."""
        if self._link is not None:
            self._link.poll()
        try:
            return inbox.get(timeout=_IDLE_S if self._link is None else self._link.poll_s)
        except queue.Empty:
            return None


def _read(inbox: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        inbox.put(line)
    inbox.put("")


def main(api: str) -> None:
    """Serve until the other side hangs up."""
    try:
        host = _Host(api)
    except BridgeError as error:
        _tell(error=str(error))
        return
    _tell()
    inbox: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(inbox,), daemon=True).start()
    while (line := host.wait(inbox)) != "":
        if line is not None:
            host.act(**json.loads(line))
    host.leave()


if __name__ == "__main__":
    main(sys.argv[1])
