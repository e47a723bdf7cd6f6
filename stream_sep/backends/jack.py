"""JACK backend: every stem on its own ports, for connections to other clients of the server."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from stream_sep.backends.callback import jack_callback
from stream_sep.backends.jack_session import JackSession, leave_within, load_jack
from stream_sep.errors import ConfigError, DeviceError
from stream_sep.protocols import MAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stream_sep.audio.latency import LatencyReport
    from stream_sep.audio.state import AudioState
    from stream_sep.backends.jack_session import Connection

MAX_BLOCK_SIZE = 4096
"""Frames that the server's block size may grow to while the engine plays; larger ones need a restart."""

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.5


class JackBackend:
    """Runs as a client of a JACK server, or of PipeWire's JACK; rate and block size are the server's.

    Its ports are ``in_L``, ``in_R``, ``mix_L``, ``mix_R``, and a pair for each stem, such as ``vocals_L``. When the
    server is restarted, the ports return, and their connections as soon as the other ends are there.

    Args:
        name: of the client; the server adds a number where the name is taken.
        outputs: buses to give ports, ``"main"`` and names of stems; all of them unless given.
        connect: connect the sound card's inputs to ``in``, and ``mix`` to its outputs.
        report: callback that receives a message when the server ends or is back.

    Attributes:
        client_name: the name the server gave.
        on_block_size: called, on a thread of the backend, with the new block size when the server changes it.

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
        self._session: JackSession | None = JackSession(name)
        self.client_name: str = self._session.name
        self.sample_rate: int = self._session.sample_rate
        self.block_size: int = self._session.block_size
        self._requested = None if outputs is None else tuple(outputs)
        self._connect = connect
        self._report = report
        self._buses: tuple[str, ...] = ()
        self._state: AudioState | None = None
        self.on_block_size: Callable[[int], None] = lambda _: None
        self._cycle = self.block_size
        self._lost = 0
        self._last_connections: set[Connection] = set()
        self._gone, self._stopped = threading.Event(), threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def xruns(self) -> int:
        """Xruns of the server since the start."""
        return self._lost if self._state is None else int(self._state.record["output_underflows"][0])

    @property
    def connected_ports(self) -> frozenset[str]:
        """Short names of this client's ports that were connected at the last poll."""
        return frozenset(port for port, _ in self._last_connections)

    def compile(self) -> None:
        """Compile, or load, the callback."""
        jack_callback()

    def output_map(self, stems: tuple[str, ...]) -> tuple[int, ...]:
        """Return the bus channels that get ports, two for each requested bus.

        Raises:
            ConfigError: a bus that the separator does not have.
        """
        buses = (MAIN, *stems)
        self._buses = buses if self._requested is None else self._requested
        for bus in self._buses:
            if bus not in buses:
                raise ConfigError(f"no stem {bus!r} for ports; choose from {', '.join(buses)}")
        return tuple(2 * buses.index(bus) + side for bus in self._buses for side in (0, 1))

    def start(self, state: AudioState, between_blocks: Callable[[], None]) -> None:
        """Register the ports and join the server's graph.

        Args:
            state: of the audio thread.
            between_blocks: not used, as JACK calls compiled code.
        """
        del between_blocks  # no Python runs between the blocks of a server
        assert self._session is not None
        self._state = state
        try:
            self._session.join(state, self._buses, self._on_shutdown)
            if self._connect:
                self._connect_to_card(self._session)
        except load_jack().JackError as error:
            self.stop()
            raise DeviceError(f"JACK refused {self.client_name!r}: {error}; try another name") from error
        self._watcher = threading.Thread(target=self._watch, name="jack watcher", daemon=True)
        self._watcher.start()

    def complete(self, latency: LatencyReport) -> LatencyReport:
        """Return ``latency`` with the latency that the server reports for the connected ports."""
        return replace(latency, device=0 if self._session is None else self._session.device_latency())

    def stop(self) -> None:
        """Leave the server; harmless when already gone."""
        self._stopped.set()
        self._gone.set()  # wakes the watcher
        state = self._state
        if not leave_within(lambda: self._end(state)):
            self._report("the JACK server does not respond, so that its client was not closed")
        self._lost, self._state = self.xruns, None

    def _end(self, _state: AudioState | None) -> None:
        """Leave the server. Its callback may run until then, so the state is held here."""
        if self._watcher is not None:
            self._watcher.join()
        self._leave()

    def _connect_to_card(self, session: JackSession) -> None:
        for port, other in sorted(session.connect(session.system_connections(self._buses))):
            self._report(f"JACK does not connect {session.name}:{port} and {other}: connect them by hand")

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.leave()

    def _watch(self) -> None:
        """Track the connections while the server runs, and rejoin it when it comes back."""
        missing: set[Connection] = set()  # earlier connections whose other ends are not back yet
        while not self._stopped.is_set():
            if self._gone.wait(_POLL_SECONDS):
                missing |= self._last_connections
                self._leave()
                self._wait_for_return()
                missing = self._reconnect(missing)
            elif missing:
                missing = self._reconnect(missing)
            self._last_connections = self._current_connections()
            self._follow_block_size()

    def _wait_for_return(self) -> None:
        refused = ""
        while not self._stopped.wait(_POLL_SECONDS):
            try:
                self._rejoin()
            except DeviceError as error:
                if str(error) != refused and "no JACK server" not in str(error):
                    self._report(refused := str(error))
            else:
                self._report("the JACK server is back")
                return

    def _rejoin(self) -> None:
        state = self._state
        assert state is not None
        session = JackSession(self.client_name)
        if self._stopped.is_set():
            session.leave()
            return
        if session.sample_rate != self.sample_rate or session.block_size > max(self.block_size, MAX_BLOCK_SIZE):
            session.leave()
            raise DeviceError(
                f"the JACK server is back at {session.sample_rate} Hz with a block size of {session.block_size}, not"
                f" {self.sample_rate} Hz and {self.block_size}: restart stream_sep, or the server as it was"
            )
        self._gone.clear()
        try:
            session.join(state, self._buses, self._on_shutdown)
        except load_jack().JackError as error:
            session.leave()
            raise DeviceError(f"JACK refused {self.client_name!r}: {error}") from error
        self._session = session

    def _current_connections(self) -> set[Connection]:
        # a server that just died lists no connections, which must not replace the last ones
        found = set() if self._session is None else self._session.connections()
        return self._last_connections if self._gone.is_set() else found

    def _reconnect(self, missing: set[Connection]) -> set[Connection]:
        return missing if self._session is None else self._session.connect(missing)

    def _follow_block_size(self) -> None:
        # polled, as a callback in Python would delay the server
        frames = self._cycle if self._session is None else int(self._session.client.blocksize)
        if frames == self._cycle:
            return
        self._cycle = frames
        if frames > max(self.block_size, MAX_BLOCK_SIZE):
            self._report(f"JACK's block size is {frames} frames now, more than {MAX_BLOCK_SIZE}: restart stream_sep")
        else:
            self.on_block_size(frames)

    def _on_shutdown(self, _status: object, reason: str) -> None:
        if not self._stopped.is_set():
            self._report(f"the JACK server is gone ({reason}); waiting for it to come back")
            self._gone.set()
