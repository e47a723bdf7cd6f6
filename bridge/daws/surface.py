"""The control surface that a DAW is: one UDP port, one thread, and the DAW's OSC dialect."""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING

from bridge.daws.ardour import Ardour, Mixbus
from bridge.daws.bitwig import Bitwig
from bridge.daws.live import Live
from bridge.daws.reaper import Reaper
from bridge.daws.session import DawSession
from bridge.daws.x32 import X32
from bridge.daws.x32_server import X32Server
from bridge.network import is_local_network
from bridge.udp_loop import UdpEventLoop, open_udp
from stream_sep.errors import BridgeError, ConfigError, reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.daws.profile import Profile
    from bridge.network import Address
    from bridge.protocols import MixerControl

_log = logging.getLogger(__name__)

_SHOWN_SECONDS = 5.0

DAWS: dict[str, Callable[[], Profile]] = {
    "reaper": Reaper,
    "ardour": Ardour,
    "mixbus": Mixbus,
    "ableton": Live,
    "bitwig": Bitwig,
    "x32": X32,
}
"""The supported DAWs, by name."""

ALIASES = {"live": "ableton"}
"""Older name -> name."""


def check_daw(name: str) -> str:
    """Return the name of a DAW, given that name or an older one.

    Raises:
        ConfigError: a DAW that is not known.
    """
    name = ALIASES.get(name, name)
    if name not in DAWS:
        raise ConfigError(f"unknown DAW {name!r}; choose from {', '.join(DAWS)}")
    return name


class DawSurface:
    """Syncs a DAW's track faders, mutes, solos and automation with the stems, in both directions.

    Args:
        mixer: the mixer to control.
        name: ``reaper``, ``ardour``, ``mixbus``, ``ableton``, ``bitwig``, or ``x32`` to be one for its clients.
        host: where the DAW runs; for ``x32`` the address of this machine to listen at, ``0.0.0.0`` for the network.
        listen: UDP port to listen at; the DAW's usual one unless given, 0 takes a free one.
        send: UDP port that the DAW listens at; its usual one unless given.
        resolution: steps of Bitwig's values, as set there.
        push_on_connect: whether, on connect, the DAW's faders are set to the mixer's instead of the reverse.
        report: callback that receives messages: the DAW is connected, or does not reply.

    Raises:
        ConfigError: an unknown DAW or resolution.
    """

    def __init__(
        self,
        mixer: MixerControl,
        name: str,
        host: str = "127.0.0.1",
        listen: int | None = None,
        send: int | None = None,
        *,
        resolution: int | None = None,
        push_on_connect: bool = False,
        report: Callable[[str], None] = _log.info,
    ) -> None:
        name = check_daw(name)
        self._profile = Bitwig(resolution) if name == "bitwig" and resolution is not None else DAWS[name]()
        self._mixer, self._name, self._host, self._push_on_connect = mixer, name, host, push_on_connect
        self._listen = self._profile.listen if listen is None else listen
        self._peer_port = self._profile.send if send is None else send
        self._session: DawSession | X32Server | None = None
        self._line: UdpEventLoop | None = None
        self._last, self._errors, self._report = "", 0, report
        self._shown, self._shown_until, self._noticed = "", 0.0, ""

    @property
    def port(self) -> int:
        """The UDP port; with 0, the free one it took, once started."""
        return self._listen if self._line is None else self._line.port

    @property
    def last(self) -> str:
        """The last message while it is recent, such as ``/track/1/volume/db -6``, or else the track of each stem."""
        if self._session is None:
            return self._last
        now, text = time.monotonic(), self._session.last or self._last
        if text != self._shown:
            self._shown, self._shown_until = text, now + _SHOWN_SECONDS
        return text if text and now < self._shown_until else self._session.status

    @property
    def errors(self) -> int:
        """Number of invalid messages."""
        return self._errors + (0 if self._session is None else self._session.errors)

    @property
    def tracks(self) -> dict[str, int]:
        """The number of each stem's track in the DAW, from 1."""
        return self._session.of_stem if isinstance(self._session, DawSession) else {}

    def start(self) -> None:
        """Listen, and subscribe to the DAW; harmless when started.

        Raises:
            BridgeError: the port is taken, or the host cannot be resolved.
        """
        if self._line is not None:
            return
        self._peer = _resolved(self._host, self._peer_port)
        ours = self._host if self._serves else _local_address_for(self._peer)
        line = UdpEventLoop(
            _bound(ours, self._listen, self._name),
            f"daw {self._name}",
            self._on_wakeup,
            lambda: self._running.due(time.monotonic()),
            self._fail,
            batch_seconds=self._profile.batch_seconds,
        )
        self._running = self._session = self._begin(line, ours)
        self._unsubscribe = self._mixer.controls.subscribe(self._changed)
        self._line = line
        self._running.initialize(time.monotonic())
        line.start()

    @property
    def _serves(self) -> bool:
        return isinstance(self._profile, X32)

    def _begin(self, line: UdpEventLoop, ours: str) -> DawSession | X32Server:
        if self._serves:
            return X32Server(self._mixer, line.send, ours)
        return DawSession(
            self._mixer,
            self._profile,
            lambda packet: line.send(packet, self._peer),
            line.port,
            push_on_connect=self._push_on_connect,
        )

    def stop(self) -> None:
        """Release the port and end the thread; harmless when stopped."""
        if self._line is None:
            return
        self._unsubscribe()
        self._line.stop()
        self._running.shutdown()
        self._line.close()
        self._line = None
        self._last, self._errors, self._session = self.last, self.errors, None

    def _on_wakeup(self, packets: list[tuple[bytes, Address]]) -> None:
        accepted = [(packet, sender) for packet, sender in packets if self._accepts(sender)]
        if accepted:
            self._running.receive(accepted, time.monotonic())
        self._running.work(time.monotonic())
        self._report_notice()

    def _report_notice(self) -> None:
        notice = self._running.notice(time.monotonic())
        if notice and notice != self._noticed:
            self._noticed = notice
            self._report(notice)

    def _accepts(self, sender: Address) -> bool:
        if self._serves:
            if is_local_network(str(sender[0])):  # its clients cannot prove that they receive, as in `bridge.osc`
                return True
            self._last = f"{sender[0]} is not on a local network"
        elif sender[0] == self._peer[0]:
            return True
        else:
            self._last = f"{sender[0]} is not the host of {self._name}, {self._peer[0]}"
        return False

    def _fail(self) -> None:
        self._errors += 1

    def _changed(self, path: str) -> None:
        self._running.changed(path)
        if self._line is not None:
            self._line.wake()


def _resolved(host: str, port: int) -> tuple[str, int]:
    if not 0 <= port < 65536:
        raise BridgeError(f"a DAW at {host} cannot listen at UDP port {port}; ports end at 65535")
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
    except (OSError, OverflowError) as error:
        raise BridgeError(f"cannot resolve the DAW's host {host!r}, port {port}: {reason(error)}") from error
    return str(found[0]), int(found[1])


def _local_address_for(peer: tuple[str, int]) -> str:
    """Return the address of this machine that a DAW can reply to: no other one is exposed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer[0], peer[1] or 9))
        except OSError as error:
            raise BridgeError(f"cannot reach the DAW at {peer[0]}: {reason(error)}") from error
        return str(probe.getsockname()[0])


def _bound(host: str, port: int, name: str) -> socket.socket:
    try:
        return open_udp((host, port))
    except (OSError, OverflowError) as error:
        raise BridgeError(
            f"cannot bind UDP port {port} at {host} for {name}: {reason(error)}; stop the program using it"
        ) from error
