"""JACK's MIDI ports, kept in a process of their own.

When its server dies, JACK's library must let go of every client of a process before one of them joins a new server.
Apart, the clients of MIDI and of the engine need not wait for each other; the process of MIDI's ends, and another
one begins.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from bridge.midi.ports import PortNames
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.midi.ports import MidiLink

_PATIENCE_S = 15.0  # where code is compiled for the first time


class HostedLink:
    """A connection that the other process has; see `MidiLink`."""

    def __init__(self, ports: HostedPorts, source: str, sink: str | None) -> None:
        self.input, self.output = source, sink
        self._ports: HostedPorts | None = ports
        self._process = ports.process

    @property
    def gone(self) -> bool:
        """See `MidiLink.gone`."""
        return self._process.poll() is not None

    def send(self, message: bytes) -> None:
        """See `MidiLink.send`."""
        if self._ports is not None:
            self._ports.tell(do="send", message=message.hex())

    def close(self) -> None:
        """See `MidiLink.close`."""
        ports, self._ports = self._ports, None
        if ports is not None:
            ports.leave()


class HostedPorts:
    """The ports of a JACK server, in a process of its own; see `MidiPorts`. One connection at a time.

    Attributes:
        process: the other process.

    Raises:
        BridgeError: no server runs, or JACK-Client is not installed.
    """

    def __init__(self) -> None:
        self._receive: Callable[[bytes], None] | None = None
        self._begin()

    def _begin(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge.midi.jack_process"],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        arguments = (self.process, self._answers)
        self._listener = threading.Thread(target=self._listen, args=arguments, name="midi listener", daemon=True)
        self._listener.start()
        try:
            self._answer()
        except BridgeError:
            self.close()
            raise

    def _listen(self, process: subprocess.Popen[str], answers: queue.SimpleQueue[dict[str, Any]]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                table = json.loads(line)
                receive = self._receive
                if "in" not in table:
                    answers.put(table)
                elif receive is not None:
                    receive(bytes.fromhex(table["in"]))
        answers.put({"error": "the process that has JACK's MIDI ports has ended"})

    def tell(self, **table: object) -> None:
        """Send a line to the other process.

        Raises:
            BridgeError: it has ended.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(table) + "\n")
            self.process.stdin.flush()
        except (OSError, ValueError) as error:
            raise BridgeError(f"the process that has JACK's MIDI ports has ended: {error}") from error

    def _answer(self) -> dict[str, Any]:
        try:
            table = self._answers.get(timeout=_PATIENCE_S)
        except queue.Empty:
            raise BridgeError(f"JACK does not answer in {_PATIENCE_S:g} s; restart it") from None
        if "error" in table:
            raise BridgeError(table["error"])
        return table

    def _ask(self, **table: object) -> dict[str, Any]:
        self.tell(**table)
        return self._answer()

    def names(self) -> PortNames:
        """See `MidiPorts.names`. After a crash of the other process there is nothing for once."""
        if self.process.poll() is not None:
            self.close()
            self._begin()
            return PortNames((), ())
        found = self._ask(do="names")
        return PortNames(tuple(found["inputs"]), tuple(found["outputs"]))

    def open(self, input_name: str, output_name: str | None, receive: Callable[[bytes], None]) -> MidiLink:
        """See `MidiPorts.open`."""
        self._ask(do="open", source=input_name, sink=output_name)
        self._receive = receive
        return HostedLink(self, input_name, output_name)

    def open_virtual(self, name: str, receive: Callable[[bytes], None]) -> MidiLink:
        """See `MidiPorts.open_virtual`."""
        self._receive = receive
        self._ask(do="open_virtual", name=name)
        return HostedLink(self, name, name)

    def leave(self) -> None:
        """Close the connection there is."""
        self._receive = None
        try:
            self.tell(do="leave")
        except BridgeError:
            return

    def close(self) -> None:
        """See `MidiPorts.close`."""
        process = self.process
        assert process.stdin is not None
        try:
            process.stdin.close()
            process.wait(_PATIENCE_S)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        self._listener.join()
