"""The plug-in's host process: a separator for every instance in every DAW, and the control surfaces."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from bridge.plugin.listener import listen
from bridge.plugin.locations import socket_address
from bridge.plugin.mixer import PluginMixer
from bridge.plugin.session import PluginSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.plugin.line import PipeLine, SocketLine

_STATUS_SECONDS = 0.5
_CLOSE_SECONDS = 10.0


class PluginHost:
    """Serves instances of the plug-in until it is stopped or idle.

    Args:
        report: callback that receives messages.
        address: where to listen; the default address unless given.
        linger: seconds to run without an instance; 0 for ever.

    Raises:
        BridgeError: another host runs.
    """

    def __init__(self, report: Callable[[str], None], *, address: str | None = None, linger: float = 60.0) -> None:
        self.mixer = PluginMixer()
        self._report, self._linger = report, linger
        self._threads: dict[PluginSession, threading.Thread] = {}
        self._listener = listen(address or socket_address())

    def serve(self, stopped: threading.Event) -> None:
        """Serve until ``stopped``, or until the last instance has been gone for so long."""
        idle_since = time.monotonic()
        published = 0.0
        while not stopped.is_set():
            line = self._listener.accept()
            if line is not None:
                self._accept(line)
            now = time.monotonic()
            if self._running():
                idle_since = now
            elif self._linger and now - idle_since > self._linger:
                return
            if now - published > _STATUS_SECONDS:
                self.mixer.publish_status()
                published = now

    def close(self) -> None:
        """End all sessions and their separators; one that does not end in time is left to the end of the process."""
        self._listener.close()
        for session in self._threads:
            session.close()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for thread in self._threads.values():
            thread.join(max(deadline - time.monotonic(), 0.0))

    def _running(self) -> bool:
        self._threads = {session: thread for session, thread in self._threads.items() if thread.is_alive()}
        return bool(self._threads)

    def _accept(self, line: SocketLine | PipeLine) -> None:
        session = PluginSession(line, on_controls=self._follow, on_ready=self.mixer.add, report=self._report)
        thread = threading.Thread(target=self._serve, args=(session,), name="plug-in session", daemon=True)
        self._threads[session] = thread
        thread.start()

    def _serve(self, session: PluginSession) -> None:
        try:
            session.serve()
        finally:
            self.mixer.remove(session)

    def _follow(self, session: PluginSession, values: Mapping[str, float]) -> None:
        self.mixer.follow(session, values)
