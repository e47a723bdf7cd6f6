"""JACK's MIDI ports in another process.

When its server dies, JACK's library must release every client of a process before one of them joins a new server.
Apart, the clients of MIDI and of the engine need not wait for each other; the process of MIDI's ends, and another
one begins.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bridge.midi.ports import PortNames
from stream_sep.engine.worker.rpc import RpcClient, raise_for_error
from stream_sep.errors import BridgeError, reason
from stream_sep.lowlevel.child_process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.midi.ports import MidiPort

_log = logging.getLogger(__name__)
_TIMEOUT = 15.0  # where code is compiled for the first time
_LEAVE_TIMEOUT = 1.0  # the server waits for a client that ends without closing
_ENDED = "the process that has JACK's MIDI ports has ended"


class JackMidiRemotePort:
    """A connection held by the other process; see `MidiPort`."""

    def __init__(self, ports: JackMidiClient, source: str, sink: str | None) -> None:
        self.input, self.output = source, sink
        self._ports: JackMidiClient | None = ports
        self._process = ports.process

    @property
    def disconnected(self) -> bool:
        """See `MidiPort.disconnected`."""
        return self._process.ended.is_set()

    def send(self, message: bytes) -> None:
        """See `MidiPort.send`."""
        if self._ports is not None:
            self._ports.send(do="send", message=message.hex())

    def close(self) -> None:
        """See `MidiPort.close`."""
        ports, self._ports = self._ports, None
        if ports is not None:
            ports.leave()


class JackMidiClient:
    """The ports of a JACK server, in another process; see `MidiPorts`. One connection at a time.

    Attributes:
        process: the other process.

    Raises:
        BridgeError: no server runs, or JACK-Client is not installed.
    """

    def __init__(self) -> None:
        self._receive: Callable[[bytes], None] | None = None
        self._start()

    def _start(self) -> None:
        try:
            self.process = ChildProcess("bridge.midi.jack_process", quiet=True)
        except OSError as error:
            raise BridgeError(f"no process for JACK's MIDI ports: {reason(error)}; close other programs") from error
        self._client = RpcClient(self.process, _log.warning, on_message=self._on_message)
        try:
            self._request(do="join")
        except BaseException:
            self.close()
            raise

    def _on_message(self, message: dict[str, Any]) -> None:
        receive = self._receive
        if receive is not None and "in" in message:
            receive(bytes.fromhex(message["in"]))

    def send(self, **message: object) -> None:
        """Send a message to the other process, without a reply.

        Raises:
            BridgeError: it has ended.
        """
        if self.process.ended.is_set():
            raise BridgeError(_ENDED)
        self._client.notify(message)

    def _request(self, **message: object) -> Mapping[str, Any]:
        reply = self._client.request(message, _TIMEOUT)
        if "timeout" in reply:
            raise BridgeError(f"JACK does not respond within {_TIMEOUT:g} s; restart it")
        if "closed" in reply:
            raise BridgeError(_ENDED)
        raise_for_error(reply)
        return reply

    def names(self) -> PortNames:
        """See `MidiPorts.names`. The first call after a crash of the other process returns no ports."""
        if self.process.ended.is_set():
            self.close()
            self._start()
            return PortNames((), ())
        found = self._request(do="names")
        return PortNames(tuple(found["inputs"]), tuple(found["outputs"]))

    def open(self, input_name: str, output_name: str | None, receive: Callable[[bytes], None]) -> MidiPort:
        """See `MidiPorts.open`."""
        self._request(do="open", source=input_name, sink=output_name)
        self._receive = receive
        return JackMidiRemotePort(self, input_name, output_name)

    def open_virtual(self, name: str, receive: Callable[[bytes], None]) -> MidiPort:
        """See `MidiPorts.open_virtual`."""
        self._receive = receive
        self._request(do="open_virtual", name=name)
        return JackMidiRemotePort(self, name, name)

    def leave(self) -> None:
        """Close the open connection, if any."""
        self._receive = None
        with suppress(BridgeError):
            self.send(do="leave")

    def close(self) -> None:
        """See `MidiPorts.close`."""
        self._client.close(patience=_LEAVE_TIMEOUT)
