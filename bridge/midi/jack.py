"""MIDI ports on a JACK server, or on PipeWire's JACK: one client, whose process cycle never waits for Python."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.midi.jack_callback import (
    FUNCTIONS,
    MAX_BYTES,
    POSITIONS,
    RECORD,
    SLOTS,
    enqueue,
    midi_callback,
    received,
    release_until,
)
from bridge.midi.ports import PortNames
from stream_sep.backends.jack_session import leave_within, load_jack, open_client
from stream_sep.errors import BridgeError, DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CLIENT = "stream_sep midi"
"""Name of our JACK client."""

_CYCLES_S = 0.1


class JackMidiPort:
    """A connection that is a client of the server; see `MidiPort`. Its ports are ``in`` and ``out``.

    Args:
        names: of the port that sends to us, or empty, and of the one that we send to.
        receive: callback for the messages, on a thread of the port's.

    Raises:
        BridgeError: the server is not there.
    """

    disconnected = False

    def __init__(self, names: tuple[str, str | None], receive: Callable[[bytes], None]) -> None:
        self.input, self.output = names
        self._receive = receive
        self._client: Any = _client(CLIENT)
        self._memory: dict[str, NDArray[Any]] = {
            "in_bytes": np.zeros((SLOTS, MAX_BYTES), np.uint8),
            "in_lengths": np.zeros(SLOTS, np.int64),
            "out_bytes": np.zeros((SLOTS, MAX_BYTES), np.uint8),
            "out_lengths": np.zeros(SLOTS, np.int64),
            "positions": np.zeros(POSITIONS, np.int64),
            "event": np.zeros(3, np.int64),
            "wake_byte": np.ones(1, np.uint8),
        }
        self._wake_recv, wake_send = os.pipe()
        os.set_blocking(wake_send, False)
        self._wake_send = wake_send
        self._activate()
        self._thread = threading.Thread(target=self._listen, name="jack midi", daemon=True)
        self._thread.start()

    def _activate(self) -> None:
        library, ffi = load_jack()._lib, load_jack()._ffi  # noqa: SLF001 - JACK-Client takes Python callables only
        self._ports = self._client.midi_inports.register("in"), self._client.midi_outports.register("out")
        record = self._record = np.zeros(1, RECORD)
        for name, pointer in zip(("in_port", "out_port"), (port._ptr for port in self._ports), strict=True):  # noqa: SLF001
            record[name] = int(ffi.cast("uintptr_t", pointer))
        for name in FUNCTIONS:
            record[name] = int(ffi.cast("uintptr_t", getattr(library, name)))
        for name, array in self._memory.items():
            record[name] = array.ctypes.data
        record["write"], record["wake_send"] = _address_of_write(), self._wake_send
        process = ffi.cast("JackProcessCallback", midi_callback().address)
        library.jack_set_process_callback(self._client._ptr, process, ffi.cast("void*", record.ctypes.data))  # noqa: SLF001
        self._client.activate()

    def connect(self) -> None:
        """Connect to the device's ports.

        Raises:
            BridgeError: they are gone, or the server refuses.
        """
        ours = self._ports
        try:
            if self.input:
                self._client.connect(self.input, ours[0])
            if self.output is not None:
                self._client.connect(ours[1], self.output)
        except load_jack().JackError as error:
            raise BridgeError(f"cannot open MIDI port {self.input!r}: {error}") from error
        time.sleep(_CYCLES_S)  # messages sent before the connection is in the graph are lost

    def _listen(self) -> None:
        taken, memory = 0, self._memory
        with suppress(OSError):  # the end
            while os.read(self._wake_recv, 4096) and self._client is not None:
                while taken < received(memory["positions"]):
                    length = memory["in_lengths"][taken % SLOTS]
                    self._receive(memory["in_bytes"][taken % SLOTS, :length].tobytes())
                    taken += 1
                    release_until(memory["positions"], taken)

    def send(self, message: bytes) -> None:
        """See `MidiPort.send`. Messages are dropped while the queue of a stalled server is full."""
        if self._client is not None:
            data = np.frombuffer(message, np.uint8)
            enqueue(self._memory["out_bytes"], self._memory["out_lengths"], self._memory["positions"], data)

    def close(self) -> None:
        """See `MidiPort.close`."""
        client, self._client = self._client, None
        if client is None:
            return
        time.sleep(_CYCLES_S)  # the last messages have to be sent first
        if not leave_within(lambda: self._leave(client)):
            return  # a frozen server: its callback may still run one day, and uses all that is left here
        os.close(self._wake_send)
        if threading.current_thread() is not self._thread:
            self._thread.join()
        os.close(self._wake_recv)

    @staticmethod
    def _leave(client: Any) -> None:  # noqa: ANN401 - JACK-Client has no types
        client.deactivate()
        client.close()


class JackMidiPorts:
    """The MIDI ports of a JACK server; see `MidiPorts`.

    Args:
        on_gone: called, on a thread of JACK's, when the server dies; nothing here can be used after it.

    Raises:
        BridgeError: there is no server, or JACK-Client is not installed.
    """

    def __init__(self, on_gone: Callable[[], None] = lambda: None) -> None:
        self._client: Any = _client(f"{CLIENT} ports")  # never activated, so it costs the server nothing
        self._client.set_shutdown_callback(lambda *_: on_gone())

    def names(self) -> PortNames:
        """See `MidiPorts.names`."""
        return PortNames(self._ports(is_output=True), self._ports(is_input=True))

    def _ports(self, **kind: bool) -> tuple[str, ...]:
        found = (port.name for port in self._client.get_ports(is_midi=True, **kind))
        return tuple(name for name in found if not name.startswith(CLIENT))

    def open(self, input_name: str, output_name: str | None, receive: Callable[[bytes], None]) -> JackMidiPort:
        """See `MidiPorts.open`."""
        link = JackMidiPort((input_name, output_name), receive)
        try:
            link.connect()
        except BridgeError:
            link.close()
            raise
        return link

    def open_virtual(self, name: str, receive: Callable[[bytes], None]) -> JackMidiPort:
        """See `MidiPorts.open_virtual`."""
        return JackMidiPort((name, name), receive)

    def close(self) -> None:
        """See `MidiPorts.close`."""
        leave_within(self._client.close)


def _client(name: str) -> Any:  # noqa: ANN401 - JACK-Client has no types
    try:
        return open_client(name)
    except DeviceError as error:
        raise BridgeError(str(error)) from error


def _address_of_write() -> int:
    # on Windows a file descriptor is valid in one C library only
    address = ctypes.cast(ctypes.CDLL(None).write, ctypes.c_void_p).value
    assert address is not None
    return address
