"""The process that owns JACK's MIDI ports; `bridge.midi.jack_client` runs ``python -m bridge.midi.jack_process``.

A line is a JSON table. In: ``do`` and its arguments. Out: ``error`` or what was asked, in the order asked, and ``in``
with the bytes of a message whenever one comes.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from bridge.midi.jack import JackMidiPorts
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from bridge.midi.jack import JackMidiLink

_writing = threading.Lock()


def _tell(**table: object) -> None:
    with _writing:
        sys.stdout.write(json.dumps(table) + "\n")
        sys.stdout.flush()


def _receive(message: bytes) -> None:
    _tell(**{"in": message.hex()})


class _Host:
    """The ports, and at most one connection."""

    def __init__(self) -> None:
        self._ports = JackMidiPorts(on_gone=lambda: os._exit(1))  # a library whose server died does not recover
        self._link: JackMidiLink | None = None

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

    def close(self) -> None:
        """Leave the server as a client should: one that just ends keeps it waiting."""
        self.leave()
        self._ports.close()

    def act(self, do: str, **arguments: Any) -> None:  # noqa: ANN401 - whatever the verb takes
        try:
            getattr(self, do)(**arguments)
        except BridgeError as error:
            _tell(error=str(error))


def main() -> None:
    """Serve until the other side hangs up."""
    try:
        host = _Host()
    except BridgeError as error:
        _tell(error=str(error))
        return
    _tell()
    for line in sys.stdin:
        host.act(**json.loads(line))
    host.close()


if __name__ == "__main__":
    main()
