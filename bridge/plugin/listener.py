"""Waits for instances of the plug-in: on a socket that only the user can open, on Windows on a pipe."""

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

from bridge.plugin.line import PipeLine, SocketLine
from stream_sep.errors import BridgeError, reason

if sys.platform != "win32":
    import fcntl

_POLL_SECONDS = 0.2


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
            self._lock = _locked(self._path)
            self._socket = self._bind()
        except OSError as error:
            raise BridgeError(
                f"cannot listen for the plug-in on {path}: {reason(error)}; stop the program that uses it, or set "
                "STREAM_SEP_PLUGIN_SOCKET to another path"
            ) from error
        self._inode = self._path.stat().st_ino
        self._socket.listen()

    def _bind(self) -> socket.socket:
        try:
            return _bound(self._path)
        except OSError:
            os.close(self._lock)
            raise

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
        os.close(self._lock)


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


def _locked(path: Path) -> int:
    """Lock the path until the returned descriptor is closed: hosts that start at once race for it."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError("another host is running") from None
    except OSError:  # a file system without locks
        pass
    return descriptor


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
