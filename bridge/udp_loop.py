"""A UDP port and the thread that serves it: all that waits is taken at once, and nothing else is ever waited for."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.osc.clients import Address

_log = logging.getLogger(__name__)

_RECEIVE_BUFFER = 4 * 2**20
_LARGEST_DATAGRAM = 65535
_MOST_DATAGRAMS = 20_000
_MOST_BYTES = 2**24


class UdpLine:
    """Takes datagrams and sends them; `send` is for the line's own thread, `wake` for any.

    Args:
        listening: a bound socket, as `open_udp` gives it; the line's from now on.
        name: of the thread.
        turn: called with what has come, perhaps nothing, whenever something came, is due, or `wake` was called.
        due: returns seconds until the next turn is due; None for when something comes.
        failed: called after a turn that raised, which is logged.
        gather_seconds: how long to wait for the rest when something comes.
    """

    def __init__(
        self,
        listening: socket.socket,
        name: str,
        turn: Callable[[list[tuple[bytes, Address]]], None],
        due: Callable[[], float | None],
        failed: Callable[[], None],
        *,
        gather_seconds: float = 0.0,
    ) -> None:
        self._socket, self._turn, self._due, self._failed = listening, turn, due, failed
        self._name, self._gather_seconds = name, gather_seconds
        self._doorbell, self._door = socket.socketpair()
        self._doorbell.settimeout(0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def port(self) -> int:
        """The UDP port."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to take turns."""
        self._thread.start()

    def stop(self) -> None:
        """End the turns; what `send` is given is sent until `close`."""
        self._stopping.set()
        self.wake()
        self._thread.join()

    def close(self) -> None:
        """Let go of the port."""
        for opened in (self._socket, self._doorbell, self._door):
            opened.close()

    def wake(self) -> None:
        """Have a turn soon; from any thread."""
        with contextlib.suppress(OSError):  # one waiting ring is enough, and none is needed at the end
            self._doorbell.send(b"\0")

    def send(self, packet: bytes, address: Address) -> bool:
        """Send one datagram; return False if it should be tried again."""
        try:
            self._socket.sendto(packet, address)
        except BlockingIOError:
            return False
        except OSError as error:
            _log.debug("%s cannot be told: %s", address, error)
        return True

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._door, selectors.EVENT_READ)
            while not self._stopping.is_set():
                ready = [key.fileobj for key, _ in selector.select(self._due())]
                if self._door in ready:
                    self._door.recv(4096)
                try:
                    self._turn(self._drain() if self._socket in ready else [])
                except Exception:  # noqa: BLE001 - no message may end the thread that all others need
                    self._failed()
                    _log.exception("%s goes on after an error of its own", self._name)

    def _drain(self) -> list[tuple[bytes, Address]]:
        """Take all that waits before any of it is looked at: a full buffer loses what is newest."""
        if self._gather_seconds:
            self._stopping.wait(self._gather_seconds)
        packets: list[tuple[bytes, Address]] = []
        size = 0
        with contextlib.suppress(BlockingIOError):
            while len(packets) < _MOST_DATAGRAMS and size < _MOST_BYTES:
                with contextlib.suppress(ConnectionError):  # Windows: a client that is gone
                    packets.append(self._socket.recvfrom(_LARGEST_DATAGRAM))
                    size += len(packets[-1][0])
        return packets


def open_udp(address: Address, family: int = socket.AF_INET) -> socket.socket:
    """Return a socket that listens at ``address``.

    Raises:
        OSError: the port is taken, or the address is not one of this machine's.
        OverflowError: there are not so many ports.
    """
    with contextlib.ExitStack() as undo:
        listening = undo.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        listening.bind(address)
        with contextlib.suppress(OSError):  # the system allows less
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        listening.settimeout(0)
        undo.pop_all()
    return listening
