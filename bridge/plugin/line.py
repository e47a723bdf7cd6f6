"""Lines of text from and to an instance of the plug-in, over a socket or a pipe of Windows.

No call waits for an instance to read: a DAW that hangs would stop the host for all others.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from queue import Full, Queue
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

_MAX_LINE = 1 << 16
_MAX_UNSENT = 256
_POLL_SECONDS = 0.2
_FLUSH_SECONDS = 1.0


class Line(Protocol):
    """A connection with one instance of the plug-in."""

    def lines(self, timeout: float | None = None) -> Iterator[str]:
        """Yield whole lines until the other side closes, or sends nothing for ``timeout`` seconds."""
        ...

    def send(self, line: str) -> None:
        """Send a line at once; dropped if the other side has closed, which it also is if it does not read."""
        ...

    def close(self) -> None:
        """End the connection; harmless when ended."""
        ...


class SocketLine:
    """A `Line` over a socket."""

    def __init__(self, accepted: socket.socket) -> None:
        self._socket, self._sending = accepted, threading.Lock()
        self._buffer = b""

    def lines(self, timeout: float | None = None) -> Iterator[str]:
        """Yield lines; see `Line`."""
        while True:
            line, end, rest = self._buffer.partition(b"\n")
            if end:
                self._buffer = rest
                yield line.decode(errors="replace")
                continue
            if not self._receive(timeout):
                return

    def send(self, line: str) -> None:
        """Send a line; see `Line`."""
        data = line.encode() + b"\n"
        with self._sending, contextlib.suppress(OSError):
            try:
                sent = self._socket.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                self._socket.shutdown(socket.SHUT_RDWR)  # the reader of the lines then closes it

    def close(self) -> None:
        """End the connection; see `Line`."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def is_open(self) -> bool:
        """Return whether the other side is still connected, as far as can be checked without reading."""
        try:
            readable, _, _ = select.select([self._socket], [], [], 0)
            return not readable or bool(self._socket.recv(1, socket.MSG_PEEK))
        except (OSError, ValueError):
            return False

    def _receive(self, timeout: float | None) -> bool:
        try:
            readable, _, _ = select.select([self._socket], [], [], timeout)
            received = self._socket.recv(4096) if readable else b""
        except (OSError, ValueError):
            return False
        self._buffer += received
        return bool(received) and len(self._buffer) <= _MAX_LINE


class PipeLine:
    """A `Line` over a pipe of Windows."""

    def __init__(self, accepted: Connection) -> None:
        self._pipe, self._closed = accepted, False
        self._unsent: Queue[bytes | None] = Queue(_MAX_UNSENT)
        self._writer = threading.Thread(target=self._write, name="plug-in pipe", daemon=True)
        self._writer.start()

    def lines(self, timeout: float | None = None) -> Iterator[str]:
        """Yield lines; see `Line`."""
        with contextlib.suppress(EOFError, OSError):
            while self._wait(timeout):
                yield from self._pipe.recv_bytes(_MAX_LINE).decode(errors="replace").splitlines()

    def send(self, line: str) -> None:
        """Send a line; see `Line`."""
        try:
            self._unsent.put_nowait(line.encode() + b"\n")
        except Full:
            self._closed = True  # the reader of the lines then closes it

    def close(self) -> None:
        """End the connection; see `Line`."""
        self._closed = True
        with contextlib.suppress(Full):
            self._unsent.put_nowait(None)
        self._writer.join(_FLUSH_SECONDS)
        self._pipe.close()

    def is_open(self) -> bool:
        """Return whether the other side is still connected."""
        try:
            self._pipe.poll(0)
        except OSError:
            return False
        return not self._closed

    def _wait(self, timeout: float | None) -> bool:
        """Return whether there is something to read, within ``timeout`` seconds and before the line is closed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._closed and (deadline is None or time.monotonic() < deadline):
            if self._pipe.poll(_POLL_SECONDS):
                return True
        return False

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while (data := self._unsent.get()) is not None:
                self._pipe.send_bytes(data)
