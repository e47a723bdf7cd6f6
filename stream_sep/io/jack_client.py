"""JACK: every stem on ports of its own, patched by name to whatever else runs on the server."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError, DeviceError
from stream_sep.io.backend import MAIN
from stream_sep.io.callback import jack_callback
from stream_sep.io.jack_latency import CAPTURE, PLAYBACK, PortLatencies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stream_sep.audio_state import AudioState
    from stream_sep.latency import LatencyReport

_log = logging.getLogger(__name__)
_SIDES = ("L", "R")


class JackBackend:
    """Runs as a client of a JACK server, or of PipeWire's JACK; rate and block size are the server's.

    Its ports are ``in_L``, ``in_R``, ``mix_L``, ``mix_R``, and a pair for each stem, such as ``vocals_L``.

    Args:
        name: of the client; the server adds a number where the name is taken.
        outputs: buses to give ports, ``"main"`` and names of stems; all of them unless given.
        connect: connect the sound card's inputs to ``in``, and ``mix`` to its outputs.
        report: is told when the server goes away.

    Attributes:
        client_name: the name the server gave.
        xruns: cycles the server lost since the start.

    Raises:
        DeviceError: no JACK client library, or no server.
    """

    wants_recording = False
    inputs = 2
    input_map = (0, 1)

    def __init__(
        self,
        *,
        name: str = "stream_sep",
        outputs: Iterable[str] | None = None,
        connect: bool = False,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        self._client = open_client(name)
        self.client_name: str = self._client.name
        self.sample_rate: int = self._client.samplerate
        self.block_size: int = self._client.blocksize
        self.xruns = 0
        self._wanted = None if outputs is None else tuple(outputs)
        self._connect = connect
        self._report = report
        self._buses: tuple[str, ...] = ()
        self._state: AudioState | None = None
        self._stopped = False

    def output_map(self, stems: tuple[str, ...]) -> tuple[int, ...]:
        """Return the bus channels that get ports, two for each bus wanted.

        Raises:
            ConfigError: a bus that the separator does not have.
        """
        buses = (MAIN, *stems)
        self._buses = buses if self._wanted is None else self._wanted
        for bus in self._buses:
            if bus not in buses:
                raise ConfigError(f"there is no stem {bus!r} to give ports; one of: {', '.join(buses)}")
        return tuple(2 * buses.index(bus) + side for bus in self._buses for side in (0, 1))

    def start(self, state: AudioState, between_blocks: Callable[[], None]) -> None:
        """Register the ports and join the server's graph."""
        del between_blocks  # no Python runs between the blocks of a server
        self._state = state
        try:
            self._register_ports(state)
            self._set_callbacks(state)
            self._client.activate()
            if self._connect:
                self._connect_to_card()
        except _jack().JackError as error:
            self.stop()
            raise DeviceError(f"JACK refused {self.client_name!r}: {error}; try another name") from error

    def complete(self, latency: LatencyReport) -> LatencyReport:
        """Return ``latency`` with what the server reports for the ports that ours are connected to."""
        ports = PortLatencies(_jack(), self._client)
        device = ports.longest(self._client.inports, CAPTURE) + ports.longest(self._client.outports, PLAYBACK)
        return replace(latency, device=device)

    def stop(self) -> None:
        """Leave the server; harmless when already gone."""
        if not self._stopped:
            self._stopped = True
            self._client.deactivate()
            self._client.close()
        self._state = None

    def _register_ports(self, state: AudioState) -> None:
        names = ["mix" if bus == MAIN else bus for bus in self._buses]
        sides = [f"{name}_{side}" for name in names for side in _SIDES]
        for array, ports in (
            ("input_ports", [self._client.inports.register(f"in_{side}") for side in _SIDES]),
            ("output_ports", [self._client.outports.register(name) for name in sides]),
        ):
            state.array(array)[: len(ports)] = np.array([_address(port._ptr) for port in ports], np.int64)  # noqa: SLF001 - the C pointer has no public name

    def _set_callbacks(self, state: AudioState) -> None:
        # JACK-Client takes Python callables only, which would need the GIL in the audio thread
        library, ffi, pointer = _jack()._lib, _jack()._ffi, self._client._ptr  # noqa: SLF001
        state.set_pointer("port_buffer", _address(library.jack_port_get_buffer))
        process = ffi.cast("JackProcessCallback", jack_callback().address)
        if library.jack_set_process_callback(pointer, process, ffi.cast("void*", state.address)):
            raise DeviceError("JACK refused the process callback: restart the server")
        self._declared = PortLatencies(_jack(), self._client).declare(int(state.record["delay"][0]))
        self._client.set_xrun_callback(self._on_xrun)
        self._client.set_shutdown_callback(self._on_shutdown)

    def _connect_to_card(self) -> None:
        capture = self._client.get_ports(is_audio=True, is_physical=True, is_output=True)
        playback = self._client.get_ports(is_audio=True, is_physical=True, is_input=True)
        for side, port in enumerate(self._client.inports):
            if capture:
                self._client.connect(capture[min(side, len(capture) - 1)], port)
        if MAIN in self._buses:
            first = 2 * self._buses.index(MAIN)
            for port, target in zip(self._client.outports[first : first + 2], playback, strict=False):
                self._client.connect(port, target)

    def _on_xrun(self, _microseconds: float) -> None:
        self.xruns += 1
        if self._state is not None:
            self._state.record["output_underflows"] += 1  # the audio thread leaves it alone: JACK gives it no flags

    def _on_shutdown(self, _status: object, reason: str) -> None:
        if not self._stopped:
            self._report(f"the JACK server is gone ({reason}): start it again, then stream_sep")


def open_client(name: str) -> Any:  # noqa: ANN401 - JACK-Client has no types
    """Return a `jack.Client`, without starting a server and with nothing printed by the library.

    Raises:
        DeviceError: no JACK client library, or no server.
    """
    jack = _jack()
    jack.set_error_function(_log.debug)
    try:
        return jack.Client(name, no_start_server=True)
    except jack.JackOpenError as error:
        raise DeviceError(
            f"no JACK server for the client {name!r}: start `jackd`, or run this under `pw-jack` where PipeWire runs"
        ) from error
    finally:
        jack.set_error_function(None)


def _jack() -> Any:  # noqa: ANN401 - JACK-Client has no types
    try:
        import jack  # noqa: PLC0415 - optional
    except ImportError as error:
        raise DeviceError("JACK needs its Python client: pip install 'stream-sep[jack]'") from error
    except OSError as error:
        raise DeviceError(f"{error}: install it with `apt install libjack-jackd2-0`, or the like") from error
    return jack


def _address(pointer: object) -> int:
    return int(_jack()._ffi.cast("uintptr_t", pointer))  # noqa: SLF001 - the library's own foreign functions
