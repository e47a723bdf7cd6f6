"""OSC over UDP: the control surface that controllers, DAWs and scripts on the network reach."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from bridge.network import is_loopback, network_filter, parse_target, resolve_udp
from bridge.osc.clients import MAX_CLIENTS, MAX_PER_HOST
from bridge.osc.network_surface import NetworkSurface
from bridge.osc.session import OscSession
from bridge.udp_loop import UdpEventLoop, open_udp
from stream_sep.errors import BridgeError, reason

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from bridge.network import Address
    from bridge.protocols import MixerControl

DEFAULT_PORT = 9137


class OscServer(NetworkSurface):
    """Controls a mixer over the network.

    If other machines can reach it, an address is sent no more than it sent until it replies to a ``/echo`` (see
    `bridge.osc.address_proof`): a sender's address is easily forged. Addresses in ``trust`` and ``targets`` need no
    proof.

    Args:
        mixer: the mixer to control.
        host: address to listen at; ``0.0.0.0`` opens it to the whole network, and OSC has no password.
        port: UDP port to listen at; 0 takes a free one.
        targets: ``host:port`` of clients that receive everything without a subscription.
        meter_rate: meter messages per second; 0 is none.
        prefix: of every address, such as ``/stem_sep``, where many programs share a network.
        trust: addresses and networks, ``192.168.1.0/24``, that receive replies without a proof.
        clock: seconds that subscriptions are measured in.

    Raises:
        BridgeError: a port, a target, a network or a prefix is invalid.
    """

    def __init__(
        self,
        mixer: MixerControl,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        targets: Sequence[str | tuple[str, int]] = (),
        *,
        meter_rate: float = 20.0,
        prefix: str = "",
        trust: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(mixer, host, port, port_option="--osc-port", meter_rate=meter_rate, prefix=prefix)
        self._targets = [parse_target(target) for target in targets]
        self._is_trusted_host = network_filter(trust)
        self._clock = clock
        self._loop: UdpEventLoop | None = None

    @property
    def port(self) -> int:
        """The UDP port; with 0, the free one it took, once started."""
        return self._port if self._loop is None else self._loop.port

    def start(self) -> None:
        """Listen and give feedback, on a thread; harmless when started.

        Raises:
            BridgeError: the port is taken, or the host is not one of this machine's.
        """
        if self._loop is not None:
            return
        listening = _bound(self._host, self._port)
        try:
            targets = [_resolved(listening.family, *target) for target in self._targets]
        except BridgeError:
            listening.close()
            raise
        loop = UdpEventLoop(listening, "osc", self._on_wakeup, lambda: self._session.next_deadline, self._fail)
        self._session = self._new_session(loop, targets, is_private=is_loopback(listening.getsockname()[0]))
        self._subscriptions = contextlib.ExitStack()
        self._subscriptions.callback(self._mixer.controls.subscribe(self._session.feedback.changed))
        self._subscriptions.callback(self._mixer.controls.subscribe_tree(self._session.tree_changed))
        self._loop = loop
        loop.start()

    def _new_session(self, loop: UdpEventLoop, targets: list[Address], *, is_private: bool) -> OscSession:
        return OscSession(
            self._mixer,
            lambda address, packet: loop.send(packet, address),
            loop.wake,
            self._received,
            targets=targets,
            meter_rate=self._meter_rate,
            prefix=self._prefix,
            clock=self._clock,
            trusted=lambda address: is_private or self._is_trusted_host(str(address[0])),
            max_per_host=MAX_CLIENTS if is_private else MAX_PER_HOST,
        )

    def stop(self) -> None:
        """Release the port and end the thread; harmless when stopped."""
        if self._loop is None:
            return
        self._subscriptions.close()
        self._loop.stop()
        self._loop.close()
        self._loop = None

    def _on_wakeup(self, packets: list[tuple[bytes, Address]]) -> None:
        if packets:
            self._session.receive(packets)
        self._session.run_due()

    def _fail(self) -> None:
        self._received.errors += 1


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, address = resolve_udp(host, port)
    except OSError as error:
        raise BridgeError(
            f"cannot listen for OSC at {host}, port {port}: {reason(error)}; try another --osc-bind"
        ) from error
    try:
        return open_udp(address, family)
    except OSError as error:
        raise BridgeError(
            f"cannot bind UDP port {port} at {host} for OSC: {reason(error)}; "
            "choose another --osc-port or stop the program using it"
        ) from error


def _resolved(family: int, host: str, port: int) -> Address:
    try:
        return resolve_udp(host, port, family)[1]
    except OSError as error:
        raise BridgeError(f"cannot resolve OSC target {host}:{port}: {reason(error)}") from error
