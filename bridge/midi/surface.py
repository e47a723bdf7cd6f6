"""A MIDI device as a control surface: found by its name, found again after its plug was pulled."""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from bridge.midi.apis import system_ports
from bridge.midi.connection import VIRTUAL_PORT, MidiLine
from bridge.midi.map import MidiMap
from bridge.midi.map_files import load_map, match_map
from bridge.midi.session import MidiSession
from stream_sep.errors import BridgeError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.midi.ports import MidiPorts
    from bridge.protocols import Desk

_log = logging.getLogger(__name__)

SEEK_S = 0.5
"""Time between two looks at the system's ports, in seconds."""

REFRESH_S = 0.02
"""Least time between two rounds of changes sent to a device, in seconds: a MIDI cable carries a thousand messages in
one, and automation writes more."""

_PATIENCE_S = 20.0  # more than the ports take where code is compiled for the first time


class MidiSurface:
    """Move a desk with a MIDI device, and its LEDs and motors with the desk. A `bridge.protocols.Surface`.

    Args:
        desk: what is moved.
        port: part of the name of the device's port; ``stream_sep`` makes a port that programs connect to.
        map: a map, its name or its file; None for the one that knows the port, or else the generic one.
        report: told in sentences when the device goes and comes.
        ports: makes the system's ports; called on the surface's own thread, which alone uses them.

    Raises:
        ConfigError: there is no such map, or it is not what this program reads.

    Example::

        faders = MidiSurface(engine, "nanoKONTROL2")
        faders.start()
    """

    def __init__(
        self,
        desk: Desk,
        port: str = VIRTUAL_PORT,
        map: str | Path | MidiMap | None = None,  # noqa: A002 - what users call it
        *,
        report: Callable[[str], None] = _log.info,
        ports: Callable[[], MidiPorts] = system_ports,
    ) -> None:
        self._desk, self._port, self._report, self._make_ports = desk, port, report, ports
        self._map = map if map is None or isinstance(map, MidiMap) else load_map(map)
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._changed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._grown = threading.Event()
        self._session: MidiSession | None = None
        self._past_errors = 0

    @property
    def last(self) -> str:
        """What was received last and what it did, such as ``cc:1:0 95: stem/vocals/gain_db 0.00``."""
        session = self._session
        return "" if session is None else session.last

    @property
    def errors(self) -> int:
        """How many messages made no sense."""
        session = self._session
        return self._past_errors + (0 if session is None else session.errors)

    def start(self) -> None:
        """Open the port and bring the device to where the desk is.

        Raises:
            BridgeError: the port is not there, or taken, or MIDI is not.
            ConfigError: the map for the port is not what this program reads.
        """
        if self._thread is not None:
            return
        self._ending.clear()
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="midi", daemon=True)
        self._thread.start()
        try:
            started.result(_PATIENCE_S)
        except TimeoutError:
            raise BridgeError(f"MIDI does not answer in {_PATIENCE_S:g} s; restart what has its ports") from None
        except StreamSepError:
            self.stop()
            raise

    def stop(self) -> None:
        """Leave the device dark and let go of its port; harmless when stopped."""
        if self._thread is not None:
            self._ending.set()
            self._thread.join(_PATIENCE_S)
            self._thread = None

    def _run(self, started: Future[None]) -> None:
        try:
            line = MidiLine(self._port, self._make_ports(), self._report)
        except StreamSepError as error:
            started.set_exception(error)
            return
        unsubscribe = self._desk.controls.subscribe(self._changed.put)
        unwatch = self._desk.controls.watch(self._grown.set)
        try:
            line.connect()
            midi_map = self._map or load_map(match_map(line.name))
            self._greet(line, midi_map)
            started.set_result(None)
            self._serve(line, midi_map)
        except StreamSepError as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            unsubscribe()
            unwatch()
            line.close()

    def _greet(self, line: MidiLine, midi_map: MidiMap) -> None:
        self._past_errors = self.errors
        self._session = MidiSession(self._desk, midi_map, line.send, colours="x-touch" in line.name.casefold())
        self._session.greet()

    def _serve(self, line: MidiLine, midi_map: MidiMap) -> None:
        seek_at = refresh_at = time.monotonic()
        while not self._ending.is_set():
            messages, now = line.receive(), time.monotonic()
            self._take(messages, now)
            if now >= refresh_at:
                refresh_at = now + REFRESH_S
                self._give(now)
            if now >= seek_at:
                seek_at = now + SEEK_S
                if line.seek():
                    self._greet(line, midi_map)
        assert self._session is not None
        self._session.farewell()

    def _take(self, messages: list[bytes], now: float) -> None:
        assert self._session is not None
        for message in messages:
            self._session.receive(message, now)
        if messages:
            self._session.commit()

    def _give(self, now: float) -> None:
        assert self._session is not None
        if self._grown.is_set():
            self._grown.clear()
            self._session.regrow()
        if paths := {self._changed.get() for _ in range(self._changed.qsize())}:
            self._session.refresh(paths)
        self._session.tick(now)
