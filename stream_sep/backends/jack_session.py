"""A client of a JACK server: ports, callbacks and connections, until the server ends or the client leaves."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.audio.state import RECORD
from stream_sep.backends.callback import jack_callback
from stream_sep.backends.jack_callbacks import xrun_callback
from stream_sep.backends.jack_latency import CAPTURE, PLAYBACK, PortLatencies
from stream_sep.errors import DeviceError, reason
from stream_sep.extras import install_hint
from stream_sep.lowlevel.thread_priority import raise_audio_priority, thread_ids
from stream_sep.protocols import MAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.audio.state import AudioState

LEAVE_SECONDS = 1.5
"""How long a server may take to let a client leave; one that is frozen never does."""

_log = logging.getLogger(__name__)
_SIDES = ("L", "R")

Connection = tuple[str, str]
"""The short name of one of this client's ports, and the full name of the port it is connected to."""


class JackSession:
    """A client of a JACK server; once the server is gone, only `leave` may be called.

    Args:
        name: of the client; the server adds a number where the name is taken.

    Attributes:
        client: the `jack.Client`.
        name: the name the server gave.
        sample_rate: frames per second, the server's.
        block_size: the server's block size in frames.
        threads: ids of the library's threads, of which one runs the callback.

    Raises:
        DeviceError: no JACK client library, or no server.
    """

    def __init__(self, name: str) -> None:
        before = thread_ids()
        self.client = open_client(name)
        self.threads = thread_ids() - before
        self.name: str = self.client.name
        self.sample_rate: int = self.client.samplerate
        self.block_size: int = self.client.blocksize

    def join(
        self,
        state: AudioState,
        buses: tuple[str, ...],
        on_shutdown: Callable[[object, str], None],
    ) -> None:
        """Register ``in`` and a pair of ports for each bus, and run the compiled callback once per cycle.

        The threads of a server without real-time priority get it here, where the system allows it; otherwise the
        separator, which has it, would delay the callback.

        Args:
            state: of the audio thread.
            buses: names of the buses.
            on_shutdown: called when the server ends.
        """
        self._register_ports(state, buses)
        self._set_callbacks(state, on_shutdown)
        before = thread_ids()
        self.client.activate()
        raise_audio_priority(self.threads | (thread_ids() - before))

    def system_connections(self, buses: tuple[str, ...]) -> set[Connection]:
        """Return the connections of the sound card's inputs to ``in``, and of ``mix`` to its outputs."""
        capture = self.client.get_ports(is_audio=True, is_physical=True, is_output=True)
        playback = self.client.get_ports(is_audio=True, is_physical=True, is_input=True)
        ins = [port.shortname for port in self.client.inports] if capture else []
        connections = {(port, capture[min(side, len(capture) - 1)].name) for side, port in enumerate(ins)}
        if MAIN in buses:
            mix = self.client.outports[2 * buses.index(MAIN) :][:2]
            connections |= {(port.shortname, target.name) for port, target in zip(mix, playback, strict=False)}
        return connections

    def connections(self) -> set[Connection]:
        """Return the connections of this client's ports."""
        ports = (*self.client.inports, *self.client.outports)
        return {(port.shortname, other.name) for port in ports for other in self.client.get_all_connections(port)}

    def connect(self, connections: set[Connection]) -> set[Connection]:
        """Make the missing connections; return those whose other end is missing, or that the server refuses."""
        ins = {port.shortname for port in self.client.inports}
        refused = set()
        for port, other in connections - self.connections():
            ours = f"{self.name}:{port}"
            try:
                self.client.connect(*((other, ours) if port in ins else (ours, other)))
            except load_jack().JackError as error:
                _log.debug("not connected: %s", error)
                refused.add((port, other))
        return refused

    def device_latency(self) -> int:
        """Return the latency in frames that the server reports for the connected ports."""
        ports = PortLatencies(load_jack(), self.client)
        ports.settle()
        return ports.longest(self.client.inports, CAPTURE) + ports.longest(self.client.outports, PLAYBACK)

    def leave(self) -> None:
        """Close the client, also where the server is gone."""
        self.client.deactivate()
        self.client.close()

    def _register_ports(self, state: AudioState, buses: tuple[str, ...]) -> None:
        names = ["mix" if bus == MAIN else bus for bus in buses]
        sides = [f"{name}_{side}" for name in names for side in _SIDES]
        for array, ports in (
            ("input_ports", [self.client.inports.register(f"in_{side}") for side in _SIDES]),
            ("output_ports", [self.client.outports.register(name) for name in sides]),
        ):
            state.array(array)[: len(ports)] = np.array([_address(port._ptr) for port in ports], np.int64)  # noqa: SLF001 - the C pointer has no public name

    def _set_callbacks(self, state: AudioState, on_shutdown: Callable[[object, str], None]) -> None:
        # JACK-Client takes Python callables only, which would need the GIL in the audio thread
        library, ffi, pointer = load_jack()._lib, load_jack()._ffi, self.client._ptr  # noqa: SLF001
        state.set_pointer("port_buffer", _address(library.jack_port_get_buffer))
        process = ffi.cast("JackProcessCallback", jack_callback().address)
        lost = ffi.cast("JackXRunCallback", xrun_callback().address)
        memory = ffi.cast("void*", state.address)
        counter = ffi.cast("void*", xrun_counter(state))
        if library.jack_set_process_callback(pointer, process, memory):
            raise DeviceError("JACK refused the process callback: restart the server")
        library.jack_set_xrun_callback(pointer, lost, counter)
        self._declared = PortLatencies(load_jack(), self.client).declare(int(state.record["delay"][0]))
        self.client.set_shutdown_callback(on_shutdown)  # in Python: when it is called, no server waits for it


def xrun_counter(state: AudioState) -> int:
    """Return the address of the xrun counter, which the process callback never writes, as JACK passes no flags."""
    fields = RECORD.fields
    assert fields is not None
    return state.address + int(fields["output_underflows"][1])


def open_client(name: str) -> Any:  # noqa: ANN401 - JACK-Client has no types
    """Return a `jack.Client`, without starting a server and without output of the library.

    Raises:
        DeviceError: no JACK client library, or no server.
    """
    jack = load_jack()
    jack.set_error_function(_log.debug)
    try:
        return jack.Client(name, no_start_server=True)
    except jack.JackOpenError as error:
        raise DeviceError(
            f"no JACK server for the client {name!r}: start `jackd`, or run this under `pw-jack` where PipeWire runs"
        ) from error
    finally:
        jack.set_error_function(None)


def load_jack() -> Any:  # noqa: ANN401 - JACK-Client has no types
    """Return the module ``jack``.

    Raises:
        DeviceError: it is not installed, or the library under it is not.
    """
    try:
        import jack  # noqa: PLC0415 - optional
    except ImportError as error:
        raise DeviceError(f"JACK needs its Python client; {install_hint('jack')}") from error
    except OSError as error:
        raise DeviceError(f"{reason(error)}: install it with `apt install libjack-jackd2-0`, or the like") from error
    return jack


def _address(pointer: object) -> int:
    return int(load_jack()._ffi.cast("uintptr_t", pointer))  # noqa: SLF001 - the library's own foreign functions


def leave_within(leave: Callable[[], object]) -> bool:
    """Leave a server, for `LEAVE_SECONDS` at most; return whether it responded.

    Args:
        leave: a function that calls the server, on a thread of its own that is left behind if it hangs. It has to
            hold all that the client's callback uses.
    """
    thread = threading.Thread(target=leave, name="jack end", daemon=True)
    thread.start()
    thread.join(LEAVE_SECONDS)
    return not thread.is_alive()
