"""OSC over UDP: the control surface that controllers, DAWs and scripts on the network reach."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING

from bridge.osc_desk import OscDesk, Reception
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.desk import Desk
    from bridge.osc_clients import Address

_log = logging.getLogger(__name__)

DEFAULT_PORT = 9137
_RECEIVE_BUFFER = 4 * 2**20
_LARGEST_DATAGRAM = 65535
_MOST_DATAGRAMS = 20_000
_MOST_BYTES = 2**24


class OscServer:
    """Puts a desk on the network.

    Args:
        desk: what is moved.
        host: address to listen at; ``0.0.0.0`` lets the whole network in, and OSC asks for no password.
        port: UDP port to listen at; 0 takes a free one.
        targets: ``host:port`` of clients that are told everything without asking.
        meter_rate: rounds of meters a second; 0 is none.
        prefix: what every address begins with, such as ``/stem_sep``, where many programs share a network.
        clock: seconds that subscriptions are measured in.

    Raises:
        BridgeError: a target or a prefix that makes no sense.
    """

    def __init__(
        self,
        desk: Desk,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        targets: Sequence[str | tuple[str, int]] = (),
        *,
        meter_rate: float = 20.0,
        prefix: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._host, self._port, self._meter_rate, self._clock = desk, host, port, meter_rate, clock
        self._targets = [_host_and_port(target) for target in targets]
        self._prefix = checked_prefix(prefix)
        self._reception = Reception()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """The UDP port, once started the one that 0 became."""
        return self._port if self._thread is None else int(self._socket.getsockname()[1])

    @property
    def last(self) -> str:
        """What was received last, such as ``/stem/vocals/fader 0.75``."""
        return str(self._reception)

    @property
    def errors(self) -> int:
        """How many messages made no sense."""
        return self._reception.errors

    def start(self) -> None:
        """Listen and give feedback, on a thread; harmless when started.

        Raises:
            BridgeError: the port is taken, or the host is not one of this machine's.
        """
        if self._thread is not None:
            return
        self._socket = _bound(self._host, self._port)
        try:
            targets = [_resolved(self._socket.family, *target) for target in self._targets]
        except BridgeError:
            self._socket.close()
            raise
        self._doorbell, self._door = socket.socketpair()
        self._doorbell.settimeout(0)
        self._osc = self._osc_desk(targets)
        self._joined = contextlib.ExitStack()
        self._joined.callback(self._desk.controls.subscribe(self._osc.feedback.changed))
        self._joined.callback(self._desk.controls.watch(self._osc.grown))
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def _osc_desk(self, targets: list[Address]) -> OscDesk:
        return OscDesk(
            self._desk,
            self._send,
            self._wake,
            self._reception,
            targets=targets,
            meter_rate=self._meter_rate,
            prefix=self._prefix,
            clock=self._clock,
        )

    def stop(self) -> None:
        """Let go of the port and the thread; harmless when stopped."""
        if self._thread is None:
            return
        self._joined.close()
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._thread = None
        for opened in (self._socket, self._doorbell, self._door):
            opened.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._door, selectors.EVENT_READ)
            while not self._stopping.is_set():
                ready = [key.fileobj for key, _ in selector.select(self._osc.feedback.due)]
                try:
                    self._turn(ready)
                except Exception:  # noqa: BLE001 - no message may end the thread that all others need
                    self._reception.errors += 1
                    _log.exception("OSC goes on after an error of its own")

    def _turn(self, ready: Sequence[object]) -> None:
        if self._door in ready:
            self._door.recv(4096)
        if self._socket in ready:
            self._osc.receive(self._drain())
        self._osc.work()

    def _drain(self) -> list[tuple[bytes, Address]]:
        """Take all that waits before any of it is looked at: a full buffer loses what is newest."""
        packets: list[tuple[bytes, Address]] = []
        size = 0
        with contextlib.suppress(BlockingIOError):
            while len(packets) < _MOST_DATAGRAMS and size < _MOST_BYTES:
                with contextlib.suppress(ConnectionError):  # Windows: a client that is gone
                    packets.append(self._socket.recvfrom(_LARGEST_DATAGRAM))
                    size += len(packets[-1][0])
        return packets

    def _send(self, address: Address, packet: bytes) -> bool:
        try:
            self._socket.sendto(packet, address)
        except BlockingIOError:
            return False
        except OSError as error:
            _log.debug("%s cannot be told: %s", address, error)
        return True

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # one waiting ring is enough, and none is needed at the end
            self._doorbell.send(b"\0")


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise BridgeError(f"cannot listen for OSC at {host}, port {port}: {error}; try another --osc-bind") from error
    try:
        listening.bind(address)
    except (OSError, OverflowError) as error:
        listening.close()
        raise BridgeError(
            f"UDP port {port} at {host} cannot be had for OSC: {error}; try another --osc-port, or end what has it"
        ) from error
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    listening.settimeout(0)
    return listening


def _resolved(family: int, host: str, port: int) -> Address:
    try:
        return tuple(socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)[0][4])
    except OSError as error:
        raise BridgeError(f"the OSC target {host}:{port} is not to be found: {error}") from error


def _host_and_port(target: str | tuple[str, int]) -> tuple[str, int]:
    host, port = target if isinstance(target, tuple) else target.rpartition(":")[::2]
    if not host or not str(port).isdecimal() or not 0 < int(port) < 65536:
        raise BridgeError(f"the OSC target {target!r} is no host:port, such as 192.168.1.20:9138")
    return host.strip("[]"), int(port)


def checked_prefix(prefix: str) -> str:
    """Return a prefix as addresses begin with it.

    Raises:
        BridgeError: it is no address.

    >>> checked_prefix("/stem_sep/")
    '/stem_sep'
    """
    stripped = prefix.rstrip("/")
    if stripped and (not stripped.startswith("/") or set(stripped) & set(" #*,?[]{}")):
        raise BridgeError(f"the OSC prefix {prefix!r} is no address, such as /stem_sep")
    return stripped
