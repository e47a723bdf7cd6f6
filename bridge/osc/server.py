"""OSC over UDP: the control surface that controllers, DAWs and scripts on the network reach."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from bridge.osc.session import OscDesk, Reception
from bridge.udp_loop import UdpLine, open_udp
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.osc.clients import Address
    from bridge.protocols import Desk

DEFAULT_PORT = 9137


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
        self._line: UdpLine | None = None

    @property
    def port(self) -> int:
        """The UDP port, once started the one that 0 became."""
        return self._port if self._line is None else self._line.port

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
        if self._line is not None:
            return
        listening = _bound(self._host, self._port)
        try:
            targets = [_resolved(listening.family, *target) for target in self._targets]
        except BridgeError:
            listening.close()
            raise
        line = UdpLine(listening, "osc", self._turn, lambda: self._osc.feedback.due, self._fail)
        self._osc = self._osc_desk(line, targets)
        self._joined = contextlib.ExitStack()
        self._joined.callback(self._desk.controls.subscribe(self._osc.feedback.changed))
        self._joined.callback(self._desk.controls.watch(self._osc.grown))
        self._line = line
        line.start()

    def _osc_desk(self, line: UdpLine, targets: list[Address]) -> OscDesk:
        return OscDesk(
            self._desk,
            lambda address, packet: line.send(packet, address),
            line.wake,
            self._reception,
            targets=targets,
            meter_rate=self._meter_rate,
            prefix=self._prefix,
            clock=self._clock,
        )

    def stop(self) -> None:
        """Let go of the port and the thread; harmless when stopped."""
        if self._line is None:
            return
        self._joined.close()
        self._line.stop()
        self._line.close()
        self._line = None

    def _turn(self, packets: list[tuple[bytes, Address]]) -> None:
        if packets:
            self._osc.receive(packets)
        self._osc.work()

    def _fail(self) -> None:
        self._reception.errors += 1


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, OverflowError) as error:
        raise BridgeError(f"cannot listen for OSC at {host}, port {port}: {error}; try another --osc-bind") from error
    try:
        return open_udp(address, family)
    except (OSError, OverflowError) as error:
        raise BridgeError(
            f"UDP port {port} at {host} cannot be had for OSC: {error}; try another --osc-port, or end what has it"
        ) from error


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
