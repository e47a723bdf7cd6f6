"""Lines of text from and to the plug-in: over a socket that only the user can open, on Windows over a pipe."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
import time
from multiprocessing import connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from stream_sep.errors import BridgeError, reason

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_LINE = 1 << 16
_POLL_SECONDS = 0.2


class Line(Protocol):
    """A connection with one instance of the plug-in."""

    def lines(self, timeout: float | None = None) -> Iterator[str]:
        """Yield whole lines until the other side closes, or sends nothing for ``timeout`` seconds."""
        ...

    def send(self, line: str) -> None:
        """Send a line; dropped if the other side has closed."""
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
        with self._sending, contextlib.suppress(OSError):
            self._socket.sendall(line.encode() + b"\n")

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

    def __init__(self, accepted: connection.Connection) -> None:
        self._pipe, self._sending = accepted, threading.Lock()

    def lines(self, timeout: float | None = None) -> Iterator[str]:
        """Yield lines; see `Line`."""
        with contextlib.suppress(EOFError, OSError):
            while self._pipe.poll(timeout):
                yield from self._pipe.recv_bytes(_MAX_LINE).decode(errors="replace").splitlines()

    def send(self, line: str) -> None:
        """Send a line; see `Line`."""
        with self._sending, contextlib.suppress(OSError):
            self._pipe.send_bytes(line.encode() + b"\n")

    def close(self) -> None:
        """End the connection; see `Line`."""
        self._pipe.close()

    def is_open(self) -> bool:
        """Return whether the other side is still connected."""
        try:
            self._pipe.poll(0)
        except OSError:
            return False
        return True


class SocketListener:
    """Waits for instances of the plug-in on a Unix socket.

    Args:
        path: of the socket; its folder is made, for this user alone.

    Raises:
        BridgeError: another host listens there, or the socket cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        try:
            if not self._path.parent.exists():
                self._path.parent.mkdir(parents=True, mode=0o700)
            self._socket = _bound(self._path)
        except OSError as error:
            raise BridgeError(
                f"cannot listen for the plug-in on {path}: {reason(error)}; stop the program that uses it, or set "
                "STREAM_SEP_PLUGIN_SOCKET to another path"
            ) from error
        self._inode = self._path.stat().st_ino
        self._socket.listen()

    def accept(self) -> SocketLine | None:
        """Return the next connection, or None after a short timeout."""
        try:
            readable, _, _ = select.select([self._socket], [], [], _POLL_SECONDS)
            return SocketLine(self._socket.accept()[0]) if readable else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:  # else another host has bound it by now
                self._path.unlink()


class PipeListener:
    """Waits for instances of the plug-in on a pipe of Windows; as `SocketListener`.

    A separate thread accepts them: the call cannot be interrupted, and the host has to end when it is idle.

    Args:
        name: of the pipe.
        family: ``AF_PIPE``; tests have other systems' own.

    Raises:
        BridgeError: another host listens there.
    """

    def __init__(self, name: str, family: str = "AF_PIPE") -> None:
        self._accepted: SimpleQueue[PipeLine] = SimpleQueue()
        self._closed = False
        try:
            self._listener = connection.Listener(name, family=family)
        except OSError as error:
            raise BridgeError(
                f"cannot listen for the plug-in on {name}: {reason(error)}; another host may be running"
            ) from error
        threading.Thread(target=self._accept_all, name="plug-in listener", daemon=True).start()

    def accept(self) -> PipeLine | None:
        """Return the next connection, or None after a short timeout."""
        try:
            return self._accepted.get(timeout=_POLL_SECONDS)
        except Empty:
            return None

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self._listener.close()

    def _accept_all(self) -> None:
        while not self._closed:
            try:
                self._accepted.put(PipeLine(self._listener.accept()))
            except OSError:  # closed, or a client that left at once
                time.sleep(_POLL_SECONDS)


def listen(address: str) -> SocketListener | PipeListener:
    """Return a listener for the plug-in at ``address``.

    Raises:
        BridgeError: another host listens there, or it cannot be bound.
    """
    return PipeListener(address) if sys.platform == "win32" else SocketListener(address)


def _bound(path: Path) -> socket.socket:
    if path.exists() and _is_listening(path):
        raise OSError("another host is running")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        made.bind(str(path))
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    return made


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
