"""A MIDI device as a control surface: found by its name, and found again after it was unplugged."""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from bridge.midi.apis import system_ports
from bridge.midi.connection import VIRTUAL_PORT, AbsentPortError, MidiConnection
from bridge.midi.map import MidiMap
from bridge.midi.map_files import load_map, match_map
from bridge.midi.session import MidiSession
from bridge.unexpected import UnexpectedErrors
from stream_sep.errors import BridgeError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.midi.ports import MidiPorts
    from bridge.protocols import MixerControl

_log = logging.getLogger(__name__)

SEEK_S = 0.5
"""Time between two polls of the system's ports, in seconds."""

REFRESH_S = 0.02
"""Least time between two rounds of changes sent to a device, in seconds: a MIDI cable carries a thousand messages in
one, and automation writes more."""

_TIMEOUT_S = 20.0  # more than the ports take where code is compiled for the first time


class MidiSurface:
    """Moves a mixer with a MIDI device, and its LEDs and motors with the mixer. A `bridge.protocols.Surface`.

    Args:
        mixer: the mixer.
        port: part of the name of the device's port; ``stream_sep`` makes a port that programs connect to.
        map: a map, its name or its file; None for the one that matches the port, or else the generic one.
        report: callback that receives a message when the device is disconnected or is back.
        ports: makes the system's ports; called on the surface's own thread, which alone uses them.

    Raises:
        ConfigError: there is no such map, or it is not valid.

    Example::

        faders = MidiSurface(engine, "nanoKONTROL2")
        faders.start()
    """

    def __init__(
        self,
        mixer: MixerControl,
        port: str = VIRTUAL_PORT,
        map: str | Path | MidiMap | None = None,  # noqa: A002 - the users' word
        *,
        report: Callable[[str], None] = _log.info,
        ports: Callable[[], MidiPorts] = system_ports,
    ) -> None:
        self._mixer, self._port, self._report, self._make_ports = mixer, port, report, ports
        self._map = map if map is None or isinstance(map, MidiMap) else load_map(map)
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._changed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._grown = threading.Event()
        self._session: MidiSession | None = None
        self._connection: MidiConnection | None = None
        self._past_errors = 0
        self._unexpected = UnexpectedErrors(_log, "MIDI")

    @property
    def last(self) -> str:
        """The last message and its effect, such as ``cc:1:0 95: stem/vocals/gain_db 0.00``."""
        session, connection = self._session, self._connection
        if connection is not None and not connection.name:
            return f"no MIDI port {self._port!r} yet"
        return "" if session is None else session.last

    @property
    def errors(self) -> int:
        """Count of invalid messages."""
        session = self._session
        return self._past_errors + (0 if session is None else session.errors)

    def start(self) -> None:
        """Open the port and send the mixer's state to the device; waits for a port that is not there yet.

        Raises:
            BridgeError: the port is taken, MIDI is not installed, or it cannot make a port of our own.
            ConfigError: the map for the port is not valid.
        """
        if self._thread is not None:
            return
        self._ending.clear()
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="midi", daemon=True)
        self._thread.start()
        try:
            started.result(_TIMEOUT_S)
        except TimeoutError:
            raise BridgeError(
                f"MIDI does not respond within {_TIMEOUT_S:g} s; restart the program that uses its ports"
            ) from None
        except StreamSepError:
            self.stop()
            raise

    def stop(self) -> None:
        """Switch the device's lights off and release its port; harmless when stopped."""
        if self._thread is not None:
            self._ending.set()
            self._thread.join(_TIMEOUT_S)
            self._thread = None

    def _run(self, started: Future[None]) -> None:
        try:
            connection = MidiConnection(self._port, self._make_ports(), self._report)
        except StreamSepError as error:
            started.set_exception(error)
            return
        unsubscribe = self._mixer.controls.subscribe(self._changed.put)
        unwatch = self._mixer.controls.subscribe_tree(self._grown.set)
        try:
            self._connect(connection)
            started.set_result(None)
            self._serve(connection)
        except StreamSepError as error:
            started.set_exception(error)
        finally:
            unsubscribe()
            unwatch()
            connection.close()

    def _connect(self, connection: MidiConnection) -> None:
        """Open the port; one that is not there yet may be plugged in while the music plays."""
        try:
            connection.connect()
        except AbsentPortError as error:
            if self._port == VIRTUAL_PORT:
                raise
            self._report(f"{error}; it is used once it is connected")
        else:
            self._initialize(connection)
        self._connection = connection

    def _initialize(self, connection: MidiConnection) -> None:
        midi_map = self._map or load_map(match_map(connection.name))
        self._past_errors = self.errors
        colours = "x-touch" in connection.name.casefold()
        self._session = MidiSession(self._mixer, midi_map, connection.send, colours=colours)
        self._session.initialize()

    def _serve(self, connection: MidiConnection) -> None:
        poll_at = refresh_at = time.monotonic()
        while not self._ending.is_set():
            messages, now = connection.receive(), time.monotonic()
            for message in messages:
                self._guard(MidiSession.receive, message, now)
            if messages:
                self._guard(MidiSession.commit)
            if now >= refresh_at:
                refresh_at = now + REFRESH_S
                self._guard(self._refresh, now)
            if now >= poll_at:
                poll_at = now + SEEK_S
                self._poll(connection)
        self._guard(MidiSession.shutdown)

    def _poll(self, connection: MidiConnection) -> None:
        if connection.poll_port():
            try:
                self._initialize(connection)
            except StreamSepError as error:
                self._report(str(error))

    def _guard(self, call: Callable[..., None], *arguments: object) -> None:
        """Call a method of the device's session; an error in one message must not lose others."""
        if self._session is None:
            return
        try:
            call(self._session, *arguments)
        except Exception as error:  # noqa: BLE001 - an error in one message must not lose the next
            self._unexpected.note(error)
            self._past_errors += 1

    def _refresh(self, session: MidiSession, now: float) -> None:
        if self._grown.is_set():
            self._grown.clear()
            session.rebind()
        if paths := {self._changed.get() for _ in range(self._changed.qsize())}:
            session.refresh(paths)
        session.tick(now)
