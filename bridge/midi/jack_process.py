"""The process that owns JACK's MIDI ports; `bridge.midi.jack_client` starts it.

Requests name the method in ``do``, and its arguments; the messages sent back have a MIDI message in ``in``, in hex.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bridge.midi.jack import JackMidiPorts
from stream_sep.engine.worker.rpc import RpcServer, error_reply
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from bridge.midi.jack import JackMidiPort


class JackMidiServer:
    """The ports, and at most one connection."""

    def __init__(self, server: RpcServer) -> None:
        self._server = server
        self._ports: JackMidiPorts | None = None
        self._port: JackMidiPort | None = None

    def join(self) -> dict[str, Any]:
        """Become a client of the server."""
        self._ports = JackMidiPorts(on_gone=lambda: os._exit(1))  # the JACK library cannot recover from a dead server
        return {}

    def names(self) -> dict[str, Any]:
        """Return the ports that exist."""
        assert self._ports is not None
        found = self._ports.names()
        return {"inputs": found.inputs, "outputs": found.outputs}

    def open(self, source: str, sink: str | None) -> dict[str, Any]:
        """Connect to a device.

        Args:
            source: name of the port that sends to us.
            sink: name of the port that we send to; None for none.

        Returns:
            An empty reply.
        """
        assert self._ports is not None
        self._port = self._ports.open(source, sink, self._receive)
        return {}

    def open_virtual(self, name: str) -> dict[str, Any]:
        """Make a port that other programs connect to."""
        assert self._ports is not None
        self._port = self._ports.open_virtual(name, self._receive)
        return {}

    def send(self, message: str) -> dict[str, Any]:
        """Send a message, in hexadecimal digits, to the device."""
        if self._port is not None:
            self._port.send(bytes.fromhex(message))
        return {}

    def leave(self) -> dict[str, Any]:
        """Close the open connection, if any."""
        if self._port is not None:
            self._port.close()
            self._port = None
        return {}

    def close(self) -> None:
        """Close the client: the server waits for one that ends without closing."""
        self.leave()
        if self._ports is not None:
            self._ports.close()

    def handle(self, request: dict[str, Any]) -> None:
        """Handle a request, and reply."""
        arguments = {name: value for name, value in request.items() if name not in {"do", "id"}}
        try:
            reply = getattr(self, request["do"])(**arguments)
        except BridgeError as error:
            reply = error_reply(error)
        if "id" in request:
            self._server.reply(request, reply)

    def _receive(self, message: bytes) -> None:
        self._server.send({"in": message.hex()})


def main() -> None:
    """Serve until the other side closes the connection."""
    server = RpcServer()
    host = JackMidiServer(server)
    while "closed" not in (request := server.receive()):
        host.handle(request)
    host.close()
