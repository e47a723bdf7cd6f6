"""A UDP port and the thread that serves it: it takes all waiting datagrams at once, and blocks on nothing else."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from typing import TYPE_CHECKING

from bridge.unexpected import UnexpectedErrors

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.network import Address

_log = logging.getLogger(__name__)

_RECEIVE_BUFFER = 4 * 2**20
_MAX_DATAGRAM = 65535
_MAX_DATAGRAMS = 20_000
_MAX_BYTES = 2**24
_MAX_WAIT_SECONDS = 3600.0  # the system's own limit is a few weeks, and it refuses more
_PAUSE_SECONDS = 0.01


class UdpEventLoop:
    """Receives and sends datagrams; `send` is for the loop's own thread, `wake` for any.

    Args:
        listening: a bound socket, as `open_udp` returns it; the loop closes it.
        name: of the thread.
        on_wakeup: called with the received packets, perhaps none, on arrival, at a deadline, or after `wake`.
        next_deadline: returns the seconds until `on_wakeup` is due; None to wait for packets only.
        failed: called after either of them raised, which is logged.
        batch_seconds: how long to wait for more packets after the first.
    """

    def __init__(
        self,
        listening: socket.socket,
        name: str,
        on_wakeup: Callable[[list[tuple[bytes, Address]]], None],
        next_deadline: Callable[[], float | None],
        failed: Callable[[], None],
        *,
        batch_seconds: float = 0.0,
    ) -> None:
        self._socket, self._on_wakeup, self._next_deadline = listening, on_wakeup, next_deadline
        self._failed, self._unexpected = failed, UnexpectedErrors(_log, name)
        self._name, self._batch_seconds = name, batch_seconds
        self._wake_send, self._wake_recv = socket.socketpair()
        self._wake_send.settimeout(0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def port(self) -> int:
        """The UDP port."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; `send` works until `close`."""
        self._stopping.set()
        self.wake()
        self._thread.join()

    def close(self) -> None:
        """Close the port."""
        for opened in (self._socket, self._wake_send, self._wake_recv):
            opened.close()

    def wake(self) -> None:
        """Wake the loop; from any thread."""
        with contextlib.suppress(OSError):  # one pending byte is enough, and none is needed at the end
            self._wake_send.send(b"\0")

    def send(self, packet: bytes, address: Address) -> bool:
        """Send one datagram; return False if it should be tried again.

        Args:
            packet: its bytes.
            address: host and port.

        Returns:
            False if the socket has no room now; an address that cannot be reached is no reason to try again.
        """
        try:
            self._socket.sendto(packet, address)
        except BlockingIOError:
            return False
        except OSError as error:
            _log.debug("cannot send to %s: %s", address, error)
        return True

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake_recv, selectors.EVENT_READ)
            while not self._stopping.is_set():
                try:
                    self._run_once(selector)
                except Exception as error:  # noqa: BLE001 - no message may end the thread that all others need
                    self._failed()
                    self._unexpected.note(error)
                    self._stopping.wait(_PAUSE_SECONDS)  # an error that repeats may not take a whole core

    def _run_once(self, selector: selectors.BaseSelector) -> None:
        seconds = self._next_deadline()
        wait = None if seconds is None else min(max(seconds, 0.0), _MAX_WAIT_SECONDS)
        ready = [key.fileobj for key, _ in selector.select(wait)]
        if self._wake_recv in ready:
            self._wake_recv.recv(4096)
        self._on_wakeup(self._drain() if self._socket in ready else [])

    def _drain(self) -> list[tuple[bytes, Address]]:
        """Return all waiting packets, before any is processed: a full buffer drops the newest."""
        if self._batch_seconds:
            self._stopping.wait(self._batch_seconds)
        packets: list[tuple[bytes, Address]] = []
        size = 0
        with contextlib.suppress(BlockingIOError):
            while len(packets) < _MAX_DATAGRAMS and size < _MAX_BYTES:
                with contextlib.suppress(ConnectionError):  # Windows: a client that is gone
                    packets.append(self._socket.recvfrom(_MAX_DATAGRAM))
                    size += len(packets[-1][0])
        return packets


def open_udp(address: Address, family: int = socket.AF_INET) -> socket.socket:
    """Return a socket that listens at ``address``.

    Args:
        address: host and port.
        family: of the address.

    Returns:
        The socket, which does not block.

    Raises:
        OSError: the port is taken, or the address is not one of this machine's.
        OverflowError: the port is out of range.
    """
    with contextlib.ExitStack() as undo:
        listening = undo.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        listening.bind(address)
        with contextlib.suppress(OSError):  # the system allows less
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        listening.settimeout(0)
        undo.pop_all()
    return listening
